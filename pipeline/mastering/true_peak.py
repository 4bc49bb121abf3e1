"""True peak: the highest level between samples too, by oversampling to at least 192 kHz (ITU-R BS.1770-5
Annex 2).

The interpolator is a sinc of 24 taps under a Kaiser window (beta 5), flat to Nyquist as those of libebur128
and ffmpeg are. It is computed by elementwise arithmetic in a fixed order, so every machine finds the same
bits. Most of a sound cannot hold its peak: blocks are bounded first, and only those that might matter are
interpolated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.audio import Clip, Samples

Floats = npt.NDArray[np.float32]

TAPS = 24
_BETA = 5.0
_BEFORE = TAPS // 2 - 1
_AFTER = TAPS // 2
_BLOCK = 128
_ROWS = 128
"""Blocks interpolated at a time: what fits a core's cache."""


def oversampling(rate: int) -> int:
    """How many times a rate is raised: 8 below 48 kHz, 4 below 192 kHz, else 1, which is the samples alone.

    BS.1770-5 asks for 4 at 48 kHz. Lower rates take more, so that no meter that works at 192 kHz finds a peak
    that stands between our points.
    """
    return 8 if rate < 48_000 else 4 if rate < 192_000 else 1


def _taps(fraction: float) -> npt.NDArray[np.float64]:
    """The interpolator's taps at ``fraction`` of the way from sample 0 to sample 1, for samples -11 to 12."""
    places = np.arange(-_BEFORE, _AFTER + 1) - fraction
    window = np.i0(_BETA * np.sqrt(np.maximum(0.0, 1.0 - np.square(places / (TAPS / 2)))))
    taps = np.sinc(places) * window
    return np.asarray(taps / taps.sum())


_FRACTIONS = {4: (0.25,), 8: (0.125, 0.25, 0.375)}
"""Places of the first half by oversampling; those of the second half are their mirror images."""

_HALF = _taps(0.5)
_ALL_TAPS = [(fraction, _taps(fraction)) for fraction in (0.125, 0.25, 0.375, 0.5)]


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two samples at the same distance left and right of the middle, and their taps."""

    left: int
    right: int
    half: np.float32
    mirrored: tuple[tuple[np.float32, np.float32], ...]
    """By fraction: tap on the samples' sum and on their difference. With the difference's sign turned it is
    the
    mirrored fraction's, so both share the two sums."""


def _pairs(times: int) -> list[_Pair]:
    pairs = []
    for left, right in zip(range(_BEFORE, -1, -1), range(_AFTER, TAPS), strict=True):
        taps = [_taps(fraction) for fraction in _FRACTIONS[times]]
        mirrored = [
            (np.float32((one[left] + one[right]) / 2), np.float32((one[left] - one[right]) / 2))
            for one in taps
        ]
        pairs.append(_Pair(left, right, np.float32(_HALF[left]), tuple(mirrored)))
    return pairs


_PAIRS = {times: _pairs(times) for times in _FRACTIONS}

_BY_LEVEL = np.float32(max(np.abs(taps).sum() for _, taps in _ALL_TAPS) * 1.001)
"""No value between samples is above this times the highest sample within reach."""


def _by_bend(taps: npt.NDArray[np.float64], fraction: float) -> float:
    """Most that the interpolator adds to a straight line, for second differences of at most 1.

    What it adds is a filter that answers neither level nor slope, so it is one over second differences; the
    sum of that filter's magnitudes is the bound.
    """
    rest = taps.copy()
    rest[_BEFORE] -= 1.0 - fraction
    rest[_BEFORE + 1] -= fraction
    return float(np.abs(np.cumsum(np.cumsum(rest))).sum())


_BEND = np.float32(max(_by_bend(taps, fraction) for fraction, taps in _ALL_TAPS) * 1.001)
_SLOPE = np.float32(1.006)
"""The taps answer a slope by up to 0.25 %: twice that, and rounding, on the level."""


