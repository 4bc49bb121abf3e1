"""What a parent and a worker process send each other: sessions, orders with their conditioning audio, events."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.manifest.spec import AssetSpec
from pipeline.plan import TakeOrder
from pipeline.provenance import ManifestFacts
from pipeline.store import ObjectRef, Store

_SUFFIX = re.compile(r"\.[a-z0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class _Session:
    """Work in one process; the orders follow one by one."""

    device: str
    run: str
    prefect_run: str | None
    seconds_left: float | None = field(default=None, kw_only=True)
    """After so many seconds the worker begins no order, also none that it has already; None for no limit."""


@dataclass(frozen=True, slots=True)
class TakeSession(_Session):
    """Takes of one engine and model on one device."""

    engine: str
    redecodes: bool = False
    """Whether its takes come from the stored data of other takes, where that is whole."""


class MasterSession(_Session):
    """Assets to master."""


@dataclass(frozen=True, slots=True)
class VariationOrder:
    """One variation that shares the gain of its asset."""

    variation: int
    takes: tuple[str, ...]
    """Recipe digests of the candidates that exist."""
    master: str
    """Digest of its master."""
    made: bool
    """Whether its master is already in the store; then only its loudness counts."""


@dataclass(frozen=True, slots=True)
class AssetOrder:
    """One asset to master."""

    asset: AssetSpec
    variations: tuple[VariationOrder, ...]
    anchors: tuple[str, ...]
    """Digests of masters that stay; new masters take their gain."""
    gain_group: str
    """Identity of the gain that the new masters share."""
    manifest: ManifestFacts

    @property
    def missing(self) -> list[str]:
        """Digests of the masters to make."""
        return [order.master for order in self.variations if not order.made]

    @property
    def seconds(self) -> float:
        """Audio-seconds to master."""
        return self.asset.duration_s * len(self.missing)


Session = TakeSession | MasterSession


@dataclass(frozen=True, slots=True)
class Give:
    """Orders of the session, from the parent. None of them: there is none for now."""

    orders: tuple[TakeOrder | AssetOrder, ...]


@dataclass(frozen=True, slots=True)
class EndSession:
    """The session gets no more orders."""


def store_inputs(orders: Iterable[TakeOrder], store: Store) -> list[TakeOrder]:
    """``orders``, each with the stored objects of its conditioning audio, which are durable when this returns.

    The files themselves are not needed any more. Raises `UsageError` for a file that is gone or has changed since the
    manifest was checked, and the store's errors.
    """
    stored: dict[tuple[str, str], ObjectRef] = {}
    ready = []
    for order in orders:
        for sha256, path in order.audio:
            if (sha256, path) not in stored:
                stored[sha256, path] = store.put(_read(path, sha256), suffix_of(path))
        ready.append(
            replace(order, inputs=tuple(stored[file] for file in order.audio)) if order.audio else order
        )
    return ready


def suffix_of(path: str) -> str:
    """The suffix of a file's object in the store: ``.bin`` for one that is not valid on every file system.

    >>> suffix_of("audio/Theme.WAV"), suffix_of("audio/theme"), suffix_of("theme.wav (copy)")
    ('.wav', '.bin', '.bin')
    """
    suffix = Path(path).suffix.lower()
    return suffix if _SUFFIX.fullmatch(suffix) else ".bin"


def _read(path: str, sha256: str) -> bytes:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}; put the file back") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise UsageError(f"{path}: changed after the manifest was read; run the build again")
    return data


@dataclass(frozen=True, slots=True)
class _OfItem:
    """An event of one item."""

    item: str


class Began(_OfItem):
    """Work on an item has begun; if the worker dies now, this item is the likely cause."""


@dataclass(frozen=True, slots=True)
class _Made(_OfItem):
    """An item that is in the store."""

    seconds: float
    """Duration of the audio."""
    took: float
    """Seconds of work."""


class TakeMade(_Made):
    """A take and its record are durable."""


class Mastered(_Made):
    """A master, its renditions and its record are durable."""


@dataclass(frozen=True, slots=True)
class Quarantined(_Made):
    """A master and its record are durable; it failed its quality gates and must not be published."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed(_OfItem):
    """An item could not be made; ``reason`` is shown to the user."""

    reason: str


Event = Began | TakeMade | Mastered | Quarantined | Failed


class Freed(_OfItem):
    """The place of an item is free; its audio may still be decoded or stored."""


@dataclass(frozen=True, slots=True)
class _Count:
    """A number of orders or takes."""

    count: int


class Wants(_Count):
    """The worker can hold so many more orders."""


class Slots(_Count):
    """How many takes the session's engine makes at once."""


@dataclass(frozen=True, slots=True)
class Done:
    """The session has ended, with an outcome for each of its orders, or for each that it began in time."""

    is_late: bool = False
    """Whether it ended because its time was up."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The session stopped for a reason that concerns the whole build."""

    message: str
    exit_code: int


Message = Event | Wants | Slots | Freed | Done | Broken
"""What a worker sends to its parent, besides log records."""
