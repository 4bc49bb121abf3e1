"""Where the workers of a build run: on this machine. `pipeline.build.ray_runner` has them on a Ray cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pipeline.build.devices import devices_for, mastering_devices
from pipeline.build.start import WarmWorkers
from pipeline.build.workers import Link, Seat, Worker
from pipeline.generators import Engine
from pipeline.store import Store


class Runner(Protocol):
    """Starts workers on devices."""

    def devices(self, engine: Engine) -> tuple[str, ...]:
        """The devices for takes of ``engine``, one entry per worker. Raises `MachineError`."""

    def mastering_devices(self) -> tuple[str, ...]:
        """The devices for mastering, one entry per worker. Raises `MachineError`."""

    def shares_cpus(self, engine: Engine) -> bool:
        """Whether the workers of ``engine`` and of mastering are the same, one on every CPU."""

    def start(self, seat: Seat) -> Link:
        """Start the worker of ``seat``. Raises `MachineError` or `WorkerDied`."""


class LocalRunner:
    """Workers as processes of this machine."""

    def __init__(
        self, store: Store, requested: Sequence[str] | None, warm: WarmWorkers | None = None
    ) -> None:
        """``requested``: the devices as `parse_devices` returns them; ``warm``: workers that have started already."""
        self._store = store
        self._requested = requested
        self._warm = warm

    def devices(self, engine: Engine) -> tuple[str, ...]:
        """See `Runner.devices`."""
        return devices_for(engine, self._requested)

    def mastering_devices(self) -> tuple[str, ...]:
        """See `Runner.mastering_devices`."""
        return mastering_devices(self._requested)

    def shares_cpus(self, engine: Engine) -> bool:
        """See `Runner.shares_cpus`."""
        return tuple(engine.devices()) == mastering_devices(None)

    def start(self, seat: Seat) -> Link:
        """See `Runner.start`."""
        workers = len(seat.pool)
        started = self._warm and self._warm.take(seat.device, workers)
        return started or Worker(self._store.root, seat.device, workers)
