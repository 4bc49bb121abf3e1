"""The content-addressed store: objects by the hash of their bytes, and records of what made them.

The order is the rule: an object is durable before a record names it, so a kill at any instant leaves every
named object whole.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from pipeline.errors import FormatError, StoreError, UsageError, VerificationError
from pipeline.store.backend import Backend, Busy, Fence, Missing
from pipeline.store.formats import Record, dump_record, read_record
from pipeline.store.local import open_backend

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SUFFIX = re.compile(r"(?:\.[a-z0-9]{1,12}){1,2}")
_NAME = re.compile(rf"({_SHA256.pattern}){_SUFFIX.pattern}")
_FIELDS = frozenset({"sha256", "suffix", "size"})
_GATE = "store"
_ROOM = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_DIGEST = re.compile(r"[a-z0-9][a-z0-9_-]{0,127}")
_REMEDY = "run `cuesmith verify --repair`, then build again to make it again"
_BUILD_WAITS = 3600.0


class ObjectJson(TypedDict):
    """An object as records name it: SHA-256 of its bytes, file suffix with its dot, size in bytes."""

    sha256: str
    suffix: str
    size: int


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """The name of one object. A record names an object by containing `to_json` at any depth."""

    sha256: str
    """64 lower-case hex digits: the hash of the object's bytes."""
    suffix: str
    """With its dot, such as ``.flac``."""
    size: int
    """Bytes."""

    def __post_init__(self) -> None:
        if not isinstance(self.sha256, str) or not _SHA256.fullmatch(self.sha256):
            raise FormatError(f"{self.sha256!r} is not a SHA-256 in 64 lower-case hex digits")
        if not isinstance(self.suffix, str) or not _SUFFIX.fullmatch(self.suffix):
            raise FormatError(f"{self.suffix!r} is not a file suffix such as '.flac'")
        if isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < 0:
            raise FormatError(f"{self.size!r} is not a size in bytes")

    @classmethod
    def of(cls, data: bytes, suffix: str) -> ObjectRef:
        """The name that ``data`` has.

        >>> ObjectRef.of(b"", ".wav").key
        'store/e3/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.wav'
        """
        return cls(hashlib.sha256(data).hexdigest(), suffix, len(data))

    @property
    def key(self) -> str:
        """Its place in a store."""
        return f"store/{self.sha256[:2]}/{self.sha256}{self.suffix}"

    def to_json(self) -> ObjectJson:
        """A JSON object with exactly the three fields; `from_json` reads it back."""
        return ObjectJson(sha256=self.sha256, suffix=self.suffix, size=self.size)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ObjectRef:
        """The name in `to_json`'s object. Raises `FormatError`."""
        if value.keys() != _FIELDS:
            raise FormatError(f"{dict(value)!r} does not name an object; it needs sha256, suffix and size")
        return cls(value["sha256"], value["suffix"], value["size"])


def sha256_in(name: str) -> str | None:
    """The hash in the name of an object's file (without folder); None for other files."""
    match = _NAME.fullmatch(name)
    return match[1] if match else None


def named_objects(value: Any) -> Iterator[ObjectRef]:
    """Every object that a JSON value names, at any depth, in order and with repetitions."""
    remaining = [value]
    while remaining:
        item = remaining.pop()
        if isinstance(item, dict):
            if item.keys() == _FIELDS:
                yield ObjectRef.from_json(item)
            else:
                remaining.extend(reversed(item.values()))
        elif isinstance(item, list):
            remaining.extend(reversed(item))


