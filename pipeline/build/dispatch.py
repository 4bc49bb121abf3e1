"""The queue of a build: work for its workers, dealt item by item, until every item has its outcome.

An item belongs to a group, such as an engine and a model: what a worker must have loaded to do it. Items with the
highest priority come first. Among those, a worker stays with its group while that has items, the costliest first, so a
device that ends early takes what the others have not begun. Workers that start together get equally costly items.
After the deadline nothing is dealt any more.
If a worker dies, the items that it had begun are suspects: each is tried once more, alone. An item that loses a second
worker fails with that reason.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Group = tuple[str, ...]

DEATHS_ALLOWED = 2
"""Workers that may die of one item, or before any item of a group has begun on a device."""
START_LIMIT_S = 900.0
"""How long a worker may take until the first of its items has begun: to start, and to load a model."""
RESERVED_MOST = 256
"""The costliest items that are kept for workers that still start."""


@dataclass(frozen=True, slots=True)
class Work(Generic[Item]):
    """One item of work."""

    key: str
    item: Item
    group: Group
    cost: float
    """Relative to the other items; the highest is dealt first."""
    limit_s: float
    """How long it may take once it has begun, or after its worker's last result. Its worker is ended after that."""
    priority: int = 0
    """Items with a higher priority are dealt first, whatever their group and cost."""


@dataclass(slots=True)
class _Worker(Generic[Item]):
    """What the dispatcher knows of one worker."""

    can: Callable[[Group], bool]
    held: dict[str, Work[Item]] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    group: Group | None = None
    started: bool = False
    """It has begun an item since it held none."""
    alone: bool = False
    """It holds a suspect, and gets nothing beside it."""
    since: float = 0.0
    """When it was last given its first item, or had a result."""
    refused: set[Group] = field(default_factory=set)
    early_deaths: Counter[Group] = field(default_factory=Counter)


