"""Estimates of a build: over devices, with loading, for engines that know and for those that do not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.generators import Estimate, ModelInfo, Requirements
from pipeline.plan import TakeOrder, estimate
from pipeline.plan.estimates import START_S
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


class Knows:
    """An engine that takes 2 s to start, 5 s to load a model, and as long as the audio lasts."""

    def estimate(self, recipes: Sequence[Recipe], device: str) -> Estimate:
        return Estimate(sum(one.seconds for one in recipes), 5.0, 2.0, f"{device} as it was")


@given(lengths, st.integers(1, 6))
def test_an_engine_without_an_estimate_is_taken_at_its_costs_after_a_worker_has_started(
    items: list[tuple[str, float]], devices: int
) -> None:
    found = estimate(orders(items), lambda name: ("cpu",) * devices)
    whole = sum(cost for _, cost in items)
    assert whole / devices + START_S - 1e-6 <= found.seconds <= whole + START_S + 1e-6
    starts = (sum(one.device_seconds for one in found.models) - whole) / START_S
    assert starts == pytest.approx(round(starts), abs=1e-4)
    assert 1 <= round(starts) <= devices
    assert found.basis == "the engine's own figures"


@given(lengths, st.tuples(st.sampled_from("ab"), st.floats(0.1, 60.0)))
def test_more_to_make_never_takes_less_on_one_device(
    items: list[tuple[str, float]], more: tuple[str, float]
) -> None:
    before = estimate(orders(items), lambda name: ("cpu",)).seconds
    assert estimate(orders([*items, more]), lambda name: ("cpu",)).seconds >= before - 1e-9


def test_starting_and_loading_are_paid_once_a_worker_and_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.plan.estimates.find_engine", lambda name: Knows())
    one = estimate(orders([("a", 10.0), ("a", 10.0), ("b", 10.0)]), lambda name: ("cuda:0",))
    assert one.seconds == pytest.approx(30 + 2 + 2 * 5)
    two = estimate(orders([("a", 10.0)] * 4), lambda name: ("cuda:0", "cuda:1"))
    assert two.seconds == pytest.approx(20 + 2 + 5)
    [model] = two.models
    assert (model.devices, model.takes) == (("cuda:0", "cuda:1"), 4)
    assert model.device_seconds == pytest.approx(40 + 2 * 7)
    assert two.to_json()["models"][0]["basis"] == "cuda:0 as it was"


def test_nothing_to_make_takes_no_time() -> None:
    assert estimate([], lambda name: ()).to_json() == {"seconds": 0.0, "models": []}
