"""Peaks and limiting of what does not end: a loop as a whole, and a loop whose end runs into a place inside it.

After an intro two pasts lead to the loop's start: the intro and the loop's own end. Both must meet the same gain
there, or the limiter would put a step where the seam is.
"""

from __future__ import annotations

import numpy as np

from pipeline.audio import Clip, Samples
from pipeline.mastering.decibel import amplitude
from pipeline.mastering.fade import ramp
from pipeline.mastering.limiter import MARGIN_DB, Limited, limit
from pipeline.mastering.true_peak import Peaks, peaks

Loop = tuple[int, int]

_AFTER_S = 0.01
"""Heard after a loop's end by a meter that interpolates."""
_SETTLED_S = 1.0
"""After which the limiter has forgotten a peak."""
_MEET_S = 0.06
"""In which both pasts come to the same gain."""
_PILOT = np.float32(1e-3)
"""A constant beside the sound, too low to be limited itself, on which the limiter writes its gain."""


def unrolled(clip: Clip, start: int, seconds: float) -> Clip:
    """``clip``, then what is heard after its end when it goes on at sample ``start``."""
    length = min(round(seconds * clip.rate), clip.length - start)
    again = clip.samples[:, start : start + length]
    return Clip(np.concatenate([clip.samples, again], axis=1), clip.rate)


def endless_peaks(clip: Clip, loop: Loop | None) -> Peaks:
    """Peaks of ``clip`` as it plays: once, or round and round from ``loop``'s end, which is its own."""
    if loop is None or not loop[0]:
        return peaks(clip, circular=loop is not None)
    return peaks(unrolled(clip, loop[0], _AFTER_S))


def limit_endless(clip: Clip, ceiling_dbtp: float, loop: Loop | None) -> Limited:
    """`limit` for a clip that plays once, or round and round from ``loop``'s end, which is its own."""
    if loop is None or not loop[0]:
        return limit(clip, ceiling_dbtp, circular=loop is not None)
    return _limit_after_intro(clip, ceiling_dbtp, loop[0])


def _limit_after_intro(clip: Clip, ceiling_dbtp: float, start: int) -> Limited:
    heard = unrolled(clip, start, _SETTLED_S)
    pilot = np.full((1, heard.length), _PILOT)
    limited = limit(Clip(np.concatenate([heard.samples, pilot]), clip.rate), ceiling_dbtp)
    if not limited.reduction_db:
        return Limited(clip, 0.0)
    gain = limited.clip.samples[-1] / _PILOT
    _meet(gain, start, clip)
    held = Clip(clip.samples * gain[: clip.length], clip.rate)
    over = endless_peaks(held, (start, clip.length)).true / amplitude(ceiling_dbtp - MARGIN_DB)
    rest = np.float32(1.0 if over <= 1.0 else (1.0 - 1e-6) / over)
    least = float(gain[: clip.length].min() * rest)
    return Limited(Clip(held.samples * rest, clip.rate), float(-20.0 * np.log10(least)))


def _meet(gain: Samples, start: int, clip: Clip) -> None:
    """Lower ``gain`` around the loop's start, in place, until both pasts lead to one value."""
    again = gain[clip.length :]
    first = gain[start : start + len(again)]
    np.minimum(first, again, out=first)
    for place in (start, clip.length):
        length = min(round(_MEET_S * clip.rate), start, clip.length - start)
        before = gain[place - length : place]
        wanted = min(1.0, float(first[0] / before[-1]))
        before *= (1.0 - (1.0 - wanted) * ramp(length)).astype(np.float32)
