"""Recipes into takes: generate, check, store, record."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.audio import Clip, read, take_bytes
from pipeline.errors import GenerationError, MachineError, StoreError, UsageError, VerificationError
from pipeline.generators import GeneratedTake, Generator, Kept, Outcome, Remaker
from pipeline.jobs.events import Began, Event, Failed, TakeMade
from pipeline.jobs.objects import put_object
from pipeline.jobs.orders import TakesJob
from pipeline.plan import TakeOrder
from pipeline.provenance import TAKE_SCHEMA, TakeRecord
from pipeline.provenance.facts import now, software_versions
from pipeline.store import ObjectRef, Store

SILENT_PEAK = 1e-5
"""-100 dBFS: below it there is nothing to master."""


def make_takes(job: TakesJob, generator: Generator, store: Store) -> Iterator[Event]:
    """Make every take of ``job`` with an opened ``generator``; yields one outcome for each order.

    When the engine breaks in the midst of a batch, what is left is tried again one by one, so that one bad
    recipe cannot take others with it. A `MachineError` (a full disk, no memory) is raised: it
    concerns the whole build.
    """
    audio, left = _conditioning(job.orders)
    yield from (Failed(item, reason) for item, reason in left.items())
    waiting = {o.recipe.digest: o for o in job.orders if o.recipe.digest not in left}
    try:
        yield from _batch(job, generator, store, list(waiting.values()), audio, waiting)
    except MachineError:
        raise
    except Exception:
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
    except MachineError:
        raise
    except Exception as error:
        waiting.pop(order.recipe.digest, None)
        yield Failed(order.recipe.digest, f"engine {job.engine} broke: {type(error).__name__}: {error}")


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
    for recipe, outcome in _outcomes(generator, store, orders, audio):
        order = by_digest[recipe.digest]
        took, began = time.monotonic() - began, time.monotonic()
        problem = str(outcome) if isinstance(outcome, GenerationError) else _unusable(outcome)
        if problem is None and isinstance(outcome, GeneratedTake):
            _keep(job, generator, store, order, outcome, took)
            waiting.pop(recipe.digest, None)
            yield TakeMade(recipe.digest, outcome.clip.seconds, took)
        else:
            waiting.pop(recipe.digest, None)
            yield Failed(recipe.digest, problem or "no audio")


def _outcomes(
    generator: Generator, store: Store, orders: Sequence[TakeOrder], audio: Mapping[str, Clip]
) -> Iterator[Outcome]:
    """What the engine gives for ``orders``: from what earlier takes keep where it can, else from the model."""
    rest = []
    remaker = generator if isinstance(generator, Remaker) else None
    for order in orders:
        kept = _kept(store, order)
        if kept is None or remaker is None:
            rest.append(order.recipe)
            continue
        try:
            yield order.recipe, remaker.remake(order.recipe, kept)
        except GenerationError as error:
            yield order.recipe, error
    if rest:
        yield from generator.generate(rest, audio)


def _kept(store: Store, order: TakeOrder) -> Kept | None:
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
    return Kept(order.kept, attachments, record["notes"])


def _unusable(take: GeneratedTake) -> str | None:
    samples = take.clip.samples
    if samples.size == 0:
        return "the model gave no samples; reject it for another seed, or change the prompt"
    if not np.isfinite(samples).all():
        return "the model gave samples that are not numbers (NaN or infinity); try float32, or another seed"
    if float(np.abs(samples).max()) < SILENT_PEAK:
        return "the model gave silence; reject it for another seed, or change the prompt"
    return None


def _keep(
    job: TakesJob, generator: Generator, store: Store, order: TakeOrder, take: GeneratedTake, took: float
) -> None:
    model = order.ask.model
    record = TakeRecord(
        schema=TAKE_SCHEMA,
        digest=order.recipe.digest,
        recipe=order.recipe.to_json(),
        object=put_object(store, take_bytes(take.clip), ".wav"),
        sample_rate_hz=take.clip.rate,
        channels=take.clip.channels,
        samples=take.clip.length,
        loop=list(take.loop) if take.loop else None,
        attachments={name: put_object(store, data, ".bin") for name, data in take.attachments.items()},
        inputs=[put_object(store, Path(path).read_bytes(), Path(path).suffix) for _, path in order.audio],
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
            "software": software_versions(generator.software()),
        },
    )
    store.put_record("takes", order.recipe.digest, record)


def _conditioning(orders: Sequence[TakeOrder]) -> tuple[dict[str, Clip], dict[str, str]]:
    """Conditioning clips by hash, and the reasons of the orders whose audio cannot be used."""
    clips: dict[str, Clip] = {}
    failed: dict[str, str] = {}
    for order in orders:
        for sha256, path in order.audio:
            try:
                if sha256 not in clips:
                    clips[sha256] = _read_checked(Path(path), sha256)
            except GenerationError as error:
                failed[order.recipe.digest] = str(error)
    return clips, failed


def _read_checked(path: Path, sha256: str) -> Clip:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise GenerationError(f"{path}: cannot be read: {error.strerror}; put the file back") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise GenerationError(f"{path}: changed while the build ran; run the build again")
    try:
        return read(data)
    except UsageError as error:
        raise GenerationError(f"{path}: {error}") from error
