"""The files of a store in a folder of this machine or of a mounted drive, and how a store is opened.

A file is written under a temporary name in ``tmp/`` of the same root, flushed, and renamed to its key; then
the folder is flushed. So a kill leaves temporary files only in ``tmp/``, and every key holds complete bytes at any
moment.

filelock and fsspec are imported only when a lock or a URL needs them: a local `plan` needs neither.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.errors import StoreError, UsageError
from pipeline.store import disk
from pipeline.store.backend import Backend, Entry, Fence, Missing, check_key, one_line
from pipeline.store.disk import translate_os_errors
from pipeline.texts import check_utf8

# How long one event may wait while others are written; each takes a few milliseconds.
_APPEND_SECONDS = 60.0
_HALF_URL = re.compile(r"(?:s3a?|gcs?|gs|memory|file):(?!//)", re.IGNORECASE)
_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES}


class LocalBackend:
    """A folder; the first write creates it."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(os.path.abspath(root))
        self._root = str(self.root)
        self._folders: set[str] = set()

    def read(self, key: str) -> bytes:
        """See `Backend.read`."""
        path = self._path(key)
        with translate_os_errors("read", path):
            try:
                return disk.patiently(lambda: _read(path))
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise Missing(f"{path} does not exist") from None

    def read_many(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """See `Backend.read_many`."""
        for key in keys:
            with suppress(Missing):
                yield key, self.read(key)

    def write(self, key: str, data: bytes, *, read_only: bool = False) -> None:
        """See `Backend.write`."""
        path = self._path(key)
        with translate_os_errors("write", path):
            temporary = self._write_temporary(data, read_only)
            try:
                self._rename(path, lambda: disk.replace(temporary, path))
            except BaseException:
                disk.discard(temporary)
                raise

    def create(self, key: str, data: bytes) -> bool:
        """See `Backend.create`."""
        path = self._path(key)
        with translate_os_errors("create", path):
            temporary = self._write_temporary(data, read_only=False)
            try:
                self._rename(path, lambda: disk.rename_new(temporary, path))
            except FileExistsError:
                # The process that created it may have been killed before the folder was flushed.
                disk.sync_folder(os.path.dirname(path))
                return _holds(path, data)
            except OSError as error:
                if error.errno not in _NO_HARD_LINKS:
                    raise
                return self._create_locked(path, temporary, data)
            finally:
                disk.discard(temporary)
        return True

    def compare_and_swap(self, key: str, expected: bytes | None, data: bytes) -> bool:
        """See `Backend.compare_and_swap`."""
        with self.lock("swap", _APPEND_SECONDS):
            try:
                present = self.read(key)
            except Missing:
                present = None
            if present != expected:
                return present == data
            self.write(key, data)
        return True

    def confirm(self, key: str, size: int) -> bool:
        """See `Backend.confirm`."""
        path = self._path(key)
        with translate_os_errors("check", path):
            if self.size(key) != size:
                return False
            # A file of another account cannot be touched, and Windows may refuse a read-only file.
            with suppress(PermissionError):
                try:
                    os.utime(path)
                except FileNotFoundError:
                    return False
            # Its writer may have been killed after the rename and before the folder was flushed.
            disk.sync_folder(os.path.dirname(path))
        return True

    def size(self, key: str) -> int | None:
        """See `Backend.size`."""
        path = self._path(key)
        with translate_os_errors("look at", path):
            try:
                status = os.stat(path)
            except (FileNotFoundError, NotADirectoryError):
                return None
        return status.st_size if not os.path.isdir(path) else None

    def exists(self, key: str) -> bool:
        """See `Backend.exists`."""
        return os.path.isfile(self._path(key))

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """See `Backend.list`."""
        prefix = prefix.rstrip("/")
        path = self._path(prefix) if prefix else self._root
        with translate_os_errors("list", path):
            if os.path.isfile(path):
                status = os.stat(path)
                yield Entry(prefix, status.st_size, status.st_mtime)
                return
            yield from _walk(path, f"{prefix}/" if prefix else "")

    def names(self, prefix: str = "") -> set[str]:
        """See `Backend.names`."""
        path = self._path(prefix.rstrip("/")) if prefix else self._root
        with translate_os_errors("list", path):
            try:
                return set(os.listdir(path))
            except (FileNotFoundError, NotADirectoryError):
                return set()

    def delete(self, key: str) -> None:
        """See `Backend.delete`."""
        path = self._path(key)
        with translate_os_errors("delete", path), suppress(NotADirectoryError):
            disk.remove(path)

    def move(self, key: str, target: str) -> None:
        """See `Backend.move`."""
        source, path = self._path(key), self._path(target)
        with translate_os_errors("move", source):
            if not os.path.lexists(source):
                raise Missing(f"{source} does not exist")
            if os.path.exists(path):
                raise StoreError(f"{path} exists already; move it away first")
            self._rename(path, lambda: disk.replace(source, path))
            disk.sync_folder(os.path.dirname(source))

    def local_path(self, key: str) -> Path | None:
        """See `Backend.local_path`."""
        return Path(self._path(key))

    def append(self, key: str, *lines: bytes) -> None:
        """See `Backend.append`."""
        data, path = b"".join(map(one_line, lines)), self._path(key)
        with (
            self.lock(f"append/{key.partition('/')[0]}", _APPEND_SECONDS),
            translate_os_errors("append to", path),
        ):
            self._folder(os.path.dirname(path))
            _append(path, data)

    def read_lines(self, key: str) -> Iterator[bytes]:
        """See `Backend.read_lines`."""
        try:
            data = self.read(key)
        except Missing:
            return
        *complete, _torn = data.split(b"\n")
        # A crash of the machine can leave NULs where bytes never reached the disk; JSON text has none.
        yield from (line for line in complete if line and b"\0" not in line)

    def lock(self, name: str, timeout: float) -> AbstractContextManager[Fence]:
        """See `Backend.lock`."""
        path = self._path(f"locks/{name}.lock")
        with translate_os_errors("lock", path):
            self._folder(os.path.dirname(path))
        held: AbstractContextManager[Fence] = import_module("pipeline.store.locks").hold_file(path, timeout)
        return held

    def _path(self, key: str) -> str:
        return f"{self._root}/{check_key(key)}"

    def _folder(self, folder: str) -> None:
        if folder not in self._folders:
            disk.make_folder(folder)
            self._folders.add(folder)

    def _write_temporary(self, data: bytes, read_only: bool) -> str:
        folder = f"{self._root}/tmp"
        path = f"{folder}/{os.getpid()}-{os.urandom(8).hex()}"
        self._folder(folder)
        try:
            disk.write_new(path, data, read_only=read_only)
        except FileNotFoundError:
            # The folder was removed while this process was running.
            self._folders.clear()
            self._folder(folder)
            disk.write_new(path, data, read_only=read_only)
        return path

    def _rename(self, path: str, rename: Callable[[], None]) -> None:
        """Call ``rename``, which puts a file at ``path``, and flush the folder."""
        folder = os.path.dirname(path)
        self._folder(folder)
        try:
            rename()
        except FileNotFoundError:
            self._folders.clear()
            self._folder(folder)
            rename()
        disk.sync_folder(folder)

    def _create_locked(self, path: str, temporary: str, data: bytes) -> bool:
        # On such a file system every process creates files this way, so a lock is enough.
        with self.lock("create", _APPEND_SECONDS):
            if os.path.exists(path):
                return _holds(path, data)
            self._rename(path, lambda: disk.replace(temporary, path))
        return True


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _holds(path: str, data: bytes) -> bool:
    """Whether the file holds ``data``: a network drive may have lost the answer to a request that succeeded."""
    return os.path.isfile(path) and _read(path) == data


def _walk(folder: str, prefix: str) -> Iterator[Entry]:
    try:
        with os.scandir(folder) as entries:
            children = sorted(entries, key=lambda child: child.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for child in children:
        if _is_folder(child):
            yield from _walk(child.path, f"{prefix}{child.name}/")
            continue
        # Another process may have removed it meanwhile.
        with suppress(FileNotFoundError):
            status = _status(child)
            yield Entry(prefix + child.name, status.st_size, status.st_mtime)


def _is_folder(child: os.DirEntry[str]) -> bool:
    """Whether it is a folder; a broken link is not."""
    try:
        return child.is_dir()
    except OSError:
        return False


def _status(child: os.DirEntry[str]) -> os.stat_result:
    """Of the file, or of the link itself where its target cannot be reached."""
    try:
        return child.stat()
    except FileNotFoundError:
        raise
    except OSError:
        return child.stat(follow_symlinks=False)


def _append(path: str, data: bytes) -> None:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        size = _drop_torn_line(descriptor)
        try:
            disk.write_all(descriptor, data)
            disk.sync_file(descriptor)
        except BaseException:
            with suppress(OSError):
                os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
    if size == 0:
        disk.sync_folder(os.path.dirname(path))


def _drop_torn_line(descriptor: int) -> int:
    """Cut what follows the last newline: a crash left it, and its writer never learned that it is stored."""
    end = size = os.lseek(descriptor, 0, os.SEEK_END)
    while end > 0:
        start = max(0, end - 65536)
        os.lseek(descriptor, start, os.SEEK_SET)
        block = os.read(descriptor, end - start)
        newline = block.rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        os.ftruncate(descriptor, end)
    return end


def open_backend(root: str | Path) -> Backend:
    """The backend of a folder or a URL; the first write creates it.

    Raises `UsageError` for a file, an empty name, a URL without ``//`` and a path that is not UTF-8; `MachineError` for
    a folder without read permission, and for a protocol that is unknown or not installed.
    """
    text = str(root)
    if not text.strip():
        raise UsageError("--outputs is empty; give a folder or a URL such as s3://bucket/prefix")
    if _HALF_URL.match(text):
        raise UsageError(
            f"{text} is neither a URL nor the name of a folder; write {text.partition(':')[0].lower()}://..., "
            f"or ./{text} for a folder of this name"
        )
    if "://" in text:
        parts = urlsplit(text)
        if parts.scheme != "file":
            url = parts.scheme + text[text.index(":") :]
            remote: Backend = import_module("pipeline.store.remote").FsspecBackend(url)
            return remote
        root = _file_path(parts.netloc, unquote(parts.path))
    path = Path(os.path.abspath(root))
    check_utf8(path, "--outputs")
    with translate_os_errors("open", str(path)):
        nearest = next((place for place in (path, *path.parents) if place.exists()), None)
        if nearest is not None and not nearest.is_dir():
            raise UsageError(
                f"{nearest} is a file; give a folder or a URL such as s3://bucket/prefix as --outputs"
            )
        if path.exists() and not os.access(path, os.R_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "permission denied")
    return LocalBackend(path)


def _file_path(host: str, path: str) -> str:
    """``/C:/sounds`` and ``//server/share`` of file URLs as Windows writes them; other paths unchanged."""
    if host and host != "localhost":
        return f"//{host}{path}"
    return path[1:] if re.match("/[A-Za-z]:", path) else path
