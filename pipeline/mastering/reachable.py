"""Which places between samples can hold a value above a level: bounds that spare most of a sound its
interpolation.

An interpolated value is a straight line between two samples plus what the waveform bends. The second part is
a filter over second differences, short and small, so smooth sound can be above a level only beside samples
that nearly are. Three bounds, each cheaper than the next is sharp: by the level of a row of samples, by a
row's greatest bend, and by the bends around one place (Cauchy and Schwarz).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]

TAPS = 24
BEFORE = TAPS // 2 - 1
AFTER = TAPS // 2
_BETA = 5.0
_ROW = 512
"""Samples that share the bounds of a row."""
_ROWS = 1024
"""Rows looked at together."""
_MANY, _MANY_A_ROW = 600, 50
"""Places from which on the sharpest bound pays: in all, and for each row more."""


def taps(fraction: float) -> npt.NDArray[np.float64]:
    """The interpolator's taps at ``fraction`` of the way from sample 0 to sample 1, for samples -11 to 12."""
    places = np.arange(-BEFORE, AFTER + 1) - fraction
    window = np.i0(_BETA * np.sqrt(np.maximum(0.0, 1.0 - np.square(places / (TAPS / 2)))))
    found = np.sinc(places) * window
    return np.asarray(found / found.sum())


def bend_response(fraction: float) -> npt.NDArray[np.float64]:
    """What the interpolator adds to a straight line, as a filter over second differences; shape [22].

    Its taps less those of the line answer no level, and a slope by up to 0.25 % of it, which `_SLOPE` bears.
    Summed twice they are a filter over second differences.
    """
    rest = taps(fraction)
    rest[BEFORE] -= 1.0 - fraction
    rest[BEFORE + 1] -= fraction
    return np.asarray(np.cumsum(np.cumsum(rest))[: TAPS - 2])


_FRACTIONS = [part / 8 for part in range(1, 8)]
_SAFE = 1.001
"""For float32's rounding of the bounds themselves."""
_BY_LEVEL = np.float32(max(np.abs(taps(fraction)).sum() for fraction in _FRACTIONS) * _SAFE)
"""No value between samples is above this times the highest sample within reach."""
_BEND = np.float32(max(np.abs(bend_response(fraction)).sum() for fraction in _FRACTIONS) * _SAFE)
"""No bend adds more than this times the greatest second difference within reach."""
_SLOPE = np.float32(0.006)
"""A slope adds up to 0.25 % of itself, and is at most twice the level; and rounding."""
_BOXES = ((2, (10,), 0.061), (4, (9,), 0.009), (8, (7,), 0.0134), (16, (0, 6), 0.0092))
"""Boxes over the 22 second differences within reach: width, where they begin, weight. At no place is their
sum below `bend_response`'s magnitude."""


