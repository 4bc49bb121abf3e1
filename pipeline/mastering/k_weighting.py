"""K-weighted energy of a channel by bins: the filter of ITU-R BS.1770-5 as matrix products over blocks.

A recursive filter runs one sample after another. Here a block of samples is one product with the filter's
impulse response as a matrix, and what earlier blocks leave ringing comes in by the filter's modes (its partial
fractions), which go on from block to block by one complex multiplication each. The answer is that of the two
biquads in series, to float32's rounding of each sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import gcd

import numpy as np
import numpy.typing as npt
from pyloudnorm import IIRfilter
from scipy.signal import lfilter

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Modes = npt.NDArray[np.complex128]

BINS_PER_SECOND = 100
_BLOCK = 32
_MODES = 2
_STATES = 2 * _MODES
"""Real and imaginary part of one mode of each pair of conjugate poles."""
_GROUP = 16
"""Blocks whose modes are found together."""
_CHUNK = 1024
"""Blocks filtered at a time, about: what fits a core's cache."""


@cache
def k_weighting(rate: int) -> Floats:
    """Second-order sections of the K-weighting filter at ``rate``, shape [2, 6].

    The analogue prototype behind BS.1770-5's 48 kHz tables (De Man, "Evaluation of implementations of the EBU
    R128 loudness measurement", AES 145, 2018), as pyloudnorm's ``DeMan`` class and libebur128 have it.
    """
    shelf = IIRfilter(3.99984385397, 0.7071752369554193, 1681.9744509555319, rate, "high_shelf_DeMan")
    high_pass = IIRfilter(0.0, 0.5003270373253953, 38.13547087613982, rate, "high_pass_DeMan")
    return np.array([[*shelf.b, *shelf.a], [*high_pass.b, *high_pass.a]])


@dataclass(frozen=True, eq=False)
class _BlockFilter:
    """K-weighting at one rate: matrices that rows of samples and of modes are multiplied with."""

    gather: Singles
    """From a block to what it adds to the modes after it; shape [block, states]."""
    close: Singles
    """From a group of such additions to what they add to the modes after the group; shape [group * states,
    states]."""
    steps: Modes
    """What each mode is multiplied by from group to group; shape [modes]."""
    spread: Singles
    """From a group of additions and the modes before it to the modes before each of its blocks; shape
    [(group + 1) * states, group * states]."""
    answer: Singles
    """From a block and the modes before it to the filtered block; shape [block + states, block]."""


def _fractions(rate: int) -> tuple[float, Modes, Modes]:
    """h[0], then residues r and poles p of one mode of each pair: h[n] = 2 Re sum r p^(n - 1) from 1 on."""
    sections = k_weighting(rate)
    poles = np.array([np.roots(section[3:])[0] for section in sections])
    both = np.concatenate([poles, poles.conj()])
    slopes = [np.prod(pole - np.delete(both, place)) for place, pole in enumerate(poles)]
    zeros = np.polymul(sections[0, :3], sections[1, :3])
    direct = float(zeros[0])
    rest = np.polysub(zeros, direct * np.poly(both).real)
    return direct, np.polyval(rest, poles) / np.array(slopes), poles


def _by_mode(factors: Modes) -> Floats:
    """Complex factors by row, column and mode as a real matrix over rows of real and imaginary parts."""
    rows, columns, modes = factors.shape
    matrix = np.zeros((rows, modes, 2, columns, modes, 2))
    for mode in range(modes):
        part = factors[:, :, mode]
        matrix[:, mode, 0, :, mode, 0] = matrix[:, mode, 1, :, mode, 1] = part.real
        matrix[:, mode, 0, :, mode, 1] = part.imag
        matrix[:, mode, 1, :, mode, 0] = -part.imag
    return matrix.reshape(rows * 2 * modes, columns * 2 * modes)


