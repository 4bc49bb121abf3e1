"""Lossy files: what they decode to keeps the ceiling, and no more is taken than that needs."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples

from pipeline.audio import Clip, read
from pipeline.delivery import encode, render
from pipeline.errors import MasteringError
from pipeline.mastering.limiter import limit
from pipeline.mastering.measure import measure


def loud(seed: int, rate: int = 48000, seconds: float = 0.7) -> Clip:
    random = np.random.default_rng(seed)
    wave = random.standard_normal((2, round(seconds * rate))) * random.uniform(0.2, 2.0)
    wave *= np.minimum(1, np.minimum(np.arange(wave.shape[1]), np.arange(wave.shape[1])[::-1]) / 240)
    return limit(Clip(wave.astype(np.float32), rate), -1.0).clip


@settings(max_examples=examples(8))
@given(seed=st.integers(0, 2**32), audio_format=st.sampled_from(["ogg", "opus", "mp3"]))
def test_decoded_true_peak_stays_under_the_ceiling(seed: int, audio_format: str) -> None:
    made = render(loud(seed), audio_format, ceiling_dbtp=-1.0)
    peak = measure(read(made.data)).true_peak_dbtp
    assert peak <= -1.0
    assert made.decoded_true_peak_dbtp == pytest.approx(peak)
    assert peak > -3.0


def test_the_check_is_needed() -> None:
    peaks = [measure(read(encode(loud(1), name))).true_peak_dbtp for name in ("ogg", "opus", "mp3")]
    assert max(peaks) > -1.0


def test_what_keeps_the_ceiling_is_encoded_once_and_as_it_is() -> None:
    quiet = Clip(loud(2).samples * np.float32(0.2), 48000)
    made = render(quiet, "ogg", ceiling_dbtp=-1.0)
    assert made.lowered_db == 0.0
    assert made.data == encode(quiet, "ogg")


@pytest.mark.parametrize("audio_format", ["wav", "flac"])
def test_lossless_files_are_not_lowered(audio_format: str) -> None:
    made = render(loud(3), audio_format, ceiling_dbtp=-20.0)
    assert (made.lowered_db, made.decoded_true_peak_dbtp) == (0.0, None)


def test_an_encoder_that_never_settles_is_an_error_with_a_remedy(monkeypatch) -> None:
    monkeypatch.setattr(sys.modules["pipeline.delivery.encode"], "true_peak", lambda *_, **__: 2.0)
    with pytest.raises(MasteringError, match="lower true_peak"):
        render(loud(4), "ogg", ceiling_dbtp=-1.0)
