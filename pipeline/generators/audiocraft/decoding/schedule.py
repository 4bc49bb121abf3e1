"""Which cue gets a free slot: the longest first, within a budget of positions; and how many steps cues take."""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Iterable, Sequence
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


def simulate_slots(lengths: Sequence[int], slots: int) -> int:
    """Steps in which cues of ``lengths`` steps end in ``slots``: the decoder's own queue, without a model.

    >>> simulate_slots([4, 2, 2], 2), simulate_slots([4, 1], 2)
    (4, 4)
    """
    queue = Queue((None, length) for length in lengths)
    ends: list[int] = []
    now, longest = 0, max(lengths, default=0)
    while queue or ends:
        while len(ends) < slots and (taken := queue.take(longest)) is not None:
            heapq.heappush(ends, now + taken[1])
        now = heapq.heappop(ends)
    return now
