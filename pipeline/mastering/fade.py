"""Fades: gain curves at the ends of a sound."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pipeline.audio import Clip
from pipeline.manifest.spec import FadeCurve

_RANGE = 1000.0
"""Of the exponential curve: it comes from 60 dB below."""


@lru_cache(maxsize=8)
def ramp(length: int, curve: FadeCurve = "s_curve") -> npt.NDArray[np.float64]:
    """Gain rising from 0 towards 1 over ``length`` samples, never quite reaching either end.

    "s_curve" (half a cosine) has no corner at either end, "equal_power" is a quarter of a sine, "linear" a
    straight line, "exponential" rises evenly in decibels, from 60 dB below. Read-only, since sounds share curves.

    >>> [round(float(gain), 3) for gain in ramp(3, "linear")]
    [0.25, 0.5, 0.75]
    """
    gains = _curve(np.arange(1, length + 1) / (length + 1), curve)
    gains.flags.writeable = False
    return gains


def _curve(place: npt.NDArray[np.float64], curve: FadeCurve) -> npt.NDArray[np.float64]:
    match curve:
        case "linear":
            return place
        case "equal_power":
            return np.sin(0.5 * np.pi * place)
        case "s_curve":
            return 0.5 - 0.5 * np.cos(np.pi * place)
        case "exponential":
            return np.asarray((_RANGE**place - 1.0) / (_RANGE - 1.0))


def fade(clip: Clip, in_samples: int, out_samples: int, curve: FadeCurve = "s_curve") -> Clip:
    """``clip`` faded in over its first and out over its last samples; each at most the whole clip."""
    first, last = min(in_samples, clip.length), min(out_samples, clip.length)
    if not first and not last:
        return clip
    samples = clip.samples.copy()
    if first:
        samples[:, :first] *= ramp(first, curve).astype(np.float32)
    if last:
        samples[:, clip.length - last :] *= ramp(last, curve)[::-1].astype(np.float32)
    return Clip(samples, clip.rate)
