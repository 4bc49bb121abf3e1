"""Fade curves, stereo width, folding to mono and exact lengths, each with what the record says of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mastering_signals import RATE, coloured_noise

from pipeline.audio import Clip
from pipeline.manifest.spec import MasteringSpec
from pipeline.mastering.edits import ramp
from pipeline.mastering.shape import TakeInput, shape

SFX = MasteringSpec(-18.0, -1.0, RATE, 2, 3.0, False, None, True, 0.0, 0.01)
CURVES = ["s_curve", "linear", "equal_power", "exponential"]


@pytest.mark.parametrize("curve", CURVES)
def test_every_curve_rises_from_nothing_to_all_and_never_falls(curve: str) -> None:
    gain = ramp(9999, curve)
    assert gain[0] < 0.001
    assert gain[-1] > 0.999
    assert (np.diff(gain) > 0).all()


def test_curves_are_what_their_names_say() -> None:
    equal, s_curve, exponential = ramp(999, "equal_power"), ramp(999), ramp(999, "exponential")
    assert np.allclose(equal**2 + equal[::-1] ** 2, 1.0)
    assert np.allclose(s_curve + s_curve[::-1], 1.0)
    assert np.diff(s_curve)[[0, -1]].max() < 0.01 * np.diff(s_curve).max()
    assert exponential[499] == pytest.approx(10 ** (-30 / 20), rel=0.05)


@pytest.mark.parametrize("curve", CURVES)
def test_the_curve_that_is_asked_for_is_the_one_made_and_reported(curve: str) -> None:
    take = Clip(np.full((2, 4 * RATE), 0.5, np.float32) * np.array([[1], [-1]], np.float32), RATE)
    spec = replace(SFX, trim=False, fade_in_s=1.0, fade_out_s=1.0, fade_curve=curve)
    take.samples[:, ::2] *= -1
    made = shape(TakeInput(take), spec)
    level = np.abs(made.clip.samples[0]) / 0.5
    assert np.allclose(level[:RATE], ramp(RATE, curve), atol=1e-4)
    assert next(step for step in made.steps if step["step"] == "fade")["curve"] == curve


@pytest.mark.parametrize("width", [0.0, 0.5, 2.0])
def test_width_moves_the_side_and_leaves_what_mono_hears(width: float) -> None:
    take = coloured_noise(3, 1.0, 2)
    plain, wide = (shape(TakeInput(take), replace(SFX, width=one)) for one in (1.0, width))
    assert np.allclose(wide.clip.samples.sum(axis=0), plain.clip.samples.sum(axis=0), atol=1e-6)
    sides = [one.clip.samples[0] - one.clip.samples[1] for one in (plain, wide)]
    assert np.allclose(sides[1], width * sides[0], atol=1e-6)
    assert {"step": "width", "side_gain": width} in wide.steps


def test_folding_tells_what_it_left_of_the_level() -> None:
    take = coloured_noise(4, 1.0, 2)
    (step,) = [
        one for one in shape(TakeInput(take), replace(SFX, channels=1)).steps if one["step"] == "channels"
    ]
    assert step["how"] == "averaged"
    assert step["level_db"] == pytest.approx(-3.0, abs=0.7)


def test_partly_cancelling_channels_never_fade_away_when_folded() -> None:
    wave = coloured_noise(5, 1.0, 1).samples
    for turn in np.linspace(0.6, 1.0, 9):
        clip = Clip(np.concatenate([wave, -np.float32(turn) * wave]), RATE)
        made = shape(TakeInput(clip), replace(SFX, channels=1))
        assert np.square(made.clip.samples).mean() > 0.09 * np.square(clip.samples).mean()


def test_an_exact_effect_is_filled_up_to_the_sample() -> None:
    take = Clip(np.pad(coloured_noise(6, 0.7, 2).samples, ((0, 0), (500, 9000))), RATE)
    short, exact = (shape(TakeInput(take), replace(SFX, exact=one)) for one in (False, True))
    assert short.clip.length < 1.2 * RATE
    assert exact.clip.length == 3 * RATE
    assert not exact.clip.samples[:, 2 * RATE :].any()
