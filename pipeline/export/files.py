"""Files below a folder that we share with people and other programs: their stamps, how one is written and removed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from pipeline.store import disk, translate_os_errors

Stamp = tuple[int, int]
"""Size in bytes and time of modification in nanoseconds."""


def stays_inside(path: str) -> bool:
    """Whether ``path`` of a ledger leads to a file below its folder."""
    parts = PurePosixPath(path).parts
    return bool(parts) and ".." not in parts and not path.startswith("/") and "\\" not in path


def stamp_of(file: Path) -> Stamp | None:
    """The stamp of a regular file; None for anything else, and if there is nothing."""
    try:
        status = os.lstat(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with translate_os_errors("read", str(file)), file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def folders_between(root: Path, path: str) -> list[Path]:
    """The folders between ``root`` and the file ``path`` below it, outermost first."""
    return [root / folder for folder in reversed(PurePosixPath(path).parents[:-1])]


@contextmanager
def replaced(file: Path) -> Iterator[str]:
    """The path of a new file to write, which then replaces ``file`` in one step."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = _fresh(file)
    disk.remove(fresh)
    yield fresh
    disk.replace(fresh, str(file))


def remove_file(root: Path, path: str, is_ours: Callable[[Stamp], bool]) -> bool:
    """Remove the file ``path`` below ``root`` if it is ours, and folders that become empty; whether it was removed.

    What a kill left of `replaced` goes too. Nothing is removed through a link to a folder.
    """
    file, folders = root / path, folders_between(root, path)
    if any(folder.is_symlink() for folder in folders):
        return False
    disk.remove(_fresh(file))
    stamp = stamp_of(file)
    removed = stamp is not None and is_ours(stamp)
    if removed:
        disk.remove(str(file))
    for folder in reversed(folders):
        with suppress(OSError):
            folder.rmdir()
    return removed


def _fresh(file: Path) -> str:
    return str(file.with_name(f".{file.name}.new"))
