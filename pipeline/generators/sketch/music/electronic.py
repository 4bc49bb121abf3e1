"""Synthesisers, console chips, and sections (strings, choir, organ, pads) that read dense tables."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, mixing, noise
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng, generator, samples
from pipeline.generators.sketch.music.acoustic import PlayNote


def saw_lead(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """Two saws apart in tune, brighter at the start."""
    n = samples(seconds + 0.1)
    bend = osc.vibrato(n, 5.6, 14, rng, 0.22)
    bright = osc.harmonics("saw", osc.partials_below(hz, 60))
    dark = 0.5 ** np.arange(osc.partials_below(hz, 12))
    shape = envelopes.sustain(n, 0.008, 0.09)
    sweep = 0.35 + 0.5 * strength * envelopes.decay(n, 1.2)
    sides = []
    for tune in (0.9965, 1.0035):
        phase = osc.cycles(hz * tune * bend, n, float(rng.random()))
        sides.append(osc.opening(dark, bright, phase, sweep))
    return np.stack(sides) * shape * 0.8


def synth_arp(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A short pluck whose filter closes at once."""
    n = samples(0.55)
    bright = osc.harmonics("saw", osc.partials_below(hz, 40))
    dark = 0.45 ** np.arange(osc.partials_below(hz, 10))
    share = (0.4 + 0.6 * strength) * envelopes.decay(n, 0.22)
    return osc.opening(dark, bright, osc.cycles(hz, n), share) * envelopes.decay(n, 0.65, 0.002)


def synth_bass(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A saw with its octave below, filter closing."""
    n = samples(seconds + 0.05)
    phase = osc.cycles(hz, n)
    order = np.arange(1, osc.partials_below(hz, 60) + 1)
    bright = 1.0 / order / (1.0 + (order * hz / 2600.0) ** 2)
    share = (0.25 + 0.75 * strength) * envelopes.decay(n, 0.35)
    under = np.sin(2 * np.pi * (phase % 1.0)) * 0.5
    tone = osc.opening(0.45 ** (order - 1.0), bright, phase, share) + under
    return mixing.saturate(tone, 1.3) * envelopes.sustain(n, 0.004, 0.05)


def sub_bass(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A sine with some second harmonic, so that small speakers show a trace of it."""
    n = samples(seconds + 0.2)
    tone = mixing.saturate(osc.sine(hz, n) + 0.12 * osc.sine(2 * hz, n), 1.2)
    return tone * envelopes.sustain(n, 0.05, 0.2)


def chip(shape: str, width: float, release: float) -> PlayNote:
    """A console voice: a plain wave in sixteen steps of volume."""

    def play(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
        n = samples(seconds + release)
        bend: Audio | float = hz * osc.vibrato(n, 6.0, 16, rng, 0.2) if seconds > 0.3 else hz
        steps = np.ceil(envelopes.sustain(n, 0.002, release) * (1.0 - 0.35 * np.linspace(0, 1, n)) * 15) / 15
        return osc.tone(shape, bend, n, 0.0, width) * filters.low_pass(steps, 900.0, 1) * 0.7

    return play


def _choir(order: Audio, at: Audio) -> Audio:
    vowel = noise.bells(at, ((680, 1.0, 0.35), (1080, 0.6, 0.25), (2750, 0.18, 0.25), (3400, 0.10, 0.2)))
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
    body = noise.bells(at, ((330.0, 1.0, 0.5), (1100.0, 0.6, 0.7), (3000.0, 0.25, 0.4)), 0.4)
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
    rng = generator(0x7AB1E, name, round(hz * 1000))
    return osc.ensemble(hz, amplitudes(order, order * hz), cents, rng).astype(np.float32).astype(np.float64)


def section(name: str, attack: float, release: float) -> PlayNote:
    """A section of players: left and right read distant parts of one dense table."""

    def play(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
        table = _table(name, hz)
        n = samples(seconds + release)
        offset = int(rng.integers(len(table)))
        place = (offset + np.arange(n)) % len(table)
        shape = envelopes.sustain(n, min(attack, 0.6 * seconds), release) * 0.28
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
