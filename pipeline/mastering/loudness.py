"""Loudness by ITU-R BS.1770-5 and EBU Tech 3341/3342, over energies of 10 ms bins.

The K-weighted signal's energy is summed once in bins of 10 ms; every window of the standards (400 ms
momentary and gating blocks, 3 s short-term) is then a difference of a running sum. A gain scales the
energies, so what a sound will measure after a gain is known without filtering it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pipeline.audio import Clip, resample
from pipeline.audio.clip import BC, BL, BR, LFE, NAMED_MASKS, SL, SR
from pipeline.errors import MasteringError
from pipeline.mastering.decibel import level_of_power
from pipeline.mastering.k_weighting import BINS_PER_SECOND, binned_energy

Floats = npt.NDArray[np.float64]

_OFFSET = -0.691
"""BS.1770-5: makes a 997 Hz sine at 0 dBFS in one channel read -3.01 LKFS."""
_ABSOLUTE_GATE = 10.0 ** ((-70.0 - _OFFSET) / 10.0)
_LOWEST_HZ = 8_000
_BEYOND = 2.0**80
"""What samples are divided by whose squares float32 cannot hold."""
_BIN_S = 0.01
_HOP = 10
_BLOCK = 40
_SHORT = 300

_SURROUND = 1.41
_SURROUNDS = BL | BR | BC | SL | SR | 0x38000
"""Side and back speakers, the upper back ones too (bits 15 to 17)."""
MOST_CHANNELS = max(NAMED_MASKS)


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
    """K-weighted, channel-weighted energy of a sound: what every loudness is computed from."""

    running: Floats
    """Sum of squares up to each 10 ms boundary, from 0; shape [bins + 1]. A last uneven bin is included."""
    whole_bins: int
    """Bins of full length: the last may be shorter."""
    rate: int

    def scaled(self, gain: float) -> Energies:
        """What the sound would have after a linear ``gain``."""
        return Energies(self.running * (gain * gain), self.whole_bins, self.rate)

    def windows(self, width: int, hop: int) -> Floats:
        """Mean squares of every full window of ``width`` bins, each ``hop`` bins after the one before."""
        ends = self.running[width : self.whole_bins + 1 : hop]
        starts = self.running[: max(self.whole_bins + 1 - width, 0) : hop]
        return np.maximum(ends - starts[: len(ends)], 0.0) / (width * _BIN_S * self.rate)

    def _padded_block(self) -> float:
        """Mean square of the whole sound in one 400 ms block filled up with silence."""
        return float(self.running[-1]) / (_BLOCK * _BIN_S * self.rate)

    @cached_property
    def _loudest(self) -> float:
        """Mean square of the loudest 400 ms."""
        return float(self.windows(_BLOCK, 1).max()) if self.gated else self._padded_block()

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
        """Highest loudness in LUFS of any 400 ms, looked at every 10 ms (EBU Tech 3341); padded below 0.4
        s."""
        return _mean_to_lufs(self._loudest)

    def short_term_max(self) -> float | None:
        """Highest loudness in LUFS of any 3 s, looked at every 10 ms (EBU Tech 3341); None below 3 s."""
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
        kept = np.sort(audible[audible >= audible.mean() * 0.01])
        low, high = (kept[int(np.floor((len(kept) - 1) * part + 0.5))] for part in (0.10, 0.95))
        return float(10.0 * np.log10(high / low))


def energies(clip: Clip) -> Energies:
    """K-weight ``clip`` and sum its energy by 10 ms bins.

    The weights of `channel_weights` are worked in. Below 8 kHz, where the weighting's shelf nears or passes
    Nyquist, the sound is brought to 48 kHz first. Raises `ValueError` above 8 channels, `MasteringError`
    for a rate so high that the weighting cannot be computed.
    """
    weights = channel_weights(clip.channels, clip.speakers)
    if clip.rate < _LOWEST_HZ:
        clip = resample(clip, 48_000)
    running = _running(clip, weights)
    if not np.isfinite(running[-1]):
        quiet = Clip(clip.samples * np.float32(1 / _BEYOND), clip.rate)
        running = _running(quiet, weights) * (_BEYOND * _BEYOND)
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
