"""True peak: the highest level, also between samples, by oversampling to at least 192 kHz (ITU-R BS.1770-5 Annex 2).

The interpolator is a sinc of 24 taps under a Kaiser window (beta 5), flat to Nyquist like those of libebur128 and
ffmpeg. An interpolated value is a straight line between two samples plus a curvature term. The curvature term is a
short filter over second differences and is small, so a smooth sound exceeds a level only next to samples that nearly
reach it. Three bounds find the parts that may hold the peak, from the cheapest to the sharpest: the level of a row of
samples, the greatest second difference in a row, and the second differences around one position (Cauchy-Schwarz).
Only those parts are interpolated, in float64 rounded to float32, so that the result does not depend on the order in
which a machine sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from pipeline.audio import Clip, Floats, Samples

Positions = npt.NDArray[np.intp]

TAPS = 24
BEFORE = TAPS // 2 - 1
AFTER = TAPS // 2
_BETA = 5.0
_ROW = 512
"""Samples in a row; a row has one bound."""
_ROWS_PER_BATCH = 1024
"""Rows processed at once."""
_SHARP_BOUND_FROM, _SHARP_BOUND_PER_ROW = 600, 50
"""Number of candidate positions from which the sharpest bound is worth its cost: fixed part, and part per row."""
_FRACTIONS = [part / 8 for part in range(1, 8)]
_ROUNDING = 1.001
"""Covers float32 rounding of the bounds."""
_SLOPE_GAIN = np.float32(0.006)
"""A slope adds up to 0.25 % of itself and is at most twice the level; the rest covers rounding."""
_BOXES = ((2, (10,), 0.061), (4, (9,), 0.009), (8, (7,), 0.0134), (16, (0, 6), 0.0092))
"""Boxes over the 22 second differences in the window: width, start positions, weight. Their sum is never below the
magnitude of `curvature_response`."""
_CANDIDATE_BATCH = 32
"""Candidate rows processed at once."""
_POSITION_BATCH = 4096
"""Positions interpolated at once, so that they fit in a core's cache."""
_LARGEST = float(np.finfo(np.float32).max)


def taps(fraction: float) -> Floats:
    """The interpolator's taps at ``fraction`` of the way from sample 0 to sample 1, for samples -11 to 12."""
    positions = np.arange(-BEFORE, AFTER + 1) - fraction
    window = np.i0(_BETA * np.sqrt(np.maximum(0.0, 1.0 - np.square(positions / (TAPS / 2)))))
    sinc = np.sinc(positions) * window
    return np.asarray(sinc / sinc.sum())


def curvature_response(fraction: float) -> Floats:
    """What the interpolator adds to a straight line, as a filter over second differences; shape [22].

    The taps minus those of the line give 0 for a constant and at most 0.25 % of a slope; `_SLOPE_GAIN` covers the
    slope. Their double cumulative sum is the filter over second differences.
    """
    rest = taps(fraction)
    rest[BEFORE] -= 1.0 - fraction
    rest[BEFORE + 1] -= fraction
    return np.asarray(np.cumsum(np.cumsum(rest))[: TAPS - 2])


_LEVEL_GAIN = np.float32(max(np.abs(taps(fraction)).sum() for fraction in _FRACTIONS) * _ROUNDING)
"""A value between samples is at most this times the highest sample in the interpolator's window."""
_CURVATURE_GAIN = np.float32(
    max(np.abs(curvature_response(fraction)).sum() for fraction in _FRACTIONS) * _ROUNDING
)
"""The curvature term is at most this times the greatest second difference in the window."""


