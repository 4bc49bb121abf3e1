"""The content-addressed store: objects by the hash of their bytes, and records of what made them.

The order is the rule: an object is durable before a record names it, so a kill at any instant leaves every
named object whole.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from pipeline.errors import StoreError, UsageError, VerificationError
from pipeline.store.backend import Backend, Fence, Missing
from pipeline.store.formats import Record, dump_record, read_record
from pipeline.store.objects import ObjectRef, named_objects, sha256_in
from pipeline.store.opening import open_backend
from pipeline.store.sharing import alone, shared

_ROOM = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_DIGEST = re.compile(r"[a-z0-9][a-z0-9_-]{0,127}")
_REMEDY = "run `cuesmith verify --repair`, then build again to make it anew"
_BUILD_WAITS = 3600.0


class Store:
    """Everything under one ``outputs`` root. Processes share a store by opening the same root."""

    def __init__(self, backend: Backend, root: str) -> None:
        self.backend = backend
        self.root = root
        self._seen: set[ObjectRef] = set()

    @classmethod
    def open(cls, root: str | Path) -> Store:
        """The store in the folder or at the URL ``root``; nothing is made before something is written.

        Raises `UsageError` where a file stands, `MachineError` for a folder that may not be read or a
        protocol that is unknown or not installed.
        """
        return cls(open_backend(root), str(root))

    def put(self, data: bytes, suffix: str) -> ObjectRef:
        """Store ``data``; durable when this returns. What is there and whole is not rewritten."""
        ref = ObjectRef.of(data, suffix)
        if not (self.backend.confirm(ref.key, ref.size) and self.backend.read(ref.key) == data):
            self.backend.write(ref.key, data, read_only=True)
        self._seen.add(ref)
        return ref

    def get(self, ref: ObjectRef) -> bytes:
        """The object's bytes, proven by their hash. Raises `Missing`, or `VerificationError` when damaged."""
        try:
            data = self.backend.read(ref.key)
        except Missing as error:
            raise Missing(f"{error}; {_REMEDY}") from None
        found = hashlib.sha256(data).hexdigest()
        if found != ref.sha256:
            raise VerificationError(
                f"{self.root}/{ref.key} is damaged: its {len(data)} bytes hash to {found}; {_REMEDY}"
            )
        return data

    def path(self, ref: ObjectRef) -> Path | None:
        """The object's file where it lies on this machine (not verified), else None."""
        return self.backend.local_path(ref.key)

    def has(self, ref: ObjectRef) -> bool:
        """Whether the object is there in its full size."""
        return self.backend.size(ref.key) == ref.size

    def check(self, named: Collection[ObjectRef], reused: Iterable[ObjectRef]) -> None:
        """Prove that every object of ``named`` has its full size, and each of ``reused`` the bytes of its hash.

        Raises `Missing` or `VerificationError` for the first that has not.
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
        """Bytes of each object that is there, by key; a store that is far away is listed once."""
        if self.backend.local_path("store") is None:
            return {entry.key: entry.size for entry in self.backend.list("store")}
        found = ((ref.key, self.backend.size(ref.key)) for ref in refs)
        return {key: size for key, size in found if size is not None}

    def objects(self) -> set[str]:
        """The SHA-256 of every object: one listing, however many are asked about."""
        return {found for name in self.backend.leaves("store") if (found := sha256_in(name))}

    def put_record(self, room: str, digest: str, record: Mapping[str, Any]) -> None:
        """Store ``record`` durably as ``<room>/<digest>.json``, over what was there.

        Raises `StoreError` when it names an object that is not in the store.
        """
        key, data = _record_key(room, digest), dump_record(record)
        for ref in set(named_objects(dict(record))) - self._seen:
            if not self.has(ref):
                raise StoreError(
                    f"{key} would name {ref.key}, which is not in the store; put the object first"
                )
            self._seen.add(ref)
        self.backend.write(key, data)

    def get_record(self, room: str, digest: str, schema: str, shape: Any = None) -> Record | None:
        """The record, brought up to ``schema`` (``cuesmith.take/1``), or None where there is none.

        Raises `FormatError` for another kind or a newer version, `VerificationError` for a damaged file and
        for one that has not the ``shape`` (a `TypedDict`).
        """
        key = _record_key(room, digest)
        try:
            data = self.backend.read(key)
        except Missing:
            return None
        return read_record(data, schema, f"{self.root}/{key}", shape)

    def get_records(
        self, room: str, digests: Iterable[str], schema: str, shape: Any = None
    ) -> Iterator[tuple[str, Record]]:
        """Each record that exists, with its digest: many requests at once where the store is far away."""
        keys = (_record_key(room, digest) for digest in digests)
        for key, data in self.backend.read_many(keys):
            yield (
                key.rpartition("/")[2].removesuffix(".json"),
                read_record(data, schema, f"{self.root}/{key}", shape),
            )

    def records(self, room: str) -> set[str]:
        """The digest of every record in ``room``."""
        return {name.removesuffix(".json") for name in self.backend.names(room) if name.endswith(".json")}

    def shared(self, timeout: float = _BUILD_WAITS) -> AbstractContextManager[Fence]:
        """Hold the store as one of any number of builds: nothing is removed meanwhile."""
        return shared(self.backend, timeout)

    def alone(self, timeout: float = 0.0) -> AbstractContextManager[None]:
        """Hold the store with no build running. Raises `Busy` when one runs."""
        return alone(self.backend, timeout)


def _record_key(room: str, digest: str) -> str:
    if not _ROOM.fullmatch(room) or not _DIGEST.fullmatch(digest):
        raise UsageError(
            f"{room!r}/{digest!r} cannot name a record; use lower-case letters, digits, '-' and '_'"
        )
    return f"{room}/{digest}.json"
