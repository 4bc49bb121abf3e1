"""Synthesisers and the chips of old consoles."""

from __future__ import annotations

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, shaping
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.units import Audio, Rng, samples
from pipeline.generators.sketch.music.player import Player


def saw_lead(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """Two saws apart in tune, brighter at the start."""
    n = samples(seconds + 0.1)
    bend = osc.vibrato(n, 5.6, 14, rng, 0.22)
    bright = osc.table(osc.harmonics("saw", osc.partials_below(hz, 60)))
    dark = osc.table(0.5 ** np.arange(osc.partials_below(hz, 12)))
    shape = envelopes.held(n, 0.008, 0.09)
    sweep = 0.35 + 0.5 * strength * envelopes.decay(n, 1.2)
    sides = []
    for tune in (0.9965, 1.0035):
        phase = osc.cycles(hz * tune * bend, n, float(rng.random()))
        sides.append(osc.look_up(bright, phase) * sweep + osc.look_up(dark, phase) * (1 - sweep))
    return np.stack(sides) * shape * 0.8


def synth_arp(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A short pluck whose filter closes at once."""
    n = samples(0.55)
    phase = osc.cycles(hz, n)
    bright = osc.look_up(osc.table(osc.harmonics("saw", osc.partials_below(hz, 40))), phase)
    dark = osc.look_up(osc.table(0.45 ** np.arange(osc.partials_below(hz, 10))), phase)
    open_up = (0.4 + 0.6 * strength) * envelopes.decay(n, 0.22)
    return (bright * open_up + dark * (1 - open_up)) * envelopes.decay(n, 0.65, 0.002)


def synth_bass(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A saw with its octave below, filter closing."""
    n = samples(seconds + 0.05)
    phase = osc.cycles(hz, n)
    order = np.arange(1, osc.partials_below(hz, 60) + 1)
    bright = osc.look_up(osc.table(1.0 / order / (1.0 + (order * hz / 2600.0) ** 2)), phase)
    dark = osc.look_up(osc.table(0.45 ** (order - 1.0)), phase)
    open_up = (0.25 + 0.75 * strength) * envelopes.decay(n, 0.35)
    under = np.sin(2 * np.pi * (phase % 1.0)) * 0.5
    return shaping.saturate(bright * open_up + dark * (1 - open_up) + under, 1.3) * envelopes.held(
        n, 0.004, 0.05
    )


def sub_bass(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A sine that small speakers still show a trace of."""
    n = samples(seconds + 0.2)
    tone = shaping.saturate(osc.sine(hz, n) + 0.12 * osc.sine(2 * hz, n), 1.2)
    return tone * envelopes.held(n, 0.05, 0.2)


def chip(shape: str, width: float, release: float) -> Player:
    """A console voice: a plain wave in sixteen steps of volume."""

    def play(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
        n = samples(seconds + release)
        bend: Audio | float = hz * osc.vibrato(n, 6.0, 16, rng, 0.2) if seconds > 0.3 else hz
        steps = np.ceil(envelopes.held(n, 0.002, release) * (1.0 - 0.35 * np.linspace(0, 1, n)) * 15) / 15
        return osc.tone(shape, bend, n, 0.0, width) * filters.low_pass(steps, 900.0, 1) * 0.7

    return play