@cache
def _block_filter(rate: int) -> _BlockFilter:
    direct, residues, poles = _fractions(rate)
    powers = poles ** np.arange(_BLOCK + 1)[:, None]
    response = np.concatenate(([direct], 2.0 * (residues * powers[: _BLOCK - 1]).real.sum(axis=1)))
    delays = np.arange(_BLOCK)[None, :] - np.arange(_BLOCK)[:, None]
    convolve = np.where(delays >= 0, response[delays.clip(0)], 0.0)
    ring = 2.0 * (residues * powers[:_BLOCK]).T
    ringing = np.stack([ring.real, -ring.imag], axis=1).reshape(_STATES, _BLOCK)
    gather = powers[_BLOCK - 1 :: -1]
    strides = powers[_BLOCK] ** np.arange(_GROUP + 1)[:, None]
    since = np.arange(_GROUP)[None, :] - np.arange(-1, _GROUP)[:, None] - 1
    before = np.where(since[:, :, None] >= 0, strides[since.clip(0)], 0.0)
    return _BlockFilter(
        np.stack([gather.real, gather.imag], axis=2).reshape(_BLOCK, _STATES).astype(np.float32),
        _by_mode(strides[_GROUP - 1 :: -1, None]).astype(np.float32),
        strides[_GROUP],
        _by_mode(np.concatenate([before[1:], before[:1]])).astype(np.float32),
        np.concatenate([convolve, ringing]).astype(np.float32),
    )


def _modes(blocks: Singles, weighting: _BlockFilter) -> Singles:
    """What rings on from all blocks before each; float32 of shape [blocks, states]."""
    added = (blocks @ weighting.gather).reshape(-1, _GROUP * _STATES)
    groups = np.empty((len(added), (_GROUP + 1) * _STATES), np.float32)
    groups[:, :-_STATES] = added
    closing = (added @ weighting.close).astype(np.float64).view(np.complex128)
    before = np.zeros_like(closing)
    for mode, step in enumerate(weighting.steps):
        before[1:, mode] = lfilter([1.0], [1.0, -step], closing[:-1, mode])
    groups[:, -_STATES:] = before.view(np.float64)
    return (groups @ weighting.spread).reshape(-1, _STATES)


def _filled_up(part: Singles, width: int) -> Singles:
    """``part`` with silence behind it, up to a multiple of ``width``."""
    if not len(part) % width:
        return part
    filled = np.zeros(len(part) + -len(part) % width, np.float32)
    filled[: len(part)] = part
    return filled


def _filtered(channel: Singles, rate: int, chunk: int) -> Iterator[Singles]:
    """The K-weighted channel, ``chunk`` blocks at a time and silence behind its end; each shape [samples]."""
    weighting = _block_filter(rate)
    blocks = _filled_up(channel, _GROUP * _BLOCK).reshape(-1, _BLOCK)
    modes = _modes(blocks, weighting)
    chunk = min(chunk, len(blocks))
    joined = np.empty((chunk, _BLOCK + _STATES), np.float32)
    filtered = np.empty((chunk, _BLOCK), np.float32)
    for start in range(0, len(blocks), chunk):
        count = min(chunk, len(blocks) - start)
        joined[:count, :_BLOCK] = blocks[start : start + count]
        joined[:count, _BLOCK:] = modes[start : start + count]
        part = np.matmul(joined[:count], weighting.answer, out=filtered[:count]).reshape(-1)
        part[len(channel) - start * _BLOCK :] = 0.0
        yield part


def binned_energy(channel: Singles, rate: int) -> Floats:
    """K-weighted energy (sum of squares) of float32 ``channel`` in bins of 10 ms; shape [bins].

    Bin n begins at sample floor(n x rate / 100); the last may be shorter than the others.
    """
    bins = -(-len(channel) * BINS_PER_SECOND // rate)
    if not bins:
        return np.zeros(0)
    if rate % BINS_PER_SECOND:
        whole = next(_filtered(channel, rate, len(channel)))[: len(channel)]
        starts = (np.arange(bins) * rate) // BINS_PER_SECOND
        return np.add.reduceat(np.square(whole, dtype=np.float64), starts)
    width = rate // BINS_PER_SECOND
    step = width // gcd(width, _BLOCK)
    rows = []
    for part in _filtered(channel, rate, step * max(1, _CHUNK // step)):
        full = _filled_up(part, width).reshape(-1, width)
        rows.append(np.vecdot(full, full))
    return np.concatenate(rows)[:bins].astype(np.float64)
