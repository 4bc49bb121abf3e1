"""``library/latest`` as the file systems of studios let it be."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from quick import QuickProject
from toys import ONE, THREE, TWO

from pipeline.errors import FormatError
from pipeline.export import changed_files, export_findings, export_latest, forget_export
from pipeline.release import rollback
from pipeline.store import ObjectRef, disk


def test_a_library_is_brought_up_to_date_where_read_only_files_cannot_be_removed_or_replaced(
    project: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where links into the store share its files' read-only mark."""
    project.first_build()
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
    project.first_build()
    for stored, shown in objects_and_files(project):
        assert shown.read_bytes() == stored.read_bytes()
        shown.chmod(0o644)
        with shown.open("r+b") as file:
            file.write(b"edited")
    assert project.harm() == []


def test_no_file_below_the_root_shares_its_bytes_with_an_object(project: QuickProject) -> None:
    project.first_build()
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


def folder(project: QuickProject) -> Path:
    return project.outputs / "library" / "latest"


def without_ledger(project: QuickProject) -> None:
    """Somebody deleted the ledger."""
    (project.outputs / "library" / "latest.json").unlink()


def put(path: Path, data: bytes = b"theirs") -> Path:
    """A file of somebody else, in place of what is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "name", ["a/one_01.wav.import", "a/one_01.wav.meta", "notes/mix.txt", "a/two_09.wav"]
)
def test_files_of_others_stay_through_builds_and_rollbacks(project: QuickProject, name: str) -> None:
    project.first_build()
    file = put(folder(project) / name)
    (folder(project) / "empty").mkdir()
    project.write(THREE)
    project.build()
    rollback(project.catalog, "latest", at="2026-02-01T00:00:00Z", by="Pat")
    assert file.read_bytes() == b"theirs"
    assert (folder(project) / "empty").is_dir()


def test_files_of_ours_go_with_the_folders_that_they_leave_empty(project: QuickProject) -> None:
    project.first_build()
    project.write(THREE)
    project.build()
    assert set(project.library()) == {"b/three_01.wav"}
    assert not (folder(project) / "a").exists()


def test_what_a_kill_left_half_made_goes_with_its_file(project: QuickProject) -> None:
    project.first_build()
    half = put(folder(project) / "a" / ".two_01.wav.new")
    project.write(ONE + THREE)
    project.build()
    assert not half.exists()


def test_a_deleted_file_is_reported_and_restored(project: QuickProject) -> None:
    project.first_build()
    before = project.library()
    (folder(project) / "a" / "two_01.wav").unlink()
    assert changed_files(project.store) == ["library/latest/a/two_01.wav was deleted"]
    assert [(one.kind, one.key) for one in export_findings(project.store)] == [
        ("missing", "library/latest/a/two_01.wav")
    ]
    done = export_latest(project.catalog)
    assert done is not None
    assert done.to_json() == {"restored": ["a/two_01.wav"], "set_aside": {}}
    assert project.library() == before
    assert changed_files(project.store) == export_findings(project.store) == []


@pytest.mark.parametrize("theirs", ["file", "same size and time", "folder", "link", "file for a folder"])
def test_what_stands_in_the_place_of_ours_is_kept_elsewhere(project: QuickProject, theirs: str) -> None:
    project.first_build()
    before = project.library()
    file = folder(project) / "a" / "two_01.wav"
    status = file.stat()
    match theirs:
        case "file":
            put(file)
        case "same size and time":
            put(file, b"x" * status.st_size)
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        case "folder":
            file.unlink()
            put(file / "inside.txt")
        case "link":
            file.unlink()
            file.symlink_to(project.manifest)
        case "file for a folder":
            shutil.rmtree(file.parent)
            put(file.parent)
    assert export_findings(project.store)
    if theirs == "same size and time":
        forget_export(project.store)
    done = export_latest(project.catalog)
    assert done is not None
    [(place, key)] = done.moved_aside.items()
    assert place == ("a" if theirs == "file for a folder" else "a/two_01.wav")
    assert os.path.lexists(project.outputs / key)
    assert project.library() == before
    assert export_findings(project.store) == []
    put(folder(project) / "a" / "two_01.wav", b"again")
    again = export_latest(project.catalog)
    assert again is not None
    assert [(project.outputs / key).read_bytes() for key in again.moved_aside.values()] == [b"again"]


def test_a_file_of_others_where_a_new_sound_belongs_is_kept_elsewhere(project: QuickProject) -> None:
    project.write(ONE + TWO)
    project.build()
    put(folder(project) / "b" / "three_01.wav")
    project.write(ONE + TWO + THREE)
    done = project.build()
    assert done["library"] == {
        "restored": [],
        "set_aside": {"b/three_01.wav": "library/replaced/b/three_01.wav"},
    }
    assert (project.outputs / "library/replaced/b/three_01.wav").read_bytes() == b"theirs"


def test_an_older_sound_of_ours_in_the_place_of_a_newer_one_is_simply_replaced(project: QuickProject) -> None:
    project.first_build()
    old = project.library()["a/two_01.wav"]
    project.write(ONE + TWO.replace("second", "other") + THREE)
    project.build()
    put(folder(project) / "a" / "two_01.wav", old)
    done = export_latest(project.catalog)
    assert done is not None
    assert done.to_json() == {"restored": ["a/two_01.wav"], "set_aside": {}}
    assert project.library()["a/two_01.wav"] != old


def test_a_file_that_was_only_touched_is_no_fault(project: QuickProject) -> None:
    project.first_build()
    os.utime(folder(project) / "a" / "two_01.wav", (1, 1))
    assert changed_files(project.store) == export_findings(project.store) == []


def test_a_copy_of_the_store_has_a_whole_library(project: QuickProject) -> None:
    """Where links became copies: another disk, a backup, a checkout of the outputs."""
    project.first_build()
    moved = QuickProject(project.folder.parent / "moved")
    shutil.copytree(project.outputs, moved.outputs)
    assert export_findings(moved.store) == changed_files(moved.store) == []


def test_an_edit_that_reached_the_store_is_not_called_restored(project: QuickProject) -> None:
    project.first_build()
    [item] = project.row("a/two")["files"].values()
    path = project.store.path(ObjectRef.from_json(item))
    assert path is not None
    for damaged in (path, folder(project) / "a" / "two_01.wav"):
        damaged.unlink()
        damaged.write_bytes(b"edited")
    done = export_latest(project.catalog)
    assert done is not None
    assert done.to_json() == {"restored": [], "set_aside": {}}
    assert changed_files(project.store) == ["library/latest/a/two_01.wav was replaced"]


def test_a_folder_that_became_a_link_elsewhere_is_not_followed(project: QuickProject) -> None:
    project.first_build()
    elsewhere = project.folder / "game"
    shutil.copytree(folder(project) / "a", elsewhere)
    shutil.rmtree(folder(project) / "a")
    (folder(project) / "a").symlink_to(elsewhere)
    project.write(THREE)
    project.build()
    assert len(list(elsewhere.iterdir())) == 3


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"schema": "cuesmith.library/1", "files": 3}', b"\xff"])
def test_a_damaged_ledger_is_made_again(project: QuickProject, text: bytes) -> None:
    project.first_build()
    theirs = put(folder(project) / "a" / "one_01.wav.import")
    ledger = project.outputs / "library" / "latest.json"
    whole = ledger.read_bytes()
    ledger.write_bytes(text)
    export_latest(project.catalog)
    assert ledger.read_bytes() == whole
    assert theirs.exists()


@pytest.mark.parametrize("path", ["../../escaped.wav", "/tmp/escaped.wav", "a/../../escaped.wav"])
def test_a_path_that_leads_out_of_the_library_is_refused(project: QuickProject, path: str) -> None:
    project.first_build()
    catalog = project.outputs / "catalog" / "000001" / "catalog.json"
    catalog.write_text(catalog.read_text().replace("a/two_01.wav", path))
    project.forget_hashes()
    with pytest.raises(FormatError, match="is outside the library"):
        rollback(project.catalog, "latest", at="2026-02-01T00:00:00Z", by="Pat", to=1)
    assert not list(project.outputs.parent.rglob("*escaped*"))


def test_a_new_ledger_needs_no_new_version(project: QuickProject) -> None:
    project.first_build()
    without_ledger(project)
    assert project.build()["published"] is False
    done = export_latest(project.catalog)
    assert done is not None
    assert done.to_json() == {"restored": [], "set_aside": {}}
