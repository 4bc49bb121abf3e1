"""Versions and channels of one store: read, publish, point, prune.

Order of writes: objects and records exist before a version names them, ``catalog.json`` is the last file of a
version's folder, and a pointer moves only to a complete version.

The move that points a channel to a version records the hash of each file of the version, and the store has a
copy of each file under that hash. So Cuesmith detects an edited file and restores a damaged one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from pipeline.catalog.channels import CATALOG_FILE, FILE_NAME, LATEST, Channel, ChannelMove, Channels
from pipeline.catalog.reviews import Reviews
from pipeline.catalog.version import BuildFacts, Place, ReleaseRules, Version
from pipeline.errors import FormatError, MachineError, StoreError, UsageError, VerificationError
from pipeline.plan import Stage
from pipeline.provenance import MASTER_SCHEMA, MasterRow, MissingRow, ObjectJson
from pipeline.store import Fence, Missing, Store, named_objects

_FOLDER = re.compile(r"\d{6,}")
_VERSION_KEY = re.compile(r"catalog/(\d{6,})/catalog\.json")

ReasonsOf = Callable[[Version, tuple[MasterRow, ...]], Mapping[Place, tuple[str, ...]]]
"""The reasons why rows differ from those of the version before."""
Contents = tuple[tuple[MasterRow, ...], tuple[MissingRow, ...]]
"""The masters of a version, and its missing variations."""
Companions = Callable[[Version], Mapping[str, bytes]]
"""Makes the other files of a version's folder, by name.

The first one must contain something that no other build's file contains, such as the run: it claims the folder.
"""
UNREADABLE = (StoreError, VerificationError, MachineError)
"""What `Catalog.read` raises for a version that is missing, damaged, edited or not accessible."""
VersionFiles = Mapping[str, ObjectJson]
"""A version's files by name, each with its hash."""


