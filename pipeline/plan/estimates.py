"""How takes are shared out to devices, and how long generating will take.

The times of earlier builds correct what engines estimate: ``cache/speeds/<digest>.json`` in the store is a small file
for each machine, engine, model and device. Without it only the estimate gets worse.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pipeline.errors import CuesmithError
from pipeline.generators import Estimate, Estimator, find_engine
from pipeline.plan.values import TakeOrder
from pipeline.store import Store

SCHEMA = "cuesmith.take-speed/1"
_DECAY = 0.5
"""Weight of earlier builds when a build is added, so that one odd build soon counts little."""
_OWN_FIGURES = "the engine's own figures"
START_S = 1.5
"""Seconds until a new worker process has imported what all workers need; an `Estimator` has a figure of its own."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Takes of one engine and model that one device makes in one go."""

    engine: str
    model: str
    orders: tuple[TakeOrder, ...]

    @property
    def cost(self) -> float:
        """Sum of the orders' costs."""
        return sum(order.cost for order in self.orders)


def share_out(orders: Iterable[TakeOrder], devices: int, shards_per_device: int = 4) -> tuple[Shard, ...]:
    """Shards for ``devices`` workers, the longest first, each of one engine and model.

    The longest takes of a model go first, each into its lightest shard, so that shards end close together. Models get
    shards in proportion to their cost. Every order is in exactly one shard.
    """
    by_model: dict[tuple[str, str], list[TakeOrder]] = {}
    for order in orders:
        by_model.setdefault((order.recipe.engine, order.recipe.model), []).append(order)
    total = sum(order.cost for group in by_model.values() for order in group) or 1.0
    shards: list[Shard] = []
    for (engine, model), group in sorted(by_model.items()):
        share = sum(order.cost for order in group) / total
        count = max(1, min(len(group), round(share * devices * shards_per_device)))
        shards.extend(Shard(engine, model, part) for part in _balanced(group, count) if part)
    return tuple(sorted(shards, key=lambda shard: -shard.cost))


def _balanced(orders: list[TakeOrder], count: int) -> list[tuple[TakeOrder, ...]]:
    """``orders`` in ``count`` parts of about the same cost."""
    parts: list[list[TakeOrder]] = [[] for _ in range(count)]
    costs = [0.0] * count
    for order in sorted(orders, key=lambda order: (-order.cost, order.recipe.digest)):
        lightest = costs.index(min(costs))
        parts[lightest].append(order)
        costs[lightest] += order.cost
    return [tuple(part) for part in parts]


@dataclass(frozen=True, slots=True)
class Speed:
    """The measured speed of one model on one device of this machine."""

    taken: float
    """Seconds that takes took; the latest build has the greatest weight."""
    expected: float
    """Seconds that the engine estimated for the same takes."""
    at: str
    """Day of the last build, ISO 8601."""


SpeedOf = Callable[[str, str, str], Speed | None]
"""By engine, model and device."""


def recorded_speeds(store: Store) -> SpeedOf:
    """Looks up the speeds that builds of the project in ``store`` had on this machine."""

    def find(engine: str, model: str, device: str) -> Speed | None:
        try:
            record = json.loads(store.backend.read(_key(engine, model, device)))
            if record.pop("schema") != SCHEMA:
                return None
            speed = Speed(**record)
            return speed if speed.taken > 0 and speed.expected > 0 else None
        except (CuesmithError, ValueError, KeyError, TypeError, AttributeError):
            return None

    return find


def record_speed(
    store: Store, engine: str, model: str, device: str, *, taken: float, expected: float
) -> None:
    """Record that takes took ``taken`` seconds. A store that cannot be written does not fail the build."""
    if taken <= 0 or expected <= 0:
        return
    known = recorded_speeds(store)(engine, model, device)
    if known is not None:
        taken, expected = taken + _DECAY * known.taken, expected + _DECAY * known.expected
    record = {"schema": SCHEMA, **asdict(Speed(taken, expected, f"{datetime.now(UTC):%Y-%m-%d}"))}
    with contextlib.suppress(CuesmithError):
        store.backend.write(_key(engine, model, device), json.dumps(record).encode())


def _key(engine: str, model: str, device: str) -> str:
    words = (platform.node(), platform.machine(), engine, model, device.partition(":")[0])
    return f"cache/speeds/{hashlib.sha256(chr(0).join(words).encode()).hexdigest()[:32]}.json"


