"""Sections of many players, read out of dense tables."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, noise, resonators
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng, generator, samples
from pipeline.generators.sketch.music.player import Player


def _formant(at: Audio, peaks: tuple[tuple[float, float, float], ...]) -> Audio:
    return np.asarray(np.sum([gain * noise.bump(at, hz, width) for hz, gain, width in peaks], axis=0))


def _choir(order: Audio, at: Audio) -> Audio:
    vowel = _formant(at, ((680, 1.0, 0.35), (1080, 0.6, 0.25), (2750, 0.18, 0.25), (3400, 0.10, 0.2)))
    return np.asarray((vowel + 0.10 * np.exp(-at / 500)) / order**0.45)


def _organ(order: Audio, at: Audio) -> Audio:
    stops = {1: 1.0, 2: 0.7, 3: 0.25, 4: 0.5, 6: 0.2, 8: 0.3, 12: 0.08, 16: 0.1}
    return np.array([stops.get(int(k), 0.01) for k in order])


def _pulse(order: Audio, at: Audio) -> Audio:
    return osc.harmonics("pulse", len(order), 0.25) / (1.0 + (at / 3000.0) ** 2)


def _soft_saw(slope: float, cutoff: float) -> Callable[[Audio, Audio], Audio]:
    return lambda order, at: np.asarray(1.0 / order**slope / (1.0 + (at / cutoff) ** 2))


def _drone(order: Audio, at: Audio) -> Audio:
    return np.asarray(
        (1.0 / order**1.2 + 0.25 * np.sin(order * 2.7) ** 2 / order) / (1.0 + (at / 700.0) ** 2)
    )


def _strings(order: Audio, at: Audio) -> Audio:
    body = (
        0.4
        + noise.bump(at, 330.0, 0.5)
        + 0.6 * noise.bump(at, 1100.0, 0.7)
        + 0.25 * noise.bump(at, 3000.0, 0.4)
    )
    return np.asarray(body / order**1.05 / (1.0 + (at / 4200.0) ** 2))


_SPECTRA: dict[str, tuple[Callable[[Audio, Audio], Audio], float]] = {
    "strings": (_strings, 30.0),
    "choir": (_choir, 34.0),
    "organ": (_organ, 3.0),
    "analog pad": (_soft_saw(1.0, 2400.0), 26.0),
    "warm pad": (_soft_saw(1.5, 1300.0), 24.0),
    "soft synth": (_soft_saw(1.5, 1300.0), 24.0),
    "chip pad": (_pulse, 4.0),
    "dark drone": (_drone, 46.0),
}
"""Harmonic amplitudes from (order, Hz), and the width of each harmonic's band in cents."""


@lru_cache(maxsize=96)
def _table(name: str, hz: float) -> Audio:
    amplitudes, cents = _SPECTRA[name]
    order = np.arange(1, osc.partials_below(hz, 48) + 1, dtype=np.float64)
    rng = generator(0x7AB1E, zlib.crc32(name.encode()), round(hz * 1000))
    return (
        resonators.ensemble(hz, amplitudes(order, order * hz), cents, rng)
        .astype(np.float32)
        .astype(np.float64)
    )


def section(name: str, attack: float, release: float) -> Player:
    """A section of players: two far apart places of one dense table make left and right."""

    def play(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
        table = _table(name, hz)
        n = samples(seconds + release)
        offset = int(rng.integers(len(table)))
        place = (offset + np.arange(n)) % len(table)
        shape = envelopes.held(n, min(attack, 0.6 * seconds), release) * 0.28
        return np.stack([table[place], table[(place + len(table) // 3) % len(table)]]) * shape

    return play


def tremolo(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """Strings that shimmer: short bow strokes, not together."""
    sound = section("strings", 0.25, 0.4)(hz, seconds, strength, rng)
    n = sound.shape[1]
    time = np.arange(n) / RATE
    wobble = 12.5 * time + 0.25 * noise.drift(rng, n, 2.0)
    return sound * (0.72 + 0.28 * np.sin(2 * np.pi * np.stack([wobble, wobble + 0.3])))


def staccato(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """Strings, short and biting."""
    sound = section("strings", 0.012, 0.14)(hz, min(seconds, 0.20), strength, rng)
    bow = noise.coloured(rng, sound.shape[1], 2.0, 1200, 7000) * envelopes.decay(sound.shape[1], 0.07)
    return sound * (1.0 + 0.6 * envelopes.decay(sound.shape[1], 0.2)) + 0.025 * strength * bow
