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
from scipy.linalg.blas import sgemm
from scipy.signal import lfilter

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Modes = npt.NDArray[np.complex128]

BINS_PER_SECOND = 100
_BLOCK = 16
_MODES = 2
_STATES = 2 * _MODES
"""Real and imaginary part of one mode of each pair of conjugate poles."""
_GROUP = 8
"""Blocks whose modes are found together."""
_GONE = 1e-8
"""Of a mode that has died away from one group to the next, as the shelf's has at 48 kHz."""
_CHUNK = 2048
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
    convolve: Singles
    """From a block to what it gives by itself; shape [block, block]."""
    ring: Singles
    """From the modes before a block to what rings on in it; shape [states, block]."""


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
        convolve.astype(np.float32),
        ringing.astype(np.float32),
    )


def _modes(added: Singles, weighting: _BlockFilter) -> Singles:
    """What rings on before each block, of what each block adds; float32 of shape [blocks, states]."""
    added = added.reshape(-1, _GROUP * _STATES)
    groups = np.empty((len(added), (_GROUP + 1) * _STATES), np.float32)
    groups[:, :-_STATES] = added
    closing = (added @ weighting.close).astype(np.float64).view(np.complex128)
    before = np.zeros_like(closing)
    for mode, step in enumerate(weighting.steps):
        last = closing[:-1, mode]
        before[1:, mode] = lfilter([1.0], [1.0, -step], last) if abs(step) > _GONE else last
    groups[:, -_STATES:] = before.view(np.float64)
    return (groups @ weighting.spread).reshape(-1, _STATES)


def _blocks(channel: Singles, start: int, stop: int) -> Singles:
    """Blocks ``start`` to ``stop`` (exclusive) of the channel, silence behind its end; shape [blocks, block]."""
    part = channel[start * _BLOCK : stop * _BLOCK]
    if len(part) < (stop - start) * _BLOCK:
        filled = np.zeros((stop - start) * _BLOCK, np.float32)
        filled[: len(part)] = part
        part = filled
    return part.reshape(-1, _BLOCK)


def _filtered(channel: Singles, rate: int, chunk: int) -> Iterator[Singles]:
    """The K-weighted channel, ``chunk`` blocks at a time; each shape [samples], good until the next is asked."""
    weighting = _block_filter(rate)
    count = -(-len(channel) // (_GROUP * _BLOCK)) * _GROUP
    chunks = [(start, min(start + chunk, count)) for start in range(0, count, chunk)]
    added = np.empty((count, _STATES), np.float32)
    for start, stop in chunks:
        np.matmul(_blocks(channel, start, stop), weighting.gather, out=added[start:stop])
    modes = _modes(added, weighting)
    buffer = np.empty((min(chunk, count), _BLOCK), np.float32)
    for start, stop in chunks:
        filtered = np.matmul(_blocks(channel, start, stop), weighting.convolve, out=buffer[: stop - start])
        # BLAS adds to what is there, which NumPy's product cannot; transposed, since it counts by columns.
        filtered = sgemm(1.0, weighting.ring.T, modes[start:stop].T, 1.0, filtered.T, overwrite_c=True).T
        yield filtered.reshape(-1)[: len(channel) - start * _BLOCK]


def binned_energy(channel: Singles, rate: int) -> Floats:
    """K-weighted energy (sum of squares) of float32 ``channel`` in bins of 10 ms; shape [bins].

    Bin n begins at sample floor(n x rate / 100); the last may be shorter than the others.
    """
    found = np.zeros(-(-len(channel) * BINS_PER_SECOND // rate))
    if not len(found):
        return found
    if rate % BINS_PER_SECOND:
        whole = next(_filtered(channel, rate, len(channel)))
        starts = (np.arange(len(found)) * rate) // BINS_PER_SECOND
        return np.add.reduceat(np.square(whole, dtype=np.float64), starts)
    width = rate // BINS_PER_SECOND
    step = width // gcd(width, _BLOCK)
    place = 0
    for part in _filtered(channel, rate, step * max(1, _CHUNK // step)):
        full = len(part) // width
        bins, rest = part[: full * width].reshape(full, width), part[full * width :]
        np.vecdot(bins, bins, out=found[place : place + full])
        place += full
        if len(rest):
            found[place] = np.vecdot(rest, rest)
    return found
