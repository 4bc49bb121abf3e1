"""Loudness by ITU-R BS.1770-5 and EBU Tech 3341/3342, over K-weighted energies of 10 ms bins.

The K-weighted signal's energy is summed once in bins of 10 ms; every window of the standards (400 ms
momentary and gating blocks, 3 s short-term) is then a difference of a running sum. A gain scales the
energies, so what a sound will measure after a gain is known without filtering it again.

A recursive filter runs one sample after another. Here K-weighting is a matrix product over blocks of samples: each
block is multiplied by the filter's impulse response as a matrix, and what earlier blocks leave ringing comes in by the
filter's modes (its partial fractions), which go on from block to block by one complex multiplication each. The result
is that of the two biquads in series, to float32's rounding of each sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import gcd

import numpy as np
import numpy.typing as npt
from pyloudnorm import IIRfilter
from scipy.linalg.blas import sgemm
from scipy.signal import lfilter

from pipeline.audio import Clip, Floats, Samples, resample
from pipeline.audio.clip import BC, BL, BR, LFE, NAMED_MASKS, SL, SR
from pipeline.audio.decibel import level_of_power
from pipeline.errors import MasteringError

Modes = npt.NDArray[np.complex128]

BINS_PER_SECOND = 100
_FILTER_BLOCK = 16
_MODES = 2
_STATES = 2 * _MODES
"""Real and imaginary part of one mode of each pair of conjugate poles."""
_FILTER_GROUP = 8
"""Blocks whose modes are computed together."""
_DECAYED = 1e-8
"""A mode whose factor from group to group is smaller has died away, like the shelf's at 48 kHz."""
_FILTER_CHUNK = 2048
"""Approximate number of blocks filtered at once, so that they fit in a core's cache."""
_OFFSET = -0.691
"""BS.1770-5: makes a 997 Hz sine at 0 dBFS in one channel read -3.01 LKFS."""
_ABSOLUTE_GATE = 10.0 ** ((-70.0 - _OFFSET) / 10.0)
_LOWEST_HZ = 8_000
_DOWNSCALE = 2.0**80
"""Divisor for samples whose squares float32 cannot hold."""
_BIN_S = 0.01
_HOP = 10
_BLOCK = 40
_SHORT = 300
_SURROUND = 1.41
_SURROUNDS = BL | BR | BC | SL | SR | 0x38000
"""Side and back speakers, the upper back ones too (bits 15 to 17)."""
MOST_CHANNELS = max(NAMED_MASKS)


@cache
def k_weighting(rate: int) -> Floats:
    """Second-order sections of the K-weighting filter at ``rate``, shape [2, 6].

    They come from the analogue prototype behind BS.1770-5's 48 kHz tables (De Man, "Evaluation of implementations of
    the EBU R128 loudness measurement", AES 145, 2018), as in pyloudnorm's ``DeMan`` class and in libebur128.
    """
    shelf = IIRfilter(3.99984385397, 0.7071752369554193, 1681.9744509555319, rate, "high_shelf_DeMan")
    high_pass = IIRfilter(0.0, 0.5003270373253953, 38.13547087613982, rate, "high_pass_DeMan")
    return np.array([[*shelf.b, *shelf.a], [*high_pass.b, *high_pass.a]])


@dataclass(frozen=True, eq=False)
class _BlockFilter:
    """K-weighting at one rate, as matrices to multiply with rows of samples and rows of modes."""

    gather: Samples
    """From a block to its addition to the modes after it; shape [block, states]."""
    close: Samples
    """From the additions of a group's blocks to the addition to the modes after the group; shape
    [group * states, states]."""
    steps: Modes
    """Factor of each mode from group to group; shape [modes]."""
    spread: Samples
    """From the additions of a group's blocks and the modes before the group to the modes before each block; shape
    [(group + 1) * states, group * states]."""
    convolve: Samples
    """From a block to its own output; shape [block, block]."""
    ring: Samples
    """From the modes before a block to their output in it; shape [states, block]."""


