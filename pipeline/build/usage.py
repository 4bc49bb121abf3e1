"""How busy the devices of a build are: which share of their slots was in use, and how long they had nothing to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class DeviceUse:
    """The work of one device, from its first item on. Times are those of a monotonic clock, in seconds."""

    device: str
    slots: int = 1
    """Items that it works on at once."""
    items: int = 0
    """Takes, or assets to master, that have their outcome."""
    first: float | None = None
    """When its first item began."""
    last: float = 0.0
    """When a slot was last freed."""
    slot_seconds: float = 0.0
    """Sum of the times that items had a slot, without those that were lost."""
    idle_s: float = 0.0
    """Time after `first` in which no slot was in use, up to `last`."""
    _open: dict[str, float] = field(default_factory=dict)
    """When each item began that has a slot."""

    def begin(self, item: str, now: float) -> None:
        """``item`` gets a slot."""
        if self.first is None:
            self.first = now
        elif not self._open:
            self.idle_s += now - self.last
        self._open.setdefault(item, now)

    def free(self, item: str, now: float) -> None:
        """The slot of ``item`` is free; without effect if it has none."""
        began = self._open.pop(item, None)
        if began is not None:
            self.slot_seconds += now - began
            self.last = now

    def lose(self, now: float) -> None:
        """The device's worker died, with all items in progress."""
        if self._open:
            self._open.clear()
            self.last = now

    def to_json(self, end: float) -> dict[str, Any]:
        """For the journal and ``build --json``, up to ``end``, when the last device had its last take."""
        first = end if self.first is None else self.first
        span = max(end - first, 0.0)
        return {
            "device": self.device,
            "slots": self.slots,
            "takes": self.items,
            "seconds": round(span, 3),
            "slot_use": round(self.slot_seconds / (self.slots * span), 4) if span else 0.0,
            "idle_seconds": round(self.idle_s + (end - self.last if self.first is not None else 0.0), 3),
        }


def uses_json(uses: Iterable[DeviceUse]) -> list[dict[str, Any]]:
    """Every device that made takes, up to the end of the last take of all."""
    used = [use for use in uses if use.first is not None]
    end = max((use.last for use in used), default=0.0)
    return [use.to_json(end) for use in sorted(used, key=lambda use: use.device)]
