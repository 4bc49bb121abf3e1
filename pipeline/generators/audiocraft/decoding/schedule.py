"""Which cue gets a free slot: the longest first, within a budget of positions; and how full the slots will be."""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

Cue = TypeVar("Cue")


class Queue(Generic[Cue]):
    """Waiting cues, by the positions that they need; equal ones in the order in which they were put.

    Safe for several threads.
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
        """Add ``cue``, which needs ``positions``."""
        with self._lock:
            self._count += 1
            bisect.insort(self._waiting, (positions, -self._count, cue), key=lambda entry: entry[:2])

    def take(self, limit: int) -> tuple[Cue, int] | None:
        """Remove and return the longest cue of at most ``limit`` positions, with its positions; None for none."""
        with self._lock:
            end = bisect.bisect_right(self._waiting, (limit, 0), key=lambda entry: entry[:2])
            if end == 0:
                return None
            positions, _, cue = self._waiting.pop(end - 1)
            return cue, positions

    def drain(self) -> list[Cue]:
        """Remove and return all waiting cues, longest first."""
        with self._lock:
            cues = [cue for _, _, cue in reversed(self._waiting)]
            self._waiting.clear()
            return cues


@dataclass(frozen=True, slots=True)
class SlotUse:
    """How cues fill the slots."""

    steps: int
    """Steps that the device takes."""
    row_steps: int
    """Steps times slots."""
    wasted: int
    """Of those, steps of slots without a cue."""

    @property
    def wasted_share(self) -> float:
        """Share of row steps that are wasted."""
        return self.wasted / self.row_steps if self.row_steps else 0.0


def simulate_slots(lengths: Sequence[int], slots: int, budget: int | None = None) -> SlotUse:
    """How cues of ``lengths`` steps fill ``slots``: the decoder's own queue, without a model.

    ``budget`` limits the sum of the lengths of the cues that have a slot; None for no limit.

    >>> simulate_slots([4, 2, 2], 2)
    SlotUse(steps=4, row_steps=8, wasted=0)
    >>> simulate_slots([4, 1], 2).wasted_share
    0.375
    """
    queue = Queue((None, length) for length in lengths)
    running: list[tuple[int, int]] = []
    now, left = 0, budget if budget is not None else sum(lengths)
    while queue or running:
        while len(running) < slots and (taken := queue.take(left)) is not None:
            _, length = taken
            heapq.heappush(running, (now + length, length))
            left -= length
        if not running:
            raise ValueError(f"a cue is longer than the budget of {budget} steps")
        now, length = heapq.heappop(running)
        left += length
    return SlotUse(now, now * slots, now * slots - sum(lengths))