class Catalog:
    """The catalog of one store. Only it writes versions and channels."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.channels = Channels(store)
        self._backend = store.backend
        self._recorded: dict[int, VersionFiles] = {}

    def numbers(self) -> list[int]:
        """Numbers of all versions, oldest first."""
        matches = (_VERSION_KEY.fullmatch(entry.key) for entry in self._backend.list("catalog/"))
        return sorted(int(match[1]) for match in matches if match)

    def read(self, number: int) -> Version:
        """Version ``number``.

        Raises `StoreError` if there is none, `FormatError` if the file is damaged, and `VerificationError` if it was
        edited.
        """
        try:
            return self._read(number)
        except Missing:
            raise StoreError(
                f"the catalog has no version {number}; `cuesmith catalog versions` lists them"
            ) from None

    def latest(self) -> Version | None:
        """The version of channel ``latest``; None before the first build."""
        channel = self.channel(LATEST)
        if channel is None:
            return None
        try:
            return self._read(channel["version"])
        except Missing:
            raise StoreError(
                f"{version_key(channel['version'])}, the version of channel latest, is missing; restore it: cuesmith "
                "verify --repair, or go back to another version: cuesmith catalog rollback --to NUMBER"
            ) from None

    def read_error(self, number: int) -> str | None:
        """Why version ``number`` cannot be read; None if it can."""
        try:
            self.read(number)
        except UNREADABLE as error:
            return str(error)
        return None

    def readable(self, numbers: Iterable[int] | None = None) -> Iterator[Version]:
        """Those of ``numbers`` (default: every version, oldest first) that can be read."""
        for number in self.numbers() if numbers is None else numbers:
            try:
                yield self.read(number)
            except UNREADABLE:
                continue

    def dangling_channels(self) -> Iterator[tuple[str, str]]:
        """Each readable channel that points to a missing version, and the key of that version."""
        numbers = set(self.numbers())
        for channel in self.channels.readable():
            if channel["version"] not in numbers:
                yield channel["name"], version_key(channel["version"])

    def recorded_files(self, number: int) -> VersionFiles:
        """The files of version ``number`` as channels record them; empty if none does."""
        if number not in self._recorded:
            self._recorded = {number: {}, **self.all_recorded_files()}
        return self._recorded[number]

    def all_recorded_files(self) -> Mapping[int, VersionFiles]:
        """The files of each version as the first readable channel records them."""
        recorded: dict[int, VersionFiles] = {}
        for channel in self.channels.readable():
            for move in channel["history"]:
                if files := move.get("files"):
                    recorded.setdefault(move["version"], files)
        return recorded

    def files_of(self, number: int) -> dict[str, ObjectJson]:
        """The ``files`` of a move to version ``number``: those recorded already, or copies made now."""
        return dict(self.recorded_files(number)) or self.copy_files(number)

    def copy_files(self, number: int) -> dict[str, ObjectJson]:
        """Copy the files of version ``number`` into the store; returns them by name."""
        folder = f"catalog/{number:06d}"
        return self._copied(
            {
                name: self._backend.read(f"{folder}/{name}")
                for name in sorted(self._backend.names(folder))
                if FILE_NAME.fullmatch(name)
            }
        )

    def channel(self, name: str) -> Channel | None:
        """The channel ``name``; None if there is none."""
        return self.channels.read(name)

    def publish(
        self,
        contents: Callable[[Version | None], Contents],
        build: BuildFacts,
        companions: Companions,
        *,
        made: Set[str] = frozenset(),
        reasons: ReasonsOf | None = None,
        rules: ReleaseRules | None = None,
    ) -> tuple[Version, bool]:
        """Publish the result of ``contents``, called with the latest version, and point ``latest`` to it.

        ``reasons`` says why rows differ from those of the version before; the version records it.
        Returns the version and whether it is new: if nothing differs, the latest version stays. Builds that publish
        at the same time take turns, so ``contents`` always gets the version before its own.

        ``made`` are digests of masters that this build made. Checks the size of every object, and the hash of each
        object that is neither of those nor in the latest version. Raises `Missing` or `VerificationError` before
        anything is written.
        """
        with self.channels.lock() as fence:
            before = self.latest()
            rows, missing = contents(before)
            rules = rules or ReleaseRules()
            if (
                before is not None
                and before.project == build.project
                and before.same_masters(rows)
                and before.same_gaps(missing, rules)
            ):
                return before, False
            self._check_objects(before, rows, made)
            version = Version(
                0,
                before.number if before else None,
                *build,
                masters=rows,
                reasons=reasons(before, rows) if reasons and before else {},
                missing=missing,
                promotion=rules.promotion,
                license=rules.license,
                policy=rules.policy,
            )
            version, files = self._write(version, companions, fence)
            move = ChannelMove(
                version=version.number, at=build.created, by=build.run, action="publish", files=files
            )
            self.channels.point(LATEST, move, fence)
            return version, True

    def _read(self, number: int) -> Version:
        key = version_key(number)
        data = self._backend.read(key)
        recorded = self.recorded_files(number).get(CATALOG_FILE)
        proven = recorded is not None and recorded["sha256"] == hashlib.sha256(data).hexdigest()
        version = Version.from_bytes(data, key, proven=proven)
        if version.number != number:
            raise FormatError(
                f"{key}: not a catalog: it contains version {version.number}; restore it: cuesmith verify --repair"
            )
        if recorded is not None and not proven:
            raise VerificationError(
                f"{key} was changed after it was published; restore it: cuesmith verify --repair"
            )
        return version

    def _past(self) -> set[int]:
        """Every version to which channel ``latest`` ever pointed; the number of a removed one is not used again."""
        channel = self.channel(LATEST)
        return {move["version"] for move in channel["history"]} if channel else set()

    def _copied(self, files: Mapping[str, bytes]) -> dict[str, ObjectJson]:
        return {
            name: self.store.put(data, PurePosixPath(name).suffix).to_json() for name, data in files.items()
        }

    def _check_objects(self, before: Version | None, rows: tuple[MasterRow, ...], made: Set[str]) -> None:
        published = set(named_objects(list(before.masters))) if before else set()
        reused = set(named_objects([row for row in rows if row["master"] not in made]))
        to_hash = sorted(reused - published, key=lambda ref: ref.key)
        self.store.check(set(named_objects(list(rows))), to_hash)

    def _unused(self) -> int:
        """The number after all that were ever used: by folders, and by versions to which ``latest`` pointed.

        A killed build leaves a folder without its last file, and a build that lost the lock may still write into it.
        """
        folders = (name for name in self._backend.names("catalog") if _FOLDER.fullmatch(name))
        return max([*map(int, folders), *self._past()], default=0) + 1

    def _write(
        self, version: Version, companions: Companions, fence: Fence
    ) -> tuple[Version, dict[str, ObjectJson]]:
        """Write the files of ``version`` under the next number that this build can claim; returns both.

        The folder of a number belongs to the build that creates its first file. A build that lost the lock may create
        one at any moment; then this build takes the next number.
        """
        while True:
            version = replace(version, number=self._unused())
            files = {**companions(version), CATALOG_FILE: version.to_bytes()}
            copies = self._copied(files)
            claim, *others = files
            fence()
            if self._backend.create(version_key(version.number, claim), files[claim]):
                break
        for name in others:
            if name == CATALOG_FILE:
                fence()
            key = version_key(version.number, name)
            if not self._backend.create(key, files[name]):
                raise StoreError(f"{key} was written by another build; run this build again")
        return version, copies


def version_key(number: int, name: str = CATALOG_FILE) -> str:
    """The key of a file of version ``number``."""
    return f"catalog/{number:06d}/{name}"


def missing_row(failed: Mapping[str, Any], kind: str = "", tags: Iterable[str] = ()) -> MissingRow:
    """The missing row of one item of ``failed`` in a build's result."""
    row = MissingRow(
        asset=failed["asset"],
        variation=failed["variation"],
        kind=kind,
        tags=sorted(tags),
        code="quarantined" if failed["stage"] == Stage.QUALITY else "failed",
        reason=failed["reason"],
    )
    if failed.get("master"):
        row["master"] = failed["master"]
    return row


