"""Sample rate conversion by soxr: one-shot, single-threaded, the same bytes every time."""

from __future__ import annotations

import math

import numpy as np
import soxr

from pipeline.audio.clip import Clip, Samples

QUALITY = "HQ"
"""soxr's 20 bit recipe: flat to 0.91 of Nyquist within 0.01 dB as the 28 bit one is, and what it leaves beside
a full-scale tone is below -130 dBFS, far below any ear and converter; the 28 bit recipe leaves -150 and takes
a third longer."""

_REACH_S = 0.05
"""How far around a sample the conversion filter can hear; the wrap of a loop is padded by this."""


def _convert(samples: Samples, rates: tuple[float, float], first: int, length: int) -> Samples:
    """soxr from and to ``rates``, each channel by itself: ``length`` samples from ``first`` on.

    soxr may round an uneven end to one sample fewer, which stays silent.
    """
    converted = soxr.resample(samples.T, *rates, quality=QUALITY).T[:, first : first + length]
    missing = length - converted.shape[1]
    return np.pad(converted, ((0, 0), (0, missing))) if missing else converted


def resample(clip: Clip, rate: int) -> Clip:
    """``clip`` at ``rate`` Hz, round(length x rate / clip.rate) samples long; the clip itself at its own
    rate."""
    if rate == clip.rate:
        return clip
    length = round(clip.length * rate / clip.rate)
    return Clip(_convert(clip.samples, (clip.rate, rate), 0, length), rate, clip.speakers)


def resample_loop(clip: Clip, rate: int, length: int | None = None) -> Clip:
    """A loop at ``rate`` Hz that still wraps: the filter hears the end before the start and the other way
    round.

    Where the length does not divide evenly the loop is stretched to a whole number of samples, by less than
    half a sample in all, so that its period stays exact and the seam gains no step. With ``length`` it is
    stretched to so many samples.
    """
    length = round(clip.length * rate / clip.rate) if length is None else length
    if (rate, length) == (clip.rate, clip.length):
        return clip
    if length < 1:
        raise ValueError(f"a loop of {clip.length} samples at {clip.rate} Hz has no sample at {rate} Hz")
    unit = clip.length // math.gcd(clip.length, length)
    reach = math.ceil(_REACH_S * clip.rate)
    pad = unit * math.ceil(reach / unit)
    around = np.arange(-pad, clip.length + pad) % clip.length
    offset = pad * length // clip.length
    padded = np.ascontiguousarray(clip.samples[:, around])
    return Clip(_convert(padded, (clip.length, length), offset, length), rate, clip.speakers)
