"""Are two sounds the same one? A fingerprint of signs, compared bit by bit, then the waveforms themselves.

After Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR 2002): each bit says whether
the difference between two neighbouring bands rose since the frame before. Gain, fades and coding change few
bits; another take of the same prompt changes many. Two short hits of one kind can still agree by chance, so
what the bits find alike is held against the waveforms' cross-correlation, which only copies bring near 1.
Round-robin variations must differ, or the player hears one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft

from pipeline.audio import Clip, resample

_BANDS = 33
_LOWEST_HZ, _HIGHEST_HZ = 100.0, 7000.0
_FRAME_S, _HOP_S = 0.064, 0.016
_SHIFT = 12
"""Frames by which two sounds may be offset: about 0.2 s of silence trimmed otherwise."""
_FEWEST_BITS = 64
_ALIKE = 0.75
"""Bits that agree less are another sound, and the waveforms need not be looked at."""
_TELLING_S = 0.25
"""Shorter sounds have too few frames for the bits to rule anything out."""
_WAVE_HZ = 16_000
_WAVE_S = 10.0
SAME = 0.95
"""From this likeness on two sounds are near-duplicates."""

Bits = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """Signs of a sound and where they mean something; both of shape [frames, 32]."""

    bits: Bits
    sure: Bits
    """False where there is next to no energy, so that silence is not alike."""
    wave: Floats
    """The first 10 s in mono at 16 kHz, of energy 1 (0 for silence); shape [samples]."""


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
    sure = loud > 1e-5 * float(loud.max(initial=0.0))
    return Fingerprint(np.diff(steps, axis=0) > 0.0, sure, _unit_wave(clip))


def _unit_wave(clip: Clip) -> Floats:
    mono = clip.samples[:, : round(_WAVE_S * clip.rate)].mean(axis=0, keepdims=True)
    wave = resample(Clip(mono, clip.rate), _WAVE_HZ).samples[0].astype(np.float64) if mono.size else mono[0]
    energy = float(wave @ wave)
    return np.asarray(wave / np.sqrt(energy) if energy > 0.0 else wave, np.float64)


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


def likeness(one: Fingerprint, other: Fingerprint) -> float:
    """From 0 (another sound) to 1 (a copy, whatever its level, trim or coding): the highest cross-correlation
    of the waveforms, 0 where the bits already say that they differ."""
    long_enough = min(len(one.wave), len(other.wave)) >= _TELLING_S * _WAVE_HZ
    if long_enough and similarity(one, other) < _ALIKE:
        return 0.0
    size = next_fast_len(len(one.wave) + len(other.wave) + 1, real=True)
    products = irfft(rfft(one.wave, size) * rfft(other.wave, size).conj(), size)
    return min(1.0, float(np.abs(products).max()))


def near_duplicates(clips: Sequence[Clip], limit: float = SAME) -> list[tuple[int, int, float]]:
    """Pairs of places in ``clips`` whose likeness is ``limit`` or more, with that likeness."""
    prints = [fingerprint(clip) for clip in clips]
    pairs = [
        (first, second, round(likeness(prints[first], prints[second]), 4))
        for first in range(len(prints))
        for second in range(first + 1, len(prints))
    ]
    return [pair for pair in pairs if pair[2] >= limit]