def prunable_versions(catalog: Catalog, newest: int) -> list[int]:
    """Numbers of the versions that can be removed, oldest first.

    The ``newest`` versions stay, and every version to which a channel points. Every version to which a person ever
    pointed a channel stays too, because it may have shipped. Raises `UsageError` if ``newest`` is below 1.
    """
    if newest < 1:
        raise UsageError(f"--keep {newest} would leave no version; give 1 or more")
    numbers = catalog.numbers()
    needed = set(numbers[-newest:])
    for name in catalog.channels.names():
        channel = catalog.channel(name)
        if channel is not None:
            needed.add(channel["version"])
            needed |= {move["version"] for move in channel["history"] if name != LATEST}
    return [number for number in numbers if number not in needed]


def forget_recorded_files(catalog: Catalog, numbers: Sequence[int]) -> None:
    """Remove the files of the versions ``numbers`` from every channel's record, before the versions are removed."""
    with catalog.channels.lock() as fence:
        for number in numbers:
            catalog.channels.record_files(number, None, fence)


def copies_of(catalog: Catalog, numbers: Sequence[int]) -> set[str]:
    """SHA-256 of the copies of files that channels record for the versions ``numbers`` and for no other version."""
    recorded = catalog.all_recorded_files()

    def hashes(versions: Iterable[int]) -> set[str]:
        return {item["sha256"] for number in versions for item in recorded[number].values()}

    return hashes(recorded.keys() & set(numbers)) - hashes(recorded.keys() - set(numbers))


def version_folders(number: int) -> tuple[str, str]:
    """The folders of a version and of its report."""
    return f"catalog/{number:06d}", f"reports/{number:06d}"


def approved_objects(catalog: Catalog) -> set[str]:
    """SHA-256 of every object of the approved masters, published or not, and of their takes."""
    store = catalog.store
    approved = store.get_records("masters", Reviews(store).state().approved, MASTER_SCHEMA)
    return {ref.sha256 for _, record in approved for ref in named_objects(record)}
