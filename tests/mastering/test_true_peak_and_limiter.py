"""True peak: known cases; the limiter: never above the ceiling, never anything where nothing is needed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mastering_signals import RATE, coloured_noise
from properties import examples
from scipy.signal import resample_poly

from pipeline.audio import Clip
from pipeline.mastering.limiter import apply_gain, limit
from pipeline.mastering.measure import measure
from pipeline.mastering.true_peak import overs, true_peak


def decibels(linear: float) -> float:
    return 20 * np.log10(linear)


def faded_sine(divisor: float, degrees: float, amplitude: float, length: int = 48000) -> Clip:
    wave = amplitude * np.sin(2 * np.pi * np.arange(length) / divisor + np.deg2rad(degrees))
    ramp = np.minimum(1, np.minimum(np.arange(length), np.arange(length)[::-1]) / 480)
    return Clip((wave * ramp)[None].astype(np.float32), RATE)


@pytest.mark.parametrize(
    ("divisor", "degrees", "amplitude", "expected"),
    [(4, 0, 0.5, -6.0), (4, 45, 0.5, -6.0), (6, 60, 0.5, -6.0), (8, 67.5, 0.5, -6.0), (4, 45, 1.41, 3.0)],
)
def test_tech_3341_cases_15_to_19(divisor: float, degrees: float, amplitude: float, expected: float) -> None:
    assert -0.4 <= decibels(true_peak(faded_sine(divisor, degrees, amplitude))) - expected <= 0.2


@pytest.mark.parametrize("offset", [0, 1, 2, 3])
def test_tech_3341_cases_20_to_23_a_burst_between_samples(offset: int) -> None:
    fine = np.arange(4 * RATE)
    burst = np.sin(2 * np.pi * fine / (4 * 6) + np.pi / 2) * np.exp(-(((fine - fine.size / 2) / 300) ** 2))
    spectrum = np.fft.rfft(np.roll(burst / np.abs(burst).max(), offset))
    spectrum[RATE // 2 :] = 0
    clip = Clip(np.fft.irfft(spectrum, fine.size)[::4][None].astype(np.float32), RATE)
    assert -0.4 <= decibels(true_peak(clip)) <= 0.2


def test_a_quarter_rate_sine_at_45_degrees_peaks_three_decibels_between_its_samples() -> None:
    clip = faded_sine(4, 45, 0.5)
    assert decibels(true_peak(clip) / np.abs(clip.samples).max()) == pytest.approx(3.01, abs=0.05)


@pytest.mark.parametrize("rate", [48000, 96000, 192000])
def test_true_peak_is_never_below_the_sample_peak(rate: int) -> None:
    clip = coloured_noise(3, 0.2, 2, rate)
    assert true_peak(clip) >= np.abs(clip.samples).max()


def test_a_long_clip_peaks_as_its_loudest_part_wherever_the_segments_fall() -> None:
    quiet = np.zeros((1, 200_000), np.float32)
    part = coloured_noise(5, 0.05, 1).samples
    for place in (0, 65_000, 65_535, 131_100, 200_000 - part.shape[1]):
        whole = quiet.copy()
        whole[:, place : place + part.shape[1]] = part
        assert true_peak(Clip(whole, RATE)) == pytest.approx(true_peak(Clip(part, RATE)), rel=1e-5)


def signal(kind: str, seed: int, length: int, level: float) -> Clip:
    """Signals that hurt limiters."""
    random = np.random.default_rng(seed)
    places = np.arange(length)
    wave = {
        "noise": lambda: random.standard_normal((2, length)),
        "tone": lambda: np.sin(2 * np.pi * random.uniform(0.001, 0.4999) * places + random.uniform(0, 7))[
            None
        ],
        "impulses": lambda: (random.random((1, length)) > 0.99) * random.choice([-1.0, 1.0], (1, length)),
        "near nyquist": lambda: np.diff(random.standard_normal((1, length + 3)), n=3),
        "alternating": lambda: (1.0 - 2.0 * (places % 2))[None] * random.choice([0.3, 1.0], (1, length)),
        "square": lambda: np.sign(np.sin(2 * np.pi * random.uniform(0.001, 0.2) * places))[None],
    }[kind]()
    return Clip((wave * 10 ** (level / 20)).astype(np.float32), RATE)


kinds = st.sampled_from(["noise", "tone", "impulses", "near nyquist", "alternating", "square"])


@settings(max_examples=examples(30))
@given(
    kind=kinds,
    seed=st.integers(0, 2**32),
    length=st.integers(1, 9000),
    level=st.floats(-20, 20),
    ceiling=st.sampled_from([-0.1, -1.0, -3.0]),
    circular=st.booleans(),
)
def test_nothing_is_ever_above_the_ceiling(
    kind: str, seed: int, length: int, level: float, ceiling: float, circular: bool
) -> None:
    clip = signal(kind, seed, length, level)
    limited = limit(clip, ceiling, circular=circular)
    peak = true_peak(limited.clip, circular=circular)
    assert peak <= 10 ** (ceiling / 20)
    assert (limited.reduction_db > 0) == (limited.clip is not clip)


@pytest.mark.parametrize("rate", [32000, 44100, 48000])
@pytest.mark.parametrize("kind", ["noise", "tone", "impulses", "near nyquist", "alternating", "square"])
def test_ffmpeg_finds_nothing_above_the_ceiling_either(kind: str, rate: int, ffmpeg_meter) -> None:
    rough = signal(kind, 11, 48000, 6.0)
    ends = np.minimum(1, np.minimum(np.arange(48000), np.arange(48000)[::-1]) / 480).astype(np.float32)
    limited = limit(Clip(rough.samples * ends, rate), -1.0)
    assert ffmpeg_meter(limited.clip)["true_peak"] <= -1.0 + 0.005


def test_bounded_blocks_never_hide_a_peak() -> None:
    for seed in range(20):
        clip = signal(["noise", "tone", "near nyquist"][seed % 3], seed, 5000, 0)
        assert true_peak(clip) == pytest.approx(overs(clip, 0.9 * true_peak(clip))[1].max(), rel=1e-7)


def test_below_the_ceiling_the_very_same_clip_comes_back() -> None:
    clip = apply_gain(coloured_noise(2, 0.5, 2), -20)
    assert limit(clip, -1.0).clip is clip


def test_far_from_a_peak_nothing_is_touched() -> None:
    clip = signal("noise", 4, 96000, -30)
    clip.samples[:, 48000] = 2.0
    limited = limit(clip, -1.0).clip.samples
    changed = np.flatnonzero((limited != clip.samples).any(axis=0))
    assert 48000 - changed.min() <= 0.004 * RATE
    assert changed.max() - 48000 <= 0.8 * RATE


def test_channels_are_held_together_so_that_the_image_stays() -> None:
    wave = signal("noise", 4, 9000, 6).samples[:1]
    limited = limit(Clip(np.concatenate([wave, wave * 0.25]), RATE), -1.0).clip.samples
    assert np.allclose(limited[1], limited[0] * 0.25, atol=1e-6)


def test_a_limited_loop_is_the_same_loop_wherever_it_is_cut() -> None:
    clip = signal("noise", 8, 60_000, 3)
    turned = Clip(np.roll(clip.samples, 23_456, axis=1), RATE)
    straight = limit(clip, -1.0, circular=True).clip.samples
    assert np.allclose(
        np.roll(straight, 23_456, axis=1), limit(turned, -1.0, circular=True).clip.samples, atol=1e-4
    )


def test_the_reduction_reported_is_what_was_taken() -> None:
    clip = Clip(np.zeros((1, 9000), np.float32), RATE)
    clip.samples[0, 4000] = 1.0
    limited = limit(clip, -12.0)
    assert limited.reduction_db == pytest.approx(-decibels(np.abs(limited.clip.samples).max()), abs=1e-3)
    assert measure(limited.clip).true_peak_dbtp <= -12.0


@pytest.mark.parametrize("seed", range(8))
def test_a_finer_meter_of_another_make_finds_nothing_above_the_ceiling(seed: int) -> None:
    """Noise up to Nyquist is where 4x oversampling misses most."""
    noise = np.random.default_rng(seed).standard_normal((1, RATE)).astype(np.float32)
    hot = Clip(noise if seed % 2 else np.clip(noise, -1, 1), RATE)
    limited = limit(hot, -1.0).clip.samples
    assert decibels(np.abs(resample_poly(limited, 16, 1, axis=1)).max()) <= -1.0
