"""How a large build scales: a simulation of GPUs that take cues from the build's own queue, and sometimes fail.

    python benchmarks/scale.py --cues 300 1000 --devices 1 2 4 8

The queue is `pipeline.build.dispatch`, with the clock of the simulation. A step takes as long for one cue as for all
slots, so each slot works on its own. A device that fails loses the cues that it holds, and returns after the time
that a worker needs to start. ``--poison`` has the device's process die instead of its machine: then each cue that it
had begun is tried alone.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.build.dispatch import Dispatcher, Work

FRAMES_A_SECOND = 50
MIX = ((0.6, 1.0, 5.0), (0.25, 3.0, 8.0), (0.15, 20.0, 30.0))
"""Share of the cues, shortest and longest in seconds: the mixed manifest of `decode.py`."""
MODEL = ("audiocraft", "facebook/musicgen-medium")
_STARTS, _FAILS = "starts", "fails"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Devices of one kind, each with one session of one model."""

    devices: int
    slots: int = 32
    step_s: float = 0.00445
    """musicgen-medium at 32 slots on an NVIDIA H200 with the mixed manifest, see docs/decoding.md."""
    start_s: float = 30.0
    """Until a worker has loaded its model."""
    failures_an_hour: float = 0.0
    """Of one device."""
    with_machine: bool = True
    """Whether a failure is that of the machine, so that no cue is a suspect."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a simulated build took."""

    cues: int
    devices: int
    hours: float
    slot_use: float
    """Slot-seconds that made a finished cue, of all between the first start and the end."""
    over_bound: float
    """Seconds over the larger of two bounds: the work shared out evenly, and the longest cue."""
    tail: float
    """Share of the time after the queue was first empty."""
    failures: int
    lost_share: float
    """Slot-seconds of cues that were lost in a failure, of all slot-seconds that were worked."""
    failed: int
    """Cues that failed because they lost two workers."""
    takes_a_second: float
    queue_s: float
    """Seconds that this machine needed for the queue and the simulation."""


@dataclass(slots=True)
class _Device:
    name: str
    life: int = 0
    """Rises with each failure, so that ends of an earlier life are ignored."""
    ready: bool = False
    held: dict[str, float] = field(default_factory=dict)
    """When each cue began that has a slot."""


def cues_of(count: int, seed: int = 0) -> list[int]:
    """Steps of each cue of a mixed manifest."""
    numbers = random.Random(seed)
    kinds = numbers.choices(MIX, [share for share, _, _ in MIX], k=count)
    return [round(numbers.uniform(low, high) * FRAMES_A_SECOND) + 3 for _, low, high in kinds]


