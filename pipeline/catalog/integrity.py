"""Check a whole store and its catalog, and recover damaged channels."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from itertools import chain
from typing import Any

from pipeline.catalog.catalog import Catalog, version_key
from pipeline.catalog.channels import CHANNEL_SCHEMA, LATEST, Channel, ChannelMove, channel_key, moment
from pipeline.catalog.reviews import KEY as REVIEWS
from pipeline.catalog.reviews import read_event
from pipeline.catalog.rows import differing, facts_of, say_difference
from pipeline.catalog.version import QUARANTINE_KEY, Version, read_quarantine
from pipeline.errors import CuesmithError, FormatError, MachineError, VerificationError
from pipeline.provenance import MASTER_SCHEMA, TAKE_SCHEMA, MasterRecord, MasterRow, TakeRecord
from pipeline.recipe import digest
from pipeline.store import (
    Finding,
    Missing,
    NewerFormatError,
    Progress,
    Store,
    migrate,
    parse_object,
    shape_fault,
    verify,
)


def salvaged(catalog: Catalog, name: str) -> Channel | None:
    """The channel called ``name`` from what its file still tells; None where nothing tells where it pointed.

    It points where the last move by time went. Builds publish every version to ``latest``, so that channel knows the
    versions that there are, whatever is left of its file.
    """
    moves = catalog.channels.salvage(name)
    if name == LATEST:
        told = {move["version"] for move in moves}
        published = [
            ChannelMove(version=version.number, at=version.created, by=version.run, action="publish")
            for version in catalog.readable()
            if version.number not in told
        ]
        moves = sorted([*published, *moves], key=lambda move: moment(move["at"]))
    if not moves:
        return None
    return Channel(schema=CHANNEL_SCHEMA, name=name, version=moves[-1]["version"], history=moves)


def channel_or_salvaged(catalog: Catalog, name: str) -> Channel | None:
    """The channel called ``name``, or what `salvaged` makes of it where it is damaged.

    Raises `FormatError` where it is damaged and nothing can be read of it, and for one of a newer release.
    """
    try:
        channel = catalog.channel(name)
        return salvaged(catalog, name) if channel is None and name == LATEST else channel
    except NewerFormatError:
        raise
    except FormatError:
        channel = salvaged(catalog, name)
        if channel is None:
            raise
        return channel


JOURNALS = "runs"
_RECORDS: dict[str, tuple[str, Any]] = {
    "takes": (TAKE_SCHEMA, TakeRecord),
    "masters": (MASTER_SCHEMA, MasterRecord),
}
_PARQUET = b"PAR1"


def check_store(store: Store, progress: Progress | None = None) -> Iterator[Finding]:
    """Everything that `verify` finds in a store, and everything that is wrong with its catalog.

    Each file is named once. May run beside builds.
    """
    catalog, rows = Catalog(store), _Rows()
    seen: set[str] = set()
    every = chain(_catalog_findings(catalog, rows), verify(store, progress, rows.check), rows.findings())
    for finding in every:
        if finding.key not in seen:
            seen.add(finding.key)
            yield finding


def _catalog_findings(catalog: Catalog, rows: _Rows) -> Iterator[Finding]:
    yield from _channels(catalog)
    for number in sorted({*catalog.numbers(), *catalog.all_recorded()}):
        if files := catalog.recorded(number):
            yield from _recorded_files(catalog, number, files.items())
        else:
            yield from _unrecorded_files(catalog, number)
        if catalog.broken(number) is None:
            rows.add(catalog.read(number), proven=bool(files))
    for name, key in catalog.lost():
        yield Finding("missing", key, "it is not in the catalog", (channel_key(name),))
    yield from _quarantine(catalog.store)
    yield from _lines(catalog.store)


class _Rows:
    """Rows of all versions beside the records of their masters, each distinct row once."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[int, bool, MasterRow]]] = {}
        self._changed: list[Finding] = []

    def add(self, version: Version, *, proven: bool) -> None:
        """Take in the rows of a version; ``proven``: its hash is recorded, so a difference is the record's fault."""
        for row in version.masters:
            for one in (row, row.get("waiting")):
                if one is None:
                    continue
                known = self._rows.setdefault(one["master"], [])
                if not any(one == other for _, _, other in known):
                    known.append((version.number, proven, one))

    def check(self, key: str, record: dict[str, Any]) -> None:
        """Hold a take's or a master's record to its shape, its recipe's hash and the rows of its master."""
        room = key.partition("/")[0]
        if room not in _RECORDS:
            return
        _check_record(key, record, *_RECORDS[room])
        found: Any = record
        if room == "masters":
            facts_of(found)
        for number, proven, row in self._rows.get(found["digest"], ()) if room == "masters" else ():
            if difference := differing(row, found):
                what = f"it was changed: {say_difference(row, difference)}"
                if proven:
                    raise VerificationError(
                        f"{key}: {version_key(number)} differs from it: {say_difference(row, difference)}"
                    )
                self._changed.append(Finding("damaged", version_key(number), what))

    def findings(self) -> list[Finding]:
        """Versions that differ from records; known once all records were checked."""
        return self._changed


def _check_record(key: str, record: dict[str, Any], schema: str, shape: Any) -> None:
    value = migrate(record, schema, key)
    if (fault := shape_fault(value, shape)) is not None:
        raise VerificationError(f"{key} is damaged: {fault}")
    take = value.get("take", value)
    try:
        same = digest(take["recipe"]) == take["digest"]
    except ValueError as error:
        raise VerificationError(f"{key} is damaged: its recipe: {error}") from error
    if not same:
        raise VerificationError(f"{key} was changed: its recipe does not hash to its digest")


