"""Versions and channels of one store: read, publish, point.

The order of writing is the promise: objects and records exist before a version names them, ``catalog.json`` is
the last file of a version's folder, and a pointer moves only to a version that is whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.catalog.channels import LATEST, Channel, ChannelMove, Channels
from pipeline.catalog.version import Version
from pipeline.errors import StoreError
from pipeline.provenance import MasterRow, MissingRow
from pipeline.store import Missing, Store

_VERSION_KEY = re.compile(r"catalog/(\d{6,})/catalog\.json")

Contents = tuple[tuple[MasterRow, ...], tuple[MissingRow, ...]]
"""The masters of a version, and what it lacks."""
Companions = Callable[[Version], Mapping[str, bytes]]
"""Makes the files that stand beside ``catalog.json``, by name."""


class Catalog:
    """The catalog of one store. Only it writes versions and channels."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.channels = Channels(store)
        self._backend = store.backend

    def numbers(self) -> list[int]:
        """Numbers of all versions, oldest first."""
        found = (_VERSION_KEY.fullmatch(entry.key) for entry in self._backend.list("catalog/"))
        return sorted(int(match[1]) for match in found if match)

    def read(self, number: int) -> Version:
        """Version ``number``; `StoreError` when there is none."""
        try:
            return self._read(number)
        except Missing:
            raise StoreError(
                f"the catalog has no version {number}; `cuesmith catalog versions` lists them"
            ) from None

    def latest(self) -> Version | None:
        """The version that channel ``latest`` points to; None before the first build."""
        channel = self.channel(LATEST)
        if channel is None:
            return None
        try:
            return self._read(channel["version"])
        except Missing:
            raise StoreError(
                f"{_key(channel['version'])}, to which channel latest points, is gone; restore it from a backup, "
                "or go back to a version that is there: cuesmith catalog rollback --to NUMBER"
            ) from None

    def lost(self) -> Iterator[tuple[str, str]]:
        """Each channel that points to a version that is not there, and the key of that version."""
        there = set(self.numbers())
        for name in self.channels.names():
            channel = self.channel(name)
            if channel is not None and channel["version"] not in there:
                yield name, _key(channel["version"])

    def channel(self, name: str) -> Channel | None:
        """The pointer called ``name`` with its ``version`` and ``history``; None when there is none."""
        return self.channels.read(name)

    def publish(
        self,
        contents: Callable[[Version | None], Contents],
        *,
        project: str,
        created: str,
        run: str,
        manifest: Mapping[str, Any],
        companions: Companions,
        promotion: Mapping[str, Sequence[str]] | None = None,
    ) -> tuple[Version, bool]:
        """Publish what ``contents`` gives for the latest version, and point ``latest`` to it.

        Returns the version and whether it is new: when nothing differs, the latest version stays. Builds that
        publish at once are taken one after the other, so ``contents`` always sees the version before its own.
        """
        with self.channels.held():
            before = self.latest()
            rows, missing = contents(before)
            if (
                before is not None
                and before.project == project
                and before.same(rows, missing, promotion or {})
            ):
                return before, False
            number = max([*self.numbers(), 0]) + 1
            version = Version(
                number,
                before.number if before else None,
                project,
                created,
                run,
                manifest,
                rows,
                missing,
                promotion or {},
            )
            self._write(version, companions(version))
            move = ChannelMove(version=number, at=created, by=run, action="publish")
            self.channels.point(LATEST, move)
            return version, True

    def _read(self, number: int) -> Version:
        key = _key(number)
        version = Version.from_bytes(self._backend.read(key), key)
        return replace(version, missing=self._failed_in(version)) if version.partial else version

    def _failed_in(self, version: Version) -> tuple[MissingRow, ...]:
        """What failed in the build that published a version of an older release, and has no master in it."""
        try:
            failed = json.loads(self._backend.read(f"catalog/{version.number:06d}/build.json"))["failed"]
            found = [missing_row(one) for one in failed]
        except (Missing, ValueError, LookupError, TypeError):
            return ()
        return tuple(row for row in found if (row["asset"], row["variation"]) not in version.by_variation)

    def _write(self, version: Version, companions: Mapping[str, bytes]) -> None:
        folder = f"catalog/{version.number:06d}"
        for name, data in companions.items():
            self._backend.write(f"{folder}/{name}", data)
        if not self._backend.create(_key(version.number), version.to_bytes()):
            raise StoreError(f"{_key(version.number)} was written by another build; run this build again")


def _key(number: int) -> str:
    return f"catalog/{number:06d}/catalog.json"


def missing_row(failed: Mapping[str, Any], kind: str = "", tags: Iterable[str] = ()) -> MissingRow:
    """What a version keeps of one item of ``failed`` in a build's result."""
    row = MissingRow(
        asset=failed["asset"],
        variation=failed["variation"],
        kind=kind,
        tags=sorted(tags),
        code="quarantined" if failed["stage"] == "quality" else "failed",
        reason=failed["reason"],
    )
    if failed.get("master"):
        row["master"] = failed["master"]
    return row
