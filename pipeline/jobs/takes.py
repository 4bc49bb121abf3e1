"""Recipes into takes: generate, check, store, record."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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
from pipeline.provenance import TAKE_SCHEMA, TakeRecord, model_facts, take_record
from pipeline.provenance.clock import now
from pipeline.provenance.facts import software_versions
from pipeline.recipe import Recipe
from pipeline.store import ObjectRef, Store

SILENT_PEAK = 1e-5
"""-100 dBFS: a take with a lower peak is silent."""


class _EngineError(Exception):
    """The engine raised an exception, which the message names."""


@dataclass(frozen=True, slots=True)
class _UsableTake:
    """A usable take, ready to be stored."""

    take: GeneratedTake
    data: bytes
    """The audio as it is stored."""
    software: dict[str, str]


def make_takes(job: TakesJob, generator: Generator, store: Store) -> Iterator[Event]:
    """Make every take of ``job`` with an opened ``generator``; yields one outcome for each order.

    When the engine breaks in the middle of a batch, the remaining takes are tried one by one, so that one bad
    recipe fails no others. A `MachineError` (a full disk, no memory) and every error of the store are raised: they
    concern the whole build, and the engine is not called again.
    """
    audio, unusable = _conditioning(job.orders, store)
    yield from (Failed(digest, reason) for digest, reason in unusable.items())
    pending = {order.recipe.digest: order for order in job.orders if order.recipe.digest not in unusable}
    work = _Work(job, generator, store, audio, pending)
    try:
        yield from work.make(list(pending.values()))
    except _EngineError:
        for order in list(pending.values()):
            yield from work.make_alone(order)
    for digest in pending:
        yield Failed(digest, f"engine {job.engine} gave no take for it; report this to the engine's makers")


@dataclass(frozen=True, slots=True)
class _Work:
    """One job in progress."""

    job: TakesJob
    generator: Generator
    store: Store
    audio: Mapping[str, Clip]
    """Conditioning audio by its SHA-256."""
    pending: dict[str, TakeOrder]
    """Orders without an outcome, by recipe digest."""

    def make_alone(self, order: TakeOrder) -> Iterator[Event]:
        """Make one take; it fails when the engine breaks."""
        try:
            yield from self.make([order])
        except _EngineError as error:
            self.pending.pop(order.recipe.digest, None)
            yield Failed(order.recipe.digest, f"engine {self.job.engine} broke: {error}")

    def make(self, orders: Sequence[TakeOrder]) -> Iterator[Event]:
        """Make takes in one batch. Raises `_EngineError` when the engine breaks."""
        by_digest = {order.recipe.digest: order for order in orders}
        began = time.monotonic()
        yield from (Began(digest) for digest in by_digest)
        for digest, outcome in self._outcomes(orders):
            if digest not in by_digest:
                raise _EngineError("it gave a take of an unknown recipe")
            took, began = time.monotonic() - began, time.monotonic()
            if isinstance(outcome, str):
                self.pending.pop(digest, None)
                yield Failed(digest, outcome)
            else:
                self._store(by_digest[digest], outcome, took)
                self.pending.pop(digest, None)
                yield TakeMade(digest, outcome.take.clip.seconds, took)

    def _outcomes(self, orders: Sequence[TakeOrder]) -> Iterator[tuple[str, _UsableTake | str]]:
        """The outcome of each order by recipe digest: a take, or why there is none.

        Takes come from the stored data of earlier takes where possible, otherwise from the model.
        """
        recipes = []
        for order in orders:
            earlier = _stored_take(self.store, order)
            if earlier is not None and isinstance(self.generator, Redecoder):
                yield from self._checked(_redecoded(self.generator, order.recipe, earlier))
            else:
                recipes.append(order.recipe)
        if recipes:
            yield from self._checked(_generated(self.generator, recipes, self.audio))

    def _checked(self, outcomes: Iterator[Outcome]) -> Iterator[tuple[str, _UsableTake | str]]:
        """The engine's ``outcomes``, checked. Exceptions of the engine become `_EngineError`.

        Only the engine's work happens inside: exceptions of the code that receives an outcome do not pass here.
        """
        try:
            for recipe, outcome in outcomes:
                yield recipe.digest, _usable(self.generator, outcome)
        except MachineError:
            raise
        except Exception as error:
            raise _EngineError(f"{type(error).__name__}: {error}") from error

    def _store(self, order: TakeOrder, usable: _UsableTake, took: float) -> None:
        """Store a take and its record. Raises `MachineError` or `StoreError`, whatever the storage service raises."""
        try:
            self.store.put_record("takes", order.recipe.digest, self._record(order, usable, took))
        except CuesmithError:
            raise
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            what = f"take {order.recipe.digest[:12]} cannot be stored in {self.store.root}: {why}"
            raise StoreError(f"{what}; run `cuesmith verify`, then build again") from error

    def _record(self, order: TakeOrder, usable: _UsableTake, took: float) -> TakeRecord:
        """Put the take's objects into the store, and return its record."""
        take, put = usable.take, self.store.put
        return TakeRecord(
            schema=TAKE_SCHEMA,
            digest=order.recipe.digest,
            recipe=order.recipe.to_json(),
            object=put(usable.data, ".wav").to_json(),
            sample_rate_hz=take.clip.rate,
            channels=take.clip.channels,
            samples=take.clip.length,
            loop=list(take.loop) if take.loop else None,
            attachments={name: put(data, ".bin").to_json() for name, data in take.attachments.items()},
            inputs=[ref.to_json() for ref in order.inputs],
            notes=dict(take.notes),
            ignored=list(order.requirements.ignored),
            model=model_facts(self.job.engine, order.requirements.model),
            made={
                "at": now(),
                "seconds": round(took, 3),
                "run": self.job.run,
                "prefect_run": self.job.prefect_run,
                "device": self.job.device,
                "software": usable.software,
            },
        )


