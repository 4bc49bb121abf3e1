"""Envelopes: levels and frequencies over time, at 48 kHz."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.generators.sketch.dsp.units import DECAY_60_DB, RATE, Audio, samples


def decay(n: int, t60: float, attack: float = 0.001) -> Audio:
    """An attack in seconds, then an exponential fall of 60 dB in ``t60`` seconds."""
    time = np.arange(n) / RATE
    rise = np.clip(time / max(attack, 1e-4), 0.0, 1.0)
    shape: Audio = np.sin(rise * (np.pi / 2)) ** 2
    return shape * np.exp(-DECAY_60_DB / max(t60, 1e-3) * np.maximum(time - attack, 0.0))


def fall(n: int, seconds: float) -> Audio:
    """An exponential from 1 down, by a factor of e in ``seconds``."""
    return np.exp(-np.arange(n) / RATE / seconds)


def breakpoints(text: str) -> list[tuple[float, float]]:
    """The (position from 0 to 1, value) pairs of an envelope in text.

    >>> breakpoints("0:0 0.2:1 1:0")
    [(0.0, 0.0), (0.2, 1.0), (1.0, 0.0)]
    """
    pairs = (point.split(":") for point in text.split())
    return [(float(position), float(value)) for position, value in pairs]


def line(n: int, points: Sequence[tuple[float, float]]) -> Audio:
    """Straight lines through (position from 0 to 1, value)."""
    place = np.linspace(0.0, 1.0, n)
    return np.interp(place, [point[0] for point in points], [point[1] for point in points])


def curve(n: int, points: Sequence[tuple[float, float]]) -> Audio:
    """As `line`, but exponential between its points: for frequencies. Values above 0."""
    return np.exp(line(n, [(place, float(np.log(value))) for place, value in points]))


def swell(n: int, peak: float = 0.5, sharpness: float = 2.0) -> Audio:
    """A smooth rise to 1 at ``peak`` (position from 0 to 1) and a fall to 0; ``sharpness`` narrows it."""
    place = np.linspace(0.0, 1.0, n)
    warped = np.where(place < peak, place / peak * 0.5, 0.5 + (place - peak) / (1 - peak) * 0.5)
    return np.asarray(np.sin(np.pi * warped) ** sharpness)


def sustain(n: int, attack: float, release: float) -> Audio:
    """Raised-cosine rise and fall in seconds around a steady 1; both shrink to fit ``n``."""
    shape = np.ones(n)
    rise = min(samples(attack), n // 2)
    fall = min(samples(release), n - rise)
    if rise > 1:
        shape[:rise] = 0.5 - 0.5 * np.cos(np.pi * np.arange(rise) / rise)
    if fall > 1:
        shape[n - fall :] = 0.5 + 0.5 * np.cos(np.pi * np.arange(1, fall + 1) / fall)
    return shape
