"""Channels: named pointers to versions, each with the whole history of where it pointed and who moved it.

``channels/<name>.json`` is replaced in one step, under the lock that publishing holds; its history only grows.
Builds move ``latest``; people move every other channel, through the release gate (`pipeline.catalog.gate`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Literal, NotRequired, TypedDict

from pipeline.errors import FormatError, UsageError
from pipeline.store import Missing, Store, bring_up

CHANNEL_SCHEMA = "cuesmith.channel/1"
LATEST = "latest"
Move = Literal["publish", "promote", "rollback"]
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_WAIT_SECONDS = 600.0


class Override(TypedDict):
    """One reason of the release gate that a person set aside, and why."""

    reason: str
    because: str
    by: str
    masters: int
    """How many masters it concerned."""


class ChannelMove(TypedDict):
    """One entry of a channel's history."""

    version: int
    at: str
    """UTC, ISO 8601."""
    by: str
    """A person's name, or the run of the build."""
    action: NotRequired[Move]
    """Missing in entries of the first release: ``publish``."""
    because: NotRequired[str]
    overrides: NotRequired[list[Override]]
    allowed: NotRequired[list[str]]
    """Reasons of the release gate that the manifest allows on this channel."""


class Channel(TypedDict):
    """A pointer with its history, oldest first."""

    schema: str
    name: str
    version: int
    history: list[ChannelMove]


class Channels:
    """The channels of one store."""

    def __init__(self, store: Store) -> None:
        self._backend = store.backend

    def names(self) -> list[str]:
        """Every channel that was ever pointed anywhere, sorted."""
        found = (
            name.removesuffix(".json") for name in self._backend.names("channels") if name.endswith(".json")
        )
        return sorted(name for name in found if _NAME.fullmatch(name))

    def read(self, name: str) -> Channel | None:
        """The channel called ``name``; None when it was never pointed anywhere. Raises `FormatError`."""
        key = _key(name)
        try:
            value = json.loads(self._backend.read(key))
        except Missing:
            return None
        except ValueError as error:
            raise FormatError(f"{key}: not a channel: {error}; restore it from a backup") from error
        if not isinstance(value, dict):
            raise FormatError(f"{key}: not a channel: it holds no JSON object; restore it from a backup")
        channel = bring_up(value, CHANNEL_SCHEMA, key)
        for field in ("version", "history"):
            if field not in channel:
                raise FormatError(f"{key}: not a channel: {field!r} is missing; restore it from a backup")
        return channel  # type: ignore[return-value]

    def held(self) -> AbstractContextManager[None]:
        """The lock under which pointers are written and versions published."""
        return self._backend.lock("publish", timeout=_WAIT_SECONDS)

    def point(self, name: str, move: ChannelMove) -> Channel:
        """Point ``name`` to ``move``'s version and add the move to its history. The caller holds `held`."""
        before = self.read(name)
        history = [*(before["history"] if before else []), move]
        channel = Channel(schema=CHANNEL_SCHEMA, name=name, version=move["version"], history=history)
        self._backend.write(_key(name), json.dumps(channel, indent=1, ensure_ascii=False).encode())
        return channel


def earlier(history: Sequence[ChannelMove]) -> list[int]:
    """The versions to which one can go back, oldest first, without the present one.

    A rollback takes away what came after its target, so rolling back twice goes back two steps.

    >>> moves = [{"version": 1}, {"version": 2}, {"version": 3}, {"version": 2, "action": "rollback"}]
    >>> earlier(moves)
    [1]
    """
    path: list[int] = []
    for move in history:
        version = move["version"]
        if move.get("action") == "rollback" and version in path:
            del path[path.index(version) + 1 :]
        elif not path or path[-1] != version:
            path.append(version)
    return path[:-1]


def _key(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a channel; use lower-case letters, digits and '-', such as release"
        )
    return f"channels/{name}.json"
