"""Struck instruments: pianos, bars, combs and bells."""

from __future__ import annotations

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, noise, resonators, shaping
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng, samples
from pipeline.generators.sketch.music.player import Player


def piano(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A grand piano: stretched partials, two decays, the felt of the hammer."""
    n = samples(min(4.5, 1.6 + 700.0 / hz))
    count = osc.partials_below(hz, 26)
    order = np.arange(1, count + 1)
    stretch = order * hz * np.sqrt(1.0 + 0.0004 * (hz / 262.0) * order**2)
    bright = 0.62 + 0.30 * strength - 0.10 * min(1.0, hz / 1200)
    gains = bright**order * (0.25 + np.abs(np.sin(np.pi * order * 0.121))) * rng.uniform(0.75, 1.2, count)
    slow = 9.0 * (110 / hz) ** 0.55 / (1.0 + 0.28 * order)
    sound = np.zeros(n)
    for detune, share, speed in ((0.9997, 0.55, 1.0), (1.0004, 0.45, 0.55)):
        sound += share * resonators.ring(stretch * detune, slow * speed, gains, n)
    knock = noise.coloured(rng, samples(0.06), 6.0, 80, 1800) * envelopes.decay(samples(0.06), 0.05)
    sound[: len(knock)] += knock * 0.10 * strength
    return shaping.at_peak(sound)


def muted_piano(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A piano with felt between hammers and strings."""
    return shaping.at_peak(filters.low_pass(piano(hz, seconds, strength * 0.4, rng), 1400.0))


def electric_piano(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """Tines by frequency modulation, swaying between left and right."""
    n = samples(3.0)
    bark = (0.5 + 2.0 * strength) * envelopes.decay(n, 0.9)
    tine = 0.35 * strength * envelopes.decay(n, 0.25)
    phase = osc.cycles(hz, n)
    tone = np.sin(2 * np.pi * phase + bark * np.sin(2 * np.pi * phase))
    tone += tine * np.sin(2 * np.pi * phase * 14.02)
    time = np.arange(n) / RATE
    left = 1.0 + 0.22 * np.sin(2 * np.pi * 4.6 * time)
    body = tone * envelopes.decay(n, 3.4 * (262 / hz) ** 0.4, 0.003)
    return shaping.at_peak(np.stack([body * left, body * (2.0 - left)]))


def bar(ratios: tuple[float, ...], t60: tuple[float, ...], gains: tuple[float, ...], knock: float) -> Player:
    """Anything struck whose sound is a few modes: bells, bars and combs."""

    def play(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
        n = samples(min(4.5, max(t60) * 1.1))
        tilt = np.array([gain * (0.55 + 0.45 * strength) ** k for k, gain in enumerate(gains)])
        frequencies = np.array(ratios) * hz * rng.uniform(0.9996, 1.0004, len(ratios))
        sound = resonators.ring(frequencies, np.array(t60) * min(1.4, (520 / hz) ** 0.4), tilt, n)
        click = noise.coloured(rng, samples(0.02), 0.0, 600, 7000) * envelopes.decay(samples(0.02), 0.015)
        sound[: len(click)] += click * knock * strength
        return shaping.at_peak(sound)

    return play


BARS: dict[str, tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...], float]] = {
    "celesta": ((1, 2.01, 3.98, 6.2), (1.8, 0.9, 0.5, 0.2), (1, 0.22, 0.16, 0.05), 0.02),
    "music box": ((1, 2.0, 5.42, 9.1), (2.6, 1.0, 0.5, 0.2), (1, 0.10, 0.16, 0.06), 0.04),
    "glockenspiel": ((1, 2.71, 5.15, 8.4), (2.2, 0.9, 0.35, 0.2), (1, 0.28, 0.14, 0.05), 0.03),
    "bells": (
        (0.5, 1, 1.19, 1.5, 2.0, 2.67, 4.1),
        (4.0, 3.2, 2.4, 2.0, 1.6, 1.0, 0.5),
        (0.3, 1, 0.45, 0.2, 0.4, 0.2, 0.1),
        0.02,
    ),
    "marimba": ((1, 3.93, 9.6), (0.75, 0.22, 0.06), (1, 0.24, 0.10), 0.10),
    "steel drum": ((1, 2.0, 3.01, 4.1, 5.2), (1.1, 0.9, 0.5, 0.3, 0.2), (1, 0.6, 0.25, 0.15, 0.08), 0.05),
}


def vibraphone(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A vibraphone with its motor on."""
    n = samples(3.4)
    sound = resonators.ring(
        [hz, 3.98 * hz, 9.9 * hz], [3.2, 0.8, 0.15], [1.0, 0.16 * strength + 0.05, 0.05], n
    )
    return shaping.at_peak(sound * (1.0 + 0.28 * np.sin(2 * np.pi * 5.0 * np.arange(n) / RATE)))
