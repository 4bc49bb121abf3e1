"""Rates: lengths are exact, tones stay tones, loops still wrap."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples

from pipeline.audio import Clip, resample, resample_loop

RATES = [16000, 22050, 32000, 44100, 48000, 96000]


@settings(max_examples=examples(40))
@given(length=st.integers(1, 3000), rate=st.sampled_from(RATES), new=st.sampled_from(RATES))
def test_length_follows_the_rate(length: int, rate: int, new: int) -> None:
    clip = resample(Clip(np.ones((2, length), np.float32), rate), new)
    assert (clip.channels, clip.length, clip.rate) == (2, round(length * new / rate), new)


def test_a_tone_keeps_pitch_level_and_place() -> None:
    there = np.sin(2 * np.pi * 1000 * np.arange(32000) / 32000 + 0.3)
    here = np.sin(2 * np.pi * 1000 * np.arange(48000) / 48000 + 0.3)
    converted = resample(Clip(there[None].astype(np.float32), 32000), 48000).samples[0]
    assert np.abs(converted[500:-500] - here[500:-500]).max() < 1e-4


def test_the_same_rate_is_the_same_clip() -> None:
    clip = Clip(np.ones((1, 5), np.float32), 48000)
    assert resample(clip, 48000) is clip


@pytest.mark.parametrize(
    ("length", "rate", "new"), [(32000, 32000, 48000), (31999, 32000, 48000), (777, 44100, 48000)]
)
def test_a_loop_of_whole_periods_is_still_one_after_resampling(length: int, rate: int, new: int) -> None:
    cycles = 7
    tone = np.sin(2 * np.pi * cycles * np.arange(length) / length).astype(np.float32)
    converted = resample_loop(Clip(tone[None], rate), new)
    expected = np.sin(2 * np.pi * cycles * np.arange(converted.length) / converted.length)
    assert converted.length == round(length * new / rate)
    assert np.abs(converted.samples[0] - expected).max() < 1e-4
