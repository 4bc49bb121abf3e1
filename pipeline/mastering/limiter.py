"""A look-ahead true-peak limiter: nothing above the ceiling, nothing changed where no peak is near.

The gain at a sample is the least that any peak within the look-ahead needs, released exponentially and
smoothed by a window as wide as the look-ahead. Since every value that the window averages is at most what
the peak needs, so is the average: the ceiling holds by construction for the envelope, and the result is
measured again to be sure of what lies between the samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from pipeline.audio import Clip
from pipeline.mastering.decibel import amplitude
from pipeline.mastering.true_peak import peak_envelope

LOOK_AHEAD_S = 0.0015
RELEASE_S = 0.06
MARGIN_DB = 0.1
"""Kept below the asked ceiling: other meters interpolate otherwise, and integers round."""

_TRIES = 8
_INAUDIBLE = 1e-5
"""A reduction below this (0.0001 dB) ends, so that a release leaves the rest of a sound as it was."""
_SETTLED = 12.0
"""Release times after which every reduction has ended."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Limited:
    """What the limiter gave: the clip, and the most that it took in dB (0.0: the clip is untouched)."""

    clip: Clip
    reduction_db: float


def apply_gain(clip: Clip, gain_db: float) -> Clip:
    """``clip`` with every sample multiplied by ``gain_db`` decibels."""
    return Clip(clip.samples * np.float32(amplitude(gain_db)), clip.rate) if gain_db else clip


def _released(needed: Floats, release_samples: float) -> Floats:
    """Gain that falls at once and comes back exponentially: r[n] = max(1 - needed[n], r[n - 1] * decay).

    Solved without a loop: in the logarithm the decay is a straight line, and the rule a running maximum.
    """
    slope = np.arange(len(needed)) / release_samples
    line = np.full(len(needed), -np.inf)
    down = np.flatnonzero(needed < 1.0)
    line[down] = np.log(1.0 - needed[down]) + slope[down]
    held = np.exp(np.maximum.accumulate(line, out=line) - slope)
    held[held < _INAUDIBLE] = 0.0
    return 1.0 - held


def _smoothed(gain: Floats, reach: int) -> Floats:
    """A moving average of triangular weight over at most ``reach`` samples to either side, made of two
    boxes."""
    box = 2 * (reach // 2) + 1
    smooth: Floats = uniform_filter1d(uniform_filter1d(gain, box, mode="nearest"), box, mode="nearest")
    return smooth


def _gain_curve(envelope: Floats, ceiling: float, rate: int, circular: bool) -> Floats:
    """Linear gain by sample, at most ceiling / envelope within the look-ahead of every peak."""
    reach = max(2, round(LOOK_AHEAD_S * rate))
    release = RELEASE_S * rate
    settled = math.ceil(_SETTLED * release) + 2 * reach
    peaks = np.flatnonzero(envelope > ceiling)
    start = -settled if circular else int(peaks[0]) - 2 * reach
    stop = len(envelope) + 2 * reach if circular else int(peaks[-1]) + settled
    places = np.arange(start, stop)
    around = places % len(envelope) if circular else places.clip(0, len(envelope) - 1)
    needed = ceiling / np.maximum(envelope[around], ceiling)
    least = minimum_filter1d(needed, 2 * reach + 1, mode="nearest")
    held = _smoothed(_released(least, release), reach)
    curve = np.ones(len(envelope))
    first, last = max(start, 0), min(stop, len(envelope))
    curve[first:last] = held[first - start : last - start]
    return curve


def limit(clip: Clip, ceiling_dbtp: float, *, circular: bool = False) -> Limited:
    """Hold ``clip``'s true peak at or below ``ceiling_dbtp``; below it the very same clip comes back.

    All channels share one gain curve, so the image stays. With ``circular`` the clip is a loop: what
    happens at its end is foreseen before and released after its start. True peak is as `true_peak` measures
    it.
    """
    ceiling = amplitude(ceiling_dbtp - MARGIN_DB)
    envelope = peak_envelope(clip, floor=ceiling, circular=circular)
    if not clip.length or envelope.max() <= ceiling:
        return Limited(clip, 0.0)
    gain = np.ones(clip.length)
    aim = ceiling
    held = clip
    for _ in range(_TRIES):
        curve = _gain_curve(envelope.astype(np.float64), aim, clip.rate, circular)
        gain = gain * curve
        held = Clip((clip.samples * gain).astype(np.float32), clip.rate)
        envelope = peak_envelope(held, floor=ceiling, circular=circular)
        if envelope.max() <= ceiling:
            return Limited(held, _reduction_db(gain))
        aim *= 0.999
    rest = ceiling / float(envelope.max()) * (1.0 - 1e-6)
    return Limited(Clip(held.samples * np.float32(rest), clip.rate), _reduction_db(gain * rest))


def _reduction_db(gain: Floats) -> float:
    return float(-20.0 * np.log10(gain.min()))
