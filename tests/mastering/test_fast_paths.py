"""Quick ways equal plain ones: block filtering, bounded interpolation, packing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mastering_signals import RATE, coloured_noise, tone
from properties import examples
from scipy.signal import sosfilt

from pipeline.audio import Clip, pcm_bytes, resample
from pipeline.audio.decibel import amplitude
from pipeline.audio.dither import quantise
from pipeline.mastering.limiter import apply_gain, limit
from pipeline.mastering.loudness import binned_energy, k_weighting
from pipeline.mastering.measure import channel_means, measure, silence_ends
from pipeline.mastering.true_peak import (
    _BOXES,
    TAPS,
    curvature_response,
    overs,
    oversampling,
    padded,
    peaks,
    sample_peak,
    taps,
    true_peak,
)

SIGNALS = {
    "white": lambda random, length: random.standard_normal(length),
    "rumble": lambda random, length: np.cumsum(random.standard_normal(length)) * 0.01,
    "offset": lambda random, length: 0.5 + 1e-3 * random.standard_normal(length),
    "tone": lambda random, length: np.sin(np.arange(length) * random.uniform(0.001, 3.1)),
    "clicks": lambda random, length: (random.random(length) > 0.99) * random.uniform(-1, 1, length),
    "square": lambda random, length: np.sign(np.sin(np.arange(length) * random.uniform(0.001, 3.0))),
}
signals = st.builds(
    lambda kind, seed, length: SIGNALS[kind](np.random.default_rng(seed), length).astype(np.float32),
    st.sampled_from(sorted(SIGNALS)),
    st.integers(0, 2**32),
    st.integers(1, 30_000),
)


@settings(max_examples=examples(30))
@given(wave=signals, rate=st.sampled_from([8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000]))
def test_block_filtering_is_the_recursive_filter(wave: np.ndarray, rate: int) -> None:
    weighted = np.square(sosfilt(k_weighting(rate), wave.astype(np.float64)))
    bins = -(-len(wave) * 100 // rate)
    expected = np.add.reduceat(weighted, np.arange(bins) * rate // 100)
    energy = binned_energy(wave, rate)
    assert energy == pytest.approx(expected, rel=1e-4, abs=1e-5 * expected.max() + 1e-12)
    assert energy.sum() == pytest.approx(expected.sum(), rel=1e-5, abs=1e-12)


def between(wave: np.ndarray, rate: int, circular: bool) -> np.ndarray:
    """Highest magnitude from each sample up to the next, every place interpolated."""
    windows = np.lib.stride_tricks.sliding_window_view(padded(wave, circular).astype(np.float64), TAPS)
    times = oversampling(rate)
    values = [np.abs(windows[: len(wave)] @ taps(part / times)) for part in range(1, times)]
    return np.max([np.abs(wave), *values], axis=0)


@settings(max_examples=examples(30))
@given(
    wave=signals,
    rate=st.sampled_from([16_000, 44_100, 48_000, 96_000]),
    circular=st.booleans(),
    share=st.floats(0.3, 1.0),
)
def test_bounds_hide_no_peak(wave: np.ndarray, rate: int, circular: bool, share: float) -> None:
    everything = between(wave, rate, circular)
    clip = Clip(wave[None], rate)
    assert true_peak(clip, circular=circular) == pytest.approx(everything.max(), rel=1e-6)
    floor = float(everything.max()) * share * (1 - 1e-5)
    places, height = overs(clip, floor, circular=circular)
    clear = np.abs(everything - floor) > 1e-5 * floor
    assert set(np.flatnonzero((everything > floor) & clear)) <= set(places)
    assert height == pytest.approx(everything[places], rel=1e-5)


@settings(max_examples=examples(30))
@given(
    wave=signals, other=signals, rate=st.sampled_from([44_100, 48_000, 192_000]), share=st.floats(0.3, 1.0)
)
def test_overs_of_two_channels_are_those_of_the_higher(
    wave: np.ndarray, other: np.ndarray, rate: int, share: float
) -> None:
    length = min(len(wave), len(other))
    clip = Clip(np.stack([wave[:length], other[:length]]), rate)
    floor = true_peak(clip) * share * (1 - 1e-5)
    highest = np.zeros(length)
    for channel in clip.samples:
        places, height = overs(Clip(channel[None], rate), floor)
        highest[places] = np.maximum(highest[places], height)
    positions, height = overs(clip, floor)
    assert positions.tolist() == np.flatnonzero(highest).tolist()
    assert (height == highest[positions]).all()


@settings(max_examples=examples(30))
@given(wave=signals, gain_db=st.floats(-40.0, 40.0), threshold=st.floats(0.0, 1.5))
def test_one_look_tells_what_many_would(wave: np.ndarray, gain_db: float, threshold: float) -> None:
    clip = Clip(np.stack([wave, np.roll(wave, 7)]), RATE)
    raised = apply_gain(clip, gain_db)
    gain = float(np.float32(amplitude(gain_db)))
    assert peaks(clip).sample == sample_peak(clip) == np.abs(clip.samples).max()
    assert peaks(clip).scaled(gain).sample == sample_peak(raised)
    assert channel_means(clip) == pytest.approx(clip.samples.mean(axis=1, dtype=np.float64), abs=1e-6)
    loud = np.flatnonzero((np.abs(clip.samples) > threshold).any(axis=0))
    ends = (loud[0], len(wave) - 1 - loud[-1]) if len(loud) else (len(wave), len(wave))
    assert silence_ends(clip, threshold) == ends


@pytest.mark.parametrize("rate", [16_000, 44_100, 47_999])
def test_channels_change_rate_as_each_does_by_itself(rate: int) -> None:
    samples = np.random.default_rng(rate).standard_normal((3, 10_001)).astype(np.float32)
    together = resample(Clip(samples, rate), RATE)
    assert together.length == round(10_001 * RATE / rate)
    for channel, alone in zip(together.samples, samples, strict=True):
        assert (channel == resample(Clip(alone[None], rate), RATE).samples[0]).all()


def test_boxes_stand_over_every_bend_response() -> None:
    boxes = np.zeros(TAPS - 2)
    for width, begins, weight in _BOXES:
        for first in begins:
            boxes[first : first + width] += weight
    for part in range(1, 8):
        assert (boxes >= np.abs(curvature_response(part / 8))).all()


def test_interpolation_is_a_line_and_what_bends_add() -> None:
    wave = np.random.default_rng(1).standard_normal(TAPS)
    for part in range(1, 8):
        line = wave[11] * (1 - part / 8) + wave[12] * part / 8
        bent = line + np.diff(wave, n=2) @ curvature_response(part / 8)
        assert wave @ taps(part / 8) == pytest.approx(bent, abs=0.006 * np.abs(wave).max())


@pytest.mark.parametrize(("channels", "length"), [(1, 1), (1, 16_384), (2, 20_001), (6, 3000)])
def test_packed_samples_are_the_integers(channels: int, length: int) -> None:
    random = np.random.default_rng(length)
    clip = Clip(random.uniform(-1.2, 1.2, (channels, length)).astype(np.float32), RATE)
    wide = quantise(clip, 24).view(np.uint8).reshape(-1, 4)
    assert bytes(pcm_bytes(clip, "24")) == wide[:, :3].tobytes()


def test_samples_beyond_all_measure_are_measured() -> None:
    quiet = tone(1.0, -20)
    huge = Clip(quiet.samples * np.float32(1e25), RATE)
    measured, expected = measure(huge), measure(quiet)
    for name in ("integrated_lufs", "momentary_max_lufs", "true_peak_dbtp"):
        assert getattr(measured, name) == pytest.approx(getattr(expected, name) + 500.0, abs=0.01)


@pytest.mark.parametrize("rate", [3000, 6000, 8000, 192_000, 384_000])
def test_a_tone_reads_its_loudness_at_any_rate(rate: int) -> None:
    wave = 0.1 * np.sin(2 * np.pi * 500 * np.arange(2 * rate) / rate)
    measured = measure(Clip(wave[None].astype(np.float32), rate)).integrated_lufs
    assert measured == pytest.approx(-23.9, abs=0.5)


def test_limited_peaks_are_reported_as_they_are_measured() -> None:
    for seed in range(4):
        noise = coloured_noise(seed, 1.0, 2)
        loud = Clip(noise.samples * np.float32(2.0 / np.abs(noise.samples).max()), RATE)
        for circular in (False, True):
            limited = limit(loud, -1.0, circular=circular)
            assert limited.true_peak == pytest.approx(true_peak(limited.clip, circular=circular), rel=1e-7)
