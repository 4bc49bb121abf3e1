"""Does the beat go on? Onsets before and after a place, and whether they keep one time.

What the onsets of each side show against themselves at every lag (their autocorrelation) must show again
between the two sides. A cut off the beat shifts one side against the other, and it does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.floating[Any]]

HOP_S = 0.005
REACH_S = 4.0
"""Looked at to each side."""
SHORTEST_S = 0.75
_SLOWEST_HZ, _FASTEST_HZ = 0.5, 12.0
_FIRST_LAG_S = 0.12
_LAST_LAG = 0.75
"""Of the reach."""
_QUIET = 1e-4
"""Power, of the mean, below which changes are not onsets."""
_LEVEL_HOPS = 4
"""Hops over which a level is taken and rises: 20 ms, in which low tones do not show their own period."""
_SMOOTH = 9
_SPREAD = 3.5
"""By which smoothing raises the variance of a correlation of unrelated onsets."""
_PULSE = 1.5
"""How far lags must stand out of what unrelated onsets give, for there to be a beat at all."""
_STRIKING = 0.75
"""Standard deviation of onset strength, in nepers, below which nothing is struck: a swell, a tremolo, a hum."""


def _power(rows: Rows) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", rows, rows, dtype=np.float64) / rows.shape[1])


def onsets(wave: Rows) -> Floats:
    """Onset strength in hops, of ``wave`` of shape [hops, samples a hop]: rises of the level of the whole, the
    lows and the highs, in nepers, summed."""
    strength = np.zeros(len(wave))
    half = _LEVEL_HOPS // 2
    for power in (
        _power(wave),
        np.square(wave.mean(axis=1, dtype=np.float64)),
        _power(np.diff(wave, axis=1)),
    ):
        level = np.convolve(power, np.full(_LEVEL_HOPS, 1 / _LEVEL_HOPS), "same")
        height = np.log(level + _QUIET * level.mean() + 1e-20)
        strength[half:-half] += np.maximum(0.0, height[_LEVEL_HOPS:] - height[:-_LEVEL_HOPS])
    shape = np.hanning(_SMOOTH)
    return np.convolve(strength, shape / shape.sum(), "same")


def kept_time(before: Floats, after: Floats) -> float | None:
    """How well two equally long runs of onset strength keep one time: 1 as one piece would, 0 as strangers do.

    None where neither side has a beat, or there is too little of it.
    """
    size = len(before)
    last, first = round(_LAST_LAG * size), round(_FIRST_LAG_S / HOP_S)
    if size < SHORTEST_S / HOP_S or min(before.std(), after.std()) < _STRIKING:
        return None
    one = (before - before.mean()) / before.std()
    other = (after - after.mean()) / after.std()
    whole = next_fast_len(2 * size, real=True)
    spectra = rfft(one, whole), rfft(other, whole)
    lags = np.arange(first, last)
    own = irfft(np.abs(spectra[0]) ** 2 + np.abs(spectra[1]) ** 2, whole)[lags] / (2.0 * (size - lags))
    across = irfft(rfft(one[::-1], whole) * spectra[1], whole)[lags - 1]
    strength = float((lags * np.square(own)).sum())
    by_chance = _SPREAD * float((lags / (2.0 * (size - lags))).sum())
    if strength < _PULSE**2 * by_chance:
        return None
    return float((across * own).sum()) / strength


def pulses(strength: Floats) -> int:
    """How many pulses a loop of this onset strength holds, all round: the strongest of its Fourier series from
    12 to 0.5 a second; 0 where it is too short for one."""
    seconds = len(strength) * HOP_S
    first, last = max(1, round(_SLOWEST_HZ * seconds)), round(_FASTEST_HZ * seconds)
    series = np.abs(rfft(strength - strength.mean()))[first : last + 1]
    return first + int(series.argmax()) if len(series) else 0
