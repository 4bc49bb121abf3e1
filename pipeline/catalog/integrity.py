"""Check a whole store and its catalog, and recover damaged channels. Repairs are in `repair`, which needs pandas."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

from pipeline.catalog.catalog import UNREADABLE, Catalog, version_key
from pipeline.catalog.channels import CHANNEL_SCHEMA, LATEST, Channel, ChannelMove, channel_key
from pipeline.catalog.reviews import KEY as REVIEWS
from pipeline.catalog.reviews import read_event
from pipeline.catalog.rows import differing, facts_of, say_difference, with_waiting_rows
from pipeline.catalog.version import QUARANTINE_KEY, Version, read_quarantine
from pipeline.errors import CuesmithError, FormatError, MachineError, VerificationError
from pipeline.provenance import MASTER_SCHEMA, TAKE_SCHEMA, MasterRecord, MasterRow, TakeRecord
from pipeline.provenance.clock import utc
from pipeline.recipe import digest
from pipeline.store import (
    Finding,
    Missing,
    NewerFormatError,
    Progress,
    Store,
    check_schema,
    parse_object,
    shape_fault,
    unreadable,
    verify,
)


def recover_channel(catalog: Catalog, name: str) -> Channel | None:
    """The channel ``name`` from the moves that can still be read in its file; None if there are none.

    It points to the version of the last move by time. Builds publish every version to ``latest``, so that channel
    also gets a move for each version in the catalog.
    """
    moves = catalog.channels.recover_moves(name)
    if name == LATEST:
        numbers = {move["version"] for move in moves}
        published = [
            ChannelMove(version=version.number, at=version.created, by=version.run, action="publish")
            for version in catalog.readable()
            if version.number not in numbers
        ]
        moves = sorted([*published, *moves], key=lambda move: utc(move["at"]))
    if not moves:
        return None
    return Channel(schema=CHANNEL_SCHEMA, name=name, version=moves[-1]["version"], history=moves)


def channel_or_recovered(catalog: Catalog, name: str) -> Channel | None:
    """The channel ``name``, recovered with `recover_channel` if it is damaged.

    Raises `FormatError` if nothing of it can be recovered, or if a newer release wrote it.
    """
    try:
        channel = catalog.channel(name)
        return recover_channel(catalog, name) if channel is None and name == LATEST else channel
    except NewerFormatError:
        raise
    except FormatError:
        channel = recover_channel(catalog, name)
        if channel is None:
            raise
        return channel


JOURNALS = "runs"
NOT_THERE = "it is not in the catalog"
_RECORDS: dict[str, tuple[str, Any]] = {
    "takes": (TAKE_SCHEMA, TakeRecord),
    "masters": (MASTER_SCHEMA, MasterRecord),
}


def check_store(store: Store, progress: Progress | None = None) -> Iterator[Finding]:
    """The findings of `verify` in a store, and everything that is wrong with its catalog.

    Each file has at most one finding. Safe while builds run.
    """
    catalog, rows = Catalog(store), _Rows()
    seen: set[str] = set()
    for finding in chain(_catalog_findings(catalog, rows), verify(store, progress, rows.check)):
        if finding.key not in seen:
            seen.add(finding.key)
            yield finding


def _catalog_findings(catalog: Catalog, rows: _Rows) -> Iterator[Finding]:
    yield from _channels(catalog)
    for number in sorted({*catalog.numbers(), *catalog.all_recorded_files()}):
        files = catalog.recorded_files(number)
        yield from _recorded_files(catalog, number, files.items())
        try:
            version = catalog.read(number)
        except UNREADABLE as error:
            if not files:
                yield unreadable(version_key(number), error)
        else:
            if files:
                rows.add(version)
    for name, key in catalog.dangling_channels():
        yield Finding("missing", key, NOT_THERE, (channel_key(name),))
    yield from _quarantine(catalog.store)
    yield from _lines(catalog.store)


class _Rows:
    """The distinct rows of all versions whose hashes are recorded, to compare with the records of their masters."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[int, MasterRow]]] = {}

    def add(self, version: Version) -> None:
        """Add the rows of a version."""
        for row in with_waiting_rows(version.masters):
            known = self._rows.setdefault(row["master"], [])
            if not any(row == other for _, other in known):
                known.append((version.number, row))

    def check(self, key: str, record: dict[str, Any]) -> None:
        """Check the shape of a take's or a master's record, its recipe's hash and the rows of its master."""
        room = key.partition("/")[0]
        if room not in _RECORDS:
            return
        _check_record(key, record, *_RECORDS[room])
        if room != "masters":
            return
        master: Any = record
        facts_of(master)
        for number, row in self._rows.get(master["digest"], ()):
            if differences := differing(row, master):
                what = say_difference(row, differences)
                raise VerificationError(f"{key}: {version_key(number)} differs from it: {what}")


