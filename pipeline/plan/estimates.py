"""How long a build will take.

The times of earlier builds correct what engines estimate: ``cache/speeds/<digest>.json`` in the store is a small file
for each machine, engine, model and device. Without it only the estimate gets worse.
"""

from __future__ import annotations

import contextlib
import hashlib
import heapq
import json
import math
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pipeline.errors import CuesmithError
from pipeline.formats import FORMATS
from pipeline.generators import Estimate, Estimator, find_engine
from pipeline.manifest.spec import AssetSpec
from pipeline.plan.values import Plan, TakeOrder
from pipeline.store import Store, read_record
from pipeline.watermarks import find_watermark

SCHEMA = "cuesmith.take-speed/1"
_DECAY = 0.5
"""Weight of earlier builds when a build is added, so that one odd build soon counts little."""
_OWN_FIGURES = "the engine's own figures"
START_S = 1.5
"""Seconds until a new worker process has imported what all workers need; an `Estimator` has a figure of its own."""
MASTERING, OVERHEAD = ("cuesmith", "mastering 2"), ("cuesmith", "overhead 2")
"""Names of the recorded speeds of what no engine does. The number rises when the figures below change."""
_MASTER_S, _MASTER_SECOND_S = 0.018, 0.005
"""Seconds of a process for each master, and for each second of each of its channels. All of these were measured with
the sketch engine on one core of an AMD EPYC."""
_LOSSY_S, _LOSSY_SECOND_S = 0.008, 0.009
"""The same for each lossy file of a master, which is encoded, decoded and measured."""
_LOOP = 2.0
"""How much longer a second of a loop takes than one of another sound."""
_OVERHEAD_S, _PUBLISH_MASTER_S = 8.0, 0.0015
"""Seconds of a build beside its workers, and for each master of the version."""


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
            key = _key(engine, model, device)
            record = read_record(store.backend.read(key), SCHEMA, key)
            speed = Speed(**{name: value for name, value in record.items() if name != "schema"})
            return speed if 0 < speed.taken < math.inf and 0 < speed.expected < math.inf else None
        except (CuesmithError, TypeError):
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
    """How long a build will take."""

    seconds: float
    """The whole build: everything below, with devices and CPU processes in parallel."""
    generate_seconds: float
    """From the start of the first worker to the last take."""
    master_seconds: float
    """Mastering on all CPU processes, if nothing else runs."""
    overhead_seconds: float
    """Starting Prefect, publishing, the report."""
    models: tuple[ModelEstimate, ...]

    @property
    def basis(self) -> str:
        """Where the figures of generating come from, in one line."""
        return "; ".join(dict.fromkeys(model.basis for model in self.models))

    def to_json(self) -> dict[str, Any]:
        """The key ``estimate`` of ``cuesmith plan --json``."""
        return {
            "seconds": round(self.seconds, 3),
            "generate_seconds": round(self.generate_seconds, 3),
            "master_seconds": round(self.master_seconds, 3),
            "overhead_seconds": round(self.overhead_seconds, 3),
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
    plan: Plan,
    devices_of: Callable[[str], Sequence[str]],
    processes: Sequence[str],
    speed_of: SpeedOf = lambda engine, model, device: None,
) -> BuildEstimate:
    """How long a build of ``plan`` will take.

    ``devices_of`` gives the devices of an engine and ``processes`` those of mastering, one entry for each worker;
    ``speed_of`` gives the speeds of earlier builds.
    """
    loads, models = generation(plan.orders(), devices_of, speed_of)
    generate_seconds = max(loads.values(), default=0.0)
    work = mastering_seconds(plan)
    work *= _factor(speed_of(*MASTERING, "cpu"))
    workers = tuple(processes) or ("cpu",)
    if work:
        # Workers that also generate have started already.
        loads[workers] = loads.get(workers, START_S) + work / len(workers)
    busy = max(loads.values(), default=0.0)
    overhead = overhead_seconds(plan) * _factor(speed_of(*OVERHEAD, "cpu"))
    return BuildEstimate(busy + overhead, generate_seconds, work / len(workers), overhead, tuple(models))


def generation(
    orders: Iterable[TakeOrder], devices_of: Callable[[str], Sequence[str]], speed_of: SpeedOf
) -> tuple[dict[tuple[str, ...], float], list[ModelEstimate]]:
    """Seconds until the last take, by the devices of an engine; and the share of each model."""
    by_engine: dict[str, list[TakeOrder]] = {}
    for order in orders:
        by_engine.setdefault(order.recipe.engine, []).append(order)
    loads: dict[tuple[str, ...], float] = {}
    models: list[ModelEstimate] = []
    for name, own in sorted(by_engine.items()):
        devices = tuple(devices_of(name)) or ("cpu",)
        seconds, of_engine = _engine_generation(own, devices, speed_of)
        loads[devices] = loads.get(devices, 0.0) + seconds
        models += of_engine
    return loads, models


