"""Recipes into takes: generate, check, store, record."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

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
from pipeline.generators import Batching, GeneratedTake, Generator, Outcome, Redecoder, StoredTake, Streaming
from pipeline.jobs.orders import OrderSource
from pipeline.jobs.work_items import Began, Event, Failed, Freed, Slots, TakeMade, TakeSession
from pipeline.plan import TakeOrder
from pipeline.provenance import TAKE_SCHEMA, TakeRecord, model_facts, take_record
from pipeline.provenance.clock import now
from pipeline.provenance.facts import software_versions
from pipeline.recipe import Recipe
from pipeline.store import ObjectRef, Store

SILENT_PEAK = 1e-5
"""-100 dBFS: a take with a lower peak is silent."""
_STORED_AT_ONCE = 4
"""Takes that may wait in memory to be stored."""
_logger = logging.getLogger(__name__)


class _EngineError(Exception):
    """The engine raised an exception, which the message names."""


@dataclass(frozen=True, slots=True)
class _UsableTake:
    """A usable take, ready to be stored."""

    take: GeneratedTake
    data: bytes
    """The audio as it is stored."""
    software: dict[str, str]


def make_takes(
    session: TakeSession,
    generator: Generator,
    store: Store,
    source: OrderSource[TakeOrder],
    emit: Callable[[Event | Freed | Slots], None],
) -> None:
    """Make the take of every order of ``source``; each gets one outcome, which ``emit`` receives.

    If the engine breaks, the takes that it had begun are tried one by one, so that one bad recipe fails no others. A
    `MachineError` (a full disk, no memory) and every error of the store are raised: they concern the whole build, and
    the engine is not called again.
    """
    with _TakeStore(session, store, emit) as takes:
        maker = _TakeMaker(session, generator, source, takes)
        while not source.is_over:
            if session.redecodes:
                maker.redecode()
            else:
                maker.stream()


class _TakeMaker:
    """The orders of a session in progress: a `RecipeSource` for the engine, and what becomes of its outcomes."""

    def __init__(
        self, session: TakeSession, generator: Generator, source: OrderSource[TakeOrder], takes: _TakeStore
    ) -> None:
        self._session = session
        self._generator = generator
        self._source = source
        self._takes = takes
        self._lock = threading.Lock()
        self._pending: dict[str, TakeOrder] = {}
        """Orders that the engine has, by recipe digest."""
        self._audio: dict[str, Clip] = {}
        """Conditioning audio by its SHA-256."""
        self._open: set[str] = set()
        """Recipes that have a place of the engine."""
        self._given = 0
        """Orders that the engine has got so far."""
        self._last = time.monotonic()
        """When the last outcome came, or when the engine began a take while it had no other."""

    def next(self) -> Recipe | None:
        """See `RecipeSource.next`."""
        order = self._next_order()
        return None if order is None else order.recipe

    def begin(self, recipe: Recipe) -> None:
        """See `RecipeSource.begin`."""
        if not self._open:
            self._last = time.monotonic()
        self._open.add(recipe.digest)
        self._takes.emit(Began(recipe.digest))

    def end(self, recipe: Recipe) -> None:
        """See `RecipeSource.end`."""
        if recipe.digest in self._open:
            self._open.discard(recipe.digest)
            self._takes.emit(Freed(recipe.digest))

    def use_slots(self, count: int) -> None:
        """See `RecipeSource.use_slots`."""
        self._takes.emit(Slots(count))

    def stream(self) -> None:
        """Make takes until the engine breaks or the orders end."""
        before = self._given
        try:
            for digest, outcome in self._checked(self._streamed()):
                self._finish(digest, outcome)
        except _EngineError as error:
            _logger.warning(
                "engine %s broke: %s; its takes are tried one by one", self._session.engine, error
            )
        if self._given == before and not self._source.is_over:
            # The engine left the session without asking for a recipe.
            self._next_order()
        for order in list(self._pending.values()):
            self._make_alone(order)

    def redecode(self) -> None:
        """Make takes from the stored data of earlier ones; from the model where that is gone or damaged."""
        while (order := self._next_order()) is not None:
            earlier = _stored_take(self._takes.store, order)
            if earlier is None or not isinstance(self._generator, Redecoder):
                self._make_alone(order)
                continue
            self.begin(order.recipe)
            try:
                for digest, outcome in self._checked(_redecoded(self._generator, order.recipe, earlier)):
                    self._finish(digest, outcome)
            except _EngineError:
                self._make_alone(order)

    def _next_order(self) -> TakeOrder | None:
        """The next order whose conditioning audio is readable; the others fail."""
        with self._lock:
            while (order := self._source.next()) is not None:
                self._pending[order.recipe.digest] = order
                try:
                    self._load_audio(order)
                except UsageError as error:
                    self._finish(order.recipe.digest, str(error))
                else:
                    self._given += 1
                    return order
            return None

    def _streamed(self) -> Iterator[Outcome]:
        if isinstance(self._generator, Streaming):
            yield from self._generator.stream(self, self._audio)
            return
        size = self._generator.batch_size if isinstance(self._generator, Batching) else 1
        while (recipe := self.next()) is not None:
            batch = [recipe]
            while len(batch) < size and (another := self.next()) is not None:
                batch.append(another)
            for each in batch:
                self.begin(each)
            yield from self._generator.generate(batch, self._audio)
            unmade = [each for each in batch if each.digest in self._pending]
            if unmade:
                raise _EngineError(f"it gave no take for {len(unmade)} of {len(batch)} recipes")

    def _make_alone(self, order: TakeOrder) -> None:
        """Make one take; it fails when the engine breaks."""
        digest, name = order.recipe.digest, self._session.engine
        self.begin(order.recipe)
        reason = f"engine {name} gave no take for it; report this to the engine's makers"
        try:
            for made, outcome in self._checked(_generated(self._generator, order.recipe, self._audio)):
                self._finish(made, outcome)
        except _EngineError as error:
            reason = f"engine {name} broke: {error}"
        if digest in self._pending:
            self._finish(digest, reason)

    def _finish(self, digest: str, outcome: _UsableTake | str) -> None:
        order = self._pending.pop(digest)
        now = time.monotonic()
        took, self._last = now - self._last, now
        self.end(order.recipe)
        in_use = {ref.sha256 for other in list(self._pending.values()) for ref in other.inputs}
        for ref in order.inputs:
            if ref.sha256 not in in_use:
                self._audio.pop(ref.sha256, None)
        self._takes.put(order, outcome, took)
        self._source.finish()

    def _checked(self, outcomes: Iterator[Outcome]) -> Iterator[tuple[str, _UsableTake | str]]:
        """The engine's ``outcomes``, checked. Exceptions of the engine become `_EngineError`.

        Only the engine's work happens inside: exceptions of the code that receives an outcome do not pass here.
        """
        try:
            for recipe, outcome in outcomes:
                if recipe.digest not in self._pending:
                    raise _EngineError("it gave a take of an unknown recipe")
                yield recipe.digest, _usable(self._generator, outcome)
        except (_EngineError, MachineError, StoreError, VerificationError):
            raise
        except Exception as error:
            raise _EngineError(f"{type(error).__name__}: {error}") from error

    def _load_audio(self, order: TakeOrder) -> None:
        """Load the order's conditioning clips. Raises `UsageError` for an unusable file, and the store's errors."""
        for ref, (_, path) in zip(order.inputs, order.audio, strict=True):
            if ref.sha256 not in self._audio:
                data = self._takes.store.get(ref)
                try:
                    self._audio[ref.sha256] = read(data)
                except UsageError as error:
                    raise UsageError(f"{path}: {error}") from error


class _TakeStore:
    """Stores takes in a thread of its own, so that the engine need not wait for the disk."""

    def __init__(
        self, session: TakeSession, store: Store, emit: Callable[[Event | Freed | Slots], None]
    ) -> None:
        self.store = store
        self.emit = emit
        self._session = session
        self._thread = ThreadPoolExecutor(1, "store")
        self._running: deque[Future[None]] = deque()

    def __enter__(self) -> _TakeStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()
        if error is None:
            self._check(0)

    def put(self, order: TakeOrder, outcome: _UsableTake | str, took: float) -> None:
        """Store a take; an error is raised by a later call. Waits while many takes are being stored."""
        if isinstance(outcome, str):
            self.emit(Failed(order.recipe.digest, outcome))
        else:
            self._running.append(self._thread.submit(self._store, order, outcome, took))
        self._check(_STORED_AT_ONCE)

    def _check(self, limit: int) -> None:
        """Wait until at most ``limit`` takes are being stored; raise the error of one that could not be."""
        while self._running and (len(self._running) > limit or self._running[0].done()):
            self._running.popleft().result()

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
        self.emit(TakeMade(order.recipe.digest, usable.take.clip.seconds, took))

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
            model=model_facts(self._session.engine, order.requirements.model),
            made={
                "at": now(),
                "seconds": round(took, 3),
                "run": self._session.run,
                "prefect_run": self._session.prefect_run,
                "device": self._session.device,
                "software": usable.software,
            },
        )


def _redecoded(generator: Redecoder, recipe: Recipe, earlier: StoredTake) -> Iterator[Outcome]:
    try:
        yield recipe, generator.redecode(recipe, earlier)
    except GenerationError as error:
        yield recipe, error


def _generated(generator: Generator, recipe: Recipe, audio: Mapping[str, Clip]) -> Iterator[Outcome]:
    """As `Generator.generate`, which is called only when the first outcome is wanted."""
    yield from generator.generate([recipe], audio)


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
