"""The sample rate, the array types, unit conversions and random draws."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

RATE = 48_000
"""Samples a second, in Hz."""

Audio = npt.NDArray[np.floating[Any]]
"""Samples: [samples] for mono, [channels, samples] for more."""

Mix = npt.NDArray[np.float32]
"""[channels, samples] in single precision: buses."""

Rng = np.random.Generator

DECAY_60_DB = 6.907755278982137
"""Natural logarithm of 1000: an exponential with this exponent over T60 has fallen by 60 dB."""


def samples(seconds: float) -> int:
    """Whole samples in ``seconds``, at least one."""
    return max(1, round(seconds * RATE))


def db(decibels: float) -> float:
    """Amplitude factor of a level in dB."""
    return float(10.0 ** (decibels / 20.0))


def midi_hz(note: float) -> float:
    """Frequency in Hz of a MIDI note number, equal temperament, A4 = 440 Hz.

    >>> midi_hz(69)
    440.0
    """
    return float(440.0 * 2.0 ** ((note - 69.0) / 12.0))


def generator(*seeds: int | str) -> Rng:
    """A generator that depends on ``seeds`` alone: numbers (64 unsigned bits of each) and names."""
    numbers = (zlib.crc32(seed.encode()) if isinstance(seed, str) else seed for seed in seeds)
    return np.random.Generator(np.random.PCG64([number & 0xFFFF_FFFF_FFFF_FFFF for number in numbers]))


def between(rng: Rng, low: float, high: float) -> float:
    """A number drawn evenly between ``low`` and ``high``."""
    return float(rng.uniform(low, high))


def about(rng: Rng, value: float, spread: float) -> float:
    """``value`` times a factor drawn around 1: most draws lie within ``spread`` (a ratio) of it."""
    return float(value * np.exp(np.clip(rng.normal(0.0, spread / 2.0), -spread * 1.5, spread * 1.5)))
