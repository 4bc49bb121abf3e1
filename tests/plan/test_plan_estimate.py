"""Estimates of a build: over devices, with loading, for engines that know and for those that do not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quick import QuickProject

from pipeline.generators import Estimate, ModelInfo, Requirements
from pipeline.plan import (
    MASTERING,
    OVERHEAD,
    Plan,
    TakeOrder,
    estimate,
    mastering_seconds,
    record_speed,
    recorded_speeds,
)
from pipeline.plan.estimates import START_S, ModelEstimate, generation
from pipeline.recipe import Recipe

MODEL = ModelInfo("m", "1", "MIT", True, 48000, 1, False, True)
lengths = st.lists(st.tuples(st.sampled_from("ab"), st.floats(0.1, 60.0)), min_size=1, max_size=40)


def orders(items: Sequence[tuple[str, float]], engine: str = "toy") -> list[TakeOrder]:
    return [
        TakeOrder(
            Recipe(engine, "1", model, "1", "sfx", f"prompt {number}", cost, number),
            Requirements(MODEL, cost),
            (),
            cost,
        )
        for number, (model, cost) in enumerate(items)
    ]


def generate(
    items: Sequence[tuple[str, float]], devices: tuple[str, ...]
) -> tuple[float, list[ModelEstimate]]:
    """Seconds until the last take, and what each model takes."""
    loads, models = generation(orders(items), lambda name: devices, lambda engine, model, device: None)
    return loads[devices], models


class Knows:
    """An engine that takes 2 s to start, 5 s to load a model, and as long as the audio lasts."""

    def estimate(self, recipes: Sequence[Recipe], device: str) -> Estimate:
        return Estimate(sum(one.seconds for one in recipes), 5.0, 2.0, f"{device} as it was")


@given(lengths, st.integers(1, 6))
def test_an_engine_without_an_estimate_is_taken_at_its_costs_after_a_worker_has_started(
    items: list[tuple[str, float]], devices: int
) -> None:
    seconds, models = generate(items, ("cpu",) * devices)
    whole = sum(cost for _, cost in items)
    assert whole / devices + START_S - 1e-6 <= seconds <= whole + START_S + 1e-6
    starts = (sum(one.device_seconds for one in models) - whole) / START_S
    assert starts == pytest.approx(round(starts), abs=1e-4)
    assert 1 <= round(starts) <= devices
    assert {model.basis for model in models} == {"the engine's own figures"}


@given(lengths, st.tuples(st.sampled_from("ab"), st.floats(0.1, 60.0)))
def test_more_to_make_never_takes_less_on_one_device(
    items: list[tuple[str, float]], more: tuple[str, float]
) -> None:
    before, _ = generate(items, ("cpu",))
    assert generate([*items, more], ("cpu",))[0] >= before - 1e-9


def test_starting_and_loading_are_paid_once_a_worker_and_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.plan.estimates.find_engine", lambda name: Knows())
    seconds, _ = generate([("a", 10.0), ("a", 10.0), ("b", 10.0)], ("cuda:0",))
    assert seconds == pytest.approx(30 + 2 + 2 * 5)
    seconds, [model] = generate([("a", 10.0)] * 4, ("cuda:0", "cuda:1"))
    assert seconds == pytest.approx(20 + 2 + 5)
    assert (model.devices, model.takes) == (("cuda:0", "cuda:1"), 4)
    assert model.device_seconds == pytest.approx(40 + 2 * 7)
    assert model.basis == "cuda:0 as it was"


def test_nothing_to_make_takes_no_time() -> None:
    nothing = estimate(Plan(()), lambda name: (), ("cpu",)).to_json()
    assert nothing["models"] == []
    assert {value for key, value in nothing.items() if key != "models"} == {0.0}


def test_mastering_on_the_same_processes_adds_to_generating_and_on_others_runs_beside_it(
    tmp_path: Path,
) -> None:
    project = QuickProject(tmp_path / "toys")
    prepared = project.prepare()
    same = estimate(prepared.plan, lambda name: ("cpu", "cpu"), ("cpu", "cpu"))
    beside = estimate(prepared.plan, lambda name: ("cuda:0",), ("cpu", "cpu"))
    assert same.seconds == pytest.approx(same.generate_seconds + same.master_seconds + same.overhead_seconds)
    assert beside.seconds == pytest.approx(
        max(beside.generate_seconds, beside.master_seconds + START_S) + beside.overhead_seconds
    )


def test_mastering_takes_longer_with_length_channels_loops_and_lossy_files(tmp_path: Path) -> None:
    project = QuickProject(tmp_path / "toys")

    def seconds(count: int, keys: str) -> float:
        project.write(f"  - {{id: a, kind: sfx, prompt: a, variations: {count}, {keys}}}\n")
        return mastering_seconds(project.prepare().plan)

    short = seconds(10, "duration: 0.05s")
    assert seconds(20, "duration: 0.05s") == pytest.approx(2 * short)
    more = ["duration: 9s", "duration: 9s, channels: 2", "duration: 9s, channels: 2, loop: true"]
    more += [f"{more[-1]}, formats: [wav, {names}]" for names in ("ogg", "ogg, mp3")]
    growing = [short, *(seconds(10, keys) for keys in more)]
    assert growing == sorted(set(growing))
    assert seconds(10, f"{more[-1].replace('ogg, mp3', 'flac')}") == pytest.approx(growing[3])
    assert growing[1] > 2 * short, "a short sound costs little more than its files"


def test_a_build_teaches_the_estimate_of_the_next(tmp_path: Path) -> None:
    project = QuickProject(tmp_path / "toys")
    project.build()
    speed_of = recorded_speeds(project.store)
    for name in (MASTERING, OVERHEAD, ("toy", "toy")):
        assert speed_of(*name, "cpu") is not None, name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[" * 100_000,
        '{"schema": "cuesmith.take-speed/1", "taken": Infinity, "expected": 1, "at": ""}',
        '{"schema": "cuesmith.take-speed/1", "taken": "1", "expected": 1, "at": ""}',
        '{"schema": "cuesmith.take-speed/9"}',
    ],
)
def test_damaged_times_of_earlier_builds_count_as_none(tmp_path: Path, text: str) -> None:
    project = QuickProject(tmp_path / "toys")
    record_speed(project.store, "toy", "toy", "cpu", taken=2.0, expected=1.0)
    [path] = (project.outputs / "cache" / "speeds").iterdir()
    path.chmod(0o644)
    path.write_text(text)
    assert recorded_speeds(project.store)("toy", "toy", "cpu") is None
