"""Files in an object store through fsspec: ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``memory://name``.

One PUT is durable and all or nothing, so there are no temporary names. An object store cannot append: every
event is a small object of its own below the key, with a name that sorts by time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import fsspec

from pipeline.errors import CuesmithError, MachineError, StoreError, UsageError
from pipeline.store.backend import Entry, Fence, Missing, check_key, one_line
from pipeline.store.locks import hold_lease

# Only these can create a file atomically; versions and locks need that.
_PROTOCOLS = {
    "memory": "fsspec",
    "s3": "cuesmith[s3]",
    "s3a": "cuesmith[s3]",
    "gs": "gcsfs",
    "gcs": "gcsfs",
}
_BATCH = 128
_CONFLICT_PAUSES = (0.05, 0.2, 0.8)
# fsspec's memory file system checks and then writes in two steps, so that every backend of this process takes turns.
_MEMORY = Lock()


class FsspecBackend:
    """The objects below a URL."""

    def __init__(self, url: str, lease_seconds: float = 30.0) -> None:
        self.url = _without_password(url).rstrip("/")
        self.lease_seconds = lease_seconds
        protocol = urlsplit(url).scheme
        package = _PROTOCOLS.get(protocol)
        if package is None:
            known = ", ".join(f"{name}://" for name in sorted(_PROTOCOLS))
            raise UsageError(
                f"{self.url}: cuesmith cannot keep a store on {protocol}://; use {known} or a mounted folder"
            )
        if not urlsplit(url).netloc:
            raise UsageError(
                f"{url}: a bucket is missing; give it after the scheme: {protocol}://bucket/prefix"
            )
        try:
            self._fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except ImportError as error:
            raise MachineError(f"{self.url}: {protocol}:// needs a package; pip install {package}") from error
        self._root = root.rstrip("/")
        self._has_etags = protocol in {"s3", "s3a"}
        self._turn: AbstractContextManager[Any] = _MEMORY if protocol == "memory" else nullcontext()

    def read(self, key: str) -> bytes:
        """See `Backend.read`."""
        with self._translate_errors("read", key):
            try:
                data: bytes = self._fs.cat_file(self._path(key))
            except (FileNotFoundError, IsADirectoryError):
                raise Missing(f"{self.url}/{key} does not exist") from None
        return data

    def read_many(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """See `Backend.read_many`."""
        remaining = iter(keys)
        while batch := list(islice(remaining, _BATCH)):
            paths = [self._path(key) for key in batch]
            with self._translate_errors("read", batch[0]):
                contents = self._fs.cat(paths, on_error="return")
            for key, path in zip(batch, paths, strict=True):
                data = contents.get(path)
                if isinstance(data, bytes):
                    yield key, data
                elif not isinstance(data, FileNotFoundError):
                    yield key, self.read(key)

    def write(self, key: str, data: bytes, *, read_only: bool = False) -> None:
        """See `Backend.write`; an object store has no read-only files."""
        with self._translate_errors("write", key):
            self._fs.pipe_file(self._path(key), data)

    def create(self, key: str, data: bytes) -> bool:
        """See `Backend.create`."""
        path = self._path(key)
        with self._translate_errors("create", key), self._turn:
            pauses = iter(_CONFLICT_PAUSES)
            while True:
                try:
                    self._fs.pipe_file(path, data, mode="create")
                except FileExistsError:
                    return self._holds(path, data)
                except Exception:
                    # S3 answers 409 while another process creates the same key, and some servers answer 412. After
                    # a network failure the file may be there although the answer was lost.
                    if self.size(key) is not None:
                        return self._holds(path, data)
                    if (pause := next(pauses, None)) is None:
                        raise
                    time.sleep(pause)
                else:
                    return True

    def compare_and_swap(self, key: str, expected: bytes | None, data: bytes) -> bool:
        """See `Backend.compare_and_swap`.

        On Google Cloud another process can still write between the comparison and the swap.
        """
        if expected is None:
            return self.create(key, data)
        path = self._path(key)
        with self._translate_errors("replace", key), self._turn:
            try:
                condition = {"IfMatch": self._fs.info(path)["ETag"]} if self._has_etags else {}
            except FileNotFoundError:
                return False
            if not self._holds(path, expected):
                return self._holds(path, data)
            try:
                self._fs.pipe_file(path, data, **condition)
            except Exception:
                # Another process was first (S3 answers 412), or the answer to a request that succeeded was lost.
                if self._holds(path, expected):
                    raise
                return self._holds(path, data)
        return True

    def confirm(self, key: str, size: int) -> bool:
        """See `Backend.confirm`. The object keeps its age: only the shared lock protects it from `gc`."""
        return self.size(key) == size

    def size(self, key: str) -> int | None:
        """See `Backend.size`."""
        with self._translate_errors("look at", key):
            try:
                info = self._fs.info(self._path(key))
            except FileNotFoundError:
                return None
        return int(info["size"]) if info["type"] == "file" else None

    def exists(self, key: str) -> bool:
        """See `Backend.exists`."""
        return self.size(key) is not None

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """See `Backend.list`."""
        prefix = prefix.rstrip("/")
        with self._translate_errors("list", prefix):
            files = self._fs.find(self._path(prefix) if prefix else self._root, detail=True)
        for path, info in sorted(files.items()):
            yield Entry(path.removeprefix(f"{self._root}/"), int(info["size"]), _modified(info))

    def names(self, prefix: str = "") -> set[str]:
        """See `Backend.names`."""
        path = self._path(prefix.rstrip("/")) if prefix else self._root
        with self._translate_errors("list", prefix):
            try:
                children = self._fs.ls(path, detail=False)
            except FileNotFoundError:
                return set()
        start = f"{path}/"
        paths = (child.rstrip("/") for child in children)
        return {child.removeprefix(start) for child in paths if child.startswith(start)}

    def delete(self, key: str) -> None:
        """See `Backend.delete`."""
        with self._translate_errors("delete", key), suppress(FileNotFoundError):
            self._fs.rm_file(self._path(key))

    def move(self, key: str, target: str) -> None:
        """See `Backend.move`; the original is removed after the copy is complete."""
        if self.size(key) is None:
            raise Missing(f"{self.url}/{key} does not exist")
        if self.size(target) is not None:
            raise StoreError(f"{self.url}/{target} exists already; move it away first")
        with self._translate_errors("move", key):
            self._fs.cp_file(self._path(key), self._path(target))
            self._fs.rm_file(self._path(key))

    def local_path(self, key: str) -> Path | None:
        """See `Backend.local_path`."""
        check_key(key)
        return None

    def append(self, key: str, *lines: bytes) -> None:
        """See `Backend.append`."""
        data = b"".join(map(one_line, lines))
        # Events are read in the order of their names: a new one sorts after all others, whatever the clock says.
        number = max(time.time_ns(), _number(max(self.names(key), default="")) + 1)
        self.write(f"{key}/{number:020d}-{uuid4().hex}.jsonl", data)

    def read_lines(self, key: str) -> Iterator[bytes]:
        """See `Backend.read_lines`."""
        for _, data in self.read_many([entry.key for entry in self.list(key)]):
            yield from data.removesuffix(b"\n").split(b"\n")

    def lock(self, name: str, timeout: float) -> AbstractContextManager[Fence]:
        """See `Backend.lock`."""
        return hold_lease(self, f"locks/{name}.lock", timeout, self.lease_seconds)

    def _holds(self, path: str, data: bytes) -> bool:
        """Whether ``path`` has these bytes: the driver repeats a request whose answer was lost."""
        try:
            return bool(self._fs.cat_file(path) == data)
        except FileNotFoundError:
            return False

    def _path(self, key: str) -> str:
        return f"{self._root}/{check_key(key)}"

    @contextmanager
    def _translate_errors(self, doing: str, key: str) -> Iterator[None]:
        """Turn whatever a driver raises into a `MachineError`: each driver has its own exceptions."""
        try:
            yield
        except CuesmithError:
            raise
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise MachineError(
                f"cannot {doing} {self.url}/{key}: {reason}; check the bucket's name, its permissions, your "
                "credentials and the network"
            ) from error


def _number(name: str) -> int:
    """The number with which an event's name begins; 0 where it has none."""
    digits = name.partition("-")[0]
    return int(digits) if digits.isdecimal() else 0


def _modified(info: dict[str, Any]) -> float:
    """When an object was last written, in seconds since 1970; each driver has its own name and type for it."""
    for name in ("mtime", "LastModified", "updated", "created"):
        value = info.get(name)
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
    return time.time()


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
