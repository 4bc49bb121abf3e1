"""Fades: gain curves at the ends of a sound."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.audio import Clip

Curve = Literal["cosine", "linear", "equal-power"]


def ramp(length: int, curve: Curve = "cosine") -> npt.NDArray[np.float64]:
    """Gain rising from 0 towards 1 over ``length`` samples, never quite reaching either end.

    "cosine" has no corner at either end, "equal-power" is a quarter of a sine, "linear" a straight line.

    >>> [round(float(gain), 3) for gain in ramp(3, "linear")]
    [0.25, 0.5, 0.75]
    """
    place = np.arange(1, length + 1) / (length + 1)
    match curve:
        case "linear":
            return place
        case "equal-power":
            return np.sin(0.5 * np.pi * place)
        case "cosine":
            return 0.5 - 0.5 * np.cos(np.pi * place)


def fade(clip: Clip, in_samples: int, out_samples: int, curve: Curve = "cosine") -> Clip:
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