class Dispatcher(Generic[Item]):
    """Deals `Work` to named workers. Threads may share it.

    ``open_groups`` are the groups to which work may still be added once all work at hand is done. ``deadline`` is the
    time of ``clock`` after which no item is dealt.
    """

    def __init__(
        self,
        on_failed: Callable[[Work[Item], str], None],
        open_groups: Collection[Group] = (),
        clock: Callable[[], float] = time.monotonic,
        deadline: float | None = None,
    ) -> None:
        self._on_failed = on_failed
        self._open = set(open_groups)
        self._clock = clock
        self._deadline = deadline
        self._change = threading.Condition()
        self._waiting: dict[Group, list[tuple[int, float, str, Work[Item]]]] = {}
        self._suspects: dict[Group, list[Work[Item]]] = {}
        self._deaths: Counter[str] = Counter()
        self._lost_before: set[str] = set()
        """Items that were lost together with a machine."""
        self._workers: dict[str, _Worker[Item]] = {}
        self._refusals: dict[Group, str] = {}
        self._failed: list[tuple[Work[Item], str]] = []
        """Failures to report once the lock is free."""
        self._stopped = False
        self._expired = False

    def join(self, worker: str, can: Callable[[Group], bool]) -> None:
        """Let ``worker`` take part; ``can`` says which groups it can do. All join before the first takes work."""
        with self._change:
            self._workers[worker] = _Worker(can)

    def add(self, works: Iterable[Work[Item]]) -> None:
        """Add items, also while workers run."""
        with self._change:
            for work in works:
                self._queue(work)
            self._fail_impossible()
            self._change.notify_all()
        self._report_failed()

    def close(self, group: Group) -> None:
        """Nothing more will be added to ``group``."""
        with self._change:
            self._open.discard(group)
            self._change.notify_all()

    def stop(self) -> None:
        """Deal nothing more: the build is over."""
        with self._change:
            self._stopped = True
            self._change.notify_all()

    def take(self, worker: str, count: int) -> list[Work[Item]]:
        """At most ``count`` more items for ``worker``, all of one group.

        For a worker that holds items, none means that there is no other for it now. For a worker that holds none this
        waits; none then means that there will never be one.
        """
        with self._change:
            own = self._workers[worker]
            if own.held:
                return [] if own.alone or self._is_closed() else self._more(own, count)
            while not self._is_closed():
                own.group = self._choose(own)
                if own.group is not None:
                    return self._first(own, count)
                if self._is_over(own):
                    break
                self._change.wait()
            return []

    def seconds_left(self) -> float | None:
        """Time until the deadline; None without one."""
        return None if self._deadline is None else self._deadline - self._clock()

    def is_late(self) -> bool:
        """Whether the deadline has passed."""
        left = self.seconds_left()
        return self._expired or (left is not None and left <= 0)

    def leave(self, worker: str) -> None:
        """``worker`` found that the time is up: what it holds is left, and nothing is dealt any more."""
        with self._change:
            self._expired = True
            self._workers[worker].held.clear()
            self._change.notify_all()

    def begin(self, worker: str, key: str) -> None:
        """``worker`` has begun with an item: its time runs, and if the worker dies, the item is a suspect."""
        with self._change:
            own = self._workers[worker]
            if key in own.held:
                own.began.setdefault(key, self._clock())
                own.started = True
                own.early_deaths.clear()

    def end(self, worker: str, key: str) -> None:
        """An item of ``worker`` has its outcome."""
        with self._change:
            own = self._workers[worker]
            own.began.pop(key, None)
            own.since = self._clock()
            if own.held.pop(key, None) is not None and not own.held:
                own.alone = False
                self._change.notify_all()

    def holds(self, worker: str) -> bool:
        """Whether ``worker`` has an item without an outcome."""
        with self._change:
            return bool(self._workers[worker].held)

    def lose(self, worker: str, reason: str, *, with_machine: bool = False) -> None:
        """``worker`` died. What it had not begun is dealt again; what it had begun is a suspect.

        ``with_machine``: its whole machine was lost. An item to which that happens for the first time is no suspect.
        """
        with self._change:
            own = self._workers[worker]
            for key, work in own.held.items():
                if key not in own.began or (with_machine and key not in self._lost_before):
                    self._lost_before |= {key} & own.began.keys()
                    self._queue(work)
                    continue
                self._deaths[key] += 1
                if self._deaths[key] >= DEATHS_ALLOWED:
                    self._failed.append((work, reason))
                else:
                    self._suspects.setdefault(work.group, []).append(work)
            if not own.began and not with_machine and own.group is not None:
                own.early_deaths[own.group] += 1
                if own.early_deaths[own.group] >= DEATHS_ALLOWED:
                    self._refuse(own, own.group, reason)
            own.held.clear()
            own.began.clear()
            own.alone = False
            self._fail_impossible()
            self._change.notify_all()
        self._report_failed()

    def refuse(self, worker: str, group: Group, reason: str) -> bool:
        """``worker`` lacks what ``group`` needs: it gets none of it any more, and what it holds is dealt again.

        Returns whether no worker is left for ``group``.
        """
        with self._change:
            own = self._workers[worker]
            for work in own.held.values():
                self._queue(work)
            own.held.clear()
            own.began.clear()
            own.alone = False
            self._refuse(own, group, reason)
            self._fail_impossible()
            self._change.notify_all()
            is_last = not self._is_possible(group)
        self._report_failed()
        return is_last

    def overdue(self) -> dict[str, str]:
        """By worker, why it must be ended: an item that it began has taken longer than it may."""
        with self._change:
            now = self._clock()
            late = {}
            for name, own in self._workers.items():
                if own.held and not own.began and now - own.since > START_LIMIT_S:
                    late[name] = f"it did not begin within {START_LIMIT_S:.0f} s, so it was ended"
                for key, began in own.began.items():
                    if now - max(began, own.since) > own.held[key].limit_s:
                        late[name] = f"no result after {own.held[key].limit_s:.0f} s, so it was ended"
            return late

    def _is_closed(self) -> bool:
        return self._stopped or self.is_late()

    def _report_failed(self) -> None:
        with self._change:
            failed, self._failed = self._failed, []
        for work, reason in failed:
            self._on_failed(work, reason)

    def _queue(self, work: Work[Item]) -> None:
        if self._deaths[work.key]:
            self._suspects.setdefault(work.group, []).append(work)
        else:
            entry = (-work.priority, -work.cost, work.key, work)
            heapq.heappush(self._waiting.setdefault(work.group, []), entry)

    def _choose(self, own: _Worker[Item]) -> Group | None:
        """The group of a worker that holds nothing, of those with the highest priority.

        Its own, else the one with the most work for each worker on it.
        """
        tops = self._tops(own)
        highest = max(tops.values(), default=0)
        groups = [group for group, top in tops.items() if top == highest]
        if own.group in groups:
            return own.group
        if len(groups) < 2:
            return groups[0] if groups else None
        busy = Counter(other.group for other in self._workers.values() if other.held)
        return max(groups, key=lambda group: (self._left(group) / (1 + busy[group]), group), default=None)

    def _tops(self, own: _Worker[Item]) -> dict[Group, int]:
        """The highest priority of what each group has for a worker; without groups that have nothing for it."""
        tops: dict[Group, int] = {}
        for group in {**self._waiting, **self._suspects}:
            if own.can(group) and group not in own.refused:
                waiting, suspects = self._waiting.get(group), self._suspects.get(group)
                priorities = [work.priority for work in suspects or ()]
                priorities += [-waiting[0][0]] if waiting else []
                if priorities:
                    tops[group] = max(priorities)
        return tops

    def _left(self, group: Group) -> float:
        return sum(-cost for _, cost, _, _ in self._waiting.get(group, ())) + sum(
            work.cost for work in self._suspects.get(group, ())
        )

    def _first(self, own: _Worker[Item], count: int) -> list[Work[Item]]:
        assert own.group is not None
        own.since = self._clock()
        own.started = False
        if suspects := self._suspects.get(own.group):
            work = suspects.pop()
            own.held[work.key] = work
            own.alone = True
            return [work]
        return self._more(own, count)

    def _more(self, own: _Worker[Item], count: int) -> list[Work[Item]]:
        assert own.group is not None
        waiting = self._waiting.get(own.group, [])
        dealt: list[Work[Item]] = []
        while len(dealt) < count and waiting:
            highest = max(self._tops(own).values())
            reserved = [heapq.heappop(waiting) for _ in range(min(self._reserved(own), len(waiting)))]
            work = heapq.heappop(waiting)[-1] if waiting and -waiting[0][0] >= highest else None
            for entry in reserved:
                heapq.heappush(waiting, entry)
            if work is None:
                break
            own.held[work.key] = work
            dealt.append(work)
        return dealt

    def _reserved(self, own: _Worker[Item]) -> int:
        """How many of the costliest items ``own`` leaves to workers that still start and hold less than it does.

        The first worker to ask would otherwise get all long takes, and its steps would be slower than the others'.
        """
        held = [
            len(other.held)
            for other in self._workers.values()
            if other.group == own.group and other.held and not other.started
        ]
        return min(RESERVED_MOST, sum(max(0, len(own.held) - count) for count in held))

    def _is_over(self, own: _Worker[Item]) -> bool:
        """Whether no item can come to a worker any more: from outside, or from another worker that dies."""
        to_come = self._open | {
            work.group for other in self._workers.values() for work in other.held.values()
        }
        return not any(own.can(group) and group not in own.refused for group in to_come)

    def _refuse(self, own: _Worker[Item], group: Group, reason: str) -> None:
        own.refused.add(group)
        self._refusals[group] = reason
        own.group = None

    def _is_possible(self, group: Group) -> bool:
        return any(one.can(group) and group not in one.refused for one in self._workers.values())

    def _fail_impossible(self) -> None:
        for group in {**self._waiting, **self._suspects}:
            if self._is_possible(group):
                continue
            reason = self._refusals.get(
                group, "no device of this build can make it; choose others with --devices"
            )
            for work in [
                *(entry[-1] for entry in self._waiting.pop(group, [])),
                *self._suspects.pop(group, []),
            ]:
                self._failed.append((work, reason))
