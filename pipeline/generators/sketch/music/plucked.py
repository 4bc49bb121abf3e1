"""Plucked strings: guitars, harp, koto, oud, pizzicato and the basses."""

from __future__ import annotations

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, resonators, shaping
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng, samples


def nylon(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A classical guitar: gut strings over a box."""
    n = samples(3.2)
    string = resonators.pluck(hz, n, rng, 2.6 * (220 / hz) ** 0.35, 0.42 + 0.3 * strength, 0.22)
    body = resonators.ring([104, 205, 390], [0.16, 0.12, 0.08], [0.05, 0.035, 0.02], samples(0.3))
    string[: len(body)] += body * strength
    return shaping.at_peak(filters.low_pass(string, 6500.0, 1))


def steel(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """An electric guitar through tremolo."""
    string = resonators.pluck(hz, samples(3.5), rng, 4.0 * (220 / hz) ** 0.3, 0.8 + 0.15 * strength, 0.12)
    swing = 1.0 + 0.12 * np.sin(2 * np.pi * 5.2 * np.arange(len(string)) / RATE)
    return shaping.at_peak(filters.shelf(string * swing, 2200.0, 4.0, True))


def harp(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A harp, plucked near the middle."""
    string = resonators.pluck(hz, samples(3.0), rng, 3.0 * (220 / hz) ** 0.4, 0.5 + 0.25 * strength, 0.38)
    return shaping.at_peak(filters.low_pass(string, 7000.0, 1))


def koto(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A koto, plucked close to the bridge."""
    string = resonators.pluck(hz, samples(2.5), rng, 2.0 * (220 / hz) ** 0.3, 0.75 + 0.2 * strength, 0.07)
    return shaping.at_peak(filters.shelf(string, 900.0, 3.0, True))


def oud(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A course of two strings, almost in tune."""
    pair = [
        resonators.pluck(hz * tune, samples(2.0), rng, 1.3, 0.6 + 0.2 * strength, 0.1)
        for tune in (0.9985, 1.0015)
    ]
    return shaping.at_peak(filters.low_pass(pair[0] + pair[1], 5500.0, 1))


def pizzicato(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A plucked violin or cello: short and woody."""
    string = resonators.pluck(hz, samples(0.9), rng, 0.55 * (220 / hz) ** 0.3, 0.35 + 0.3 * strength, 0.3)
    body = resonators.ring([hz, 270, 480], [0.12, 0.06, 0.05], [0.5, 0.08, 0.06], len(string))
    return shaping.at_peak(string + 0.4 * body)


def upright(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A double bass, plucked."""
    n = samples(2.2)
    string = resonators.pluck(hz, n, rng, 1.9, 0.3 + 0.2 * strength, 0.3)
    body = resonators.ring([hz, 2 * hz, 62.0], [1.0, 0.5, 0.1], [0.7, 0.25, 0.1], n)
    return shaping.at_peak(filters.low_pass(string, 2200.0, 1) + 0.6 * body)


def electric_bass(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A bass guitar with a little amplifier."""
    n = samples(2.5)
    string = resonators.pluck(hz, n, rng, 2.6, 0.5 + 0.25 * strength, 0.14)
    under = resonators.ring([hz], [2.2], [0.5], n)
    return shaping.at_peak(filters.low_pass(shaping.saturate(string + under, 1.6), 3200.0, 1))


def _guitar_amp(dry: Audio, drive: float) -> Audio:
    """A valve stage into a speaker: clipping, then a cabinet's band."""
    hot = shaping.saturate(filters.high_pass(dry, 110.0, 1), drive)
    return filters.low_pass(filters.shelf(filters.high_pass(hot, 80.0, 1), 2200.0, 4.0, True), 4600.0, 4)


def power_guitar(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A root and its fifth, doubled hard left and right."""
    n = samples(seconds + 0.06)
    sides = []
    for tune in (0.999, 1.0012):
        strings = [resonators.pluck(hz * tune * step, n, rng, 5.0, 0.8, 0.09) for step in (1.0, 1.4983, 2.0)]
        sides.append(_guitar_amp(strings[0] + 0.8 * strings[1] + 0.5 * strings[2], 14.0))
    return np.stack(sides) * envelopes.held(n, 0.002, 0.05) * 0.6


def lead_guitar(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A singing, overdriven string."""
    n = samples(seconds + 0.1)
    phase = osc.cycles(hz * osc.vibrato(n, 5.4, 28, rng, 0.2), n)
    order = np.arange(1, osc.partials_below(hz, 40) + 1)
    string = osc.look_up(osc.table(np.abs(np.sin(np.pi * order * 0.13)) / order), phase)
    return _guitar_amp(string * envelopes.decay(n, 6.0, 0.003), 6.0) * envelopes.held(n, 0.004, 0.08) * 0.7
