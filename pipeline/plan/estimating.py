"""How long generating will take: the shards of a build, dealt to its devices as a build deals them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.generators import Estimate, Estimator, find_engine
from pipeline.plan.shards import Shard, share_out
from pipeline.plan.speeds import SpeedOf
from pipeline.plan.values import TakeOrder

_OWN_FIGURES = "the engine's own figures"
START_S = 1.5
"""Until a new worker process has imported what every one needs; an engine that estimates knows its own."""


@dataclass(frozen=True, slots=True)
class ModelEstimate:
    """What one model will take."""

    engine: str
    model: str
    devices: tuple[str, ...]
    """One entry a worker."""
    takes: int
    audio_seconds: float
    device_seconds: float
    """Of all devices together, with loading."""
    basis: str
    """Where the figures come from."""


@dataclass(frozen=True, slots=True)
class BuildEstimate:
    """How long generating will take, and with which model how much of it."""

    seconds: float
    """From the first worker's start to the last take, engines side by side."""
    models: tuple[ModelEstimate, ...]

    @property
    def basis(self) -> str:
        """Where the figures come from, in one line."""
        return "; ".join(dict.fromkeys(one.basis for one in self.models))

    def to_json(self) -> dict[str, Any]:
        """The key ``estimate`` of ``cuesmith plan --json``."""
        return {
            "seconds": round(self.seconds, 3),
            "models": [
                {
                    "engine": one.engine,
                    "model": one.model,
                    "devices": list(one.devices),
                    "takes": one.takes,
                    "audio_seconds": round(one.audio_seconds, 6),
                    "device_seconds": round(one.device_seconds, 3),
                    "basis": one.basis,
                }
                for one in self.models
            ],
        }


def _nothing_known(engine: str, model: str, device: str) -> None:
    return None


def estimate(
    orders: Iterable[TakeOrder],
    devices_of: Callable[[str], Sequence[str]],
    workers: int | None = None,
    speed_of: SpeedOf = _nothing_known,
) -> BuildEstimate:
    """How long ``orders`` will take on the devices that ``devices_of`` names for an engine, one entry a worker.

    ``workers``: for how many the build shares out, all devices of its engines unless told otherwise. ``speed_of``
    tells how long earlier builds took.
    """
    orders = list(orders)
    engines = sorted({order.recipe.engine for order in orders})
    devices = {name: tuple(devices_of(name)) for name in engines}
    many = workers if workers is not None else sum(len(found) for found in devices.values())
    shards = share_out(orders, max(many, 1))
    ends, found = [0.0], []
    for name in engines:
        own = [shard for shard in shards if shard.engine == name]
        end, models = _dealt(own, devices[name] or ("cpu",), speed_of)
        ends.append(end)
        found.extend(models)
    return BuildEstimate(max(ends), tuple(found))


@dataclass(slots=True)
class _Worker:
    device: str
    busy: float = 0.0
    models: set[str] = field(default_factory=set)

    def take(self, shard: Shard, wanted: Estimate) -> float:
        """Do ``shard`` next; returns the seconds of it."""
        seconds = wanted.seconds
        if not self.models:
            seconds += wanted.start_seconds
        if shard.model not in self.models:
            seconds += wanted.load_seconds
        self.models.add(shard.model)
        self.busy += seconds
        return seconds


def _dealt(
    shards: Sequence[Shard], devices: tuple[str, ...], speed_of: SpeedOf
) -> tuple[float, list[ModelEstimate]]:
    """When the last worker ends, and what each model took of them."""
    workers = [_Worker(device) for device in devices]
    seconds: dict[str, float] = {}
    basis: dict[str, str] = {}
    for shard in shards:
        worker = min(workers, key=lambda one: one.busy)
        wanted = _learned(expected(shard, worker.device), shard, worker.device, speed_of)
        seconds[shard.model] = seconds.get(shard.model, 0.0) + worker.take(shard, wanted)
        basis.setdefault(shard.model, wanted.basis)
    models = []
    for model in sorted(seconds):
        orders = [order for shard in shards if shard.model == model for order in shard.orders]
        audio = sum(order.recipe.seconds for order in orders)
        models.append(
            ModelEstimate(shards[0].engine, model, devices, len(orders), audio, seconds[model], basis[model])
        )
    return max(worker.busy for worker in workers), models


def expected(shard: Shard, device: str) -> Estimate:
    """What the engine itself expects of ``shard`` on ``device``."""
    engine = find_engine(shard.engine)
    if isinstance(engine, Estimator):
        return engine.estimate([order.recipe for order in shard.orders], device)
    return Estimate(shard.cost, 0.0, START_S, _OWN_FIGURES)


def _learned(wanted: Estimate, shard: Shard, device: str, speed_of: SpeedOf) -> Estimate:
    """``wanted`` as earlier builds took, unless the engine has learned from them itself."""
    speed = None if wanted.learned else speed_of(shard.engine, shard.model, device)
    if speed is None:
        return wanted
    return replace(wanted, seconds=wanted.seconds * speed.factor, basis=speed.basis)
