"""Instruments that are blown, bowed or squeezed, one player each."""

from __future__ import annotations

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, noise
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng, samples
from pipeline.generators.sketch.music.player import Player


def blown(
    gains: tuple[float, ...],
    breath: float,
    cents: float,
    attack: float,
    rate: float = 5.1,
    scoop: float = 0.0,
) -> Player:
    """A wind instrument: a few harmonics that open with the breath, breath noise, a late vibrato."""

    def play(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
        n = samples(seconds + 0.12)
        count = min(len(gains), osc.partials_below(hz))
        soft = np.array([gain * 0.5**k for k, gain in enumerate(gains[:count])])
        bend = osc.vibrato(n, rate * rng.uniform(0.94, 1.06), cents, rng)
        bend = bend * np.exp2(-scoop / 1200.0 * np.exp(-np.arange(n) / (0.05 * RATE)))
        phase = osc.cycles(hz * bend, n)
        shape = envelopes.held(n, attack, 0.11)
        open_up = shape * (0.35 + 0.65 * strength) * (1.0 + 0.12 * noise.drift(rng, n, 3.0))
        tone = osc.look_up(osc.table(soft), phase) * (1.0 - open_up)
        tone += osc.look_up(osc.table(np.array(gains[:count])), phase) * open_up
        air = noise.shaped(rng, n, lambda f: noise.bump(f, hz * 2.2, 0.8) + 0.3 * noise.bump(f, 5200.0, 0.9))
        chiff = 1.0 + 2.0 * envelopes.decay(n, 0.12)
        return (tone + air * breath * chiff) * shape * 0.8

    return play


WINDS = {
    "flute": blown((1, 0.42, 0.16, 0.07, 0.03), 0.055, 22, 0.06),
    "ocarina": blown((1, 0.06, 0.09, 0.02), 0.035, 14, 0.05),
    "whistle": blown((1, 0.08, 0.03), 0.03, 26, 0.05, 5.6, 60),
    "shakuhachi": blown((1, 0.5, 0.3, 0.1, 0.05), 0.12, 38, 0.09, 4.4, 130),
    "ney": blown((1, 0.55, 0.4, 0.2, 0.1, 0.05), 0.10, 30, 0.08, 4.8, 80),
    "clarinet": blown((1, 0.05, 0.55, 0.06, 0.32, 0.06, 0.18, 0.05, 0.1), 0.012, 8, 0.04),
}


def bowed(darkness: float, cents: float, attack: float) -> Player:
    """A solo string: a bright sawtooth through a wooden body, vibrato, the bow's grain."""

    def play(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
        n = samples(seconds + 0.15)
        count = osc.partials_below(hz, 40)
        order = np.arange(1, count + 1)
        at = order * hz
        body = (
            0.5
            + noise.bump(at, 290.0, 0.35)
            + 0.8 * noise.bump(at, 520.0, 0.4)
            + 0.7 * noise.bump(at, 2600.0, 0.6)
        )
        gains = body / order**darkness / (1.0 + (at / 5200.0) ** 3)
        bend = osc.vibrato(n, 5.4 * rng.uniform(0.93, 1.07), cents, rng, 0.18) * (
            1.0 + 0.0012 * noise.drift(rng, n, 7.0)
        )
        phase = osc.cycles(hz * bend, n)
        shape = envelopes.held(n, attack, 0.13) * (0.82 + 0.18 * envelopes.hump(n, 0.4, 1.0))
        grain = noise.coloured(rng, n, 3.0, 900, 6000) * 0.012 * (1.0 + 3.0 * envelopes.decay(n, 0.15))
        return (
            osc.look_up(osc.table(gains), phase) * (1.0 + 0.06 * noise.drift(rng, n, 9.0)) + grain
        ) * shape

    return play


def brass(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """Three horns: dark when soft, bright and brassy as the breath grows."""
    n = samples(seconds + 0.15)
    count = osc.partials_below(hz, 24)
    order = np.arange(1, count + 1)
    shape = envelopes.held(n, 0.055, 0.12)
    bite = shape**2 * (0.30 + 0.7 * strength) * (0.75 + 0.45 * envelopes.decay(n, 0.5, 0.05))
    sound = np.zeros((2, n))
    for side, pan in ((0, -0.5), (1, 0.5), (2, 0.0)):
        tune = hz * (1.0 + 0.0016 * (side - 1)) * osc.vibrato(n, 4.9 + 0.2 * side, 7, rng, 0.35)
        phase = osc.cycles(tune, n, float(rng.random()))
        dark = osc.look_up(osc.table(0.42 ** (order - 1.0)), phase)
        bright = osc.look_up(osc.table(noise.bump(order * hz, 900.0, 1.6) / order**0.25), phase)
        voice = (dark * (1.0 - 0.75 * bite) + bright * 0.8 * bite) * shape
        sound += np.array([[1.0 - 0.5 * pan], [1.0 + 0.5 * pan]]) * voice / 3.0
    return sound


def accordion(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """Three reeds, two of them a little out of tune."""
    n = samples(seconds + 0.08)
    count = osc.partials_below(hz, 24)
    order = np.arange(1, count + 1)
    wave = osc.table((0.35 + noise.bump(order * hz, 1500.0, 1.2)) / order)
    left, right = (
        osc.look_up(wave, osc.cycles(hz * tune, n, float(rng.random()))) for tune in (1.004, 0.9975)
    )
    middle = osc.look_up(wave, osc.cycles(hz, n))
    shape = envelopes.held(n, 0.035, 0.07) * (0.8 + 0.2 * envelopes.hump(n, 0.3, 1.0))
    return np.stack([middle * 0.6 + left * 0.5, middle * 0.6 + right * 0.5]) * shape * 0.7
