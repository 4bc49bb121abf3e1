"""A version keeps the text of its manifest, with every file that it includes."""

from __future__ import annotations

from pathlib import Path

import pytest
from quick import QuickProject
from toys import HEAD, ONE, THREE

from pipeline.catalog.version import read_texts, texts_bytes
from pipeline.errors import StoreError, UsageError, VerificationError
from pipeline.manifest.spec import ManifestText, sha256_of


def shown(project: QuickProject, number: int) -> dict[str, bytes]:
    return {text.name: text.data for text in read_texts(project.store, project.catalog.read(number))}


def file_of(project: QuickProject) -> Path:
    return project.outputs / "catalog" / "000001" / "manifest.json"


def test_every_file_comes_back_byte_for_byte_whatever_is_edited_later(project: QuickProject) -> None:
    (project.folder / "shared").mkdir()
    studio = b"\xef\xbb\xbfcuesmith: 1\r\nseed: 7   # \xe6\xa3\xae\r\n"
    (project.folder / "shared" / "studio.yaml").write_bytes(studio)
    project.write(ONE, HEAD.replace("assets:", "include: [shared/studio.yaml]\nassets:"))
    main = project.manifest.read_bytes()
    project.build()
    project.write(ONE + THREE)
    (project.folder / "shared" / "studio.yaml").unlink()
    project.build()
    assert list(shown(project, 1).items()) == [("cues.yaml", main), ("shared/studio.yaml", studio)]
    assert shown(project, 2) == {"cues.yaml": project.manifest.read_bytes()}
    assert project.harm() == []


def test_a_version_of_an_older_release_says_that_it_has_none(project: QuickProject) -> None:
    project.first_build()
    file_of(project).unlink()
    with pytest.raises(StoreError, match="version 1 was published without the text of its manifest"):
        shown(project, 1)


@pytest.mark.parametrize(
    ("old", "new"), [("second", "third"), ('"files"', '"sheets"'), ('"text"', '"words"')]
)
def test_a_text_that_was_changed_is_not_passed_off_as_the_manifest(
    project: QuickProject, old: str, new: str
) -> None:
    project.first_build()
    text = file_of(project).read_text()
    file_of(project).write_text(text.replace(old, new))
    with pytest.raises(VerificationError, match=r"manifest\.json is damaged"):
        shown(project, 1)


def test_a_manifest_that_changes_as_a_build_begins_is_not_taken_for_the_one_that_was_read(
    project: QuickProject,
) -> None:
    prepared = project.prepare()
    project.write(ONE)
    with pytest.raises(UsageError, match="changed while the build started; run the same command again"):
        _ = prepared.texts


def test_what_is_no_utf_8_is_kept_too(project: QuickProject) -> None:
    project.first_build()
    odd = ManifestText("a\udcff.yaml", b"\xff\xfe")
    version = project.latest
    object.__setattr__(version, "manifest", {"sha256": sha256_of([odd])})
    file_of(project).write_bytes(texts_bytes([odd]))
    assert read_texts(project.store, version) == [odd]