@dataclass(frozen=True, slots=True)
class ModelEstimate:
    """How long the takes of one model will take."""

    engine: str
    model: str
    devices: tuple[str, ...]
    """One entry for each worker."""
    takes: int
    audio_seconds: float
    device_seconds: float
    """Of all devices together, including loading."""
    basis: str
    """Where the figures come from."""


@dataclass(frozen=True, slots=True)
class BuildEstimate:
    """How long generating will take, in all and for each model."""

    seconds: float
    """From the start of the first worker to the last take, with all engines in parallel."""
    models: tuple[ModelEstimate, ...]

    @property
    def basis(self) -> str:
        """Where the figures come from, in one line."""
        return "; ".join(dict.fromkeys(model.basis for model in self.models))

    def to_json(self) -> dict[str, Any]:
        """The key ``estimate`` of ``cuesmith plan --json``."""
        return {
            "seconds": round(self.seconds, 3),
            "models": [
                {
                    **asdict(model),
                    "devices": list(model.devices),
                    "audio_seconds": round(model.audio_seconds, 6),
                    "device_seconds": round(model.device_seconds, 3),
                }
                for model in self.models
            ],
        }


def estimate(
    orders: Iterable[TakeOrder],
    devices_of: Callable[[str], Sequence[str]],
    workers: int | None = None,
    speed_of: SpeedOf = lambda engine, model, device: None,
) -> BuildEstimate:
    """How long ``orders`` will take on the devices that ``devices_of`` gives for an engine, one entry for each worker.

    ``workers``: how many workers the build shares the takes out to; None for all devices of its engines. ``speed_of``
    gives the speeds of earlier builds.
    """
    orders = list(orders)
    engines = sorted({order.recipe.engine for order in orders})
    devices = {name: tuple(devices_of(name)) for name in engines}
    if workers is None:
        workers = sum(len(of_engine) for of_engine in devices.values())
    shards = share_out(orders, max(workers, 1))
    seconds, estimates = 0.0, []
    for name in engines:
        own = [shard for shard in shards if shard.engine == name]
        last, models = _simulate(own, devices[name] or ("cpu",), speed_of)
        seconds = max(seconds, last)
        estimates.extend(models)
    return BuildEstimate(seconds, tuple(estimates))


@dataclass(slots=True)
class _Worker:
    device: str
    busy: float = 0.0
    models: set[str] = field(default_factory=set)

    def run(self, shard: Shard, estimate: Estimate) -> float:
        """Do ``shard`` next; returns its seconds, with starting and loading where they are needed."""
        seconds = estimate.seconds
        if not self.models:
            seconds += estimate.start_seconds
        if shard.model not in self.models:
            seconds += estimate.load_seconds
        self.models.add(shard.model)
        self.busy += seconds
        return seconds


def _simulate(
    shards: Sequence[Shard], devices: tuple[str, ...], speed_of: SpeedOf
) -> tuple[float, list[ModelEstimate]]:
    """When the last worker ends, and the share of each model. A free worker gets the next shard, as in a build."""
    workers = [_Worker(device) for device in devices]
    seconds: dict[str, float] = {}
    basis: dict[str, str] = {}
    for shard in shards:
        worker = min(workers, key=lambda worker: worker.busy)
        shard_estimate = _corrected(engine_estimate(shard, worker.device), shard, worker.device, speed_of)
        seconds[shard.model] = seconds.get(shard.model, 0.0) + worker.run(shard, shard_estimate)
        basis.setdefault(shard.model, shard_estimate.basis)
    models = []
    for model in sorted(seconds):
        orders = [order for shard in shards if shard.model == model for order in shard.orders]
        audio = sum(order.recipe.seconds for order in orders)
        models.append(
            ModelEstimate(shards[0].engine, model, devices, len(orders), audio, seconds[model], basis[model])
        )
    return max(worker.busy for worker in workers), models


def engine_estimate(shard: Shard, device: str) -> Estimate:
    """The engine's own estimate for ``shard`` on ``device``."""
    engine = find_engine(shard.engine)
    if isinstance(engine, Estimator):
        return engine.estimate([order.recipe for order in shard.orders], device)
    return Estimate(shard.cost, 0.0, START_S, _OWN_FIGURES)


def _corrected(estimate: Estimate, shard: Shard, device: str, speed_of: SpeedOf) -> Estimate:
    """``estimate`` with the speed of earlier builds, unless the engine has learned from them itself."""
    speed = None if estimate.learned else speed_of(shard.engine, shard.model, device)
    if speed is None:
        return estimate
    factor, basis = speed.taken / speed.expected, f"earlier builds on this machine, the last on {speed.at}"
    return replace(estimate, seconds=estimate.seconds * factor, basis=basis)
