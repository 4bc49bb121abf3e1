"""Sample rate conversion by soxr, single-threaded; the same input gives the same samples."""

from __future__ import annotations

import math

import numpy as np
import soxr

from pipeline.audio.clip import Clip, Samples

QUALITY = "HQ"
"""soxr's 20-bit quality. Like the 28-bit quality it is flat to 0.91 of Nyquist within 0.01 dB. The residue of a
full-scale tone is below -130 dBFS, which nobody hears and no converter plays; with 28 bits it is -150, and conversion
takes a third longer."""

_REACH_S = 0.05
"""Half the length of the conversion filter; a loop is padded by this at its wrap."""


def _convert(samples: Samples, rates: tuple[float, float], first: int, length: int) -> Samples:
    """Convert from and to ``rates``: ``length`` samples from ``first`` on.

    soxr may return one sample fewer, which becomes silence.
    """
    converted = soxr.resample(samples.T, *rates, quality=QUALITY).T[:, first : first + length]
    missing = length - converted.shape[1]
    return np.pad(converted, ((0, 0), (0, missing))) if missing else converted


def resample(clip: Clip, rate: int) -> Clip:
    """``clip`` at ``rate`` Hz, round(length x rate / clip.rate) samples long."""
    if rate == clip.rate:
        return clip
    length = round(clip.length * rate / clip.rate)
    return Clip(_convert(clip.samples, (clip.rate, rate), 0, length), rate, clip.speakers)


def resample_loop(clip: Clip, rate: int, length: int | None = None) -> Clip:
    """A loop at ``rate`` Hz that still wraps: the filter gets its end before its start and its start after its end.

    If the length does not divide evenly, the loop is stretched by less than half a sample to a whole number of samples,
    so that its period stays exact and the seam gets no step. With ``length`` it is stretched to that many samples.
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