def _factor(speed: Speed | None) -> float:
    return speed.taken / speed.expected if speed else 1.0


def _marking(asset: AssetSpec) -> float:
    """Seconds for each second of audio: to mark it, and about half of that to look for the mark in each file."""
    if not asset.watermark:
        return 0.0
    return find_watermark(asset.watermark).seconds_a_second * (1 + len(asset.delivery.formats) / 2)


def mastering_seconds(plan: Plan) -> float:
    """Seconds of one process to master everything that ``plan`` makes, before any build has been measured."""
    return sum(
        _mastering(asset.asset) * sum(variation.action.makes for variation in asset.variations)
        for asset in plan.assets
    )


def _mastering(asset: AssetSpec) -> float:
    """Seconds of one process for each master of the asset."""
    lossy = sum(not FORMATS[name].lossless for name in asset.delivery.formats)
    second = _MASTER_SECOND_S * (_LOOP if asset.loop else 1.0) + lossy * _LOSSY_SECOND_S
    channel_seconds = asset.mastering.channels * asset.duration_s
    return _MASTER_S + lossy * _LOSSY_S + second * channel_seconds + _marking(asset) * asset.duration_s


def overhead_seconds(plan: Plan) -> float:
    """Seconds beside generating and mastering, before any build has been measured; 0 if there is nothing to make."""
    masters = sum(len(asset.variations) for asset in plan.assets)
    return _OVERHEAD_S + _PUBLISH_MASTER_S * masters if plan.stale else 0.0


def _engine_generation(
    orders: Sequence[TakeOrder], devices: tuple[str, ...], speed_of: SpeedOf
) -> tuple[float, list[ModelEstimate]]:
    """When the last of ``devices`` has made its part of ``orders``, all of one engine; and the share of each model.

    Devices take the costliest order that is left, model by model, as in a build.
    """
    by_model: dict[str, list[TakeOrder]] = {}
    for order in sorted(orders, key=lambda order: (-order.cost, order.recipe.digest)):
        by_model.setdefault(order.recipe.model, []).append(order)
    busy = [0.0] * len(devices)
    models = []
    for model, own in sorted(by_model.items()):
        before = sum(busy)
        basis = ""
        for index, part in _shares(own, busy):
            device_estimate = _corrected(
                engine_estimate(part, devices[index]), part, devices[index], speed_of
            )
            start = device_estimate.start_seconds if not busy[index] else 0.0
            busy[index] += start + device_estimate.load_seconds + device_estimate.seconds
            basis = basis or device_estimate.basis
        audio = sum(order.recipe.seconds for order in own)
        models.append(
            ModelEstimate(own[0].recipe.engine, model, devices, len(own), audio, sum(busy) - before, basis)
        )
    return max(busy), models


def _shares(orders: Sequence[TakeOrder], busy: Sequence[float]) -> list[tuple[int, list[TakeOrder]]]:
    """``orders``, the costliest first, each to the device that is free first; by index, without the empty ones."""
    parts: list[list[TakeOrder]] = [[] for _ in busy]
    free = [(seconds, index) for index, seconds in enumerate(busy)]
    heapq.heapify(free)
    for order in orders:
        seconds, index = heapq.heappop(free)
        parts[index].append(order)
        heapq.heappush(free, (seconds + order.cost, index))
    return [(index, part) for index, part in enumerate(parts) if part]


def engine_estimate(orders: Sequence[TakeOrder], device: str) -> Estimate:
    """The engine's own estimate for ``orders``, all of one model, on ``device``."""
    engine = find_engine(orders[0].recipe.engine)
    if isinstance(engine, Estimator):
        return engine.estimate([order.recipe for order in orders], device)
    return Estimate(sum(order.cost for order in orders), 0.0, START_S, _OWN_FIGURES)


def _corrected(estimate: Estimate, orders: Sequence[TakeOrder], device: str, speed_of: SpeedOf) -> Estimate:
    """``estimate`` with the speed of earlier builds."""
    recipe = orders[0].recipe
    speed = speed_of(recipe.engine, recipe.model, device)
    if speed is None:
        return estimate
    basis = f"earlier builds on this machine, the last on {speed.at}"
    return replace(estimate, seconds=estimate.seconds * _factor(speed), basis=basis)
