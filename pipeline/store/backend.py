"""The interface between the store and the place that holds its files: a folder or an object store."""

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
"""Raises `StoreError` once the lock is lost. Call it before each step that needs the lock."""

_PART = r'(?!(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|/|$))[^\x00-\x1f<>:"|?*\\/]*[^\x00-\x1f<>:"|?*\\/. ]'
_KEY = re.compile(rf"{_PART}(?:/{_PART})*")


class Missing(StoreError, KeyError):
    """The key does not exist."""

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
    """Seconds since 1970, by the clock of the place that stores the file."""


@lru_cache(maxsize=4096)
def check_key(key: str) -> str:
    """``key`` itself, when it is a relative POSIX path that is valid on all file systems.

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
    """``line`` with exactly one newline, at its end. Raises `UsageError` for another newline or a NUL."""
    body = line.removesuffix(b"\n")
    if b"\n" in body or b"\0" in body or not body:
        raise UsageError("an event must be one line of JSON text; serialise it without indentation")
    return body + b"\n"


class Backend(Protocol):
    """A place for files. Keys are relative POSIX paths such as ``takes/ab12.json``.

    Each method may raise `MachineError` when the place fails: no space, no permission, no network. Whatever
    fails or is killed, a key holds all of its old bytes or all of its new bytes.
    """

    def read(self, key: str) -> bytes:
        """The bytes under ``key``. Raises `Missing`."""

    def read_many(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Each key that exists with its bytes, in the order of ``keys``; read in parallel where that is faster."""

    def write(self, key: str, data: bytes, *, read_only: bool = False) -> None:
        """Replace the content of ``key`` atomically; durable when this returns."""

    def create(self, key: str, data: bytes) -> bool:
        """As `write`, but only if ``key`` does not exist; False, and nothing changed, if it holds other bytes.

        Data that only one writer may create should contain something unique, such as a run's id: where the answer
        to a request was lost, equal bytes show that the request succeeded.
        """

    def compare_and_swap(self, key: str, expected: bytes | None, data: bytes) -> bool:
        """As `write`, but only if ``key`` still holds ``expected`` (None: does not exist); else False.

        ``data`` should contain something unique, see `create`.
        """

    def confirm(self, key: str, size: int) -> bool:
        """Whether ``key`` holds ``size`` bytes; if so it is durable now, and as good as new for `gc`."""

    def size(self, key: str) -> int | None:
        """Number of bytes under ``key``; None if it does not exist."""

    def exists(self, key: str) -> bool:
        """Whether ``key`` is a file."""

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Every file at or below ``prefix`` (key or folder; empty for all), sorted by key."""

    def names(self, prefix: str = "") -> set[str]:
        """Names of the files and folders directly in the folder ``prefix``; empty if it does not exist."""

    def delete(self, key: str) -> None:
        """Remove ``key``; no error if it does not exist."""

    def move(self, key: str, target: str) -> None:
        """Rename ``key``, durably. Raises `Missing`; `StoreError` where ``target`` exists."""

    def local_path(self, key: str) -> Path | None:
        """The path of the file in a store on this machine (it may not exist), else None."""

    def append(self, key: str, *lines: bytes) -> None:
        """Add lines of JSON, all or none, durable, also while other processes append."""

    def read_lines(self, key: str) -> Iterator[bytes]:
        """The lines that `append` added, in order, without newlines and without a line torn by a crash."""

    def lock(self, name: str, timeout: float) -> AbstractContextManager[Fence]:
        """Hold the lock ``name`` of this place. Raises `Busy` after ``timeout`` seconds."""
