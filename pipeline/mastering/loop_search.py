"""Where a sound repeats itself: the start, or the length next to the bar grid, whose seam is heard least.

What follows the end of a loop is replaced by its start, so the best loop is one whose start sounds like what
would have come next. Rhythm is compared by the envelope in bins of 2 ms, colour by levels in bands of 50 ms.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import rfft

from pipeline.audio import Clip

Floats = npt.NDArray[np.float64]

_BIN_S = 0.002
_RHYTHM_S = 4.0
_SHORTEST_S = 0.25
_DRIFT = 0.01
"""How far a generated tempo may be from the asked one for the length to follow it."""
CLEARLY = 0.15
LIKE = 0.5
"""A correlation must be this high and rise by that for a loop to leave the grid: noise alone does not."""
_HOP_S = 0.05
_COLOUR_HOPS = 20
_BANDS = 20


def _mono(clip: Clip) -> Floats:
    return np.asarray(clip.samples.mean(axis=0, dtype=np.float64))


def _rhythm(clip: Clip, first: int, last: int, bin_length: int) -> Floats:
    """Log level from bin ``first`` to ``last``, flat on average: onsets stand out, overall level does not."""
    mono = clip.samples[:, first * bin_length : last * bin_length].mean(axis=0)
    bins = mono.reshape(last - first, bin_length)
    power = np.vecdot(bins, bins).astype(np.float64) / bin_length
    level = np.log10(power + 1e-6 * float(power.mean()) + 1e-20)
    return np.asarray(level - level.mean())


def _normalised(pattern: Floats, signal: Floats) -> Floats:
    """Correlation coefficient of ``pattern`` with ``signal`` at every lag where it fits, from -1 to 1."""
    size = len(pattern)
    centred = pattern - pattern.mean()
    products = np.correlate(signal, centred, mode="valid")
    sums, squares = (_sliding_sums(values, size) for values in (signal, np.square(signal)))
    spread = np.sqrt(np.maximum(squares - np.square(sums) / size, 0.0) * np.square(centred).sum())
    return np.asarray(np.where(spread > 1e-9, products / np.maximum(spread, 1e-9), 0.0))


def _sliding_sums(values: Floats, size: int) -> Floats:
    running = np.concatenate(([0.0], np.cumsum(values)))
    return np.asarray(running[size:] - running[:-size])


def tempo_length(clip: Clip, length: int, furthest: float = _DRIFT) -> tuple[int, float]:
    """The length in samples after which the rhythm of the start comes again, within the share ``furthest`` of
    ``length``.

    ``length`` itself unless another is clearly better. Also the correlation found there, from -1 to 1.
    """
    bin_length = max(1, round(_BIN_S * clip.rate))
    middle, shortest = round(length / bin_length), round(_SHORTEST_S / _BIN_S)
    drift = min(round(furthest * length / bin_length), clip.length // bin_length - middle - shortest)
    size = min(round(_RHYTHM_S / _BIN_S), clip.length // bin_length - middle - drift, middle)
    if size < shortest or not 0 < drift < middle:
        return length, 0.0
    head = _rhythm(clip, 0, size, bin_length)
    found = _normalised(head, _rhythm(clip, middle - drift, middle + drift + size, bin_length))
    best = int(found.argmax())
    if found[best] < max(LIKE, found[drift] + CLEARLY):
        return length, round(float(found[drift]), 4)
    return length + (best - drift) * bin_length, round(float(found[best]), 4)


def _colour(wave: Floats, hop: int) -> Floats:
    """Level in dB by hop and band of equal ratio, shape [hops, bands]."""
    count = len(wave) // hop
    rows = wave[: count * hop].reshape(count, hop) * np.hanning(hop)
    power = np.abs(rfft(rows)) ** 2
    edges = np.unique(np.geomspace(1, power.shape[1] - 1, _BANDS + 1).astype(int))
    banded = np.add.reduceat(power, edges[:-1], axis=1) / np.diff(edges)
    return np.asarray(10.0 * np.log10(banded + 1e-6 * float(banded.mean()) + 1e-20))


def best_start(clip: Clip, length: int, overlap: int) -> tuple[int, float]:
    """The start in samples of the loop of ``length`` whose second after the start sounds most like what
    follows its end, with ``overlap`` samples left for a crossfade; and the difference left, in dB.

    The earliest of equals. Start 0 where there is no room to choose.
    """
    hop = max(2, round(_HOP_S * clip.rate))
    colour = _colour(_mono(clip), hop)
    choices = (clip.length - length - overlap) // hop + 1
    shift = round(length / hop)
    size = min(_COLOUR_HOPS, len(colour) - shift - choices + 1)
    if choices < 1 or size < 1:
        return 0, 0.0
    left = [
        float(np.abs(colour[start : start + size] - colour[start + shift : start + shift + size]).mean())
        for start in range(choices)
    ]
    best = int(np.argmin(np.round(left, 2)))
    return best * hop, round(left[best], 3)