class Store:
    """Everything below one ``outputs`` root. Processes that open the same root share a store."""

    def __init__(self, backend: Backend, root: str) -> None:
        self.backend = backend
        self.root = root
        self._durable: set[ObjectRef] = set()

    @classmethod
    def open(cls, root: str | Path) -> Store:
        """The store in the folder or at the URL ``root``; the first write creates it.

        Raises `UsageError` where ``root`` is a file, `MachineError` for a folder without read permission or a
        protocol that is unknown or not installed.
        """
        return cls(open_backend(root), str(root))

    def put(self, data: bytes, suffix: str) -> ObjectRef:
        """Store ``data``; durable when this returns. An object that is already there and whole is not rewritten."""
        ref = ObjectRef.of(data, suffix)
        if not (self.backend.confirm(ref.key, ref.size) and self.backend.read(ref.key) == data):
            self.backend.write(ref.key, data, read_only=True)
        self._durable.add(ref)
        return ref

    def get(self, ref: ObjectRef) -> bytes:
        """The object's bytes, checked against their hash. Raises `Missing`, or `VerificationError` when damaged."""
        try:
            data = self.backend.read(ref.key)
        except Missing as error:
            raise Missing(f"{error}; {_REMEDY}") from None
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 != ref.sha256:
            raise VerificationError(
                f"{self.root}/{ref.key} is damaged: its {len(data)} bytes hash to {sha256}; {_REMEDY}"
            )
        return data

    def path(self, ref: ObjectRef) -> Path | None:
        """The object's file (not verified) in a store on this machine, else None."""
        return self.backend.local_path(ref.key)

    def has(self, ref: ObjectRef) -> bool:
        """Whether the object is there with its full size."""
        return self.backend.size(ref.key) == ref.size

    def check(self, named: Collection[ObjectRef], reused: Iterable[ObjectRef]) -> None:
        """Check that every object of ``named`` has its full size, and each of ``reused`` the bytes of its hash.

        Raises `Missing` or `VerificationError` for the first that fails.
        """
        sizes = self._sizes(named)
        for ref in named:
            if ref.key not in sizes:
                raise Missing(f"{self.root}/{ref.key} is not in the store; {_REMEDY}")
            if sizes[ref.key] != ref.size:
                raise VerificationError(
                    f"{self.root}/{ref.key} is damaged: it has {sizes[ref.key]} bytes, and {ref.size} were "
                    f"recorded; {_REMEDY}"
                )
        for ref in reused:
            self.get(ref)

    def _sizes(self, refs: Iterable[ObjectRef]) -> dict[str, int]:
        """Size of each object that is there, by key; an object store is listed once instead."""
        if self.backend.local_path("store") is None:
            return {entry.key: entry.size for entry in self.backend.list("store")}
        sizes = ((ref.key, self.backend.size(ref.key)) for ref in refs)
        return {key: size for key, size in sizes if size is not None}

    def objects(self) -> set[str]:
        """The SHA-256 of every object, from names alone: a folder lists them faster than with sizes."""
        if self.backend.local_path("store") is None:
            names: Iterable[str] = (entry.key.rpartition("/")[2] for entry in self.backend.list("store"))
        else:
            folders = [name for name in self.backend.names("store") if len(name) == 2 and name.isalnum()]
            names = (name for folder in folders for name in self.backend.names(f"store/{folder}"))
        return {sha256 for name in names if (sha256 := sha256_in(name))}

    def put_record(self, room: str, digest: str, record: Mapping[str, Any]) -> None:
        """Store ``record`` durably as ``<room>/<digest>.json``; it replaces an earlier one.

        Raises `StoreError` when it names an object that is not in the store.
        """
        key, data = _record_key(room, digest), dump_record(record)
        for ref in set(named_objects(dict(record))) - self._durable:
            if not self.has(ref):
                raise StoreError(
                    f"{key} would name {ref.key}, which is not in the store; put the object first"
                )
            self._durable.add(ref)
        self.backend.write(key, data)

    def get_record(self, room: str, digest: str, schema: str, shape: Any = None) -> Record | None:
        """The record of format ``schema`` (``cuesmith.take/1``); None if there is none.

        Raises `FormatError` for another format, `VerificationError` for a damaged file and
        for one that does not have the ``shape`` (a `TypedDict`).
        """
        return next((record for _, record in self.get_records(room, (digest,), schema, shape)), None)

    def get_records(
        self, room: str, digests: Iterable[str], schema: str, shape: Any = None
    ) -> Iterator[tuple[str, Record]]:
        """Each record that exists, with its digest; an object store gets many requests at once."""
        keys = (_record_key(room, digest) for digest in digests)
        for key, data in self.backend.read_many(keys):
            digest = key.rpartition("/")[2].removesuffix(".json")
            yield digest, read_record(data, schema, f"{self.root}/{key}", shape)

    def records(self, room: str) -> set[str]:
        """The digest of every record in ``room``."""
        return {name.removesuffix(".json") for name in self.backend.names(room) if name.endswith(".json")}

    @contextmanager
    def shared(self, timeout: float = _BUILD_WAITS) -> Iterator[Fence]:
        """Hold the store together with other builds: nothing is removed meanwhile.

        A build holds a lock of its own under ``locks/builds/``, which it takes while it holds the gate. Raises `Busy`
        when another process still holds the gate after ``timeout`` seconds.
        """
        name = f"builds/{os.getpid()}-{os.urandom(8).hex()}"
        with ExitStack() as stack:
            stack.callback(_remove_lock, self.backend, name)
            with self.backend.lock(_GATE, timeout):
                fence = stack.enter_context(self.backend.lock(name, timeout))
            yield fence

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the store with no build running. Raises `Busy` while one runs.

        Whoever holds the gate keeps new builds out. The lock of a killed build is free.
        """
        with self.backend.lock(_GATE, 0.0):
            if _build_runs(self.backend):
                raise Busy("a build is using this store; wait until it ends, or stop it, and try again")
            yield


def _build_runs(backend: Backend) -> bool:
    for file in sorted(backend.names("locks/builds")):
        name = f"builds/{file.removesuffix('.lock')}"
        try:
            with backend.lock(name, 0.0):
                pass
        except Busy:
            return True
        _remove_lock(backend, name)
    return False


def _remove_lock(backend: Backend, name: str) -> None:
    for entry in list(backend.list(f"locks/{name}.lock")):
        backend.delete(entry.key)


def _record_key(room: str, digest: str) -> str:
    if not _ROOM.fullmatch(room) or not _DIGEST.fullmatch(digest):
        raise UsageError(
            f"{room!r}/{digest!r} cannot name a record; use lower-case letters, digits, '-' and '_'"
        )
    return f"{room}/{digest}.json"
