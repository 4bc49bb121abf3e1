"""The gain of a group: the limiter estimate is close, and few sounds are limited more than once."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mastering_signals import RATE, coloured_noise, joined, silence, tone
from properties import examples
from test_master import LOOP, SFX, burst, good

from pipeline.audio import Clip
from pipeline.mastering import gain
from pipeline.mastering.chain import master
from pipeline.mastering.gain import GainInput, measure_levels
from pipeline.mastering.limiter import limit
from pipeline.mastering.shape import Shaped, TakeInput


def sounds(seed: int, kind: str, channels: int) -> Clip:
    if kind == "noise":
        return coloured_noise(seed, 1.5, channels)
    hits = [burst(seed + place, 0.4, -3.0 * place) for place in range(4)]
    mono = joined(*hits) if kind == "hits" else joined(hits[0], silence(0.3, 1), tone(0.6, -9.0, 1))
    return Clip(np.repeat(mono.samples, channels, axis=0), RATE)


def test_the_estimate_is_near_what_the_limiter_leaves() -> None:
    losses, errors = [], []
    for seed in range(60):
        clip = sounds(seed, ("noise", "hits", "hit and tone")[seed % 3], 1 + seed % 2)
        levels = measure_levels(clip, None)
        gain_db = seed % 12 / 2 - 1.0 - 20 * np.log10(levels.peaks.true)
        estimated = GainInput(Shaped(clip, None), levels).estimated_levels(gain_db, -1.0)
        raised = Clip(clip.samples * np.float32(10 ** (gain_db / 20)), RATE)
        really = measure_levels(limit(raised, -1.0).clip, None)
        losses.append(levels.by("momentary") + gain_db - really.by("momentary"))
        errors.append(estimated.by("momentary") - really.by("momentary"))
        assert estimated.by("peak") == pytest.approx(really.by("peak"), abs=0.1)
    assert np.mean(losses) > 0.8
    assert np.mean(np.abs(errors)) < np.mean(losses) / 6
    assert np.max(np.abs(errors)) < 1.0


def test_the_estimate_is_exact_where_nothing_is_limited() -> None:
    clip = burst(1)
    estimate = GainInput(Shaped(clip, None), measure_levels(clip, None))
    assert not estimate.is_limited(-6.0, -1.0)
    assert estimate.estimated_levels(-6.0, -1.0).by("momentary") == estimate.levels.by("momentary") - 6.0


def test_few_sounds_are_limited_more_than_once(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter_calls = []
    original = gain.limit_looped
    monkeypatch.setattr(gain, "limit_looped", lambda *call: limiter_calls.append(call) or original(*call))
    made = [
        good(master([TakeInput(burst(seed))], replace(SFX, loudness_lufs=target)))[0]
        for seed in range(30)
        for target in (-24.0, -22.0, -20.0, -18.0)
    ]
    limited = [one for one in made if one.limited_db]
    assert len(limited) > 20
    assert len(limiter_calls) < 1.5 * len(limited)


@given(seed=st.integers(0, 2**32), target=st.floats(-26.0, -14.0))
@settings(max_examples=examples(10))
def test_a_limited_group_reaches_its_target_together(seed: int, target: float) -> None:
    takes = [TakeInput(burst(seed + place, 0.5, level)) for place, level in enumerate((0.0, -2.0, -4.0))]
    made = good(master(takes, replace(SFX, loudness_lufs=target)))
    assume(max(one.limited_db for one in made) < 5.5)
    powers = [10 ** (one.measured.momentary_max_lufs / 10) for one in made]
    assert 10 * np.log10(np.mean(powers)) == pytest.approx(target, abs=0.11)


@pytest.mark.parametrize("target", [-18.0, -12.0, -8.0])
def test_a_click_is_never_squeezed_for_loudness_that_no_peak_can_have(target: float) -> None:
    spec = replace(SFX, loudness_lufs=target)
    (made,) = good(master([TakeInput(tone(0.02, -30, 1))], spec))
    assert made.limited_db < 0.02
    assert made.deviation is None
    assert made.measured.true_peak_dbtp == pytest.approx(min(-1.3, target + 12.0), abs=0.01)


def test_a_loop_into_the_limiter_reaches_its_target() -> None:
    spec = replace(LOOP, loudness_lufs=-12.0, bpm=120.0)
    (made,) = good(master([TakeInput(coloured_noise(3, 10.0, 2))], spec))
    assert made.limited_db > 0.0
    assert made.measured.integrated_lufs == pytest.approx(-12.0, abs=0.11) or made.deviation
