"""Repair of a whole store: put back what has a copy, make again what records tell, set aside what a build makes again.

Nothing is deleted: the old bytes of every file that is replaced lie below ``quarantine/``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, cast

from pipeline.catalog.catalog import Catalog, version_key
from pipeline.catalog.channels import CATALOG_FILE, LATEST, ChannelMove, channel_key
from pipeline.catalog.integrity import JOURNALS, check_store, salvaged, split_events
from pipeline.catalog.reviews import KEY as REVIEWS
from pipeline.catalog.reviews import read_event
from pipeline.catalog.rows import disagreements
from pipeline.catalog.tables import csv_bytes, frame, parquet_bytes
from pipeline.catalog.version import QUARANTINE_KEY
from pipeline.errors import CuesmithError, FormatError, MachineError
from pipeline.provenance import MasterRow
from pipeline.provenance.facts import now
from pipeline.store import (
    Fence,
    Finding,
    Missing,
    NewerFormatError,
    ObjectRef,
    Progress,
    Repair,
    Store,
    quarantine,
    quarantine_key,
    set_aside,
)

BUILD = "build again to make it anew"
_BY = "cuesmith verify --repair"
_APPEND_SECONDS = 60.0
_TABLES = {"catalog.csv": csv_bytes, "catalog.parquet": parquet_bytes}


def repair_store(store: Store, progress: Progress | None = None) -> list[Repair]:
    """Repair whatever `check_store` finds harmful; one `Repair` for each finding, in the order of the repairs.

    Raises `Busy` while a build runs.
    """
    with store.alone():
        findings = [finding for finding in check_store(store, progress) if finding.harmful]
        with Catalog(store).channels.held() as fence:
            return list(_Repairs(store, fence).make(findings))


class _Repairs:
    def __init__(self, store: Store, fence: Fence) -> None:
        self._store, self._fence = store, fence
        self._backend = store.backend
        self._catalog = Catalog(store)
        self._record_again: set[int] = set()
        """Versions whose hashes channels have to record again."""

    def make(self, findings: list[Finding]) -> Iterator[Repair]:
        """Channels come first, since they know the copies of versions; pointers last, once versions are whole."""
        rooms: dict[str, list[Finding]] = {}
        for finding in findings:
            rooms.setdefault(_room(finding), []).append(finding)
        yield from set_aside(self._store, rooms.pop("store", []))
        copies = rooms.pop("copies", [])
        damaged = [finding for finding in copies if finding.kind != "missing"]
        set_aside(self._store, damaged)
        for room, act in (
            ("channels", self._channel),
            ("catalog", self._version_file),
            ("reviews", self._reviews),
            ("rest", self._rest),
        ):
            for finding in rooms.get(room, []):
                yield self._tried(act, finding)
        yield from (self._tried(self._copy, finding) for finding in copies)
        for number in sorted(self._record_again):
            self._record(number)
        yield from self._pointers()

    def _tried(self, act: Any, finding: Finding) -> Repair:
        if finding.kind == "newer":
            return Repair(
                finding, (), "update cuesmith; files of a newer release stay as they are", done=False
            )
        try:
            return cast("Repair", act(finding))
        except CuesmithError as error:
            return Repair(finding, (), str(error), done=False)

    def _channel(self, finding: Finding) -> Repair:
        name = finding.key.removeprefix("channels/").removesuffix(".json")
        if finding.kind == "damaged":
            self._record_again |= set(self._catalog.all_recorded())
            return Repair(finding, (), "its hashes are recorded again from the files")
        if name not in {*self._catalog.channels.names(), LATEST}:
            return Repair(finding, self._moved(finding.key), "set aside: no channel has such a name")
        channel = salvaged(self._catalog, name)
        if channel is None:
            advice = f"set aside; promote a version again: cuesmith promote NUMBER --channel {name}"
            if name == LATEST:
                advice = f"set aside; {BUILD}"
            return Repair(finding, self._moved(finding.key), advice)
        moved = self._saved(finding.key)
        self._catalog.channels.write(name, channel["history"], self._fence)
        self._record_again |= {move["version"] for move in channel["history"] if "files" not in move}
        told = f"made again from the moves and versions that can be read; it points to version {channel['version']}"
        return Repair(finding, moved, told)

    def _version_file(self, finding: Finding) -> Repair:
        folder, _, name = finding.key.removeprefix("catalog/").partition("/")
        number = int(folder)
        if self._was_published(finding.key):
            self._record_again.add(number)
            return Repair(finding, (), "it is as it was published; its hash is recorded again")
        data = self._copied(number, name)
        told = "put back from its copy"
        if data is None and name == CATALOG_FILE and finding.kind == "damaged":
            data, told = self._corrected(number), "put right from the records of its masters"
        if data is None and name in _TABLES and self._catalog.broken(number) is None:
            data, told = _TABLES[name](frame(self._catalog.read(number))), "made again from catalog.json"
            self._record_again.add(number)
        if data is not None:
            moved = self._saved(finding.key)
            self._backend.write(finding.key, data)
            return Repair(finding, moved, told)
        self._record_again.add(number)
        moved = self._moved(finding.key) if finding.kind != "missing" else ()
        advice = "build again to publish what is made" if name == CATALOG_FILE else "nothing to do"
        return Repair(finding, moved, f"it has no whole copy; {advice}")

    def _was_published(self, key: str) -> bool:
        """Whether the store has a copy of the very bytes that lie under ``key``, so that the recorded hash is wrong."""
        try:
            data = self._backend.read(key)
        except (Missing, MachineError):
            return False
        return self._store.has(ObjectRef.of(data, PurePosixPath(key).suffix))

    def _copied(self, number: int, name: str) -> bytes | None:
        """The file of a version as a channel records it, from its copy; None where there is none."""
        for channel in self._catalog.channels.readable():
            for move in channel["history"]:
                item = move.get("files", {}).get(name) if move["version"] == number else None
                if item is None:
                    continue
                try:
                    return self._store.get(ObjectRef(item["sha256"], item["suffix"], item["size"]))
                except CuesmithError:
                    continue
        return None

    def _corrected(self, number: int) -> bytes | None:
        """A version of which no hash is recorded, with what its masters' records say; None for any other."""
        if self._catalog.recorded(number) or self._catalog.broken(number):
            return None
        version = self._catalog.read(number)
        right = {id(row): found for row, found in disagreements(self._store, version.masters)}

        def corrected(row: MasterRow) -> MasterRow:
            fixed: Any = {**row, **right.get(id(row), {})}
            if "waiting" in row:
                fixed["waiting"] = {**row["waiting"], **right.get(id(row["waiting"]), {})}
            return cast("MasterRow", fixed)

        return replace(version, masters=tuple(map(corrected, version.masters))).to_bytes()

    def _copy(self, finding: Finding) -> Repair:
        """A copy is made again from the version's own file, where that is whole."""
        for number, files in self._catalog.all_recorded().items():
            for name, item in files.items():
                if ObjectRef(item["sha256"], item["suffix"], item["size"]).key != finding.key:
                    continue
                data = self._backend.read(version_key(number, name)) if self._there(number, name) else b""
                if hashlib.sha256(data).hexdigest() == item["sha256"]:
                    self._store.put(data, item["suffix"])
                    return Repair(finding, (), f"copied again from {version_key(number, name)}")
                self._record_again.add(number)
        return Repair(finding, (), "nothing to do: no version needs it any more")

    def _there(self, number: int, name: str) -> bool:
        return self._backend.exists(version_key(number, name))

    def _record(self, number: int) -> None:
        """Have every channel record the files of version ``number`` as they are now, or none where it is gone."""
        files = self._catalog.keep_copies(number) if self._there(number, CATALOG_FILE) else None
        for channel in list(self._catalog.channels.readable()):
            history = [
                _with_files(move, files) if move["version"] == number else move for move in channel["history"]
            ]
            if history != channel["history"]:
                self._catalog.channels.write(channel["name"], history, self._fence)
        self._catalog = Catalog(self._store)

    def _pointers(self) -> Iterator[Repair]:
        """Channels that point to a version that cannot be read: ``latest`` goes back, the others wait for a person."""
        for channel in list(self._catalog.channels.readable()):
            name, number = channel["name"], channel["version"]
            why = self._catalog.broken(number)
            if why is None:
                continue
            finding = Finding("missing", version_key(number), why, (channel_key(name),))
            if name != LATEST:
                advice = f"point the channel to another version: cuesmith promote NUMBER --channel {name}"
                yield Repair(finding, (), advice, done=False)
                continue
            been = (move["version"] for move in reversed(channel["history"]))
            target = next((one for one in been if self._catalog.broken(one) is None), None)
            if target is None:
                yield Repair(
                    finding, self._moved(channel_key(name)), f"{channel_key(name)} is set aside; {BUILD}"
                )
                continue
            move = ChannelMove(version=target, at=now(), by=_BY, action="repair", because=why)
            move["files"] = self._catalog.files_of(target)
            self._catalog.channels.write(name, [*channel["history"], move], self._fence)
            yield Repair(finding, (), f"channel {name} points to version {target} now; {BUILD}")

    def _reviews(self, finding: Finding) -> Repair:
        """Damaged lines go; a line of a newer release stays."""
        with self._backend.lock(f"append/{REVIEWS}", _APPEND_SECONDS):
            data = self._backend.read(finding.key)
            kept = [line for line, fault in split_events(data, finding.key) if _stays(line, fault)]
            moved = self._saved(finding.key)
            if kept:
                self._backend.write(finding.key, b"".join(line + b"\n" for line in kept))
            else:
                self._backend.delete(finding.key)
        return Repair(finding, moved, f"{len(kept)} events stay; the damaged lines are in {moved[0][1]}")

    def _rest(self, finding: Finding) -> Repair:
        advice = BUILD if finding.key == QUARANTINE_KEY else "set aside; nothing to do"
        return Repair(finding, self._moved(finding.key), advice)

    def _saved(self, key: str) -> tuple[tuple[str, str], ...]:
        """Copy what lies under ``key`` to ``quarantine/``; so a kill before it is replaced loses nothing."""
        if not self._backend.exists(key):
            return ()
        target = quarantine_key(self._backend, key)
        try:
            self._backend.write(target, self._backend.read(key))
        except CuesmithError:
            return self._moved(key)
        return ((key, target),)

    def _moved(self, key: str) -> tuple[tuple[str, str], ...]:
        return ((key, quarantine(self._backend, key)),)


def _room(finding: Finding) -> str:
    """Which kind of repair a finding needs."""
    room = finding.key.partition("/")[0]
    if room == "store" and finding.named_by and all(by.startswith("channels/") for by in finding.named_by):
        return "copies"
    if room == "catalog":
        parts = finding.key.split("/")
        return "catalog" if len(parts) == 3 and parts[1].isdigit() else "rest"
    return {"channels": "channels", REVIEWS: "reviews", JOURNALS: "rest"}.get(room, "store")


def _with_files(move: ChannelMove, files: Mapping[str, Any] | None) -> ChannelMove:
    """The move with these files recorded, or with none."""
    bare: Any = {key: value for key, value in move.items() if key != "files"}
    return cast("ChannelMove", bare if files is None else {**bare, "files": dict(files)})


def _stays(line: bytes, fault: FormatError | None) -> bool:
    if fault is None or isinstance(fault, NewerFormatError):
        return True
    try:
        read_event(line, REVIEWS)
    except FormatError:
        return False
    return True