class _Simulation:
    """Devices, the queue and the events to come, in order of time."""

    def __init__(self, cues: list[int], cluster: Cluster, seed: int) -> None:
        self._numbers = random.Random(seed)
        self._cluster = cluster
        self._cues = cues
        self._now = self._lost = self._queue_empty_at = 0.0
        self._failures = self._failed = 0
        self._unfinished = self._waiting = len(cues)
        self._dispatcher: Dispatcher[None] = Dispatcher(self._give_up, clock=lambda: self._now)
        self._devices = [_Device(f"gpu {number}") for number in range(cluster.devices)]
        for device in self._devices:
            self._dispatcher.join(device.name, lambda group: True)
        self._dispatcher.add(
            Work(f"{number:07d}", None, MODEL, steps, 10 * steps * cluster.step_s)
            for number, steps in enumerate(cues)
        )
        self._events: list[tuple[float, int, int, str]] = []
        """Time, device, its life, and what happens: the key of the cue that ends, `_STARTS` or `_FAILS`."""
        for index in range(cluster.devices):
            self._push(cluster.start_s, index, _STARTS)

    def run(self) -> Run:
        began = time.perf_counter()
        while self._unfinished:
            self._now, index, life, what = heapq.heappop(self._events)
            device = self._devices[index]
            if life != device.life:
                continue
            if what == _STARTS:
                self._start(index)
            elif what == _FAILS:
                self._fail(index)
            else:
                del device.held[what]
                self._dispatcher.end(device.name, what)
                self._unfinished -= 1
                self._serve(index)
            if not self._waiting and not self._queue_empty_at:
                self._queue_empty_at = self._now
        return self._result(time.perf_counter() - began)

    def _push(self, seconds: float, index: int, what: str) -> None:
        heapq.heappush(self._events, (self._now + seconds, index, self._devices[index].life, what))

    def _give_up(self, work: Work[None], reason: str) -> None:
        self._failed += 1
        self._unfinished -= 1
        self._waiting -= 1

    def _serve(self, index: int) -> None:
        device = self._devices[index]
        if not device.ready or not self._waiting:
            return
        for work in self._dispatcher.take(device.name, self._cluster.slots - len(device.held)):
            self._waiting -= 1
            self._dispatcher.begin(device.name, work.key)
            device.held[work.key] = self._now
            self._push(work.cost * self._cluster.step_s, index, work.key)

    def _start(self, index: int) -> None:
        self._devices[index].ready = True
        if self._cluster.failures_an_hour:
            self._push(self._numbers.expovariate(self._cluster.failures_an_hour / 3600), index, _FAILS)
        self._serve(index)

    def _fail(self, index: int) -> None:
        device = self._devices[index]
        self._failures += 1
        self._lost += sum(self._now - began for began in device.held.values())
        self._waiting += len(device.held)
        self._devices[index] = _Device(device.name, device.life + 1)
        self._dispatcher.lose(device.name, "it failed", with_machine=self._cluster.with_machine)
        self._push(self._cluster.start_s, index, _STARTS)
        for other, one in enumerate(self._devices):
            if not one.held:
                self._serve(other)

    def _result(self, queue_s: float) -> Run:
        cluster, now = self._cluster, self._now
        work = sum(self._cues) * cluster.step_s
        all_slots = cluster.devices * cluster.slots
        return Run(
            cues=len(self._cues),
            devices=cluster.devices,
            hours=round(now / 3600, 4),
            slot_use=round(work / ((now - cluster.start_s) * all_slots), 3),
            over_bound=round(
                now / (cluster.start_s + max(work / all_slots, max(self._cues) * cluster.step_s)), 3
            ),
            tail=round((now - self._queue_empty_at) / now, 3),
            failures=self._failures,
            lost_share=round(self._lost / (self._lost + work), 5),
            failed=self._failed,
            takes_a_second=round(len(self._cues) / now, 1),
            queue_s=round(queue_s, 1),
        )


def simulate(cues: list[int], cluster: Cluster, seed: int = 0) -> Run:
    """Make ``cues`` (steps of each) on ``cluster``."""
    return _Simulation(cues, cluster, seed).run()


def main() -> None:
    """Print a table, or with ``--json`` one object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cues", type=int, nargs="+", default=[100, 1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 8, 64, 1_000])
    parser.add_argument(
        "--failures-an-hour", type=float, default=0.01, help="of one device; default: one in 100 hours"
    )
    parser.add_argument("--poison", action="store_true", help="a failure is that of the worker's process")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    clusters = [
        Cluster(devices, failures_an_hour=asked.failures_an_hour, with_machine=not asked.poison)
        for devices in asked.devices
    ]
    rows: list[dict[str, Any]] = [
        asdict(simulate(cues_of(cues), cluster)) for cues in asked.cues for cluster in clusters
    ]
    if asked.json:
        print(json.dumps({"cluster": asdict(clusters[0]) | {"devices": None}, "runs": rows}))
        return
    print("| " + " | ".join(name.replace("_", " ") for name in rows[0]) + " |")
    print("|" + "---:|" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(f"{value:,}" for value in row.values()) + " |")


if __name__ == "__main__":
    main()
