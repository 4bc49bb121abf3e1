"""Channels: named pointers to versions, each with its whole history: where it pointed and who moved it.

``channels/<name>.json`` is replaced in one step, under the publishing lock; its history only grows.
Builds move ``latest``; people move every other channel, through the release gate (`pipeline.release`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any, Literal, NotRequired, TypedDict, cast

from pipeline.errors import FormatError, MachineError, StoreError, UsageError
from pipeline.provenance import ObjectJson
from pipeline.provenance.clock import utc
from pipeline.store import Fence, Missing, ObjectRef, Store, check_schema, parse_object, shape_fault

CHANNEL_SCHEMA = "cuesmith.channel/1"
LATEST = "latest"
Move = Literal["publish", "promote", "rollback", "repair"]
CATALOG_FILE = "catalog.json"
FILE_NAME = re.compile(r"[a-z]+\.[a-z]+")
"""Names of the files of a version."""
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_WAIT_SECONDS = 600.0


class Override(TypedDict):
    """One reason of the release gate that a person overrode, and why."""

    reason: str
    because: str
    by: str
    masters: int
    """Number of masters that it concerned."""


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
    files: NotRequired[dict[str, ObjectJson]]
    """Each file of the version by name, with the object that is its copy in the store. Missing in entries of older
    releases."""
    allowed: NotRequired[list[str]]
    """Reasons of the release gate that the manifest allows on this channel."""


class Channel(TypedDict):
    """A pointer with its history, oldest first."""

    schema: str
    version: int
    name: str
    history: list[ChannelMove]


class Channels:
    """The channels of one store."""

    def __init__(self, store: Store) -> None:
        self._backend = store.backend

    def names(self) -> list[str]:
        """The names of all channels, sorted."""
        files = self._backend.names("channels")
        names = (file.removesuffix(".json") for file in files if file.endswith(".json"))
        return sorted(name for name in names if _NAME.fullmatch(name))

    def read(self, name: str) -> Channel | None:
        """The channel ``name``; None if there is none.

        Raises `FormatError` if the file is damaged or contradicts its own history.
        """
        data = self._bytes(name)
        return self._parsed(name, data) if data is not None else None

    def _parsed(self, name: str, data: bytes) -> Channel:
        key = channel_key(name)
        try:
            value = parse_object(data)
            check_schema(value, CHANNEL_SCHEMA, key)
            if (fault := _fault(value, name)) is not None:
                raise ValueError(fault)
        except ValueError as error:
            raise FormatError(
                f"{key}: not a channel: {error}; repair it: cuesmith verify --repair"
            ) from error
        return cast("Channel", value)

    def readable(self) -> Iterator[Channel]:
        """Every channel that can be read."""
        for name in self.names():
            try:
                channel = self.read(name)
            except (FormatError, MachineError):
                continue
            if channel is not None:
                yield channel

    def recover_moves(self, name: str) -> list[ChannelMove]:
        """Every complete move in the file of a damaged channel, each once, ordered by time.

        If git left a conflict in the file, these are the moves of both sides.
        """
        key = channel_key(name)
        try:
            text = self._backend.read(key).decode(errors="replace")
        except Missing:
            return []
        except MachineError:
            if self._backend.local_path(key) is None:
                raise
            return []
        moves: list[ChannelMove] = []
        for value in _objects_in(text):
            if isinstance(value, dict) and _files_fault(value.get("files", {})) is not None:
                del value["files"]
            if _move_fault(value) is None and value not in moves:
                moves.append(value)
        return sorted(moves, key=lambda move: utc(move["at"]))

    def lock(self) -> AbstractContextManager[Fence]:
        """The lock for writing pointers and publishing versions; pass its fence to `point` and `write`."""
        return self._backend.lock("publish", timeout=_WAIT_SECONDS)

    def point(self, name: str, move: ChannelMove, fence: Fence) -> Channel:
        """Point ``name`` to the version of ``move`` and add the move to its history: see `write`."""
        data = self._bytes(name)
        before = self._parsed(name, data) if data is not None else None
        return self._replace(name, data, [*(before["history"] if before else []), move], fence)

    def write(self, name: str, history: Sequence[ChannelMove], fence: Fence) -> Channel:
        """Replace the whole channel; it points to the version of the last move of ``history``.

        Raises `StoreError` if the lock was lost meanwhile; the channel stays as it is.
        """
        return self._replace(name, self._bytes(name), history, fence)

    def _bytes(self, name: str) -> bytes | None:
        try:
            return self._backend.read(channel_key(name))
        except Missing:
            return None

    def _replace(
        self, name: str, before: bytes | None, history: Sequence[ChannelMove], fence: Fence
    ) -> Channel:
        """Write ``history`` if the file still holds ``before``: a machine may sleep after the fence."""
        channel = Channel(
            schema=CHANNEL_SCHEMA, name=name, version=history[-1]["version"], history=[*history]
        )
        fence()
        data = json.dumps(channel, indent=1, ensure_ascii=False).encode()
        if not self._backend.compare_and_swap(channel_key(name), before, data):
            raise StoreError(f"{channel_key(name)} was changed by another command; run this command again")
        return channel

    def record_files(self, number: int, files: Mapping[str, ObjectJson] | None, fence: Fence) -> None:
        """Have each move to version ``number`` record ``files``, or none, in every readable channel."""
        for channel in list(self.readable()):
            history = [
                _with_files(move, files) if move["version"] == number else move for move in channel["history"]
            ]
            if history != channel["history"]:
                self.write(channel["name"], history, fence)


def _with_files(move: ChannelMove, files: Mapping[str, ObjectJson] | None) -> ChannelMove:
    changed = move.copy()
    changed.pop("files", None)
    if files is not None:
        changed["files"] = dict(files)
    return changed


def earlier_versions(history: Sequence[ChannelMove]) -> list[int]:
    """The versions to which a channel can roll back, oldest first, without the present one.

    A rollback removes what came after its target, so rolling back twice goes back two steps.

    >>> moves = [{"version": 1}, {"version": 2}, {"version": 3}, {"version": 2, "action": "rollback"}]
    >>> earlier_versions(moves)
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


