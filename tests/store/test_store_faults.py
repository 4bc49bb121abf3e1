"""A full disk, a failing disk, a missing right: one clear line, and nothing half-written to see."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import MachineError
from pipeline.store import ObjectRef, Store, gc, verify
from pipeline.store import disk as disk_module

STEPS = ["open", "write", "fsync", "replace", "mkdir"]


class FailsOnce:
    """Stands in for a function of `os`: fails at its n-th call, then works."""

    def __init__(self, real: Callable[..., Any], at: int, number: int) -> None:
        self.real, self.at, self.number, self.calls = real, at, number, 0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        if self.calls == self.at:
            raise OSError(self.number, os.strerror(self.number))
        return self.real(*arguments, **options)


def message_of(act: Callable[[], None]) -> str | None:
    """What the person reads when ``act`` fails; None when it does not."""
    try:
        act()
    except MachineError as error:
        return str(error)
    return None


def temporary_files(folder: Path) -> list[str]:
    return os.listdir(folder / "tmp") if (folder / "tmp").exists() else []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("at", [1, 2])
def test_a_failing_step_leaves_the_old_bytes_and_no_strays(
    local: Store, folder: Path, monkeypatch: pytest.MonkeyPatch, step: str, at: int, number: int
) -> None:
    local.backend.write("channels/latest.json", b"old")
    backend = Store.open(folder).backend
    failing = FailsOnce(getattr(os, step), at, number)
    monkeypatch.setattr(os, step, failing)
    said = message_of(lambda: backend.write("channels/latest.json", b"new"))
    monkeypatch.undo()
    failed = said is not None
    assert failed == (failing.calls >= at) or number == errno.EACCES
    assert said is None or ("\n" not in said and str(folder) in said and "; " in said)
    assert local.backend.read("channels/latest.json") in ((b"old", b"new") if failed else (b"new",))
    assert temporary_files(folder) == []
    backend.write("channels/latest.json", b"newer")
    assert local.backend.read("channels/latest.json") == b"newer"


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "no space is left; free some .*cuesmith gc.* or change --outputs"),
        (errno.EACCES, "permission denied; give this account write access"),
        (errno.EROFS, "the file system is read-only; mount it writable"),
        (errno.EIO, "the disk reports an error; check the disk, then run `cuesmith verify`"),
        (errno.ESTALE, "Stale file handle; check the disk or network drive"),
    ],
)
def test_each_fault_names_its_remedy(
    local: Store, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    monkeypatch.setattr(os, "write", FailsOnce(os.write, 1, number))
    with pytest.raises(MachineError, match=f"cannot write .*store/.*: {says}"):
        local.put(b"sound", ".wav")
    assert local.objects() == set()


def test_an_event_that_does_not_fit_is_taken_back_whole(
    local: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.backend.append("journal.jsonl", b'{"n": 1}')
    real = os.write

    def half(descriptor: int, data: bytes) -> int:
        if len(data) < 8:
            raise OSError(errno.ENOSPC, "full")
        return real(descriptor, data[:5])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(MachineError, match=r"cannot append to .*journal.jsonl: no space is left"):
        local.backend.append("journal.jsonl", b'{"n": 2}')
    monkeypatch.undo()
    local.backend.append("journal.jsonl", b'{"n": 3}')
    assert list(local.backend.read_lines("journal.jsonl")) == [b'{"n": 1}', b'{"n": 3}']


@pytest.mark.parametrize("torn", [b"x", b'{"n": 2', b"\0" * 70_000, b"y" * 200_000])
def test_a_torn_line_is_not_read_and_goes_with_the_next_event(
    local: Store, folder: Path, torn: bytes
) -> None:
    local.backend.append("journal.jsonl", b'{"n": 1}')
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(torn)
    assert list(local.backend.read_lines("journal.jsonl")) == [b'{"n": 1}']
    local.backend.append("journal.jsonl", b'{"n": 3}')
    assert (folder / "journal.jsonl").read_bytes() == b'{"n": 1}\n{"n": 3}\n'


def test_a_file_that_is_only_torn_starts_again(local: Store, folder: Path) -> None:
    folder.mkdir()
    (folder / "journal.jsonl").write_bytes(b"x" * 100_000)
    local.backend.append("journal.jsonl", b"1")
    assert (folder / "journal.jsonl").read_bytes() == b"1\n"


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_a_disk_without_hard_links_still_lets_only_the_first_create(
    local: Store, folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(source: str, target: str) -> None:
        raise OSError(number, "no links here")

    monkeypatch.setattr(disk_module, "rename_new", refuse)
    assert local.backend.create("catalog/1.json", b"mine")
    assert not local.backend.create("catalog/1.json", b"yours")
    assert local.backend.read("catalog/1.json") == b"mine"
    assert temporary_files(folder) == []


def test_a_scanner_that_holds_a_file_for_a_moment_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_module, "PAUSES", (0.0, 0.0))
    act = FailsOnce(lambda: "done", 1, errno.EACCES)
    assert disk_module.patiently(act) == "done"
    assert act.calls == 2


def test_a_scanner_that_never_lets_go_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_module, "PAUSES", (0.0, 0.0))

    def refuse() -> None:
        raise PermissionError(errno.EACCES, "in use")

    with pytest.raises(PermissionError):
        disk_module.patiently(refuse)


def test_a_file_where_a_folder_must_be_is_named(local: Store, folder: Path) -> None:
    folder.mkdir()
    (folder / "takes").write_bytes(b"")
    for act in (local.backend.write, local.backend.create):
        with pytest.raises(MachineError, match="a file is where a folder must be"):
            act("takes/ab12.json", b"{}")
    assert temporary_files(folder) == []


def test_a_folder_whose_parent_another_process_makes_at_that_moment_is_made(
    local: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = os.mkdir

    def mkdir_beside_another_process(path: str) -> None:
        try:
            mkdir(path)
        except FileNotFoundError:
            if path == f"{folder}/tmp" and not folder.exists():
                mkdir(folder)
            raise

    monkeypatch.setattr(os, "mkdir", mkdir_beside_another_process)
    local.backend.write("channels/latest.json", b"1")
    assert local.backend.read("channels/latest.json") == b"1"


def test_folders_removed_under_a_running_process_are_made_again(local: Store, folder: Path) -> None:
    local.put(b"one", ".wav")
    folder.rename(folder.with_name("elsewhere"))
    ref = local.put(b"two", ".wav")
    assert local.get(ref) == b"two"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_rights_is_named(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(MachineError, match="permission denied"):
        Store.open(locked).put(b"1", ".wav")
    locked.chmod(0o000)
    with pytest.raises(MachineError, match=r"cannot open .*locked: permission denied"):
        Store.open(locked)
    locked.chmod(0o700)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small disk")
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not let us mount a small disk")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_disk_that_is_really_full_keeps_what_it_has(small_disk: Path) -> None:
    store = Store.open(small_disk / "outputs")
    with store.shared():
        pass
    refs: list[ObjectRef] = []
    with pytest.raises(MachineError, match="no space is left"):
        refs.extend(store.put(bytes([index]) * 50_000, ".wav") for index in range(30))
    assert len(refs) > 10
    assert store.objects() == {ref.sha256 for ref in refs}
    assert temporary_files(small_disk / "outputs") == []
    assert list(verify(store)) == []
    assert len(gc(store, grace=0).objects) == len(refs)
    store.put(b"1" * 50_000, ".wav")
