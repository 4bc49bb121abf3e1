"""What a worker tells while it works. ``item`` is a recipe digest (takes) or a master digest (masters)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Began:
    """Work on an item has begun; should the worker die now, this item is the suspect."""

    item: str


@dataclass(frozen=True, slots=True)
class TakeMade:
    """A take and its record are durable."""

    item: str
    seconds: float
    """Duration of the audio."""
    took: float
    """Seconds of work."""


@dataclass(frozen=True, slots=True)
class Mastered:
    """A master, its renditions and its record are durable."""

    item: str
    seconds: float
    took: float


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A master and its record are durable, but it failed its quality gates and must not be published."""

    item: str
    reason: str
    seconds: float
    took: float


@dataclass(frozen=True, slots=True)
class Failed:
    """An item could not be made; ``reason`` is for the person."""

    item: str
    reason: str


Event = Began | TakeMade | Mastered | Quarantined | Failed


@dataclass(frozen=True, slots=True)
class Done:
    """A job is over: each of its items has had its event."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A job could not go on, for a reason that concerns the whole build."""

    message: str
    exit_code: int
