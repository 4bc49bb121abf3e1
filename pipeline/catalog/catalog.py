"""Versions and channels of one store: read, publish, point.

The order of writing is the promise: objects and records exist before a version names them, ``catalog.json`` is
the last file of a version's folder, and a pointer moves only to a version that is whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipeline.catalog.channels import LATEST, Channel, ChannelMove, Channels
from pipeline.catalog.version import Place, Version
from pipeline.errors import StoreError
from pipeline.provenance import MasterRow
from pipeline.store import Missing, Store

_VERSION_KEY = re.compile(r"catalog/(\d{6,})/catalog\.json")

ReasonsOf = Callable[[Version, tuple[MasterRow, ...]], Mapping[Place, tuple[str, ...]]]
"""Why rows differ from those of the version before them."""
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
        masters: Callable[[Version | None], tuple[MasterRow, ...]],
        *,
        project: str,
        created: str,
        run: str,
        manifest: Mapping[str, Any],
        companions: Companions,
        reasons: ReasonsOf | None = None,
    ) -> tuple[Version, bool]:
        """Publish the masters that ``masters`` gives for the latest version, and point ``latest`` to them.

        ``reasons`` says why they differ from those of the version before; it is kept with the version.
        Returns the version and whether it is new: when nothing differs, the latest version stays. Builds that
        publish at once are taken one after the other, so ``masters`` always sees the version before its own.
        """
        with self.channels.held():
            before = self.latest()
            rows = masters(before)
            if before is not None and before.project == project and before.same_masters(rows):
                return before, False
            number = max([*self.numbers(), 0]) + 1
            parent = before.number if before else None
            why = reasons(before, rows) if reasons and before else None
            version = Version(number, parent, project, created, run, manifest, rows, why)
            self._write(version, companions(version))
            move = ChannelMove(version=number, at=created, by=run, action="publish")
            self.channels.point(LATEST, move)
            return version, True

    def _read(self, number: int) -> Version:
        key = _key(number)
        return Version.from_bytes(self._backend.read(key), key)

    def _write(self, version: Version, companions: Mapping[str, bytes]) -> None:
        folder = f"catalog/{version.number:06d}"
        for name, data in companions.items():
            self._backend.write(f"{folder}/{name}", data)
        if not self._backend.create(_key(version.number), version.to_bytes()):
            raise StoreError(f"{_key(version.number)} was written by another build; run this build again")


def _key(number: int) -> str:
    return f"catalog/{number:06d}/catalog.json"
