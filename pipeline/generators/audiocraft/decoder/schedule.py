"""Who gets a slot: the longest cue first, inside a budget of positions; and what a manifest will waste."""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Cue = TypeVar("Cue")


class Queue(Generic[Cue]):
    """Cues that wait, by the positions that they will fill; equal ones in the order in which they came."""

    def __init__(self, cues: Iterable[tuple[Cue, int]] = ()) -> None:
        self._waiting: list[tuple[int, int, Cue]] = []
        self._count = 0
        for cue, positions in cues:
            self.put(cue, positions)

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, cue: Cue, positions: int) -> None:
        """Let ``cue`` wait."""
        self._count += 1
        bisect.insort(self._waiting, (positions, -self._count, cue), key=lambda entry: entry[:2])

    def take(self, room: int) -> tuple[Cue, int] | None:
        """The longest cue of at most ``room`` positions, and its positions; None when there is none."""
        end = bisect.bisect_right(self._waiting, (room, 0), key=lambda entry: entry[:2])
        if end == 0:
            return None
        positions, _, cue = self._waiting.pop(end - 1)
        return cue, positions

    def drain(self) -> list[Cue]:
        """All that wait, longest first; none are left."""
        found = [cue for _, _, cue in reversed(self._waiting)]
        self._waiting.clear()
        return found


@dataclass(frozen=True, slots=True)
class Use:
    """How a manifest fills the slots."""

    steps: int
    """Steps that the device takes."""
    row_steps: int
    """Steps of slots, with and without a cue."""
    wasted: int
    """Steps of slots without a cue."""

    @property
    def wasted_share(self) -> float:
        """Wasted row-steps of all."""
        return self.wasted / self.row_steps if self.row_steps else 0.0


def use(lengths: Sequence[int], slots: int) -> Use:
    """How ``slots`` are used by cues of ``lengths`` steps, longest first, each slot refilled as it falls free.

    >>> use([4, 2, 2], 2)
    Use(steps=4, row_steps=8, wasted=0)
    >>> use([4, 1], 2).wasted_share
    0.375
    """
    free = [0] * slots
    for length in sorted(lengths, reverse=True):
        heapq.heapreplace(free, free[0] + length)
    steps = max(free)
    return Use(steps, steps * slots, steps * slots - sum(lengths))