def _check_record(key: str, record: dict[str, Any], schema: str, shape: Any) -> None:
    check_schema(record, schema, key)
    if (fault := shape_fault(record, shape)) is not None:
        raise VerificationError(f"{key} is damaged: {fault}")
    take = record.get("take", record)
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
            yield unreadable(channel_key(name), error)
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
        yield Finding(
            "missing", channel_key(LATEST), "the catalog has versions, but no channel points to them"
        )


def _recorded_files(catalog: Catalog, number: int, files: Any) -> Iterator[Finding]:
    """Check the files of a version whose hashes channels record."""
    for name, item in files:
        key = version_key(number, name)
        try:
            data = catalog.store.backend.read(key)
        except Missing:
            yield Finding("missing", key, NOT_THERE, _recording_channels(catalog, number))
        except MachineError as error:
            yield unreadable(key, error)
        else:
            if hashlib.sha256(data).hexdigest() != item["sha256"]:
                yield Finding("damaged", key, _why_damaged(name, data))


def _recording_channels(catalog: Catalog, number: int) -> tuple[str, ...]:
    """The keys of the channels that record the files of version ``number``."""
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


def _quarantine(store: Store) -> Iterator[Finding]:
    try:
        read_quarantine(store)
    except CuesmithError as error:
        yield unreadable(QUARANTINE_KEY, error)


def _lines(store: Store) -> Iterator[Finding]:
    """Check the files with one event on each line: reviews, and the journals of runs."""
    for entry in store.backend.list(REVIEWS):
        yield from _lines_of(store, entry.key, split_events)
    for entry in store.backend.list(JOURNALS):
        if entry.key.endswith(".jsonl"):
            yield from _lines_of(store, entry.key, _split_journal)


def _lines_of(
    store: Store, key: str, split: Callable[[bytes, str], Iterator[CheckedLine]]
) -> Iterator[Finding]:
    try:
        faults = [fault for _, fault in split(store.backend.read(key), key) if fault is not None]
    except Missing:
        return
    except MachineError as error:
        yield unreadable(key, error)
        return
    if faults:
        more = f" (and {len(faults) - 1} more lines)" if faults[1:] else ""
        yield replace(unreadable(key, faults[0]), what=f"{faults[0]}{more}")


CheckedLine = tuple[bytes, FormatError | None]
"""A line of a file, and what is wrong with it."""


class TornLine(FormatError):
    """A line that is whole but for its line feed."""


def split_events(data: bytes, key: str) -> Iterator[CheckedLine]:
    """Each line of a review file; a last line without a line feed counts as damaged."""
    *whole, rest = data.split(b"\n")
    for number, line in enumerate([*whole, rest], 1):
        if not line.strip():
            continue
        place = f"{key}:{number}"
        try:
            read_event(line, place)
            if number > len(whole):
                raise TornLine(f"{place}: the line has no line feed at its end, so it is not read")
        except FormatError as error:
            yield line, error
        else:
            yield line, None


def _split_journal(data: bytes, key: str) -> Iterator[CheckedLine]:
    # A killed run may leave an incomplete last line.
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            if line:
                parse_object(line)
        except ValueError as error:
            yield line, FormatError(f"{key}:{number}: not an event: {error}")
