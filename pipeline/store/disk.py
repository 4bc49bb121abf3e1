"""Files on a local disk: write, flush, rename and remove, and the errors of the operating system in words.

A name is durable only when its folder was flushed too (on POSIX the program does that, on Windows the system).
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pipeline.errors import MachineError

try:
    import fcntl
except ImportError:  # Windows
    _FULL_FSYNC = None
else:
    # On macOS fsync only hands the bytes to the drive; F_FULLFSYNC waits until the drive has them.
    _FULL_FSYNC = getattr(fcntl, "F_FULLFSYNC", None)

Result = TypeVar("Result")

WINDOWS = os.name == "nt"
# A virus scanner or an indexer opens new files for a moment, and Windows then refuses to rename or delete them.
PAUSES = (0.01, 0.03, 0.1, 0.3, 1.0) if WINDOWS else ()
# Linux's ioctl for a copy-on-write copy of a file (Btrfs, XFS, ZFS, NFS 4.2).
_FICLONE = 0x40049409 if sys.platform == "linux" else None
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EBADF}
_REMEDIES = {
    errno.ENOSPC: "no space is left; free some (`cuesmith gc` removes unused files) or change --outputs",
    errno.EDQUOT: "your disk quota is used up; free some space (`cuesmith gc`) or give another --outputs",
    errno.EACCES: "permission denied; give this account write access to the folder or another --outputs",
    errno.EPERM: "permission denied; give this account write access to the folder or another --outputs",
    errno.EROFS: "the file system is read-only; mount it writable or give another --outputs",
    errno.EIO: "the disk reports an error; check the disk, then run `cuesmith verify`",
    errno.ENAMETOOLONG: "the path is too long for this file system; give a shorter --outputs",
    errno.ENOTDIR: "a file is where a folder must be; move it away or give another --outputs",
    errno.EEXIST: "a file or a broken link is where a folder must be; move it away or give another --outputs",
    errno.EISDIR: "a folder is where a file must be; move it away or give another --outputs",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n) or use fewer workers",
}


def patiently(act: Callable[[], Result]) -> Result:
    """``act()``, with another try after each of `PAUSES` on `PermissionError`."""
    for pause in PAUSES:
        try:
            return act()
        except PermissionError:
            time.sleep(pause)
    return act()


def sync_file(descriptor: int) -> None:
    """Wait until the file's bytes are on the drive."""
    if _FULL_FSYNC is not None:
        # Network drives do not support F_FULLFSYNC.
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, _FULL_FSYNC)
            return
    os.fsync(descriptor)


def sync_folder(folder: str) -> None:
    """Wait until the names in ``folder`` are on the drive."""
    if WINDOWS:
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        sync_file(descriptor)
    except OSError as error:
        # Some network file systems cannot flush a folder; they write names at once.
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def make_folder(folder: str) -> None:
    """Make ``folder`` and its parents, durably. Raises `NotADirectoryError` where one of them is a file."""
    parent = os.path.dirname(folder)
    try:
        try:
            os.mkdir(folder)
        except FileNotFoundError:
            # The current folder may have been removed.
            if not parent:
                raise
            # Another process may make the parent at the same moment. A file system such as /proc takes no folder, and
            # refuses the second time too.
            make_folder(parent)
            os.mkdir(folder)
    except FileExistsError:
        if not os.path.isdir(folder):
            raise NotADirectoryError(errno.ENOTDIR, "a file is where a folder must be", folder) from None
    # Also for an existing folder: the process that made it may have been killed before the flush. A parent that this
    # account cannot read is not flushed.
    with contextlib.suppress(PermissionError):
        sync_folder(parent)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte of ``data``; one call of the system may write only a part."""
    remaining = memoryview(data)
    while remaining:
        remaining = remaining[os.write(descriptor, remaining) :]


def write_new(
    path: str, data: bytes, *, read_only: bool = False, private: bool = False, flush: bool = True
) -> None:
    """Write ``data`` to the new file ``path``; a failure leaves no file.

    ``private``: only this account can read it.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o600 if private else 0o666)
    try:
        try:
            write_all(descriptor, data)
            if flush:
                sync_file(descriptor)
        finally:
            os.close(descriptor)
        if read_only:
            os.chmod(path, stat.S_IREAD | stat.S_IRGRP | stat.S_IROTH)
    except BaseException:
        discard(path)
        raise


def write_atomically(path: Path, data: bytes, *, private: bool = False) -> None:
    """Replace the file ``path`` outside a store in one step: a kill leaves the old file or the new one.

    A link stays a link, and the file keeps its permissions. Something that is no regular file (a pipe,
    ``/dev/stdout``) is written directly. ``private``: only this account can read the file, and it is flushed. Raises
    `OSError`.
    """
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):
        path.write_bytes(data)
        return
    temporary = os.path.join(os.path.dirname(target), f".cuesmith-{secrets.token_hex(8)}")
    write_new(temporary, data, private=private, flush=private)
    try:
        if os.path.exists(target) and not private:
            shutil.copymode(target, temporary)
        replace(temporary, target)
    except BaseException:
        discard(temporary)
        raise


def discard(path: str) -> None:
    """Remove a temporary file if possible; `gc` finds what stays."""
    with contextlib.suppress(OSError):
        remove(path)


def remove(path: str) -> None:
    """Unlink ``path``, read-only or not; no error if it does not exist."""
    with contextlib.suppress(FileNotFoundError):
        if WINDOWS:
            os.chmod(path, stat.S_IREAD | stat.S_IWRITE)
        patiently(lambda: os.unlink(path))


def replace(source: str, target: str) -> None:
    """Rename ``source`` over ``target`` in one step."""
    if WINDOWS:
        # Windows refuses to replace a read-only file.
        with contextlib.suppress(OSError):
            os.chmod(target, stat.S_IREAD | stat.S_IWRITE)
    patiently(lambda: os.replace(source, target))


def copy_new(source: str, target: str) -> None:
    """Copy ``source`` to the new file ``target``, copy-on-write where the file system can. A failure leaves no file."""
    try:
        with open(source, "rb") as old, open(target, "xb") as new:
            cloned = _clone(old.fileno(), new.fileno())
        if not cloned:
            shutil.copyfile(source, target)
    except FileExistsError:
        raise
    except BaseException:
        discard(target)
        raise


def _clone(source: int, target: int) -> bool:
    """Make the open file ``target`` a copy-on-write copy of ``source``; False and no change where that fails."""
    if _FICLONE is None:
        return False
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def rename_new(source: str, target: str) -> None:
    """Rename ``source`` to ``target`` in one step; `FileExistsError` if ``target`` exists.

    Raises `OSError` with EPERM or ENOTSUP on a POSIX file system without hard links.
    """
    if WINDOWS:
        patiently(lambda: os.rename(source, target))
    else:
        os.link(source, target)


def is_read_only(error: MachineError) -> bool:
    """Whether a file could not be written because its drive is read-only, or this account has no right to write it."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def translate_os_errors(doing: str, where: str) -> Iterator[None]:
    """Turn every `OSError` of the block into a `MachineError`: the action, the place, the reason and the remedy."""
    try:
        yield
    except OSError as error:
        reason = _REMEDIES.get(error.errno or 0)
        if reason is None:
            reason = f"{error.strerror or error}; check the disk or network drive, then try again"
        raise MachineError(f"cannot {doing} {where}: {reason}") from error