def padded(channel: Samples, circular: bool) -> Samples:
    """The channel in whole rows, padded at both ends: with silence, or with the loop's other end."""
    length = len(channel)
    around = np.zeros(BEFORE + -(-length // _ROW) * _ROW + AFTER, np.float32)
    around[BEFORE : BEFORE + length] = channel
    if circular and length:
        around[:BEFORE] = channel.take(np.arange(-BEFORE, 0), mode="wrap")
        around[BEFORE + length :][:AFTER] = channel.take(np.arange(length, length + AFTER), mode="wrap")
    return around


def _edges(width: int) -> Positions:
    """Indices for `numpy.ufunc.reduceat`: start of each row, and its end ``width`` later. Every second result
    belongs to a row; ignore the others."""
    begins = np.arange(_ROWS_PER_BATCH) * _ROW
    return np.stack([begins, begins + width], axis=1).reshape(-1)


_EDGES = {False: _edges(_ROW + TAPS - 1), True: _edges(_ROW + TAPS - 3)}
"""Key: whether the values are second differences; a row has two fewer of them."""


def _highest(around: Samples, first: int, last: int, *, curvatures: bool) -> Samples:
    """Highest magnitude of the samples, or of the second differences, in each window of rows ``first`` to ``last``
    (exclusive)."""
    highest = np.empty(last - first, np.float32)
    for start in range(first, last, _ROWS_PER_BATCH):
        stop = min(start + _ROWS_PER_BATCH, last)
        part = around[start * _ROW : stop * _ROW + TAPS - 1]
        if curvatures:
            slopes = part[1:] - part[:-1]
            part = np.subtract(slopes[1:], slopes[:-1], out=slopes[1:])
        edges = _EDGES[curvatures][: 2 * (stop - start) - 1]
        highest[start - first : stop - first] = np.maximum.reduceat(np.abs(part), edges)[::2]
    return highest


def _curvature_bounds(curvatures: Samples) -> Samples:
    """Upper bound of the curvature term at each position (Cauchy-Schwarz): from second differences of shape
    [rows, row + 21] to shape [rows, row]."""
    box = np.square(curvatures)
    total = np.zeros((len(curvatures), _ROW), np.float32)
    for width, begins, weight in _BOXES:
        half = width // 2
        box = box[:, :-half] + box[:, half:]
        for first in begins:
            total += np.float32(weight) * box[:, first : first + _ROW]
    return np.asarray(np.sqrt(total * _CURVATURE_GAIN))


@dataclass(frozen=True, eq=False)
class CandidateRows:
    """Rows of a channel that may hold a value above a level, highest bound first."""

    positions: Positions
    """Row numbers; shape [rows]."""
    slope: Samples
    """Upper bound of the slope term in each row."""
    curvature: Samples
    """Upper bound of the curvature term in each row."""

    def part(self, first: int, last: int) -> CandidateRows:
        """Rows ``first`` to ``last`` (exclusive)."""
        return CandidateRows(self.positions[first:last], self.slope[first:last], self.curvature[first:last])


@dataclass(frozen=True, eq=False)
class ChannelBounds:
    """A channel and the sample level of each row."""

    around: Samples
    """The channel from `padded`."""
    length: int
    """Length of the channel in samples, without padding."""
    level: Samples
    """Highest magnitude in the window of each row; shape [rows]."""

    @property
    def samples(self) -> Samples:
        """The channel itself."""
        return self.around[BEFORE : BEFORE + self.length]

    def _windows(self, rows: Positions) -> Samples:
        """Rows with their padding, shape [rows, row + 23]; a copy."""
        shape, size = (len(self.level), _ROW + TAPS - 1), self.around.itemsize
        return np.asarray(np.ndarray(shape, np.float32, self.around, 0, (_ROW * size, size))[rows])

    def _curvatures(self, rows: Positions) -> Samples:
        """The greatest second difference in the window of each row."""
        first, last = int(rows[0]), int(rows[-1]) + 1
        return _highest(self.around, first, last, curvatures=True)[rows - first]

    def rows_above(self, floor: float) -> CandidateRows:
        """Rows that may hold a value above ``floor``."""
        rows = np.flatnonzero(self.level * _LEVEL_GAIN > floor)
        if not len(rows):
            return CandidateRows(rows, self.level[rows], self.level[rows])
        level = self.level[rows]
        slope, curvature = level * _SLOPE_GAIN, self._curvatures(rows) * _CURVATURE_GAIN
        bounds = np.minimum(level * _LEVEL_GAIN, level + slope + curvature)
        order = np.argsort(-bounds, kind="stable")[: np.count_nonzero(bounds > floor)]
        return CandidateRows(rows[order], slope[order], curvature[order])

    def positions_above(self, rows: CandidateRows, floor: float) -> Positions:
        """Samples n in ``rows`` where a value between n and n + 1 may be above ``floor``."""
        windows = self._windows(rows.positions)
        near = np.abs(windows)
        line = np.maximum(near[:, BEFORE : BEFORE + _ROW], near[:, BEFORE + 1 : BEFORE + 1 + _ROW])
        line += rows.slope[:, None]
        above = line > (np.float32(floor) - rows.curvature)[:, None]
        if np.count_nonzero(above) > _SHARP_BOUND_FROM + _SHARP_BOUND_PER_ROW * len(windows):
            above &= line + _curvature_bounds(np.diff(windows, n=2)) > np.float32(floor)
        flat = np.flatnonzero(above)
        positions = rows.positions[flat // _ROW] * _ROW + flat % _ROW
        return positions[positions < self.length]


def channel_bounds(channel: Samples, circular: bool) -> ChannelBounds:
    """Bounds of float32 ``channel``, shape [samples]; with ``circular`` the channel is a loop."""
    around = padded(channel, circular)
    return ChannelBounds(around, len(channel), _highest(around, 0, len(around) // _ROW, curvatures=False))


def sample_peak(clip: Clip) -> float:
    """Highest magnitude of any sample, linear; 0.0 for an empty clip."""
    return max(float(clip.samples.max(initial=0.0)), -float(clip.samples.min(initial=0.0)))


def oversampling(rate: int) -> int:
    """Oversampling factor: 8 below 48 kHz, 4 below 192 kHz, else 1 (samples only).

    BS.1770-5 asks for 4 at 48 kHz. Lower rates use 8, so that a meter at 192 kHz finds no peak between our points.
    """
    return 8 if rate < 48_000 else 4 if rate < 192_000 else 1


@cache
def _interpolator(times: int) -> Floats:
    """Taps for every position between two samples, shape [times - 1, 24]."""
    return np.stack([taps(part / times) for part in range(1, times)])


def _between(around: Samples, positions: Positions, times: int) -> Samples:
    """Highest magnitude between each of ``positions`` and the next sample; float32 of shape [positions].

    ``around`` is the channel padded for the interpolator at both ends.
    """
    size = around.itemsize
    windows = np.ndarray((len(around) - TAPS + 1, TAPS), np.float32, around, 0, (size, size))
    peaks = np.empty(len(positions), np.float32)
    for start in range(0, len(positions), _POSITION_BATCH):
        chosen = windows[positions[start : start + _POSITION_BATCH]].astype(np.float64)
        values = _interpolator(times) @ chosen.T
        peaks[start : start + _POSITION_BATCH] = np.abs(values, out=values).max(axis=0)
    return peaks


def _peak(bounds: ChannelBounds, times: int, least: float) -> float:
    """True peak of one channel, or ``least`` if that is higher. Rows with the highest bound come first."""
    rows = bounds.rows_above(least)
    for start in range(0, len(rows.positions), _CANDIDATE_BATCH):
        positions = bounds.positions_above(rows.part(start, start + _CANDIDATE_BATCH), least)
        if len(positions):
            least = max(least, float(_between(bounds.around, positions, times).max()))
    return least


def _channel_overs(bounds: ChannelBounds, times: int, ceiling: float) -> tuple[Positions, Samples]:
    """Samples n where one channel exceeds ``ceiling`` between n and the next sample, and the magnitude there."""
    rows = bounds.rows_above(ceiling)
    parts = [
        bounds.positions_above(rows.part(start, start + _CANDIDATE_BATCH), ceiling)
        for start in range(0, len(rows.positions), _CANDIDATE_BATCH)
    ]
    positions = np.concatenate([*parts, np.zeros(0, np.intp)])
    highest = np.abs(bounds.samples[positions])
    if times > 1:
        np.maximum(highest, _between(bounds.around, positions, times), out=highest)
    above = highest > ceiling
    return positions[above], highest[above]


def overs(clip: Clip, ceiling: float, *, circular: bool = False) -> tuple[Positions, Samples]:
    """Where the true peak is above linear ``ceiling``: samples n in order, each with the highest magnitude of
    any channel from n up to the next sample, float32.

    With ``circular`` the clip is a loop: its end comes before its start. Otherwise silence surrounds it.
    """
    times = oversampling(clip.rate)
    by_channel = [
        _channel_overs(channel_bounds(channel, circular), times, ceiling) for channel in clip.samples
    ]
    positions, peaks = (np.concatenate(part) for part in zip(*by_channel, strict=True))
    order = np.argsort(positions)
    positions, peaks = positions[order], peaks[order]
    if clip.channels == 1:
        return positions, peaks
    firsts = np.flatnonzero(np.diff(positions, prepend=-1))
    return positions[firsts], np.maximum.reduceat(peaks, firsts) if len(firsts) else peaks


@dataclass(frozen=True, slots=True)
class Peaks:
    """Highest magnitudes, linear: 1.0 is full scale."""

    sample: float
    """Of the samples."""
    true: float
    """Also between samples."""

    def scaled(self, gain: float) -> Peaks:
        """Peaks after a linear ``gain`` of float32; the sample peak is rounded like every sample."""
        return Peaks(float(np.float32(self.sample) * np.float32(gain)), self.true * gain)


def peaks(clip: Clip, *, circular: bool = False) -> Peaks:
    """Sample and true peak; both 0.0 for silence and for an empty clip."""
    times = oversampling(clip.rate)
    if times == 1 or not clip.length:
        highest = sample_peak(clip)
        return Peaks(highest, highest)
    channels = [channel_bounds(channel, circular) for channel in clip.samples]
    highest = true = max(float(bounds.level.max()) for bounds in channels)
    if highest > 0.0:
        for bounds in channels:
            true = _peak(bounds, times, true)
    return Peaks(highest, min(true, _LARGEST))


def true_peak(clip: Clip, *, circular: bool = False) -> float:
    """True peak as linear amplitude (1.0 is 0 dBTP); 0.0 for silence and for an empty clip."""
    return peaks(clip, circular=circular).true
