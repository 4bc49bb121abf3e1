"""Recipes into takes: generate, check, store, record."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.audio import Clip, read, take_bytes
from pipeline.errors import (
    CuesmithError,
    GenerationError,
    MachineError,
    StoreError,
    UsageError,
    VerificationError,
)
from pipeline.generators import GeneratedTake, Generator, Outcome, Redecoder, StoredTake
from pipeline.jobs.work_items import Began, Event, Failed, TakeMade, TakesJob
from pipeline.plan import TakeOrder
from pipeline.provenance import TAKE_SCHEMA, TakeRecord
from pipeline.provenance.facts import now, software_versions
from pipeline.recipe import Recipe
from pipeline.store import ObjectRef, Store

SILENT_PEAK = 1e-5
"""-100 dBFS: below it there is nothing to master."""


class _EngineError(Exception):
    """The engine itself raised something; what it raised is in the message."""


@dataclass(frozen=True, slots=True)
class _Made:
    """A usable take that the engine gave, ready to be stored."""

    take: GeneratedTake
    data: bytes
    """The audio as it is stored."""
    software: dict[str, str]


def make_takes(job: TakesJob, generator: Generator, store: Store) -> Iterator[Event]:
    """Make every take of ``job`` with an opened ``generator``; yields one outcome for each order.

    When the engine breaks in the midst of a batch, what is left is tried again one by one, so that one bad
    recipe cannot take others with it. A `MachineError` (a full disk, no memory) and every fault of the store are
    raised: they concern the whole build, and the engine is not asked again.
    """
    audio, left = _conditioning(job.orders, store)
    yield from (Failed(item, reason) for item, reason in left.items())
    waiting = {o.recipe.digest: o for o in job.orders if o.recipe.digest not in left}
    try:
        yield from _batch(job, generator, store, list(waiting.values()), audio, waiting)
    except _EngineError:
        for order in list(waiting.values()):
            yield from _alone(job, generator, store, order, audio, waiting)
    for item in waiting:
        yield Failed(item, f"engine {job.engine} gave no take for it; report this to the engine's makers")


def _alone(
    job: TakesJob,
    generator: Generator,
    store: Store,
    order: TakeOrder,
    audio: Mapping[str, Clip],
    waiting: dict[str, TakeOrder],
) -> Iterator[Event]:
    try:
        yield from _batch(job, generator, store, [order], audio, waiting)
    except _EngineError as error:
        waiting.pop(order.recipe.digest, None)
        yield Failed(order.recipe.digest, f"engine {job.engine} broke: {error}")


def _batch(
    job: TakesJob,
    generator: Generator,
    store: Store,
    orders: Sequence[TakeOrder],
    audio: Mapping[str, Clip],
    waiting: dict[str, TakeOrder],
) -> Iterator[Event]:
    by_digest = {order.recipe.digest: order for order in orders}
    began = time.monotonic()
    yield from (Began(item) for item in by_digest)
    for digest, outcome in _outcomes(generator, store, orders, audio):
        if digest not in by_digest:
            raise _EngineError("it gave a take that nobody asked for")
        took, began = time.monotonic() - began, time.monotonic()
        if isinstance(outcome, str):
            waiting.pop(digest, None)
            yield Failed(digest, outcome)
        else:
            _keep(job, store, by_digest[digest], outcome, took)
            waiting.pop(digest, None)
            yield TakeMade(digest, outcome.take.clip.seconds, took)


def _outcomes(
    generator: Generator, store: Store, orders: Sequence[TakeOrder], audio: Mapping[str, Clip]
) -> Iterator[tuple[str, _Made | str]]:
    """What the engine gives for ``orders``, by recipe digest: a take, or why there is none.

    It comes from what earlier takes keep where it can, else from the model.
    """
    remaker = generator if isinstance(generator, Redecoder) else None
    rest = []
    for order in orders:
        kept = _kept(store, order) if remaker else None
        if kept is None or remaker is None:
            rest.append(order.recipe)
        else:
            yield from _guarded(generator, _remade(remaker, order.recipe, kept))
    if rest:
        yield from _guarded(generator, _generated(generator, rest, audio))


def _remade(remaker: Redecoder, recipe: Recipe, kept: StoredTake) -> Iterator[Outcome]:
    try:
        yield recipe, remaker.redecode(recipe, kept)
    except GenerationError as error:
        yield recipe, error


def _generated(
    generator: Generator, recipes: Sequence[Recipe], audio: Mapping[str, Clip]
) -> Iterator[Outcome]:
    yield from generator.generate(recipes, audio)


def _guarded(generator: Generator, outcomes: Iterator[Outcome]) -> Iterator[tuple[str, _Made | str]]:
    """The engine's ``outcomes``, looked at. What the engine raises comes out as `_EngineError`.

    Only the engine's own work happens inside: what the receiver of an outcome raises never comes here.
    """
    try:
        for recipe, outcome in outcomes:
            yield recipe.digest, _judged(generator, outcome)
    except MachineError:
        raise
    except Exception as error:
        raise _EngineError(f"{type(error).__name__}: {error}") from error


def _judged(generator: Generator, outcome: GeneratedTake | GenerationError) -> _Made | str:
    """A usable take, or why the outcome is none."""
    if isinstance(outcome, GenerationError):
        return str(outcome)
    problem = _unusable(outcome)
    if problem is not None:
        return problem
    try:
        data = take_bytes(outcome.clip)
    except UsageError as error:
        return str(error)
    json.dumps(dict(outcome.notes))
    if not all(isinstance(item, bytes) for item in outcome.attachments.values()):
        raise TypeError("an attachment of its take is not bytes")
    return _Made(outcome, data, software_versions(generator.software()))


def _kept(store: Store, order: TakeOrder) -> StoredTake | None:
    """What the take that ``order`` names keeps; None where it is gone or damaged, so that the model runs."""
    if order.kept is None:
        return None
    try:
        record: Any = store.get_record("takes", order.kept, TAKE_SCHEMA, TakeRecord)
        if record is None:
            return None
        attachments = {
            name: store.get(ObjectRef.from_json(one)) for name, one in record["attachments"].items()
        }
    except (StoreError, VerificationError):
        return None
    return StoredTake(order.kept, attachments, record["notes"])


def _unusable(take: GeneratedTake) -> str | None:
    samples = take.clip.samples
    if samples.size == 0:
        return "the model gave no samples; reject it for another seed, or change the prompt"
    if not np.isfinite(samples).all():
        return "the model gave samples that are not numbers (NaN or infinity); try float32, or another seed"
    if float(np.abs(samples).max()) < SILENT_PEAK:
        return "the model gave silence; reject it for another seed, or change the prompt"
    return None


def _keep(job: TakesJob, store: Store, order: TakeOrder, made: _Made, took: float) -> None:
    """Store a take and its record. Raises `MachineError` or `StoreError`, whatever the store's service raises."""
    try:
        store.put_record("takes", order.recipe.digest, _record(job, store, order, made, took))
    except CuesmithError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        what = f"take {order.recipe.digest[:12]} cannot be stored in {store.root}: {why}"
        raise StoreError(f"{what}; run `cuesmith verify`, then build again") from error