def _fault(channel: dict[str, Any], name: str) -> str | None:
    """What is wrong with a channel's values; None if nothing is."""
    if (fault := shape_fault(channel, Channel)) is not None:
        return fault
    if channel["name"] != name:
        return f"its name in the file is {channel['name']!r}"
    if not channel["history"]:
        return "its history is empty"
    for move in channel["history"]:
        if (fault := _move_fault(move)) is not None:
            return f"history: {fault}"
    last = channel["history"][-1]["version"]
    if channel["version"] != last:
        return f"it points to version {channel['version']}, but its last move went to version {last}"
    return None


def _move_fault(move: Any) -> str | None:
    if (fault := shape_fault(move, ChannelMove)) is not None:
        return fault
    if move["version"] < 1:
        return f"there is no version {move['version']}"
    try:
        utc(move["at"])
    except ValueError:
        return f"at: {move['at']!r} is not a time in ISO 8601"
    return _files_fault(move.get("files", {}))


def _files_fault(files: Any) -> str | None:
    try:
        for name, item in files.items():
            if not FILE_NAME.fullmatch(name):
                return f"{name!r} is not the name of a version's file"
            ObjectRef.from_json(item)
        if files and CATALOG_FILE not in files:
            return f"files: {CATALOG_FILE!r} is missing"
    except (FormatError, AttributeError) as error:
        return f"files: {error}"
    return None


def _objects_in(text: str) -> Iterator[Any]:
    """Every complete JSON object in ``text``, wherever it begins."""
    decoder, start = json.JSONDecoder(), text.find("{")
    while start >= 0:
        with suppress(ValueError, RecursionError):
            yield decoder.raw_decode(text, start)[0]
        start = text.find("{", start + 1)


def channel_key(name: str) -> str:
    """The key of channel ``name``. Raises `UsageError` for an invalid name."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a valid channel name; use lower-case letters, digits and '-', such as release"
        )
    return f"channels/{name}.json"
