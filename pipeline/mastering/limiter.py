"""A look-ahead true-peak limiter: no peak above the ceiling, no change far from peaks.

The gain at a node is the smallest gain that a peak within the look-ahead needs, released exponentially and
smoothed by a window as wide as the look-ahead. Nodes are a few per millisecond, with straight lines between
them. Every value in the window is at most the gain that the peak needs, so the average is too, and so is every
value between two averages. The envelope thus keeps the ceiling by construction; the result is measured again to
check the peaks between samples.

Two sounds lead to the start of a loop after an intro: the intro and the loop's own end. The limiter's gain must be
the same at the end of both, or the seam gets a step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from pipeline.audio import Clip, Floats, Loop, Samples
from pipeline.audio.decibel import amplitude
from pipeline.mastering.edits import ramp
from pipeline.mastering.true_peak import Peaks, overs, peaks

Positions = npt.NDArray[np.intp]
_PeakList = tuple[Positions, Samples]
"""Positions of peaks and their true peaks."""

LOOK_AHEAD_S = 0.0015
NODES = 8
"""Nodes within the look-ahead; at low rates each sample is a node."""
RELEASE_S = 0.06
MARGIN_DB = 0.3
"""Margin below the ceiling: other meters interpolate differently, and integer formats round."""
_TRIES = 8
_NEAR = 0.98
"""Share of the ceiling: higher peaks are tracked, because one of them is the highest after limiting."""
_INAUDIBLE = 1e-5
"""A reduction below this (0.0001 dB) becomes 0, so that a release leaves the rest of a sound unchanged."""
_SETTLED = 12.0
"""Number of release times after which every reduction has ended."""
_METER_S = 0.01
"""Length after a loop's end that an interpolating meter reads."""
_SETTLED_S = 1.0
"""Time after which a peak no longer affects the limiter."""
_MATCH_S = 0.06
"""Ramp in which both gains reach the same value."""
_PILOT = np.float32(1e-3)
"""Value of an extra constant channel, too low to be limited itself, that records the limiter's gain."""


@dataclass(frozen=True, eq=False)
class Limited:
    """The limited clip and its largest gain reduction in dB (0.0: the clip is unchanged)."""

    clip: Clip
    reduction_db: float
    true_peak: float | None = None
    """True peak of the clip, linear, if limiting measured it; else None."""


def apply_gain(clip: Clip, gain_db: float) -> Clip:
    """``clip`` with every sample multiplied by ``gain_db`` decibels."""
    return Clip(clip.samples * np.float32(amplitude(gain_db)), clip.rate) if gain_db else clip


def _released(needed: Floats, release_nodes: float) -> Floats:
    """Gain with instant attack and exponential release: r[n] = max(1 - needed[n], r[n - 1] * decay).

    No loop is needed: in the log domain the decay is a straight line and the rule is a running maximum.
    """
    slope = np.arange(len(needed)) / release_nodes
    line = np.full(len(needed), -np.inf)
    down = np.flatnonzero(needed < 1.0)
    line[down] = np.log(1.0 - needed[down]) + slope[down]
    reduction = np.exp(np.maximum.accumulate(line, out=line) - slope)
    reduction[reduction < _INAUDIBLE] = 0.0
    return 1.0 - reduction


