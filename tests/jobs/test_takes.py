"""Making takes: inputs come from the store, and only what the engine does itself is the engine's failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.audio import Clip, wav_bytes
from pipeline.errors import CuesmithError, GenerationError, MachineError, StoreError, UsageError
from pipeline.generators import GeneratedTake, ModelInfo, Outcome, RecipeSource, Requirements
from pipeline.jobs import EndSession, Event, Failed, Give, TakeMade, TakeSession
from pipeline.jobs.orders import OrderSource
from pipeline.jobs.takes import make_takes
from pipeline.jobs.work_items import store_inputs
from pipeline.plan import TakeOrder
from pipeline.provenance import TAKE_SCHEMA
from pipeline.recipe import Recipe
from pipeline.store import ObjectRef, Store

MODEL = ModelInfo("fake", "1", "MIT", True, 48_000, 1, False, True)
SOUND = Clip(np.full((1, 4800), 0.25, np.float32), 48_000)


class Engine:
    """Gives the same sound for every recipe; counts the recipes that it was asked for."""

    def __init__(self, give: Callable[[Recipe], Any] = lambda recipe: GeneratedTake(SOUND)) -> None:
        self.give = give
        self.asked: list[int] = []
        self.heard: Mapping[str, Clip] = {}

    def generate(self, recipes: Sequence[Recipe], audio: Mapping[str, Clip]) -> Iterator[Outcome]:
        self.heard = dict(audio)
        for recipe in recipes:
            self.asked.append(recipe.seed)
            yield recipe, self.give(recipe)

    def software(self) -> Mapping[str, str]:
        return {}

    def close(self) -> None:
        pass


class FaultyStore(Store):
    """Refuses to write take records, with an error of any kind."""

    fault: Exception = OSError("never raised")

    def put_record(self, room: str, digest: str, record: Mapping[str, Any]) -> None:
        raise self.fault


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "outputs")


def _order(seed: int, audio: tuple[tuple[str, str], ...] = ()) -> TakeOrder:
    heard = {"melody": audio[0][0]} if audio else {}
    recipe = Recipe("fake", "1", "fake", "1", "sfx", "a click", 0.1, seed, {}, heard)
    return TakeOrder(recipe, Requirements(MODEL, 0.1), audio, 1.0)


def _make(store: Store, engine: Engine, orders: Sequence[TakeOrder]) -> list[Event]:
    messages: list[Give | EndSession] = [EndSession(), Give(tuple(orders))]
    source: OrderSource[TakeOrder] = OrderSource(messages.pop, lambda wants: None)
    events: list[Any] = []
    make_takes(TakeSession("cpu", "run", None, "fake"), engine, store, source, events.append)
    order = [one.recipe.digest for one in orders]
    outcomes = [event for event in events if isinstance(event, TakeMade | Failed)]
    return sorted(outcomes, key=lambda event: order.index(event.item))


def _sound_file(path: Path, level: float = 0.5) -> tuple[str, str]:
    data = wav_bytes(Clip(np.full((1, 4800), level, np.float32), 48_000), "16")
    path.write_bytes(data)
    return ObjectRef.of(data, ".wav").sha256, str(path)


@pytest.mark.parametrize(
    "name", ["Theme.WAV", "theme", "theme.wav", "theme.Wave-File", "theme.aVeryLongEnding"]
)
def test_a_file_of_any_name_is_stored_and_heard(name: str, store: Store, tmp_path: Path) -> None:
    audio = _sound_file(tmp_path / name)
    [order] = store_inputs([_order(1, (audio,))], store)
    engine = Engine()
    [event] = _make(store, engine, [order])
    assert isinstance(event, TakeMade)
    record: Any = store.get_record("takes", order.recipe.digest, TAKE_SCHEMA)
    [kept] = record["inputs"]
    assert store.get(ObjectRef.from_json(kept)) == (tmp_path / name).read_bytes()
    assert kept["suffix"] == (".wav" if name.lower().endswith(".wav") else ".bin")


@pytest.mark.parametrize("change", ["edited", "deleted"])
def test_a_file_that_changes_once_it_is_stored_changes_nothing(
    change: str, store: Store, tmp_path: Path
) -> None:
    audio = _sound_file(tmp_path / "theme.wav", level=0.5)
    orders = store_inputs([_order(1, (audio,))], store)
    if change == "edited":
        _sound_file(tmp_path / "theme.wav", level=0.1)
    else:
        (tmp_path / "theme.wav").unlink()
    engine = Engine()
    [event] = _make(store, engine, orders)
    assert isinstance(event, TakeMade)
    assert engine.heard[audio[0]].samples.max() == pytest.approx(0.5, abs=1e-3)


def test_inputs_are_in_the_store_before_anything_is_made(store: Store, tmp_path: Path) -> None:
    audio = _sound_file(tmp_path / "theme.wav")
    [first, second] = store_inputs([_order(1, (audio,)), _order(2, (audio,))], store)
    assert store.objects() == {audio[0]}
    assert first.inputs == second.inputs


def test_a_file_that_is_not_the_one_that_was_checked_stops_the_build(store: Store, tmp_path: Path) -> None:
    audio = _sound_file(tmp_path / "theme.wav", level=0.5)
    _sound_file(tmp_path / "theme.wav", level=0.1)
    with pytest.raises(UsageError, match=r"theme\.wav: changed after the manifest was read"):
        store_inputs([_order(1, (audio,))], store)
    (tmp_path / "theme.wav").unlink()
    with pytest.raises(UsageError, match=r"theme\.wav: cannot be read: .*; put the file back"):
        store_inputs([_order(1, (audio,))], store)


@pytest.mark.parametrize("fault", [StoreError("no"), MachineError("full"), KeyError("Code"), OSError("gone")])
def test_a_fault_of_the_store_is_no_fault_of_the_engine_and_repeats_nothing(
    fault: Exception, tmp_path: Path
) -> None:
    store = FaultyStore.open(tmp_path / "outputs")
    assert isinstance(store, FaultyStore)
    store.fault = fault
    engine = Engine()
    with pytest.raises(CuesmithError) as caught:
        _make(store, engine, [_order(1), _order(2), _order(3)])
    assert engine.asked == sorted(set(engine.asked))
    assert "engine" not in str(caught.value)


def test_a_damaged_input_in_the_store_is_no_fault_of_the_engine(store: Store, tmp_path: Path) -> None:
    audio = _sound_file(tmp_path / "theme.wav")
    orders = store_inputs([_order(1, (audio,))], store)
    path = store.path(orders[0].inputs[0])
    assert path is not None
    path.unlink()
    engine = Engine()
    with pytest.raises(StoreError, match="verify"):
        _make(store, engine, orders)
    assert engine.asked == []


def _break_on_two(recipe: Recipe) -> GeneratedTake:
    if recipe.seed == 2:
        raise RuntimeError("out of tune")
    return GeneratedTake(SOUND)


def test_an_engine_that_breaks_on_one_recipe_makes_the_others(store: Store) -> None:
    events = _make(store, Engine(_break_on_two), [_order(1), _order(2), _order(3)])
    assert [type(event) for event in events] == [TakeMade, Failed, TakeMade]
    assert str(getattr(events[1], "reason")) == "engine fake broke: RuntimeError: out of tune"  # noqa: B009


@pytest.mark.parametrize(
    "given",
    [
        None,
        "a sound",
        GeneratedTake(SOUND, attachments={"codes": "text"}),  # type: ignore[dict-item]
        GeneratedTake(SOUND, notes={"at": object()}),
    ],
)
def test_what_is_no_take_is_the_engines_failure(given: Any, store: Store) -> None:
    [event] = _make(store, Engine(lambda recipe: given), [_order(1)])
    assert isinstance(event, Failed)
    assert event.reason.startswith("engine fake broke: ")


def test_a_recipe_that_fails_says_why(store: Store) -> None:
    [event] = _make(store, Engine(lambda recipe: GenerationError("change the prompt")), [_order(1)])
    assert event == Failed(_order(1).recipe.digest, "change the prompt")


class Clock:
    """Replaces the module ``time``: tells `now`."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


class TimedEngine(Engine):
    """Loads a model for 100 s, then makes two takes side by side, which end after 3 and after 5 s, and one alone."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def stream(self, source: RecipeSource, audio: Mapping[str, Clip]) -> Iterator[Outcome]:
        first, second = source.next(), source.next()
        assert first is not None
        assert second is not None
        self.clock.now += 100
        source.begin(first)
        source.begin(second)
        self.clock.now += 3
        yield first, GeneratedTake(SOUND)
        self.clock.now += 2
        yield second, GeneratedTake(SOUND)
        third = source.next()
        assert third is not None
        self.clock.now += 60
        source.begin(third)
        self.clock.now += 7
        yield third, GeneratedTake(SOUND)


def test_takes_took_what_the_engine_worked_on_them_without_loading_and_waiting(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("pipeline.jobs.takes.time", clock)
    outcomes = _make(store, TimedEngine(clock), [_order(seed) for seed in range(3)])
    assert [outcome.took for outcome in outcomes if isinstance(outcome, TakeMade)] == [3.0, 2.0, 7.0]
