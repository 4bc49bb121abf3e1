"""What the store asks of the place where its files lie, whatever that place is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from pipeline.errors import StoreError, UsageError

Fence = Callable[[], None]
"""Raises `StoreError` once the lock was lost. Call it before a step that only the holder of the lock may take."""

_PART = r'(?!(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|/|$))[^\x00-\x1f<>:"|?*\\/]*[^\x00-\x1f<>:"|?*\\/. ]'
_KEY = re.compile(rf"{_PART}(?:/{_PART})*")


class Missing(StoreError, KeyError):
    """Nothing is stored under the key."""

    __str__ = StoreError.__str__


class Busy(StoreError):
    """Another process holds the lock."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored file."""

    key: str
    size: int
    """Bytes."""
    modified: float
    """Seconds since 1970, by the clock of the place that stores it."""


@lru_cache(maxsize=4096)
def check_key(key: str) -> str:
    """``key`` itself, when it is a relative POSIX path that every studio's file system can hold.

    Raises `UsageError` for ``..``, absolute paths, reserved names (``con``), trailing dots and the like.

    >>> check_key("takes/ab12.json")
    'takes/ab12.json'
    """
    if not _KEY.fullmatch(key):
        raise UsageError(
            f"{key!r} cannot name a stored file; use relative parts joined by '/', without reserved names, "
            'trailing dots or spaces, or any of < > : " | ? * \\'
        )
    return key


def one_line(line: bytes) -> bytes:
    """``line`` with exactly one newline, at its end. Raises `UsageError` where it holds another or a NUL."""
    body = line.removesuffix(b"\n")
    if b"\n" in body or b"\0" in body or not body:
        raise UsageError("an event must be one line of JSON text; serialise it without indentation")
    return body + b"\n"


class Backend(Protocol):
    """A place for files. Keys are relative POSIX paths such as ``takes/ab12.json``.

    Each method may raise `MachineError` when the place fails: no space, no permission, no network. Whatever
    fails or is killed, a key shows its old bytes or its new bytes, whole.
    """

    def read(self, key: str) -> bytes:
        """The bytes under ``key``. Raises `Missing`."""
        ...

    def read_many(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Each key that exists with its bytes, in the order of ``keys``; fetched side by side if faster."""
        ...

    def write(self, key: str, data: bytes, *, read_only: bool = False) -> None:
        """Replace what ``key`` holds, at once and for good: durable when this returns."""
        ...

    def create(self, key: str, data: bytes) -> bool:
        """As `write`, but only where nothing is; False, and nothing changed, if ``key`` holds other bytes.

        Data that only one writer may create holds something that is that writer's own, such as a run's id: where
        the answer to a request was lost, equal bytes show that the request had succeeded.
        """
        ...

    def confirm(self, key: str, size: int) -> bool:
        """Whether ``key`` holds ``size`` bytes; if so it is durable now, and young again for `gc`."""
        ...

    def size(self, key: str) -> int | None:
        """Bytes under ``key``; None where nothing is."""
        ...

    def exists(self, key: str) -> bool:
        """Whether a file lies under ``key``."""
        ...

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Every file at or below ``prefix`` (key or folder; empty for all), in the order of their keys."""
        ...

    def names(self, prefix: str = "") -> set[str]:
        """Names of the files and folders directly in the folder ``prefix``; empty where it is not there."""
        ...

    def leaves(self, prefix: str) -> Iterator[str]:
        """Names without folder of every file below ``prefix``, in any order: the fastest listing."""
        ...

    def delete(self, key: str) -> None:
        """Remove ``key``; no error where nothing is."""
        ...

    def move(self, key: str, target: str) -> None:
        """Rename ``key``, durably. Raises `Missing`; `StoreError` where ``target`` exists."""
        ...

    def local_path(self, key: str) -> Path | None:
        """The file itself where it lies on this machine (it may not exist), else None."""
        ...

    def append(self, key: str, line: bytes) -> None:
        """Add one line of JSON, whole and durable, whoever else appends at the same time."""
        ...

    def read_lines(self, key: str) -> Iterator[bytes]:
        """Lines that `append` added, in order, without newlines; a line torn by a crash is left out."""
        ...

    def lock(self, name: str, timeout: float) -> AbstractContextManager[Fence]:
        """Hold ``name`` alone among all who use this place. Raises `Busy` after ``timeout`` seconds."""
        ...
