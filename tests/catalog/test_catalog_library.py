"""``library/latest`` as the file systems of studios let it be."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from quick import QuickProject

from pipeline.catalog import sync_latest
from pipeline.store import ObjectRef, disk


def test_a_library_is_brought_up_to_date_where_read_only_files_cannot_be_removed_or_replaced(
    project: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where links into the store share its files' read-only mark."""
    project.build()
    unlink, replace = os.unlink, os.replace

    def refuse(path: Any) -> None:
        if os.path.exists(path) and not os.stat(path).st_mode & stat.S_IWRITE:
            raise PermissionError(13, "read-only", str(path))

    def strict_unlink(path: Any, **options: Any) -> None:
        refuse(path)
        unlink(path, **options)

    def strict_replace(source: Any, target: Any, **options: Any) -> None:
        refuse(target)
        replace(source, target, **options)

    monkeypatch.setattr(disk, "WINDOWS", True)
    monkeypatch.setattr(os, "unlink", strict_unlink)
    monkeypatch.setattr(os, "replace", strict_replace)
    project.write("  - {id: a/one, kind: sfx, prompt: another, duration: 0.5s}\n")
    assert project.build()["version"] == 2
    shown = {path.name for path in (project.outputs / "library" / "latest").rglob("*.wav")}
    assert shown == {"one_01.wav"}


def objects_and_files(project: QuickProject) -> list[tuple[Path, Path]]:
    """Each object of the latest version beside its file in the library."""
    return [
        (project.store.path(ObjectRef.from_json(item)), project.outputs / "library" / "latest" / path)  # type: ignore[misc, arg-type]
        for row in project.latest.masters
        for path, item in row["files"].items()
    ]


def test_an_edit_in_place_of_a_library_file_leaves_the_object_whole(project: QuickProject) -> None:
    project.build()
    for stored, shown in objects_and_files(project):
        assert shown.read_bytes() == stored.read_bytes()
        shown.chmod(0o644)
        with shown.open("r+b") as file:
            file.write(b"edited")
    assert project.harm() == []


def as_an_older_release_left_it(project: QuickProject) -> None:
    """The library as hard links into the store."""
    for stored, shown in objects_and_files(project):
        shown.unlink()
        os.link(stored, shown)
    number = project.latest.number
    (project.outputs / "library" / "latest" / ".version").write_text(f"{number}\n")
    (project.outputs / "library" / "latest.json").unlink(missing_ok=True)


def test_hard_links_of_an_older_release_are_replaced_by_the_next_version(project: QuickProject) -> None:
    project.build()
    as_an_older_release_left_it(project)
    project.write("  - {id: a/one, kind: sfx, prompt: hello, duration: 0.5s, variations: 2, tags: [new]}\n")
    assert project.build()["version"] == 2
    found = objects_and_files(project)
    assert found
    assert not any(os.path.samefile(stored, shown) for stored, shown in found)


def test_hard_links_of_an_older_release_are_replaced_by_a_look_at_the_library(project: QuickProject) -> None:
    project.build()
    as_an_older_release_left_it(project)
    sync_latest(project.catalog)
    assert not any(os.path.samefile(stored, shown) for stored, shown in objects_and_files(project))


def test_no_file_below_the_root_shares_its_bytes_with_an_object(project: QuickProject) -> None:
    project.build()
    objects = {path.stat().st_ino for path in (project.outputs / "store").rglob("*") if path.is_file()}
    others = [path for path in project.outputs.rglob("*") if path.is_file() and "store" not in path.parts]
    assert others
    assert not [path for path in others if path.stat().st_ino in objects]


def test_a_copy_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "old").write_bytes(b"sound")

    def fail(*_: Any) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(disk, "_clone", lambda *_: False)
    monkeypatch.setattr(shutil, "copyfile", fail)
    with pytest.raises(OSError, match="no space"):
        disk.copy_new(str(tmp_path / "old"), str(tmp_path / "new"))
    assert not (tmp_path / "new").exists()
