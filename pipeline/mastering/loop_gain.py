"""Peaks and limiting of loops: a clip that loops as a whole, and a loop after an intro.

Two sounds lead to the start of a loop after an intro: the intro and the loop's own end. The limiter's gain must be
the same at the end of both, or the seam gets a step.
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
"""Length after a loop's end that an interpolating meter reads."""
_SETTLED_S = 1.0
"""Time after which a peak no longer affects the limiter."""
_MATCH_S = 0.06
"""Ramp in which both gains reach the same value."""
_PILOT = np.float32(1e-3)
"""Value of an extra constant channel, too low to be limited itself, that records the limiter's gain."""


def unrolled(clip: Clip, start: int, seconds: float) -> Clip:
    """``clip`` followed by ``seconds`` of its own sound from sample ``start``, as a player loops it."""
    length = min(round(seconds * clip.rate), clip.length - start)
    repeat = clip.samples[:, start : start + length]
    return Clip(np.concatenate([clip.samples, repeat], axis=1), clip.rate)


def looped_peaks(clip: Clip, loop: Loop | None) -> Peaks:
    """Peaks of ``clip`` as it plays: once, or looping at ``loop``, which ends where the clip ends."""
    if loop is None or not loop[0]:
        return peaks(clip, circular=loop is not None)
    return peaks(unrolled(clip, loop[0], _AFTER_S))


def limit_looped(clip: Clip, ceiling_dbtp: float, loop: Loop | None) -> Limited:
    """`limit` for a clip that plays once, or loops at ``loop``, which ends where the clip ends."""
    if loop is None or not loop[0]:
        return limit(clip, ceiling_dbtp, circular=loop is not None)
    return _limit_after_intro(clip, ceiling_dbtp, loop[0])


def _limit_after_intro(clip: Clip, ceiling_dbtp: float, start: int) -> Limited:
    extended = unrolled(clip, start, _SETTLED_S)
    pilot = np.full((1, extended.length), _PILOT)
    limited = limit(Clip(np.concatenate([extended.samples, pilot]), clip.rate), ceiling_dbtp)
    if not limited.reduction_db:
        return Limited(clip, 0.0)
    gain = limited.clip.samples[-1] / _PILOT
    _match_gain(gain, start, clip)
    held = Clip(clip.samples * gain[: clip.length], clip.rate)
    over = looped_peaks(held, (start, clip.length)).true / amplitude(ceiling_dbtp - MARGIN_DB)
    rest = np.float32(1.0 if over <= 1.0 else (1.0 - 1e-6) / over)
    least = float(gain[: clip.length].min() * rest)
    return Limited(Clip(held.samples * rest, clip.rate), float(-20.0 * np.log10(least)))


def _match_gain(gain: Samples, start: int, clip: Clip) -> None:
    """Lower ``gain`` around the loop's start, in place, so that intro and loop end reach one value."""
    repeat = gain[clip.length :]
    first = gain[start : start + len(repeat)]
    np.minimum(first, repeat, out=first)
    for place in (start, clip.length):
        length = min(round(_MATCH_S * clip.rate), start, clip.length - start)
        before = gain[place - length : place]
        target = min(1.0, float(first[0] / before[-1]))
        before *= (1.0 - (1.0 - target) * ramp(length)).astype(np.float32)
