"""Loudness against EBU Tech 3341 and 3342, pyloudnorm and ffmpeg."""

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mastering_signals import RATE, coloured_noise, joined, silence, tone
from properties import examples

from pipeline.audio import Clip
from pipeline.mastering.measure import measure


@pytest.mark.parametrize("level", [-23, -33])
def test_tech_3341_cases_1_and_2_a_steady_tone_reads_its_level_on_every_scale(level: int) -> None:
    measured = measure(tone(20, level))
    for value in (measured.integrated_lufs, measured.momentary_max_lufs, measured.short_term_max_lufs):
        assert value == pytest.approx(level, abs=0.1)


CASES = {
    "3": [(10, -36), (60, -23), (10, -36)],
    "4": [(10, -72), (10, -36), (60, -23), (10, -36), (10, -72)],
    "5": [(20, -26), (20.1, -20), (20, -26)],
}


@pytest.mark.parametrize("case", CASES)
def test_tech_3341_gating_cases_read_minus_23(case: str) -> None:
    measured = measure(joined(*(tone(seconds, level) for seconds, level in CASES[case])))
    assert measured.integrated_lufs == pytest.approx(-23.0, abs=0.1)


def test_tech_3341_case_6_five_channels_are_weighted() -> None:
    levels = [-28, -28, -24, -30, -30]
    clip = Clip(np.concatenate([tone(20, level, 1).samples for level in levels]), RATE)
    assert measure(clip).integrated_lufs == pytest.approx(-23.0, abs=0.1)


def test_lfe_is_not_heard_and_surrounds_are_raised() -> None:
    one = tone(2, -20, 1).samples

    def alone(place: int, channels: int) -> float | None:
        samples = np.zeros((channels, one.shape[1]), np.float32)
        samples[place] = one[0]
        return measure(Clip(samples, RATE)).integrated_lufs

    front = alone(0, 8)
    assert alone(3, 8) is None
    assert alone(4, 8) == pytest.approx(front + 10 * np.log10(1.41))
    assert alone(6, 8) == pytest.approx(front + 10 * np.log10(1.41))
    assert alone(4, 6) == pytest.approx(front + 10 * np.log10(1.41))


def test_tech_3341_case_9_short_term_stays_at_minus_23() -> None:
    measured = measure(joined(*[part for _ in range(5) for part in (tone(1.34, -20), tone(1.66, -30))]))
    assert measured.short_term_max_lufs == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("step", [0, 1, 7, 13, 19])
def test_tech_3341_case_10_short_term_maximum_wherever_the_tone_starts(step: int) -> None:
    measured = measure(joined(silence(step * 0.15), tone(3, -23), silence(1)))
    assert measured.short_term_max_lufs == pytest.approx(-23.0, abs=0.1)


def test_tech_3341_case_12_momentary_stays_at_minus_23() -> None:
    measured = measure(joined(*[part for _ in range(25) for part in (tone(0.18, -20), tone(0.22, -30))]))
    assert measured.momentary_max_lufs == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("step", range(20))
def test_tech_3341_case_13_momentary_maximum_wherever_the_tone_starts(step: int) -> None:
    measured = measure(joined(silence(step * 0.02), tone(0.4, -23), silence(1)))
    assert measured.momentary_max_lufs == pytest.approx(-23.0, abs=0.1)


RANGES = {10: (-20, -30), 5: (-20, -15), 20: (-40, -20), 15: (-50, -35, -20, -35, -50)}


@pytest.mark.parametrize("expected", RANGES)
def test_tech_3342_cases_1_to_4_read_their_range(expected: int) -> None:
    measured = measure(joined(*(tone(20, level) for level in RANGES[expected])))
    assert measured.loudness_range_lu == pytest.approx(expected, abs=1)


@settings(max_examples=examples(12))
@given(
    seed=st.integers(0, 2**32),
    tenths=st.integers(4, 45),
    channels=st.integers(1, 5),
    rate=st.sampled_from([32000, 44100, 48000, 96000]),
)
def test_integrated_loudness_is_pyloudnorms(seed: int, tenths: int, channels: int, rate: int) -> None:
    clip = coloured_noise(seed, tenths / 10, channels, rate)
    order = [0, 1, 2, 3, 4] if channels == 5 else list(range(channels))
    theirs = clip.samples[order].T.astype(np.float64)
    if channels == 4:
        theirs = np.insert(theirs, 2, 0.0, axis=1)
    expected = pyloudnorm.Meter(rate, filter_class="DeMan").integrated_loudness(theirs)
    assert measure(clip).integrated_lufs == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("seed", range(6))
def test_ffmpeg_ebur128_agrees(seed: int, ffmpeg_meter) -> None:
    quiet = coloured_noise(seed, 20.0, 1 + seed % 2, [48000, 44100, 32000][seed % 3])
    clip = Clip(quiet.samples * np.float32(0.9 / np.abs(quiet.samples).max()), quiet.rate)
    theirs, ours = ffmpeg_meter(clip), measure(clip)
    assert ours.integrated_lufs == pytest.approx(theirs["integrated"], abs=0.05)
    assert ours.loudness_range_lu == pytest.approx(theirs["range"], abs=0.1)
    assert -0.02 <= ours.momentary_max_lufs - theirs["momentary_max"] <= 0.3
    assert ours.true_peak_dbtp == pytest.approx(theirs["true_peak"], abs=0.2)


@given(decibels=st.floats(-30, 10))
@settings(max_examples=examples(10))
def test_a_gain_moves_loudness_by_itself(decibels: float) -> None:
    clip = tone(3.2, -20)
    louder = Clip((clip.samples * 10 ** (decibels / 20)).astype(np.float32), RATE)
    assert measure(louder).integrated_lufs == pytest.approx(
        measure(clip).integrated_lufs + decibels, abs=1e-4
    )
