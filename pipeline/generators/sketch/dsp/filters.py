"""Filters: fixed second-order sections, and one that changes over time by short-time Fourier transform."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.fft
import scipy.signal

from pipeline.generators.sketch.dsp.units import RATE, Audio

_WARM_UP = RATE // 2
"""Samples of a loop that are filtered ahead of it, so that the filter has settled."""
_FRAMES_AT_ONCE = 1024

Response = Callable[[Audio, Audio], Audio]
"""Amplitude from frequencies in Hz [1, bins] and the frames' places from 0 to 1 [frames, 1]."""


def sections(audio: Audio, sos: Audio, loop: bool = False) -> Audio:
    """Filter the last axis; a ``loop`` comes out as its own steady state, so that it still wraps."""
    if not loop:
        return np.asarray(scipy.signal.sosfilt(sos, audio, axis=-1))
    warm = np.pad(audio, [(0, 0)] * (audio.ndim - 1) + [(_WARM_UP, 0)], mode="wrap")
    return np.asarray(scipy.signal.sosfilt(sos, warm, axis=-1)[..., _WARM_UP:])


def _clamped(hz: float) -> float:
    return float(np.clip(hz, 10.0, RATE * 0.48))


def low_pass(audio: Audio, hz: float, order: int = 2, loop: bool = False) -> Audio:
    """Butterworth low-pass at ``hz``."""
    return sections(audio, scipy.signal.butter(order, _clamped(hz), "low", fs=RATE, output="sos"), loop)


def high_pass(audio: Audio, hz: float, order: int = 2, loop: bool = False) -> Audio:
    """Butterworth high-pass at ``hz``."""
    return sections(audio, scipy.signal.butter(order, _clamped(hz), "high", fs=RATE, output="sos"), loop)


def band_pass(audio: Audio, low: float, high: float) -> Audio:
    """First-order Butterworth band-pass between two frequencies in Hz."""
    return sections(audio, scipy.signal.butter(1, [low, high], "band", fs=RATE, output="sos"))


def high_shelf(audio: Audio, hz: float, gain_db: float, loop: bool = False) -> Audio:
    """High shelf of slope 1 (R. Bristow-Johnson, Cookbook formulae for audio EQ biquads)."""
    a = 10.0 ** (gain_db / 40.0)
    w = 2.0 * np.pi * _clamped(hz) / RATE
    cosine, alpha = np.cos(w), np.sin(w) / np.sqrt(2.0)
    root = 2.0 * np.sqrt(a) * alpha
    b = [
        a * ((a + 1) + (a - 1) * cosine + root),
        -2 * a * ((a - 1) + (a + 1) * cosine),
        a * ((a + 1) + (a - 1) * cosine - root),
    ]
    c = [
        (a + 1) - (a - 1) * cosine + root,
        2 * ((a - 1) - (a + 1) * cosine),
        (a + 1) - (a - 1) * cosine - root,
    ]
    return sections(audio, np.array([[*b, *c]]) / c[0], loop)


def resonance(hz: Audio, centre: Audio | float, q: float) -> Audio:
    """Amplitude of a two-pole band-pass with quality ``q``, 1 at its centre."""
    ratio = hz / centre
    return np.asarray(1.0 / np.sqrt(1.0 + (q * (ratio - 1.0 / ratio)) ** 2))


def resonances(hz: Audio, centres: Sequence[Audio] | Audio, gains: Sequence[float], q: float) -> Audio:
    """Amplitude of several `resonance` in parallel."""
    pairs = zip(centres, gains, strict=True)
    return np.asarray(np.sum([gain * resonance(hz, centre, q) for centre, gain in pairs], axis=0))


def low_pass_gain(hz: Audio, cutoff: Audio | float, order: int = 2) -> Audio:
    """Amplitude of a low-pass, 6 dB an octave for each ``order``."""
    return np.asarray(1.0 / np.sqrt(1.0 + (hz / cutoff) ** (2 * order)))


def high_pass_gain(hz: Audio, cutoff: float) -> Audio:
    """Amplitude of a high-pass of 12 dB an octave."""
    return np.asarray(1.0 / np.sqrt(1.0 + (cutoff / hz) ** 4))


def time_varying(audio: Audio, response: Response, size: int = 1024, loop: bool = False) -> Audio:
    """A filter that changes over time: short-time Fourier frames [samples] scaled by ``response``.

    Frames are ``size`` samples, half overlapped, under square-root Hann windows. A ``loop`` wraps.
    """
    length = len(audio)
    if not loop:
        padded = np.concatenate([np.zeros(size), audio, np.zeros(size)])
        span = max(length / len(padded), 1e-9)
        first = size / len(padded)
        done = time_varying(
            padded, lambda hz, at: response(hz, np.clip((at - first) / span, 0, 1)), size, True
        )
        return done[size : size + length]
    while size > length and size > 8:
        size //= 2
    if size > length:
        return audio
    window = np.sin(np.pi * (np.arange(size) + 0.5) / size)
    count = max(2, round(2 * length / size))
    starts = np.round(np.arange(count) * (length / count)).astype(np.int64)
    hz = np.maximum(np.arange(size // 2 + 1) * (RATE / size), 5.0)[None, :]
    out = np.zeros(length + size)
    weight = np.zeros(length + size)
    wrapped = np.concatenate([audio, audio[:size]])
    for group in range(0, count, _FRAMES_AT_ONCE):
        chosen = starts[group : group + _FRAMES_AT_ONCE]
        frames = wrapped[chosen[:, None] + np.arange(size)] * window
        places = ((chosen + size / 2) / length)[:, None] % 1.0
        spectra = scipy.fft.rfft(frames, axis=1) * response(hz, places)
        frames = scipy.fft.irfft(spectra, size, axis=1) * window
        for start, frame in zip(chosen, frames, strict=True):
            out[start : start + size] += frame
            weight[start : start + size] += window * window
    return fold(out, length) / np.maximum(fold(weight, length), 1e-3)


def fold(audio: Audio, length: int) -> Audio:
    """Add samples beyond ``length`` back to the start, repeatedly (last axis)."""
    folded = audio[..., :length].copy()
    for start in range(length, audio.shape[-1], length):
        piece = audio[..., start : start + length]
        folded[..., : piece.shape[-1]] += piece
    return folded