def _channels(catalog: Catalog) -> Iterator[Finding]:
    names = catalog.channels.names()
    recorded: dict[tuple[int, str], tuple[str, str]] = {}
    for name in names:
        try:
            channel = catalog.channel(name)
        except CuesmithError as error:
            yield _unreadable(channel_key(name), error)
            continue
        moves = channel["history"] if channel else []
        files = ((move["version"], *item) for move in moves for item in move.get("files", {}).items())
        for number, file, item in files:
            first, sha256 = recorded.setdefault((number, file), (name, item["sha256"]))
            if sha256 != item["sha256"]:
                what = f"it records another hash of {version_key(number, file)} than channel {first}"
                yield Finding("damaged", channel_key(name), what)
                break
    if LATEST not in names and len(catalog.numbers()) > 1:
        yield Finding("missing", channel_key(LATEST), "no channel points to the versions that are there")


def _recorded_files(catalog: Catalog, number: int, files: Any) -> Iterator[Finding]:
    """A version whose hashes channels record: every file has to be there, byte for byte."""
    for name, item in files:
        key = version_key(number, name)
        try:
            data = catalog.store.backend.read(key)
        except Missing:
            yield Finding("missing", key, "it is not in the catalog", _recording(catalog, number))
        except MachineError as error:
            yield _unreadable(key, error)
        else:
            if hashlib.sha256(data).hexdigest() != item["sha256"]:
                yield Finding("damaged", key, _why_damaged(name, data))


def _recording(catalog: Catalog, number: int) -> tuple[str, ...]:
    """Keys of the channels that record the files of version ``number``."""
    return tuple(
        channel_key(channel["name"])
        for channel in catalog.channels.readable()
        if any(move["version"] == number and "files" in move for move in channel["history"])
    )


def _why_damaged(name: str, data: bytes) -> str:
    try:
        if name.endswith(".json"):
            parse_object(data)
    except ValueError as error:
        return str(error)
    return "it was changed after it was published"


def _unrecorded_files(catalog: Catalog, number: int) -> Iterator[Finding]:
    """A version of an older release: its files are read, and its tables looked at from outside."""
    try:
        version = catalog.read(number)
    except (CuesmithError, MachineError) as error:
        yield _unreadable(version_key(number), error)
        return
    for name, fault in (("catalog.parquet", _parquet_fault), ("catalog.csv", _csv_fault)):
        key = version_key(number, name)
        try:
            what = fault(catalog.store.backend.read(key), version)
        except Missing:
            what = "it is not in the catalog"
        except MachineError as error:
            what = str(error)
        if what is not None:
            yield Finding("unreadable", key, what)


def _parquet_fault(data: bytes, version: Version) -> str | None:
    whole = len(data) > 12 and data.startswith(_PARQUET) and data.endswith(_PARQUET)
    return None if whole else "it is no Parquet file, or not all of one"


def _csv_fault(data: bytes, version: Version) -> str | None:
    try:
        rows = sum(1 for _ in csv.reader(io.StringIO(data.decode(), newline=""))) - 1
    except (ValueError, csv.Error) as error:
        return f"it is no table: {error}"
    found = len(version.masters)
    return None if rows == found else f"it has {rows} rows, and the version has {found} masters"


def _quarantine(store: Store) -> Iterator[Finding]:
    try:
        read_quarantine(store)
    except CuesmithError as error:
        yield _unreadable(QUARANTINE_KEY, error)


def _lines(store: Store) -> Iterator[Finding]:
    """The files that hold one event a line: reviews, and the journals of runs."""
    for entry in store.backend.list(REVIEWS):
        yield from _lines_of(store, entry.key, event_faults)
    for entry in store.backend.list(JOURNALS):
        if entry.key.endswith(".jsonl"):
            yield from _lines_of(store, entry.key, _journal_faults)


def _lines_of(store: Store, key: str, faults: Any) -> Iterator[Finding]:
    try:
        found = list(faults(store.backend.read(key), key))
    except Missing:
        return
    except MachineError as error:
        yield _unreadable(key, error)
        return
    if found:
        more = f" (and {len(found) - 1} more lines)" if found[1:] else ""
        yield Finding("newer" if found[0][1] else "unreadable", key, f"{found[0][0]}{more}")


def event_faults(data: bytes, key: str) -> Iterator[tuple[str, bool]]:
    """What is wrong with each damaged line of reviews, and whether a newer release wrote it."""
    for line, fault in split_events(data, key):
        if fault is not None and line:
            yield str(fault), isinstance(fault, NewerFormatError)


def split_events(data: bytes, key: str) -> Iterator[tuple[bytes, FormatError | None]]:
    """Each line of reviews, with what is wrong with it; a last line without its end counts as damaged."""
    *whole, rest = data.split(b"\n")
    for number, line in enumerate([*whole, rest], 1):
        if not line.strip():
            continue
        place = f"{key}:{number}"
        try:
            read_event(line, place)
        except FormatError as error:
            yield line, error
        else:
            torn = number > len(whole)
            yield line, FormatError(f"{place}: the line has no end, so it is not read") if torn else None


def _journal_faults(data: bytes, key: str) -> Iterator[tuple[str, bool]]:
    # A run that was killed may leave its last line torn.
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            if line:
                parse_object(line)
        except ValueError as error:
            yield f"{key}:{number}: not an event: {error}", False


def _unreadable(key: str, error: Exception) -> Finding:
    return Finding("newer" if isinstance(error, NewerFormatError) else "unreadable", key, str(error))
