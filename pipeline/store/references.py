"""Who names which object: one pass over every record and every catalog version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from pipeline.errors import FormatError, MachineError, VerificationError
from pipeline.store.backend import Backend, Entry, Missing
from pipeline.store.formats import NewerFormatError, Record, load_record, schema_of
from pipeline.store.objects import ObjectRef, named_objects

RECORD_ROOMS = ("takes", "masters")
"""Made again by a build when they are gone."""
CATALOG_ROOMS = ("catalog", "channels")
"""Never changed and never removed by the store."""


CheckRecord = Callable[[str, Record], None]
"""Called with the key and the content of a JSON file; raises `FormatError` or `VerificationError` when it is wrong."""


@dataclass(frozen=True, slots=True)
class Naming:
    """One stored JSON file and the objects that it names."""

    entry: Entry
    objects: frozenset[ObjectRef]
    damage: str | None
    """Why the file cannot be read, or is not what its name says; None when all is well."""
    newer: bool = False
    """Whether the damage is that a newer release wrote the file."""


def read_namings(
    backend: Backend, rooms: tuple[str, ...], check: CheckRecord | None = None
) -> Iterator[Naming]:
    """Every JSON file in ``rooms``, read. A file that another process removed meanwhile is left out.

    ``check`` looks at what only a format's owner can judge.
    """
    for room in rooms:
        entries = {entry.key: entry for entry in backend.list(room) if entry.key.endswith(".json")}
        for key, data in _read_each(backend, entries):
            try:
                if isinstance(data, MachineError):
                    raise VerificationError(str(data))
                record = load_record(data, key)
                _check_name(record, key, room)
                objects = frozenset(named_objects(record))
                if check is not None:
                    check(key, record)
            except (FormatError, VerificationError) as error:
                newer = isinstance(error, NewerFormatError)
                yield Naming(entries[key], frozenset(), str(error), newer)
            else:
                yield Naming(entries[key], objects, None)


def _read_each(backend: Backend, keys: Iterable[str]) -> Iterator[tuple[str, bytes | MachineError]]:
    """Each key with its bytes; on a disk of this machine with the error where one file cannot be read."""
    if backend.local_path("takes") is None:
        yield from backend.read_many(keys)
        return
    for key in keys:
        try:
            yield key, backend.read(key)
        except Missing:
            continue
        except MachineError as error:
            yield key, error


def _check_name(record: Record, key: str, room: str) -> None:
    schema_of(record, key)
    digest = record.get("digest")
    if room in RECORD_ROOMS and digest is not None and key != f"{room}/{digest}.json":
        raise VerificationError(
            f"{key} is damaged: it holds the record {digest}; run `cuesmith verify --repair`"
        )
