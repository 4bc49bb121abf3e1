"""The measurement record: what exists is a number, what does not is None, and the method is named."""

import json

import numpy as np
import pytest
from mastering_signals import RATE, coloured_noise, joined, silence, tone

from pipeline.audio import Clip
from pipeline.errors import MasteringError
from pipeline.mastering.measure import measure


def test_silence_has_no_levels_and_is_valid_json() -> None:
    measured = measure(silence(1.0))
    assert measured.integrated_lufs is None
    assert measured.momentary_max_lufs is None
    assert measured.true_peak_dbtp is None
    assert measured.crest_db is None
    assert measured.leading_silence_s == measured.trailing_silence_s == 1.0
    json.dumps(measured.to_json(), allow_nan=False)


@pytest.mark.parametrize("seconds", [0.0, 1 / RATE, 0.01, 0.05, 0.399, 0.4, 2.999, 3.0])
def test_any_length_can_be_measured(seconds: float) -> None:
    clip = Clip(coloured_noise(1, 3.0, 2).samples[:, : round(seconds * RATE)], RATE)
    measured = measure(clip)
    json.dumps(measured.to_json(), allow_nan=False)
    assert (measured.short_term_max_lufs is None) == (seconds < 3)
    assert ("one ungated 400 ms block" in measured.method) == (seconds < 0.4)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("level", [1e30, 3e38])
def test_the_largest_numbers_of_float32_are_measured_as_numbers(level: float) -> None:
    measured = measure(Clip(np.full((1, RATE), level, np.float32), RATE))
    json.dumps(measured.to_json(), allow_nan=False)
    assert measured.dc_offset == pytest.approx(level, rel=1e-5)
    assert measured.crest_db == pytest.approx(0.0, abs=1e-4)


def test_below_400_ms_the_sound_is_measured_in_one_block_filled_with_silence() -> None:
    measured = measure(tone(0.1, -10))
    padded = measure(joined(tone(0.1, -10), silence(0.3)))
    assert measured.integrated_lufs == pytest.approx(padded.integrated_lufs, abs=0.01)
    assert measured.integrated_lufs == pytest.approx(-10 - 6.02, abs=0.1)


def test_silence_at_the_ends_and_dc_are_found() -> None:
    measured = measure(joined(silence(0.25, 1), tone(1.0, -10, 1), silence(0.5, 1)))
    assert measured.leading_silence_s == pytest.approx(0.25, abs=0.001)
    assert measured.trailing_silence_s == pytest.approx(0.5, abs=0.001)
    offset = Clip(tone(1.0, -10, 2).samples + np.array([[0.01], [-0.05]], np.float32), RATE)
    assert measure(offset).dc_offset == pytest.approx(-0.05, abs=1e-4)


def test_a_sine_has_three_decibels_of_crest() -> None:
    assert measure(tone(1.0, -6)).crest_db == pytest.approx(3.01, abs=0.01)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_with_a_remedy(bad: float) -> None:
    clip = tone(0.5, -10)
    clip.samples[1, 77] = bad
    with pytest.raises(MasteringError, match="generate or export it again"):
        measure(clip)


def test_nine_channels_are_refused() -> None:
    with pytest.raises(MasteringError, match=r"7\.1"):
        measure(Clip(np.zeros((9, 100), np.float32), RATE))
