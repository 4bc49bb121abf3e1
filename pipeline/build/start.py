"""How a build starts: its plan, its clock, and workers that get ready before the flow needs them.

A worker imports numpy, scipy or torch for seconds. `warm_workers` starts the processes that the plan will need, so that
they do this while the command imports Prefect and its API starts.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.build.devices import devices_for, mastering_devices
from pipeline.build.prepare import Prepared
from pipeline.build.workers import Worker
from pipeline.generators import find_engine


class WarmWorkers:
    """Worker processes without work, by the device and the number of workers that share the CPUs."""

    def __init__(self) -> None:
        self._free: dict[tuple[str, int], list[Worker]] = {}

    def start(self, outputs: str, pool: Sequence[str], most: int, engine: str | None) -> None:
        """Start workers for the first ``most`` devices of ``pool``, each with ``engine`` opened."""
        for device in pool[:most]:
            worker = Worker(outputs, device, len(pool), engine)
            self._free.setdefault((device, len(pool)), []).append(worker)

    def take(self, device: str, workers: int) -> Worker | None:
        """Hand over a worker on ``device``, one of ``workers``; None if none is left. Threads may call this."""
        try:
            return self._free[device, workers].pop()
        except LookupError:
            return None

    def stop(self) -> None:
        """End the workers that nobody has taken."""
        for workers in self._free.values():
            while workers:
                workers.pop().stop()


@dataclass(frozen=True, slots=True)
class Start:
    """What a build has when its flow begins. Times are those of `time.monotonic`, in seconds."""

    began: float
    deadline: float | None = None
    """No take and no master begins after it."""
    prepared: Prepared | None = None
    workers: WarmWorkers | None = None


def start_now(max_minutes: float | None = None) -> Start:
    """The start of a build that begins now, and begins no item after ``max_minutes``."""
    now = time.monotonic()
    return Start(now, None if max_minutes is None else now + 60 * max_minutes)


@contextlib.contextmanager
def warm_workers(prepared: Prepared, devices: Sequence[str] | None) -> Iterator[WarmWorkers]:
    """Start the workers that a build of ``prepared`` needs; those that it does not take end with the context.

    Raises `MachineError` if a process cannot be started.
    """
    warm = WarmWorkers()
    engines = [order.recipe.engine for order in prepared.plan.orders()]
    pools: dict[tuple[str, ...], str | None] = {
        devices_for(find_engine(name), devices): name for name in set(engines)
    }
    most = max(len(engines), len(prepared.plan.stale))
    try:
        for pool, engine in (pools or {mastering_devices(devices): None}).items():
            warm.start(prepared.store.root, pool, most, engine)
        yield warm
    finally:
        warm.stop()
