"""Repair a whole store: restore files from copies, rebuild them from records, and set aside what a build makes again.

Nothing is deleted: the old bytes of every replaced file are below ``quarantine/``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from pipeline.catalog.catalog import Catalog, version_key
from pipeline.catalog.channels import CATALOG_FILE, LATEST, ChannelMove, channel_key
from pipeline.catalog.integrity import JOURNALS, TornLine, check_store, recover_channel, split_events
from pipeline.catalog.reviews import KEY as REVIEWS
from pipeline.catalog.tables import csv_bytes, frame, parquet_bytes
from pipeline.catalog.version import QUARANTINE_KEY
from pipeline.errors import CuesmithError, MachineError
from pipeline.provenance.clock import now
from pipeline.store import (
    Fence,
    Finding,
    Missing,
    NewerFormatError,
    ObjectRef,
    Progress,
    Repair,
    Store,
    attempt,
    quarantine,
    quarantine_key,
    set_aside,
)

BUILD_AGAIN = "build again to make it again"
_BY = "cuesmith verify --repair"
_APPEND_SECONDS = 60.0
_VERSION = re.compile(rf"catalog/(\d+)/{re.escape(CATALOG_FILE)}")
_TABLES = {"catalog.csv": csv_bytes, "catalog.parquet": parquet_bytes}


def repair_store(store: Store, progress: Progress | None = None) -> list[Repair]:
    """Repair every harmful finding of `check_store`; returns one `Repair` for each, in the order of the repairs.

    Raises `Busy` while a build runs.
    """
    with store.alone():
        findings = [finding for finding in check_store(store, progress) if finding.harmful]
        with Catalog(store).channels.lock() as fence:
            return list(_Repairs(store, fence).make(findings))


class _Repairs:
    def __init__(self, store: Store, fence: Fence) -> None:
        self._store, self._fence = store, fence
        self._backend = store.backend
        self._catalog = Catalog(store)
        self._record_again: set[int] = set()
        """Versions whose hashes channels must record again."""

    def make(self, findings: list[Finding]) -> Iterator[Repair]:
        """Repair channels first, because they name the copies of versions, and pointers last."""
        by_kind: dict[str, list[Finding]] = {}
        for finding in findings:
            by_kind.setdefault(_kind(finding), []).append(finding)
        yield from map(self._of_old_versions, set_aside(self._store, by_kind.pop("store", [])))
        copies = by_kind.pop("copies", [])
        set_aside(self._store, [finding for finding in copies if finding.kind != "missing"])
        for kind, repair in (
            ("channels", self._channel),
            ("catalog", self._version_file),
            ("reviews", self._reviews),
            ("rest", self._rest),
        ):
            for finding in by_kind.get(kind, []):
                yield attempt(repair, finding)
        yield from (attempt(self._copy, finding) for finding in copies)
        for number in sorted(self._record_again):
            self._record(number)
        yield from self._pointers()

    def _of_old_versions(self, repair: Repair) -> Repair:
        """``repair``, or what a person can do where only old versions name the object: no build makes it again."""
        finding = repair.finding
        latest = next(
            (one["version"] for one in self._catalog.channels.readable() if one["name"] == LATEST), 0
        )
        versions = [_VERSION.fullmatch(name) for name in finding.named_by]
        numbers = [int(version[1]) for version in versions if version]
        if (
            finding.kind != "missing"
            or repair.moved
            or len(numbers) < len(versions)
            or latest in (0, *numbers)
        ):
            return repair
        advice = (
            f"no build makes it again: only old versions have it ({', '.join(map(str, numbers))}); restore it from a "
            "backup, or remove old versions: cuesmith gc --keep N"
        )
        return Repair(finding, (), advice, done=False)

    def _channel(self, finding: Finding) -> Repair:
        name = finding.key.removeprefix("channels/").removesuffix(".json")
        if finding.kind == "damaged":
            self._record_again |= set(self._catalog.all_recorded_files())
            return Repair(finding, (), "its hashes are recorded again from the files")
        if name not in {*self._catalog.channels.names(), LATEST}:
            return Repair(finding, self._moved(finding.key), "set aside: this is not a valid channel name")
        channel = recover_channel(self._catalog, name)
        if channel is None:
            promote = f"promote a version again: cuesmith promote NUMBER --channel {name}"
            advice = f"set aside; {BUILD_AGAIN if name == LATEST else promote}"
            return Repair(finding, self._moved(finding.key), advice)
        moved = self._saved(finding.key)
        self._catalog.channels.write(name, channel["history"], self._fence)
        self._record_again |= {move["version"] for move in channel["history"] if "files" not in move}
        result = f"recovered from readable moves and versions; it points to version {channel['version']}"
        return Repair(finding, moved, result)

    def _version_file(self, finding: Finding) -> Repair:
        folder, _, name = finding.key.removeprefix("catalog/").partition("/")
        number = int(folder)
        if self._was_published(finding.key):
            self._record_again.add(number)
            return Repair(finding, (), "the file is as published; its hash is recorded again")
        data = self._copied(number, name)
        result = "restored from its copy"
        if data is None and name in _TABLES and self._catalog.read_error(number) is None:
            data = _TABLES[name](frame(self._catalog.read(number)))
            result = "made again from catalog.json"
            self._record_again.add(number)
        if data is not None:
            moved = self._saved(finding.key)
            self._backend.write(finding.key, data)
            return Repair(finding, moved, result)
        self._record_again.add(number)
        moved = self._moved(finding.key) if finding.kind != "missing" else ()
        advice = "build again to publish a new version" if name == CATALOG_FILE else "nothing to do"
        return Repair(finding, moved, f"there is no intact copy; {advice}")

    def _was_published(self, key: str) -> bool:
        """Whether the store has a copy of the bytes under ``key``; then the recorded hash is wrong."""
        try:
            data = self._backend.read(key)
        except (Missing, MachineError):
            return False
        return self._store.has(ObjectRef.of(data, PurePosixPath(key).suffix))

    def _copied(self, number: int, name: str) -> bytes | None:
        """A file of a version as a channel records it, from its copy; None if there is no intact copy."""
        for channel in self._catalog.channels.readable():
            for move in channel["history"]:
                item = move.get("files", {}).get(name) if move["version"] == number else None
                if item is None:
                    continue
                try:
                    return self._store.get(ObjectRef.from_json(item))
                except CuesmithError:
                    continue
        return None

    def _copy(self, finding: Finding) -> Repair:
        """Copy the version's own file again, if it is intact."""
        for number, files in self._catalog.all_recorded_files().items():
            for name, item in files.items():
                if ObjectRef.from_json(item).key != finding.key:
                    continue
                data = self._backend.read(version_key(number, name)) if self._there(number, name) else b""
                if hashlib.sha256(data).hexdigest() == item["sha256"]:
                    self._store.put(data, item["suffix"])
                    return Repair(finding, (), f"copied again from {version_key(number, name)}")
                self._record_again.add(number)
        return Repair(finding, (), "nothing to do: no version needs it")

    def _there(self, number: int, name: str) -> bool:
        return self._backend.exists(version_key(number, name))

    def _record(self, number: int) -> None:
        """Have every channel record the present files of version ``number``, or none if it is missing."""
        files = self._catalog.copy_files(number) if self._there(number, CATALOG_FILE) else None
        self._catalog.channels.record_files(number, files, self._fence)
        self._catalog = Catalog(self._store)

    def _pointers(self) -> Iterator[Repair]:
        """Channels that point to an unreadable version: ``latest`` rolls back, a person must move the others."""
        for channel in list(self._catalog.channels.readable()):
            name, number = channel["name"], channel["version"]
            why = self._catalog.read_error(number)
            if why is None:
                continue
            finding = Finding("missing", version_key(number), why, (channel_key(name),))
            if name != LATEST:
                advice = f"point the channel to another version: cuesmith promote NUMBER --channel {name}"
                yield Repair(finding, (), advice, done=False)
                continue
            earlier = (move["version"] for move in reversed(channel["history"]))
            target = next((version for version in earlier if self._catalog.read_error(version) is None), None)
            if target is None:
                yield Repair(
                    finding,
                    self._moved(channel_key(name)),
                    f"{channel_key(name)} is set aside; {BUILD_AGAIN}",
                )
                continue
            move = ChannelMove(version=target, at=now(), by=_BY, action="repair", because=why)
            move["files"] = self._catalog.files_of(target)
            self._catalog.channels.write(name, [*channel["history"], move], self._fence)
            yield Repair(finding, (), f"channel {name} now points to version {target}; {BUILD_AGAIN}")

    def _reviews(self, finding: Finding) -> Repair:
        """Remove damaged lines; lines of a newer release stay."""
        with self._backend.lock(f"append/{REVIEWS}", _APPEND_SECONDS):
            data = self._backend.read(finding.key)
            lines = [
                line
                for line, fault in split_events(data, finding.key)
                if fault is None or isinstance(fault, NewerFormatError | TornLine)
            ]
            moved = self._saved(finding.key)
            if lines:
                self._backend.write(finding.key, b"".join(line + b"\n" for line in lines))
            else:
                self._backend.delete(finding.key)
        return Repair(finding, moved, f"{len(lines)} events stay; the damaged lines are in {moved[0][1]}")

    def _rest(self, finding: Finding) -> Repair:
        advice = BUILD_AGAIN if finding.key == QUARANTINE_KEY else "set aside; nothing to do"
        return Repair(finding, self._moved(finding.key), advice)

    def _saved(self, key: str) -> tuple[tuple[str, str], ...]:
        """Copy the file ``key`` to ``quarantine/`` before it is replaced, so that a kill loses nothing."""
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


def _kind(finding: Finding) -> str:
    """The kind of repair that a finding needs."""
    folder = finding.key.partition("/")[0]
    if folder == "store" and finding.named_by and all(by.startswith("channels/") for by in finding.named_by):
        return "copies"
    if folder == "catalog":
        parts = finding.key.split("/")
        return "catalog" if len(parts) == 3 and parts[1].isdigit() else "rest"
    return {"channels": "channels", REVIEWS: "reviews", JOURNALS: "rest"}.get(folder, "store")
