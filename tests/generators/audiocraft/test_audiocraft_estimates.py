"""How long takes keep a device busy: the properties of the arithmetic."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.generators import Estimator
from pipeline.generators.audiocraft import estimates
from pipeline.generators.audiocraft.engine import ENGINE
from pipeline.generators.audiocraft.models import BY_ID
from pipeline.recipe import Recipe

MODELS = [
    "facebook/musicgen-small",
    "facebook/musicgen-large",
    "facebook/musicgen-style",
    "facebook/audiogen-medium",
    "facebook/magnet-small-10secs",
]
seconds = st.floats(0.1, 10.0)


def asked(model: str, length: float, number: int = 0, text: float | None = None) -> Recipe:
    """``text``: how much more than a style the text counts; None without a style."""
    settings = {} if text is None else {"cfg_text": text}
    heard = {} if text is None else {"style": "song"}
    return Recipe("audiocraft", "1", model, "1", "music", "calm", length, number, settings, heard)


@given(
    st.sampled_from(MODELS),
    st.sampled_from(["cuda", "cpu", "mps"]),
    st.lists(seconds, min_size=1, max_size=80),
    seconds,
)
def test_one_more_take_or_a_longer_one_never_takes_less_time(
    model: str, kind: str, lengths: list[float], more: float
) -> None:
    table = BY_ID[model]
    slots = estimates.slot_count(table, kind)

    def busy(found: list[float]) -> float:
        styles = (None, 5.0) if model == "facebook/musicgen-style" else (None,)
        recipes = [asked(model, one, place, styles[place % len(styles)]) for place, one in enumerate(found)]
        return estimates.busy_seconds(table, recipes, kind, slots)

    before = busy(lengths)
    assert before > 0
    assert busy([*lengths, more]) >= before
    assert busy([lengths[0] + more, *lengths[1:]]) >= before


@given(st.lists(seconds, min_size=64, max_size=120))
def test_full_slots_take_about_the_sum_of_the_takes_shares(lengths: list[float]) -> None:
    """So that devices, which get the costliest takes first, end together."""
    table = BY_ID["facebook/musicgen-medium"]
    recipes = [asked(table.id, one, place) for place, one in enumerate(lengths)]
    whole = estimates.busy_seconds(table, recipes, "cuda", 8)
    parts = sum(estimates.seconds_per_take(table, one, "cuda") for one in recipes)
    assert parts * 0.9 <= whole
    larger = BY_ID["facebook/musicgen-large"]
    assert estimates.busy_seconds(larger, recipes, "cuda", 8) > whole


@pytest.mark.parametrize(("kind", "least"), [("cuda", 1.01), ("cpu", 1.3)])
def test_a_style_that_is_guided_twice_takes_three_rows_and_a_session_of_its_own(
    kind: str, least: float
) -> None:
    """On CUDA reading the weights hides the products of the third row; what is read of the past is half more."""
    table = BY_ID["facebook/musicgen-style"]
    slots = estimates.slot_count(table, kind)
    plain, alike, twice = (
        [asked(table.id, 10.0, place, text) for place in range(slots)] for text in (None, 1.0, 5.0)
    )
    assert [estimates.branch_count(one[0]) for one in (plain, alike, twice)] == [2, 2, 3]
    assert estimates.seconds_per_take(table, alike[0], kind) == estimates.seconds_per_take(
        table, plain[0], kind
    )
    assert (
        least
        < estimates.seconds_per_take(table, twice[0], kind)
        / estimates.seconds_per_take(table, plain[0], kind)
        < 1.5
    )
    two, three = (estimates.busy_seconds(table, one, kind, slots) for one in (plain, twice))
    assert least < three / two < 1.5
    assert estimates.busy_seconds(table, [*plain, *twice], kind, slots) == pytest.approx(two + three)
    assert estimates._past_position_seconds(table, kind, 3) == pytest.approx(
        1.5 * estimates._past_position_seconds(table, kind, 2)
    )


def test_beyond_the_window_every_pass_counts() -> None:
    table = BY_ID["facebook/audiogen-medium"]
    long = replace(asked(table.id, 14.0), settings={"stride_s": 2.0})
    assert estimates.passes_of(table, long) == [(0, 503), (400, 503), (400, 503)]
    assert estimates.seconds_per_take(table, long, "cuda") > 1.4 * estimates.seconds_per_take(
        table, asked(table.id, 10.0), "cuda"
    )


@pytest.mark.parametrize(
    ("size", "slots", "position", "milliseconds"),
    [
        ("small", 32, 387, 1.71),
        ("small", 32, 750, 2.38),
        ("medium", 32, 75, 3.03),
        ("medium", 32, 387, 4.66),
        ("medium", 32, 750, 6.34),
        ("medium", 128, 387, 11.5),
        ("large", 32, 75, 3.68),
        ("large", 32, 387, 5.71),
        ("large", 32, 750, 8.00),
    ],
)
def test_the_arithmetic_on_cuda_gives_the_steps_that_an_h200_took(
    size: str, slots: int, position: int, milliseconds: float
) -> None:
    """The figures of docs/decoding.md."""
    table = BY_ID[f"facebook/musicgen-{size}"]
    step = estimates._step_seconds(
        table, "cuda", slots, 2
    ) + slots * position * estimates._past_position_seconds(table, "cuda", 2)
    assert 1e3 * step == pytest.approx(milliseconds, rel=0.04)


def test_the_estimate_says_that_it_is_arithmetic_and_includes_the_start() -> None:
    assert isinstance(ENGINE, Estimator)
    recipes = [asked("facebook/musicgen-small", 3.0, place) for place in range(3)]
    table = BY_ID["facebook/musicgen-small"]
    for device, kind in (("cpu", "cpu"), ("cuda:1", "cuda")):
        estimate = ENGINE.estimate(recipes, device)
        slots = estimates.slot_count(table, kind)
        assert estimate.seconds == estimates.busy_seconds(table, recipes, kind, slots)
        assert estimate.load_seconds == estimates.load_seconds(table)
        assert estimate.start_seconds == estimates.START_S
        assert estimate.basis == "arithmetic, no build on this machine yet"