def _redecoded(generator: Redecoder, recipe: Recipe, earlier: StoredTake) -> Iterator[Outcome]:
    try:
        yield recipe, generator.redecode(recipe, earlier)
    except GenerationError as error:
        yield recipe, error


def _generated(
    generator: Generator, recipes: Sequence[Recipe], audio: Mapping[str, Clip]
) -> Iterator[Outcome]:
    """As `Generator.generate`, which is called only when the first outcome is wanted."""
    yield from generator.generate(recipes, audio)


def _usable(generator: Generator, outcome: GeneratedTake | GenerationError) -> _UsableTake | str:
    """A usable take, or why there is none."""
    if isinstance(outcome, GenerationError):
        return str(outcome)
    problem = _problem(outcome)
    if problem is not None:
        return problem
    try:
        data = take_bytes(outcome.clip)
    except UsageError as error:
        return str(error)
    json.dumps(dict(outcome.notes))
    if not all(isinstance(item, bytes) for item in outcome.attachments.values()):
        raise TypeError("an attachment of its take is not bytes")
    return _UsableTake(outcome, data, software_versions(generator.software()))


def _problem(take: GeneratedTake) -> str | None:
    samples = take.clip.samples
    if samples.size == 0:
        return "the model gave no samples; reject it for another seed, or change the prompt"
    if not np.isfinite(samples).all():
        return "the model gave samples that are not numbers (NaN or infinity); try float32, or another seed"
    if float(np.abs(samples).max()) < SILENT_PEAK:
        return "the model gave silence; reject it for another seed, or change the prompt"
    return None


def _stored_take(store: Store, order: TakeOrder) -> StoredTake | None:
    """The stored take that ``order`` names; None where it is gone or damaged, so that the model is used."""
    if order.stored_take is None:
        return None
    try:
        record = take_record(store, order.stored_take)
        if record is None:
            return None
        files = record["attachments"].items()
        attachments = {name: store.get(ObjectRef.from_json(file)) for name, file in files}
    except (StoreError, VerificationError):
        return None
    return StoredTake(order.stored_take, attachments, record["notes"])


def _conditioning(orders: Sequence[TakeOrder], store: Store) -> tuple[dict[str, Clip], dict[str, str]]:
    """Conditioning clips by hash, and why orders fail whose audio is unusable, by recipe digest.

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