def _smoothed(gain: Floats, reach: int) -> Floats:
    """A moving average of triangular weight over at most ``reach`` nodes to either side, made of two boxes."""
    box = 2 * (reach // 2) + 1
    smooth: Floats = uniform_filter1d(uniform_filter1d(gain, box, mode="nearest"), box, mode="nearest")
    return smooth


def _between_nodes(nodes: Floats, step: int) -> Floats:
    """Straight lines from node to node, ``step`` samples each; shape [(nodes - 1) * step]."""
    if step == 1:
        return nodes[:-1]
    share = np.arange(step) / step
    ends = np.stack([nodes[:-1], nodes[1:]], axis=1)
    return (ends @ np.stack([1.0 - share, share])).reshape(-1)


class _Curve(NamedTuple):
    """A gain below 1 over part of a sound."""

    start: int
    gain: Floats
    """Linear, by sample from ``start`` on."""

    @property
    def stop(self) -> int:
        """The sample after the last changed one."""
        return self.start + len(self.gain)


def _least(curves: Sequence[_Curve]) -> float:
    """The smallest product of all ``curves`` at any sample."""
    first = min(curve.start for curve in curves)
    gain = np.ones(max(curve.stop for curve in curves) - first)
    for curve in curves:
        gain[curve.start - first : curve.stop - first] *= curve.gain
    return float(gain.min())


def _curve(peaks: _PeakList, ceiling: float, clip: Clip, circular: bool) -> _Curve:
    """Gain of at most ceiling / peak within the look-ahead of every peak.

    In a loop every sample is a node, because a wider step would not divide its length.
    """
    positions, magnitudes = peaks
    ahead = max(2, round(LOOK_AHEAD_S * clip.rate))
    step = 1 if circular else max(1, ahead // NODES)
    reach = -(-ahead // step)
    release = RELEASE_S * clip.rate / step
    settled = math.ceil(_SETTLED * release) + 2 * reach
    if circular:
        turns = math.ceil(settled * step / clip.length)
        positions = np.concatenate([positions + turn * clip.length for turn in range(-turns, 2)])
        magnitudes = np.tile(magnitudes, turns + 2)
        start, stop = -settled, clip.length + 2 * reach
        near = (positions >= start) & (positions < stop)
        positions, magnitudes = positions[near], magnitudes[near]
    else:
        start = int(positions[0]) - 2 * reach * step
        stop = min(int(positions[-1]) + settled * step, clip.length + 2 * reach * step)
    needed = np.ones(-(-(stop - start) // step) + 1)
    np.minimum.at(needed, (positions - start) // step, ceiling / magnitudes)
    least = minimum_filter1d(needed, 2 * reach + 3, mode="nearest")
    gain = _between_nodes(_smoothed(_released(least, release), reach), step)
    first, last = max(start, 0), min(stop, clip.length)
    return _Curve(first, gain[first - start : last - start])


def limit(clip: Clip, ceiling_dbtp: float, *, circular: bool = False) -> Limited:
    """Limit the true peak of ``clip`` to ``ceiling_dbtp``; a clip below it is returned unchanged.

    All channels share one gain curve, so the stereo image stays. With ``circular`` the clip is a loop: look-ahead and
    release wrap around its ends. `true_peak` defines the true peak.
    """
    ceiling = amplitude(ceiling_dbtp - MARGIN_DB)
    positions, magnitudes = overs(clip, ceiling * _NEAR, circular=circular)
    aim, limited, curves = ceiling, clip, list[_Curve]()
    while (over := magnitudes > ceiling).any():
        if len(curves) == _TRIES:
            rest = ceiling / float(magnitudes.max()) * (1.0 - 1e-6)
            reduced = Clip(limited.samples * np.float32(rest), clip.rate)
            return Limited(reduced, _reduction_db(_least(curves) * rest))
        curve = _curve((positions[over], magnitudes[over]), aim, clip, circular)
        curves.append(curve)
        limited = Clip(limited.samples.copy(), clip.rate)
        part = limited.samples[:, curve.start : curve.stop]
        np.multiply(part, curve.gain, out=part, casting="same_kind")
        positions, magnitudes = overs(limited, ceiling * _NEAR, circular=circular)
        aim *= 0.999
    if not curves:
        return Limited(clip, 0.0)
    peak = float(magnitudes.max()) if len(magnitudes) else None
    return Limited(limited, _reduction_db(_least(curves)), peak)


def _reduction_db(least: float) -> float:
    return -20.0 * math.log10(least)


def unrolled(clip: Clip, start: int, seconds: float) -> Clip:
    """``clip`` followed by ``seconds`` of its own sound from sample ``start``, as a player loops it."""
    length = min(round(seconds * clip.rate), clip.length - start)
    repeat = clip.samples[:, start : start + length]
    return Clip(np.concatenate([clip.samples, repeat], axis=1), clip.rate)


def looped_peaks(clip: Clip, loop: Loop | None) -> Peaks:
    """Peaks of ``clip`` as it plays: once, or looping at ``loop``, which ends where the clip ends."""
    if loop is None or loop.start == 0:
        return peaks(clip, circular=loop is not None)
    return peaks(unrolled(clip, loop.start, _METER_S))


def limit_looped(clip: Clip, ceiling_dbtp: float, loop: Loop | None) -> Limited:
    """`limit` for a clip that plays once, or loops at ``loop``, which ends where the clip ends."""
    if loop is None or loop.start == 0:
        return limit(clip, ceiling_dbtp, circular=loop is not None)
    return _limit_after_intro(clip, ceiling_dbtp, loop.start)


def _limit_after_intro(clip: Clip, ceiling_dbtp: float, start: int) -> Limited:
    extended = unrolled(clip, start, _SETTLED_S)
    pilot = np.full((1, extended.length), _PILOT)
    limited = limit(Clip(np.concatenate([extended.samples, pilot]), clip.rate), ceiling_dbtp)
    if not limited.reduction_db:
        return Limited(clip, 0.0)
    gain = limited.clip.samples[-1] / _PILOT
    _match_gain(gain, start, clip)
    matched = Clip(clip.samples * gain[: clip.length], clip.rate)
    over = looped_peaks(matched, Loop(start, clip.length)).true / amplitude(ceiling_dbtp - MARGIN_DB)
    rest = np.float32(1.0 if over <= 1.0 else (1.0 - 1e-6) / over)
    least = float(gain[: clip.length].min() * rest)
    return Limited(Clip(matched.samples * rest, clip.rate), _reduction_db(least))


def _match_gain(gain: Samples, start: int, clip: Clip) -> None:
    """Lower ``gain`` around the loop's start, in place, so that intro and loop end reach one value."""
    repeat = gain[clip.length :]
    first = gain[start : start + len(repeat)]
    np.minimum(first, repeat, out=first)
    for position in (start, clip.length):
        length = min(round(_MATCH_S * clip.rate), start, clip.length - start)
        before = gain[position - length : position]
        target = min(1.0, float(first[0] / before[-1]))
        before *= (1.0 - (1.0 - target) * ramp(length)).astype(np.float32)
