"""Slips that every editor and every merge makes: each has a message of its own, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from manifest_texts import HEAD, Complain, Load

from manifests import load, load_cached
from pipeline.errors import ManifestError

ASSET = "assets:\n- id: sfx/a\n  kind: sfx\n  prompt: a\n  duration: 1s\n"
RESOLVE = "keep the lines that you want, and delete every line that starts with <<<<<<<, |||||||, ======= or >>>>>>>"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "text",
    [
        "assets:\n<<<<<<< HEAD\n- id: sfx/a\n=======\n- id: sfx/b\n>>>>>>> theirs\n  kind: sfx\n",
        "assets:\n<<<<<<< HEAD\n- id: sfx/a\n||||||| base\n=======\n- id: sfx/b\n>>>>>>> theirs\n",
        "assets:\n<<<<<<<\n- id: sfx/a\n",
        "seed: 4\n=======\nseed: 5\n",
        "seed: 4\n>>>>>>> 1a2b3c4 (seeds)\n",
        'assets:\n- id: sfx/a\n<<<<<<< HEAD\n  prompt: "one\n=======\n  prompt: "two\n>>>>>>> theirs\n',
        'assets:\n- id: sfx/a\n  prompt: "one\n<<<<<<< HEAD\n two\n=======\n three\n>>>>>>> theirs\n  four"\n',
    ],
)
def test_conflict_markers_of_git_are_named(text: str, end: str, folder: Path) -> None:
    (folder / "m.yaml").write_bytes((HEAD + text).replace("\n", end).encode())
    with pytest.raises(ManifestError) as caught:
        load(Path("m.yaml"))
    [problem] = caught.value.problems
    line = next(n for n, one in enumerate((HEAD + text).split("\n"), 1) if one[:7] in MARKERS)
    marker = (HEAD + text).split("\n")[line - 1][:7]
    assert (
        str(problem) == f"m.yaml:{line}: a conflict marker of git ({marker}) is left from a merge; {RESOLVE}"
    )


MARKERS = {"<" * 7, "=" * 7, ">" * 7, "|" * 7}


def test_a_text_with_such_signs_is_no_conflict(loaded: Load) -> None:
    text = "assets:\n- id: a\n  kind: sfx\n  duration: 1\n  prompt: |\n    =======\n    <<<<<<< loud\n"
    assert loaded(text).assets[0].prompt == "======= <<<<<<< loud"


def test_conflict_markers_in_an_included_file_name_that_file(complaints: Complain, folder: Path) -> None:
    (folder / "base.yaml").write_text("cuesmith: 1\n<<<<<<< HEAD\nseed: 1\n=======\nseed: 2\n>>>>>>> b\n")
    [message] = complaints(f"include: [base.yaml]\n{ASSET}")
    assert message.startswith("base.yaml:2: a conflict marker of git (<<<<<<<)")


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-16", "UTF-16"),
        ("utf-32-le", "UTF-32"),
        ("utf-32-be", "UTF-32"),
        ("utf-32", "UTF-32"),
    ],
)
@pytest.mark.parametrize("extra", ["", "# 森の音楽、静かな朝の風と鳥の声\n" * 8, "# длинный комментарий\n"])
def test_other_encodings_are_named_with_and_without_a_mark(
    extra: str, encoding: str, name: str, folder: Path
) -> None:
    (folder / "m.yaml").write_bytes((HEAD + extra + ASSET).encode(encoding))
    with pytest.raises(ManifestError) as caught:
        load(Path("m.yaml"))
    assert [str(one) for one in caught.value.problems] == [f"m.yaml:1: the file is {name}; save it as UTF-8"]


def test_a_stray_zero_byte_is_no_other_encoding(folder: Path) -> None:
    (folder / "m.yaml").write_bytes((HEAD + ASSET).encode() + b"\0")
    with pytest.raises(ManifestError, match=r"m\.yaml:8: character '\\x00' is not allowed; remove it"):
        load(Path("m.yaml"))


@pytest.mark.parametrize(("id_", "part"), [("sfx/../a", ".."), ("./a", "."), ("..", ".."), ("a/..", "..")])
def test_an_id_that_walks_through_folders_is_reported_so(id_: str, part: str, complaints: Complain) -> None:
    [message] = complaints(ASSET.replace("sfx/a", id_))
    assert message == (
        f"m.yaml:4: assets[0].id: id '{id_}' has '{part}' as a part; write the whole name: an id is not a path "
        "that leads from folder to folder"
    )


CUT = "put quotes around the whole text, or write the comment on a line of its own"


@pytest.mark.parametrize(
    ("line", "where", "comment", "kept"),
    [
        ("  prompt: door # heavy", "prompt", "# heavy", "door"),
        ("  prompt: door 😀  #2 slams", "prompt", "#2 slams", "door 😀"),
        ("  prompt: door\n    slams # hard", "prompt", "# hard", "door slams"),
        ("  prompt: door\n  tags:\n  - wood #1", "tags[0]", "#1", "wood"),
        ("  prompt: door\n  ucs:\n    category: DOORWood\n    name: Gate #2", "ucs.name", "#2", "Gate"),
    ],
)
def test_a_comment_that_cuts_a_text_is_warned_of(
    line: str, where: str, comment: str, kept: str, loaded: Load, folder: Path, tmp_path: Path
) -> None:
    project = loaded(ASSET.replace("  prompt: a", line))
    [warning] = project.warnings
    assert str(warning).endswith(
        f": assets[0].{where}: '{comment}' is a comment, not part of '{kept}'; {CUT}"
    )
    text = (folder / "m.yaml").read_text().split("\n")
    assert kept.split(maxsplit=1)[0] in text[warning.line - 1]
    for _ in range(2):
        assert load_cached(Path("m.yaml"), None, tmp_path / "cache").warnings == project.warnings


@pytest.mark.parametrize(
    "line",
    [
        "  prompt: 'door # heavy'",
        "  prompt: 'door'  # heavy",
        "  prompt: door#2",
        "  prompt: >  # wrapped\n    door",
        "  # heavy\n  prompt: door",
        "  prompt: door\n  bpm: 90 #slow",
        "  prompt: door\n  tags:\n  - wood # of all kinds",
    ],
)
def test_other_comments_are_no_slips(line: str, loaded: Load) -> None:
    assert loaded(ASSET.replace("  prompt: a", line)).warnings == ()
