"""Who gets a slot: the longest cue first, inside a budget of positions; and what a manifest will waste."""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

Cue = TypeVar("Cue")


class Queue(Generic[Cue]):
    """Cues that wait, by the positions that they will fill; equal ones in the order in which they came.

    Several threads may put and take at once.
    """

    def __init__(self, cues: Iterable[tuple[Cue, int]] = ()) -> None:
        self._waiting: list[tuple[int, int, Cue]] = []
        self._count = 0
        self._lock = Lock()
        for cue, positions in cues:
            self.put(cue, positions)

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, cue: Cue, positions: int) -> None:
        """Let ``cue`` wait."""
        with self._lock:
            self._count += 1
            bisect.insort(self._waiting, (positions, -self._count, cue), key=lambda entry: entry[:2])

    def take(self, room: int) -> tuple[Cue, int] | None:
        """The longest cue of at most ``room`` positions, and its positions; None when there is none."""
        with self._lock:
            end = bisect.bisect_right(self._waiting, (room, 0), key=lambda entry: entry[:2])
            if end == 0:
                return None
            positions, _, cue = self._waiting.pop(end - 1)
            return cue, positions

    def drain(self) -> list[Cue]:
        """All that wait, longest first; none are left."""
        with self._lock:
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


def use(lengths: Sequence[int], slots: int, budget: int | None = None) -> Use:
    """How ``slots`` are used by cues of ``lengths`` steps: the engine's own queue, with no model.

    ``budget`` bounds the lengths of all cues that have a slot at once; None for no bound.

    >>> use([4, 2, 2], 2)
    Use(steps=4, row_steps=8, wasted=0)
    >>> use([4, 1], 2).wasted_share
    0.375
    """
    queue = Queue((None, length) for length in lengths)
    running: list[tuple[int, int]] = []
    now, left = 0, budget if budget is not None else sum(lengths)
    while queue or running:
        while len(running) < slots and (found := queue.take(left)) is not None:
            heapq.heappush(running, (now + found[1], found[1]))
            left -= found[1]
        if not running:
            raise ValueError(f"a cue is longer than the budget of {budget} steps")
        now, length = heapq.heappop(running)
        left += length
    return Use(now, now * slots, now * slots - sum(lengths))