def _fractions(rate: int) -> tuple[float, Modes, Modes]:
    """h[0], then residues r and poles p of one mode of each pair: h[n] = 2 Re sum r p^(n - 1) from 1 on."""
    sections = k_weighting(rate)
    poles = np.array([np.roots(section[3:])[0] for section in sections])
    both = np.concatenate([poles, poles.conj()])
    slopes = [np.prod(pole - np.delete(both, position)) for position, pole in enumerate(poles)]
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
    powers = poles ** np.arange(_FILTER_BLOCK + 1)[:, None]
    response = np.concatenate(([direct], 2.0 * (residues * powers[: _FILTER_BLOCK - 1]).real.sum(axis=1)))
    delays = np.arange(_FILTER_BLOCK)[None, :] - np.arange(_FILTER_BLOCK)[:, None]
    convolve = np.where(delays >= 0, response[delays.clip(0)], 0.0)
    ring = 2.0 * (residues * powers[:_FILTER_BLOCK]).T
    ringing = np.stack([ring.real, -ring.imag], axis=1).reshape(_STATES, _FILTER_BLOCK)
    gather = powers[_FILTER_BLOCK - 1 :: -1]
    strides = powers[_FILTER_BLOCK] ** np.arange(_FILTER_GROUP + 1)[:, None]
    since = np.arange(_FILTER_GROUP)[None, :] - np.arange(-1, _FILTER_GROUP)[:, None] - 1
    before = np.where(since[:, :, None] >= 0, strides[since.clip(0)], 0.0)
    return _BlockFilter(
        np.stack([gather.real, gather.imag], axis=2).reshape(_FILTER_BLOCK, _STATES).astype(np.float32),
        _by_mode(strides[_FILTER_GROUP - 1 :: -1, None]).astype(np.float32),
        strides[_FILTER_GROUP],
        _by_mode(np.concatenate([before[1:], before[:1]])).astype(np.float32),
        convolve.astype(np.float32),
        ringing.astype(np.float32),
    )


def _modes(added: Samples, weighting: _BlockFilter) -> Samples:
    """The modes before each block, from the addition of each block; float32 of shape [blocks, states]."""
    added = added.reshape(-1, _FILTER_GROUP * _STATES)
    groups = np.empty((len(added), (_FILTER_GROUP + 1) * _STATES), np.float32)
    groups[:, :-_STATES] = added
    closing = (added @ weighting.close).astype(np.float64).view(np.complex128)
    before = np.zeros_like(closing)
    for mode, step in enumerate(weighting.steps):
        last = closing[:-1, mode]
        before[1:, mode] = lfilter([1.0], [1.0, -step], last) if abs(step) > _DECAYED else last
    groups[:, -_STATES:] = before.view(np.float64)
    return (groups @ weighting.spread).reshape(-1, _STATES)


def _sample_blocks(channel: Samples, start: int, stop: int) -> Samples:
    """Blocks ``start`` to ``stop`` (exclusive) of the channel, silence behind its end; shape [blocks, block]."""
    part = channel[start * _FILTER_BLOCK : stop * _FILTER_BLOCK]
    if len(part) < (stop - start) * _FILTER_BLOCK:
        filled = np.zeros((stop - start) * _FILTER_BLOCK, np.float32)
        filled[: len(part)] = part
        part = filled
    return part.reshape(-1, _FILTER_BLOCK)


