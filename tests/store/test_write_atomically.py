"""Files outside the store that a person asked for: replaced in one step, wherever they lie."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from pipeline.store import disk


def test_a_file_is_replaced_with_its_permissions_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    disk.write_atomically(path, b"old")
    path.chmod(0o600)
    disk.write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"old")

    def refused(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(disk, "replace", refused)
    with pytest.raises(OSError, match="no space"):
        disk.write_atomically(path, b"new")
    assert {one: one.read_bytes() for one in tmp_path.iterdir()} == {path: b"old"}


def test_the_file_behind_a_link_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "table.csv").write_bytes(b"old")
    link = tmp_path / "table.csv"
    link.symlink_to(tmp_path / "far" / "table.csv")
    disk.write_atomically(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "far" / "table.csv").read_bytes() == b"new"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_gets_the_bytes_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    disk.write_atomically(pipe, b"rows")
    reader.join()
    assert got == [b"rows"]
    assert pipe.is_fifo()
