"""The work shared out to devices, and how long it will take there.

How long takes took in earlier builds corrects what engines expect: ``cache/speeds/<digest>.json`` in the store, one
small file for each machine, engine, model and device. Losing it costs a worse estimate and nothing else.
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


@dataclass(frozen=True, slots=True)
class Shard:
    """Takes for one engine and model, to be made in one go on one device."""

    engine: str
    model: str
    orders: tuple[TakeOrder, ...]

    @property
    def cost(self) -> float:
        """Sum of the orders' costs."""
        return sum(order.cost for order in self.orders)


def share_out(orders: Iterable[TakeOrder], devices: int, shards_per_device: int = 4) -> tuple[Shard, ...]:
    """Shards for ``devices`` workers, the longest first, each of one engine and model.

    A model's takes are dealt longest first into its lightest shard, so that shards end close together; models
    get shards in proportion to their cost. Every order is in exactly one shard.
    """
    by_model: dict[tuple[str, str], list[TakeOrder]] = {}
    for order in orders:
        by_model.setdefault((order.recipe.engine, order.recipe.model), []).append(order)
    whole = sum(order.cost for group in by_model.values() for order in group) or 1.0
    shards: list[Shard] = []
    for (engine, model), group in sorted(by_model.items()):
        share = sum(order.cost for order in group) / whole
        wanted = max(1, min(len(group), round(share * devices * shards_per_device)))
        shards.extend(Shard(engine, model, dealt) for dealt in _deal(group, wanted) if dealt)
    return tuple(sorted(shards, key=lambda shard: -shard.cost))


def _deal(orders: list[TakeOrder], piles: int) -> list[tuple[TakeOrder, ...]]:
    dealt: list[list[TakeOrder]] = [[] for _ in range(piles)]
    weight = [0.0] * piles
    for order in sorted(orders, key=lambda order: (-order.cost, order.recipe.digest)):
        lightest = weight.index(min(weight))
        dealt[lightest].append(order)
        weight[lightest] += order.cost
    return [tuple(pile) for pile in dealt]


SCHEMA = "cuesmith.take-speed/1"
_KEPT = 0.5
"""How much of what was known stays when a build is added, so that one odd build is soon forgotten."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What is known of one model on one device of this machine."""

    taken: float
    """Seconds that takes took, the latest build weighing most."""
    expected: float
    """Seconds that the engine expected for the same takes."""
    at: str
    """Day of the last build, ISO 8601."""

    @property
    def factor(self) -> float:
        """Seconds taken for each second expected."""
        return self.taken / self.expected

    @property
    def basis(self) -> str:
        """Where the figure comes from, for the person."""
        return f"earlier builds on this machine, the last on {self.at}"


SpeedOf = Callable[[str, str, str], Speed | None]
"""By engine, model and device."""


def speeds_in(store: Store) -> SpeedOf:
    """Looks up what builds of the project in ``store`` took on this machine."""

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


def learn(store: Store, engine: str, model: str, device: str, *, taken: float, expected: float) -> None:
    """Remember that takes took ``taken`` seconds. A store that cannot be written is no reason to fail a build."""
    if taken <= 0 or expected <= 0:
        return
    known = speeds_in(store)(engine, model, device)
    if known is not None:
        taken, expected = taken + _KEPT * known.taken, expected + _KEPT * known.expected
    record = {"schema": SCHEMA, **asdict(Speed(taken, expected, f"{datetime.now(UTC):%Y-%m-%d}"))}
    with contextlib.suppress(CuesmithError):
        store.backend.write(_key(engine, model, device), json.dumps(record).encode())


def _key(engine: str, model: str, device: str) -> str:
    words = (platform.node(), platform.machine(), engine, model, device.partition(":")[0])
    return f"cache/speeds/{hashlib.sha256(chr(0).join(words).encode()).hexdigest()[:32]}.json"


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