def _filtered(channel: Samples, rate: int, chunk: int) -> Iterator[Samples]:
    """The K-weighted channel in parts of ``chunk`` blocks, each of shape [samples]; the next part overwrites it."""
    weighting = _block_filter(rate)
    count = -(-len(channel) // (_FILTER_GROUP * _FILTER_BLOCK)) * _FILTER_GROUP
    chunks = [(start, min(start + chunk, count)) for start in range(0, count, chunk)]
    added = np.empty((count, _STATES), np.float32)
    for start, stop in chunks:
        np.matmul(_sample_blocks(channel, start, stop), weighting.gather, out=added[start:stop])
    modes = _modes(added, weighting)
    buffer = np.empty((min(chunk, count), _FILTER_BLOCK), np.float32)
    for start, stop in chunks:
        filtered = np.matmul(
            _sample_blocks(channel, start, stop), weighting.convolve, out=buffer[: stop - start]
        )
        # BLAS can add to its output, NumPy's product cannot. Transposed, because BLAS orders by columns.
        filtered = sgemm(1.0, weighting.ring.T, modes[start:stop].T, 1.0, filtered.T, overwrite_c=True).T
        yield filtered.reshape(-1)[: len(channel) - start * _FILTER_BLOCK]


def binned_energy(channel: Samples, rate: int) -> Floats:
    """K-weighted energy (sum of squares) of float32 ``channel`` in bins of 10 ms; shape [bins].

    Bin n begins at sample floor(n x rate / 100); the last may be shorter than the others.
    """
    energy = np.zeros(-(-len(channel) * BINS_PER_SECOND // rate))
    if not len(energy):
        return energy
    if rate % BINS_PER_SECOND:
        whole = next(_filtered(channel, rate, len(channel)))
        starts = (np.arange(len(energy)) * rate) // BINS_PER_SECOND
        return np.add.reduceat(np.square(whole, dtype=np.float64), starts)
    width = rate // BINS_PER_SECOND
    step = width // gcd(width, _FILTER_BLOCK)
    position = 0
    for part in _filtered(channel, rate, step * max(1, _FILTER_CHUNK // step)):
        full = len(part) // width
        bins, rest = part[: full * width].reshape(full, width), part[full * width :]
        np.vecdot(bins, bins, out=energy[position : position + full])
        position += full
        if len(rest):
            energy[position] = np.vecdot(rest, rest)
    return energy


def channel_weights(channels: int, speakers: int = 0) -> tuple[float, ...]:
    """Weights by channel, mono to 7.1: 1.41 for surrounds, 0.0 for the LFE, 1.0 for the others (BS.1770-5 Annex 1).

    ``speakers`` is a clip's channel mask; 0 stands for mono, stereo, 3.0, quad, 5.0, 5.1, 6.1 or 7.1. Annex 3 would
    weigh speakers right behind the listener (beyond 120 degrees) with 1.0; ffmpeg's ebur128, with which these
    weights agree, counts them as surrounds. Raises `ValueError` above 8 channels.
    """
    if channels not in NAMED_MASKS:
        raise ValueError(f"loudness is defined from 1 to {MOST_CHANNELS} channels, not {channels}")
    mask = speakers or NAMED_MASKS[channels]
    named = [1 << bit for bit in range(mask.bit_length()) if mask >> bit & 1]
    return tuple(0.0 if one == LFE else _SURROUND if one & _SURROUNDS else 1.0 for one in named)


def _mean_to_lufs(mean_square: float) -> float | None:
    decibels = level_of_power(mean_square)
    return None if decibels is None else _OFFSET + decibels


@dataclass(frozen=True, eq=False)
class Energies:
    """K-weighted, channel-weighted energy of a sound, from which every loudness is computed."""

    running: Floats
    """Sum of squares up to each 10 ms boundary, from 0; shape [bins + 1]. A last uneven bin is included."""
    whole_bins: int
    """Bins of full length: the last may be shorter."""
    rate: int

    def scaled(self, gain: float) -> Energies:
        """Energies of the sound after a linear ``gain``."""
        return Energies(self.running * (gain * gain), self.whole_bins, self.rate)

    def windows(self, width: int, hop: int) -> Floats:
        """Mean squares of every full window of ``width`` bins, each ``hop`` bins after the one before."""
        ends = self.running[width : self.whole_bins + 1 : hop]
        starts = self.running[: max(self.whole_bins + 1 - width, 0) : hop]
        return np.maximum(ends - starts[: len(ends)], 0.0) / (width * _BIN_S * self.rate)

    def _padded_block(self) -> float:
        """Mean square of the whole sound in one 400 ms block filled up with silence."""
        return float(self.running[-1]) / (_BLOCK * _BIN_S * self.rate)

    @property
    def gated(self) -> bool:
        """Whether one full 400 ms block exists, so that BS.1770's gating is defined."""
        return self.whole_bins >= _BLOCK

    def integrated(self) -> float | None:
        """Integrated loudness in LUFS (BS.1770-5 Annex 1); below 0.4 s the ungated, zero-padded block.

        None when nothing passes the gate at -70 LUFS, or for silence.
        """
        if not self.gated:
            return _mean_to_lufs(self._padded_block())
        blocks = self.windows(_BLOCK, _HOP)
        audible = blocks[blocks >= _ABSOLUTE_GATE]
        if not len(audible):
            return None
        return _mean_to_lufs(float(audible[audible > audible.mean() * 0.1].mean()))

    def momentary_max(self) -> float | None:
        """Highest loudness in LUFS of any 400 ms, in steps of 10 ms (EBU Tech 3341); padded below 0.4 s."""
        return _mean_to_lufs(float(self.windows(_BLOCK, 1).max()) if self.gated else self._padded_block())

    def short_term_max(self) -> float | None:
        """Highest loudness in LUFS of any 3 s, in steps of 10 ms (EBU Tech 3341); None below 3 s."""
        if self.whole_bins < _SHORT:
            return None
        return _mean_to_lufs(float(self.windows(_SHORT, 1).max()))

    def loudness_range(self) -> float | None:
        """Loudness range in LU (EBU Tech 3342); None below 3 s or when no 3 s pass the gate at -70 LUFS."""
        if self.whole_bins < _SHORT:
            return None
        short = self.windows(_SHORT, _HOP)
        audible = short[short >= _ABSOLUTE_GATE]
        if not len(audible):
            return None
        gated = np.sort(audible[audible >= audible.mean() * 0.01])
        low, high = (gated[int(np.floor((len(gated) - 1) * part + 0.5))] for part in (0.10, 0.95))
        return float(10.0 * np.log10(high / low))


def energies(clip: Clip) -> Energies:
    """K-weight ``clip`` and sum its energy by 10 ms bins.

    Channels are weighted by `channel_weights`. Below 8 kHz, where the filter's shelf comes near Nyquist or passes it,
    the sound is resampled to 48 kHz first. Raises `ValueError` above 8 channels, `MasteringError`
    for a rate so high that the weighting cannot be computed.
    """
    weights = channel_weights(clip.channels, clip.speakers)
    if clip.rate < _LOWEST_HZ:
        clip = resample(clip, 48_000)
    running = _running(clip, weights)
    if not np.isfinite(running[-1]):
        quiet = Clip(clip.samples * np.float32(1 / _DOWNSCALE), clip.rate)
        running = _running(quiet, weights) * (_DOWNSCALE * _DOWNSCALE)
    if not np.isfinite(running[-1]):
        raise MasteringError(
            f"cannot measure loudness at {clip.rate} Hz; convert the sound to 192 kHz or less"
        )
    return Energies(running, clip.length * BINS_PER_SECOND // clip.rate, clip.rate)


def _running(clip: Clip, weights: Sequence[float]) -> Floats:
    """Weighted energy up to each 10 ms boundary; not finite where float32 cannot hold it."""
    running = np.zeros(1 - (-clip.length * BINS_PER_SECOND // clip.rate))
    with np.errstate(over="ignore", invalid="ignore"):
        for weight, channel in zip(weights, clip.samples, strict=True):
            if weight:
                running[1:] += weight * binned_energy(channel, clip.rate)
        return np.cumsum(running, out=running)
