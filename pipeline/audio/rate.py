"""Sample rate conversion by soxr: one-shot, single-threaded, the same bytes every time."""

from __future__ import annotations

import math

import numpy as np
import soxr

from pipeline.audio.clip import Clip, Samples

QUALITY = "VHQ"
"""soxr's 28 bit recipe: pass band to 0.91 of Nyquist, rejection beyond 24 bit's noise."""

_REACH_S = 0.05
"""How far around a sample the conversion filter can hear; the wrap of a loop is padded by this."""


def _convert(samples: Samples, rate_in: float, rate_out: float) -> Samples:
    """soxr over [channels, samples], channel by channel; the caller fixes the length."""
    return np.stack([soxr.resample(channel, rate_in, rate_out, quality=QUALITY) for channel in samples])


def _fit(samples: Samples, length: int) -> Samples:
    """Exactly ``length`` samples: soxr may round an uneven end to one sample more or fewer."""
    missing = length - samples.shape[1]
    return np.pad(samples, ((0, 0), (0, missing))) if missing > 0 else samples[:, :length]


def resample(clip: Clip, rate: int) -> Clip:
    """``clip`` at ``rate`` Hz, round(length x rate / clip.rate) samples long; the clip itself at its own
    rate."""
    if rate == clip.rate:
        return clip
    length = round(clip.length * rate / clip.rate)
    return Clip(_fit(_convert(clip.samples, clip.rate, rate), length), rate)


def resample_loop(clip: Clip, rate: int) -> Clip:
    """A loop at ``rate`` Hz that still wraps: the filter hears the end before the start and the other way
    round.

    Where the length does not divide evenly the loop is stretched to a whole number of samples, by less than
    half a sample in all, so that its period stays exact and the seam gains no step.
    """
    if rate == clip.rate:
        return clip
    length = round(clip.length * rate / clip.rate)
    if length < 1:
        raise ValueError(f"a loop of {clip.length} samples at {clip.rate} Hz has no sample at {rate} Hz")
    unit = clip.length // math.gcd(clip.length, length)
    reach = math.ceil(_REACH_S * clip.rate)
    pad = unit * math.ceil(reach / unit)
    around = np.arange(-pad, clip.length + pad) % clip.length
    offset = pad * length // clip.length
    converted = _convert(np.ascontiguousarray(clip.samples[:, around]), clip.length, length)
    return Clip(np.ascontiguousarray(_fit(converted[:, offset:], length)), rate)
