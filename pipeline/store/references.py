"""Who names which object: one pass over every record and every catalog version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.errors import FormatError, VerificationError
from pipeline.store.backend import Backend, Entry
from pipeline.store.formats import Record, load_record, schema_of
from pipeline.store.objects import ObjectRef, named_objects

RECORD_ROOMS = ("takes", "masters")
"""Made again by a build when they are gone."""
CATALOG_ROOMS = ("catalog", "channels")
"""Never changed and never removed by the store."""


@dataclass(frozen=True, slots=True)
class Naming:
    """One stored JSON file and the objects that it names."""

    entry: Entry
    objects: frozenset[ObjectRef]
    damage: str | None
    """Why the file cannot be read, or is not what its name says; None when all is well."""


def read_namings(backend: Backend, rooms: tuple[str, ...]) -> Iterator[Naming]:
    """Every JSON file in ``rooms``, read. A file that another process removed meanwhile is left out."""
    for room in rooms:
        entries = {entry.key: entry for entry in backend.list(room) if entry.key.endswith(".json")}
        for key, data in backend.read_many(entries):
            try:
                record = load_record(data, key)
                _check_name(record, key, room)
                objects = frozenset(named_objects(record))
            except (FormatError, VerificationError) as error:
                yield Naming(entries[key], frozenset(), str(error))
            else:
                yield Naming(entries[key], objects, None)


def _check_name(record: Record, key: str, room: str) -> None:
    schema_of(record, key)
    digest = record.get("digest")
    if room in RECORD_ROOMS and digest is not None and key != f"{room}/{digest}.json":
        raise VerificationError(f"{key} is damaged: it holds the record {digest}")
