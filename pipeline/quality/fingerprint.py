"""Are two sounds the same one? A fingerprint of signs, compared bit by bit.

After Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR 2002): each bit says whether
the difference between two neighbouring bands rose since the frame before. Gain, fades and coding change few
bits; another take of the same prompt changes many. Round-robin variations must differ, or the player hears
one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.fft import rfft

from pipeline.audio import Clip

_BANDS = 33
_LOWEST_HZ, _HIGHEST_HZ = 100.0, 7000.0
_FRAME_S, _HOP_S = 0.064, 0.016
_SHIFT = 12
"""Frames by which two sounds may be offset: about 0.2 s of silence trimmed otherwise."""
_FEWEST_BITS = 64
SAME = 0.85
"""From this similarity on two sounds are near-duplicates."""

Bits = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """Signs of a sound and where they mean something; both of shape [frames, 32]."""

    bits: Bits
    sure: Bits
    """False where there is next to no energy, so that silence is not alike."""


def fingerprint(clip: Clip) -> Fingerprint:
    """The fingerprint of ``clip``; sounds below 0.15 s are filled up with silence."""
    size, hop = round(_FRAME_S * clip.rate), round(_HOP_S * clip.rate)
    wave = clip.samples.mean(axis=0, dtype=np.float64)
    wave = np.pad(wave, (hop, max(size, size + 6 * hop - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(wave, size)[::hop]
    power = np.abs(rfft(frames * np.hanning(size))) ** 2
    top = min(_HIGHEST_HZ, 0.45 * clip.rate)
    edges = np.geomspace(_LOWEST_HZ, top, _BANDS + 1) * size / clip.rate
    places = np.maximum.accumulate(np.maximum(np.round(edges).astype(int), np.arange(_BANDS + 1) + 1))
    bands = np.add.reduceat(power[:, : places[-1]], places[:-1], axis=1)
    steps = np.diff(bands, axis=1)
    loud = bands[1:, 1:] + bands[1:, :-1] + bands[:-1, 1:] + bands[:-1, :-1]
    return Fingerprint(np.diff(steps, axis=0) > 0.0, loud > 1e-5 * float(loud.max(initial=0.0)))


def _agreement(one: Fingerprint, other: Fingerprint, shift: int) -> float:
    """Share of bits that agree where both are sure, ``other`` beginning ``shift`` frames into ``one``."""
    if shift < 0:
        return _agreement(other, one, -shift)
    length = min(len(one.bits) - shift, len(other.bits))
    if length <= 0:
        return 0.0
    both = one.sure[shift : shift + length] & other.sure[:length]
    wanted = max(_FEWEST_BITS, int(0.6 * max(one.sure.sum(), other.sure.sum())))
    if both.sum() < wanted:
        return 0.0
    same = one.bits[shift : shift + length] == other.bits[:length]
    return float(same[both].mean())


def similarity(one: Fingerprint, other: Fingerprint) -> float:
    """From 0.5 (nothing in common) to 1 (the same sound); 0 where lengths or silences cannot be matched."""
    return max(_agreement(one, other, shift) for shift in range(-_SHIFT, _SHIFT + 1))


def near_duplicates(clips: Sequence[Clip], limit: float = SAME) -> list[tuple[int, int, float]]:
    """Pairs of places in ``clips`` whose similarity is ``limit`` or more, with that similarity."""
    prints = [fingerprint(clip) for clip in clips]
    pairs = [
        (first, second, round(similarity(prints[first], prints[second]), 4))
        for first in range(len(prints))
        for second in range(first + 1, len(prints))
    ]
    return [pair for pair in pairs if pair[2] >= limit]