def _record(job: TakesJob, store: Store, order: TakeOrder, made: _Made, took: float) -> TakeRecord:
    """Put the take's objects into the store, and say all that is known of it."""
    take = made.take
    model = order.ask.model
    return TakeRecord(
        schema=TAKE_SCHEMA,
        digest=order.recipe.digest,
        recipe=order.recipe.to_json(),
        object=store.put(made.data, ".wav").to_json(),
        sample_rate_hz=take.clip.rate,
        channels=take.clip.channels,
        samples=take.clip.length,
        loop=list(take.loop) if take.loop else None,
        attachments={name: store.put(data, ".bin").to_json() for name, data in take.attachments.items()},
        inputs=[ref.to_json() for ref in order.inputs],
        notes=dict(take.notes),
        ignored=list(order.ask.ignored),
        model={
            "engine": job.engine,
            "id": model.id,
            "revision": model.revision,
            "license": model.license,
            "commercial": model.commercial,
            "neural": model.neural,
            "placeholder": model.placeholder,
        },
        made={
            "at": now(),
            "seconds": round(took, 3),
            "run": job.run,
            "prefect_run": job.prefect_run,
            "device": job.device,
            "software": made.software,
        },
    )


def _conditioning(orders: Sequence[TakeOrder], store: Store) -> tuple[dict[str, Clip], dict[str, str]]:
    """Conditioning clips by hash, and the reasons of the orders whose audio cannot be used.

    Raises the store's errors.
    """
    clips: dict[str, Clip] = {}
    failed: dict[str, str] = {}
    for order in orders:
        for ref, (_, path) in zip(order.inputs, order.audio, strict=True):
            try:
                if ref.sha256 not in clips:
                    clips[ref.sha256] = read(store.get(ref))
            except UsageError as error:
                failed[order.recipe.digest] = f"{path}: {error}"
    return clips, failed