def _blocks(channel: Floats, circular: bool) -> Floats:
    """Rows of one block each with the interpolator's reach around it: a view, shape [blocks, block + 23].

    Beyond the ends stands silence, or the loop's other end.
    """
    count = -(-len(channel) // _BLOCK)
    missing = count * _BLOCK - len(channel)
    if circular:
        padded = channel.take(np.arange(-_BEFORE, len(channel) + missing + _AFTER), mode="wrap")
    else:
        padded = np.pad(channel, (_BEFORE, missing + _AFTER))
    return np.lib.stride_tricks.sliding_window_view(padded, _BLOCK + TAPS - 1)[::_BLOCK]


def _may_exceed(rows: Floats, floor: float) -> tuple[npt.NDArray[np.intp], Floats]:
    """Places of the blocks that may hold a value above ``floor``, and what none of their values can exceed.

    The bound by level settles most blocks; only the rest are looked at for their second differences.
    """
    by_level = np.maximum(rows.max(axis=1), -rows.min(axis=1))
    places = np.flatnonzero(by_level * _BY_LEVEL > floor)
    level, chosen = by_level[places], rows[places]
    slope = chosen[:, 1:] - chosen[:, :-1]
    bend = slope[:, 1:] - slope[:, :-1]
    most = np.maximum(bend.max(axis=1), -bend.min(axis=1))
    bounds = np.minimum(level * _BY_LEVEL, level * _SLOPE + most * _BEND)
    above = bounds > floor
    return places[above], bounds[above]


def _between(rows: Floats, times: int) -> Floats:
    """Highest magnitude at the places after each sample of each block: shape [blocks, block]."""
    half, one, two = (np.zeros((len(rows), _BLOCK), np.float32) for _ in range(3))
    sums = [(np.zeros_like(half), np.zeros_like(half)) for _ in _FRACTIONS[times]]
    for pair in _PAIRS[times]:
        before, after = rows[:, pair.left : pair.left + _BLOCK], rows[:, pair.right : pair.right + _BLOCK]
        np.add(before, after, out=one)
        half += np.multiply(one, pair.half, out=two)
        for (same, _), (tap, _) in zip(sums, pair.mirrored, strict=True):
            np.add(same, np.multiply(one, tap, out=two), out=same)
        np.subtract(before, after, out=one)
        for (_, other), (_, tap) in zip(sums, pair.mirrored, strict=True):
            np.add(other, np.multiply(one, tap, out=two), out=other)
    peaks: Floats = np.abs(half, out=half)
    for same, other in sums:
        np.add(np.abs(same, out=same), np.abs(other, out=other), out=same)
        np.maximum(peaks, same, out=peaks)
    return peaks


def _raise_channel(channel: Floats, envelope: Floats, times: int, floor: float, circular: bool) -> None:
    """Lift ``envelope`` to what lies between the samples of blocks that may be above ``floor``."""
    rows = _blocks(channel, circular)
    padded = np.zeros(len(rows) * _BLOCK, np.float32)
    view = padded.reshape(len(rows), _BLOCK)
    active, _ = _may_exceed(rows, floor)
    for start in range(0, len(active), _ROWS):
        chosen = active[start : start + _ROWS]
        view[chosen] = _between(rows[chosen], times)
    np.maximum(envelope, padded[: len(envelope)], out=envelope)


def _channel_peak(channel: Floats, times: int, least: float, circular: bool) -> float:
    """True peak of one channel, or ``least`` if that is higher: blocks most likely to hold it come first."""
    rows = _blocks(channel, circular)
    places, bounds = _may_exceed(rows, least)
    order = np.argsort(-bounds, kind="stable")
    for start in range(0, len(order), _ROWS):
        chosen = order[start : start + _ROWS]
        if bounds[chosen[0]] <= least:
            break
        least = max(least, float(_between(rows[places[chosen]], times).max()))
    return least


def _magnitude(samples: Samples) -> Floats:
    envelope: Floats = np.abs(samples).max(axis=0)
    return envelope


def peak_envelope(clip: Clip, *, floor: float = 0.0, circular: bool = False) -> Floats:
    """Highest magnitude of any channel in each sample's span [n, n + 1): float32 of shape [samples].

    Exact where it is above ``floor``, elsewhere perhaps too low. With ``circular`` the clip is a loop: its
    end is heard before its start. Otherwise silence surrounds it.
    """
    envelope = _magnitude(clip.samples)
    times = oversampling(clip.rate)
    if times > 1 and clip.length:
        for channel in clip.samples:
            _raise_channel(channel, envelope, times, floor, circular)
    return envelope


def true_peak(clip: Clip, *, circular: bool = False) -> float:
    """True peak as linear amplitude (1.0 is 0 dBTP); 0.0 for silence and for an empty clip."""
    peak = max(float(clip.samples.max(initial=0.0)), -float(clip.samples.min(initial=0.0)))
    times = oversampling(clip.rate)
    if times > 1 and peak > 0.0:
        for channel in clip.samples:
            peak = _channel_peak(channel, times, peak, circular)
    return peak
