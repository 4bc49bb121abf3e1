"""What the gates look at besides loudness and peaks: clipping, whiteness, steadiness, noise at the end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import rfft

from pipeline.audio import Clip

Floats = npt.NDArray[np.float64]

_FRAME_S = 0.02
_BANDS = 24
_LOWEST_HZ = 60.0
_HIGHEST_SHARE = 0.9
"""Of Nyquist: above it resampling filters end."""
_LONGEST_TAIL_S = 1.0
_SHORTEST_TAIL_S = 0.06
_GAP_S = 0.06
_DIED_AWAY_DB = -25.0
"""Below the loudest 20 ms: a sound that has ended, not one that breathes."""


def clipped_share(clip: Clip) -> float:
    """Share of samples in runs of three or more equal ones next to the clip's peak: what a clipper leaves."""
    peak = max(float(clip.samples.max(initial=0.0)), -float(clip.samples.min(initial=0.0)))
    if peak < 0.1:
        return 0.0
    flat = np.abs(np.diff(clip.samples, axis=1)) < peak * 1e-6
    flat &= np.abs(clip.samples[:, 1:]) > peak * 0.99
    return float((flat[:, 1:] & flat[:, :-1]).sum()) / max(1, clip.samples.size)


def _frames(clip: Clip) -> Floats:
    """Mono frames of 20 ms, shape [frames, samples]; the last uneven one is left out."""
    size = max(16, round(_FRAME_S * clip.rate))
    wave = clip.samples.mean(axis=0, dtype=np.float64)
    count = len(wave) // size
    return np.asarray(wave[: count * size].reshape(count, size))


def _band_powers(frames: Floats, rate: int) -> Floats:
    """Mean power density by frame in bands of equal width in Hz, shape [frames, bands]."""
    power = np.abs(rfft(frames * np.hanning(frames.shape[1]))) ** 2
    first = max(1, round(_LOWEST_HZ * frames.shape[1] / rate))
    last = round(power.shape[1] * _HIGHEST_SHARE)
    edges = np.unique(np.linspace(first, last, _BANDS + 1).astype(int))
    return np.asarray(
        np.add.reduceat(power, edges[:-1], axis=1) / np.diff(edges, append=last)[: len(edges) - 1]
    )


def _flatness(bands: Floats) -> float:
    """Geometric over arithmetic mean, from 0 (one band holds all) to 1 (white)."""
    mean = float(bands.mean())
    return float(np.exp(np.log(bands + 1e-12 * mean).mean()) / mean) if mean > 0.0 else 0.0


def _levels(frames: Floats) -> Floats:
    """Level of each frame in dB below the loudest, at least -120."""
    power = np.square(frames).mean(axis=1)
    return np.asarray(10.0 * np.log10(np.maximum(power / max(float(power.max(initial=0.0)), 1e-30), 1e-12)))


def noise_share(clip: Clip) -> float:
    """How much a sound is nothing but steady white noise, from 0 to 1: its whiteness times its steadiness.

    Rain and wind are noise too, but neither white nor steady: their spectrum slopes and their level moves.
    Steadiness is 1 for frames that differ by no more than white noise's own frames do, 0 from 6 dB on.
    Sounds below 0.2 s say nothing.
    """
    frames = _frames(clip)
    if len(frames) < 10:
        return 0.0
    levels = _levels(frames)
    unsteady = float(np.quantile(levels, 0.9) - np.quantile(levels, 0.1))
    steady = min(1.0, max(0.0, (6.0 - unsteady) / 4.0))
    return _flatness(_band_powers(frames, clip.rate).mean(axis=0)) * steady


def tail_noise_db(clip: Clip) -> float:
    """How far hiss rises above the quiet before it at the very end of a sound, in dB; 0.0 where there is
    none.

    What generators leave behind: the sound dies away, then up to a second of flat noise sets in and lasts
    to the last sample. A second event decays or is not flat, so it does not count.
    """
    frames = _frames(clip)
    gap, longest = round(_GAP_S / _FRAME_S), round(_LONGEST_TAIL_S / _FRAME_S)
    if len(frames) < 3 * gap:
        return 0.0
    levels = _levels(frames)
    last = float(np.median(levels[-gap:]))
    quiet = [
        float(levels[start - gap : start].max())
        for start in range(max(gap, len(levels) - longest), len(levels) - gap + 1)
    ]
    place = int(np.argmin(quiet)) + max(gap, len(levels) - longest)
    tail = frames[place:]
    rise = last - min(quiet)
    lasting = float(levels[place:].max()) - last < 6.0
    if rise <= 0.0 or min(quiet) > _DIED_AWAY_DB or not lasting or len(tail) * _FRAME_S < _SHORTEST_TAIL_S:
        return 0.0
    return rise if _flatness(_band_powers(tail, clip.rate).mean(axis=0)) > 0.4 else 0.0