def padded(channel: Floats, circular: bool) -> Floats:
    """The channel in whole rows, with the interpolator's reach at both ends: silence, or the loop's other end."""
    length = len(channel)
    around = np.zeros(BEFORE + -(-length // _ROW) * _ROW + AFTER, np.float32)
    around[BEFORE : BEFORE + length] = channel
    if circular and length:
        around[:BEFORE] = channel.take(np.arange(-BEFORE, 0), mode="wrap")
        around[BEFORE + length :][:AFTER] = channel.take(np.arange(length, length + AFTER), mode="wrap")
    return around


def _edges(width: int) -> Places:
    """For `numpy.ufunc.reduceat`: where each row begins and, ``width`` on, ends. Every second answer is a row's;
    the others go from an end to a beginning before it, which is one sample."""
    begins = np.arange(_ROWS) * _ROW
    return np.stack([begins, begins + width], axis=1).reshape(-1)


_EDGES = {False: _edges(_ROW + TAPS - 1), True: _edges(_ROW + TAPS - 3)}
"""By whether second differences are looked at, of which there are two less."""


def _highest(around: Floats, first: int, last: int, *, bends: bool) -> Floats:
    """Highest magnitude of the samples, or of the second differences, within reach of rows ``first`` to ``last``
    (exclusive)."""
    highest = np.empty(last - first, np.float32)
    for start in range(first, last, _ROWS):
        stop = min(start + _ROWS, last)
        part = around[start * _ROW : stop * _ROW + TAPS - 1]
        if bends:
            slopes = part[1:] - part[:-1]
            part = np.subtract(slopes[1:], slopes[:-1], out=slopes[1:])
        edges = _EDGES[bends][: 2 * (stop - start) - 1]
        highest[start - first : stop - first] = np.maximum.reduceat(np.abs(part), edges)[::2]
    return highest


def _by_bends(bends: Floats) -> Floats:
    """Most that the bends within reach of each place add (Cauchy and Schwarz): from second differences of
    shape [rows, row + 21] to shape [rows, row]."""
    box = np.square(bends)
    total = np.zeros((len(bends), _ROW), np.float32)
    for width, begins, weight in _BOXES:
        half = width // 2
        box = box[:, :-half] + box[:, half:]
        for first in begins:
            total += np.float32(weight) * box[:, first : first + _ROW]
    return np.asarray(np.sqrt(total * _BEND))


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a channel that may hold a value above a level, those that may hold the highest first."""

    places: Places
    """Which rows; shape [rows]."""
    slope: Floats
    """Most that a slope adds in each."""
    bend: Floats
    """Most that a bend adds in each."""

    def part(self, first: int, last: int) -> Rows:
        """Those from ``first`` to ``last`` (exclusive)."""
        return Rows(self.places[first:last], self.slope[first:last], self.bend[first:last])


@dataclass(frozen=True, eq=False)
class Reach:
    """A channel and how high the samples of its rows are."""

    around: Floats
    """What `padded` gave."""
    length: int
    """Samples of the channel itself."""
    level: Floats
    """Highest magnitude within reach of each row; shape [rows]."""

    @property
    def samples(self) -> Floats:
        """The channel itself."""
        return self.around[BEFORE : BEFORE + self.length]

    def _windows(self, rows: Places) -> Floats:
        """Rows with their reach, shape [rows, row + 23]; a copy."""
        shape, size = (len(self.level), _ROW + TAPS - 1), self.around.itemsize
        return np.asarray(np.ndarray(shape, np.float32, self.around, 0, (_ROW * size, size))[rows])

    def _bends(self, rows: Places) -> Floats:
        """The greatest second difference within reach of each row, found for all from the first to the last."""
        first, last = int(rows[0]), int(rows[-1]) + 1
        return _highest(self.around, first, last, bends=True)[rows - first]

    def rows_above(self, floor: float) -> Rows:
        """Rows that may hold a value above ``floor``."""
        rows = np.flatnonzero(self.level * _BY_LEVEL > floor)
        if not len(rows):
            return Rows(rows, self.level[rows], self.level[rows])
        level = self.level[rows]
        slope, bend = level * _SLOPE, self._bends(rows) * _BEND
        bounds = np.minimum(level * _BY_LEVEL, level + slope + bend)
        order = np.argsort(-bounds, kind="stable")[: np.count_nonzero(bounds > floor)]
        return Rows(rows[order], slope[order], bend[order])

    def places_above(self, rows: Rows, floor: float) -> Places:
        """Places n in ``rows`` where a value from n up to n + 1 may be above ``floor``."""
        windows = self._windows(rows.places)
        near = np.abs(windows)
        line = np.maximum(near[:, BEFORE : BEFORE + _ROW], near[:, BEFORE + 1 : BEFORE + 1 + _ROW])
        line += rows.slope[:, None]
        above = line > (np.float32(floor) - rows.bend)[:, None]
        if np.count_nonzero(above) > _MANY + _MANY_A_ROW * len(windows):
            above &= line + _by_bends(np.diff(windows, n=2)) > np.float32(floor)
        found = np.flatnonzero(above)
        places = rows.places[found // _ROW] * _ROW + found % _ROW
        return places[places < self.length]


def reach(channel: Floats, circular: bool) -> Reach:
    """The bounds of float32 ``channel``, shape [samples]; with ``circular`` it is a loop."""
    around = padded(channel, circular)
    return Reach(around, len(channel), _highest(around, 0, len(around) // _ROW, bends=False))
