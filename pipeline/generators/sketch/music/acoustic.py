"""Acoustic instruments: plucked, struck, blown, bowed and squeezed. Each is a function from a note to sound."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, mixing, noise
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng, samples

PlayNote = Callable[[float, float, float, Rng], Audio]
"""(Hz, seconds, strength 0 to 1, randomness) to [samples] or [2, samples], peak about 1."""


def nylon(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A classical guitar: gut strings over a box."""
    n = samples(3.2)
    string = osc.pluck(hz, n, rng, 2.6 * (220 / hz) ** 0.35, 0.42 + 0.3 * strength, 0.22)
    body = osc.ring([104, 205, 390], [0.16, 0.12, 0.08], [0.05, 0.035, 0.02], samples(0.3))
    string[: len(body)] += body * strength
    return mixing.at_peak(filters.low_pass(string, 6500.0, 1))


def steel(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """An electric guitar through tremolo."""
    string = osc.pluck(hz, samples(3.5), rng, 4.0 * (220 / hz) ** 0.3, 0.8 + 0.15 * strength, 0.12)
    swing = 1.0 + 0.12 * np.sin(2 * np.pi * 5.2 * np.arange(len(string)) / RATE)
    return mixing.at_peak(filters.high_shelf(string * swing, 2200.0, 4.0))


def harp(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A harp, plucked near the middle."""
    string = osc.pluck(hz, samples(3.0), rng, 3.0 * (220 / hz) ** 0.4, 0.5 + 0.25 * strength, 0.38)
    return mixing.at_peak(filters.low_pass(string, 7000.0, 1))


def koto(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A koto, plucked close to the bridge."""
    string = osc.pluck(hz, samples(2.5), rng, 2.0 * (220 / hz) ** 0.3, 0.75 + 0.2 * strength, 0.07)
    return mixing.at_peak(filters.high_shelf(string, 900.0, 3.0))


def oud(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A course of two strings, almost in tune."""
    pair = [
        osc.pluck(hz * tune, samples(2.0), rng, 1.3, 0.6 + 0.2 * strength, 0.1) for tune in (0.9985, 1.0015)
    ]
    return mixing.at_peak(filters.low_pass(pair[0] + pair[1], 5500.0, 1))


def pizzicato(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A plucked violin or cello: short and woody."""
    string = osc.pluck(hz, samples(0.9), rng, 0.55 * (220 / hz) ** 0.3, 0.35 + 0.3 * strength, 0.3)
    body = osc.ring([hz, 270, 480], [0.12, 0.06, 0.05], [0.5, 0.08, 0.06], len(string))
    return mixing.at_peak(string + 0.4 * body)


def upright(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A double bass, plucked."""
    n = samples(2.2)
    string = osc.pluck(hz, n, rng, 1.9, 0.3 + 0.2 * strength, 0.3)
    body = osc.ring([hz, 2 * hz, 62.0], [1.0, 0.5, 0.1], [0.7, 0.25, 0.1], n)
    return mixing.at_peak(filters.low_pass(string, 2200.0, 1) + 0.6 * body)


def electric_bass(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A bass guitar with a little amplifier."""
    n = samples(2.5)
    string = osc.pluck(hz, n, rng, 2.6, 0.5 + 0.25 * strength, 0.14)
    under = osc.ring([hz], [2.2], [0.5], n)
    return mixing.at_peak(filters.low_pass(mixing.saturate(string + under, 1.6), 3200.0, 1))


def _guitar_amp(dry: Audio, drive: float) -> Audio:
    """A valve stage into a speaker: clipping, then a cabinet's band."""
    hot = mixing.saturate(filters.high_pass(dry, 110.0, 1), drive)
    return filters.low_pass(filters.high_shelf(filters.high_pass(hot, 80.0, 1), 2200.0, 4.0), 4600.0, 4)


def power_guitar(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A root and its fifth, doubled hard left and right."""
    n = samples(seconds + 0.06)
    sides = []
    for tune in (0.999, 1.0012):
        strings = [osc.pluck(hz * tune * step, n, rng, 5.0, 0.8, 0.09) for step in (1.0, 1.4983, 2.0)]
        sides.append(_guitar_amp(strings[0] + 0.8 * strings[1] + 0.5 * strings[2], 14.0))
    return np.stack(sides) * envelopes.sustain(n, 0.002, 0.05) * 0.6


def lead_guitar(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A singing, overdriven string."""
    n = samples(seconds + 0.1)
    phase = osc.cycles(hz * osc.vibrato(n, 5.4, 28, rng, 0.2), n)
    order = np.arange(1, osc.partials_below(hz, 40) + 1)
    string = osc.wave(np.abs(np.sin(np.pi * order * 0.13)) / order, phase)
    return _guitar_amp(string * envelopes.decay(n, 6.0, 0.003), 6.0) * envelopes.sustain(n, 0.004, 0.08) * 0.7


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
        sound += share * osc.ring(stretch * detune, slow * speed, gains, n)
    knock = noise.burst(rng, 0.06, 0.05, 6.0, 80, 1800)
    sound[: len(knock)] += knock * 0.10 * strength
    return mixing.at_peak(sound)


def muted_piano(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A piano with felt between hammers and strings."""
    return mixing.at_peak(filters.low_pass(piano(hz, seconds, strength * 0.4, rng), 1400.0))


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
    return mixing.at_peak(np.stack([body * left, body * (2.0 - left)]))


Numbers = tuple[float, ...]


def bar(ratios: Numbers, t60: Numbers, gains: Numbers, knock: float) -> PlayNote:
    """Anything struck whose sound is a few modes: bells, bars and combs."""

    def play(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
        n = samples(min(4.5, max(t60) * 1.1))
        tilt = np.array([gain * (0.55 + 0.45 * strength) ** k for k, gain in enumerate(gains)])
        frequencies = np.array(ratios) * hz * rng.uniform(0.9996, 1.0004, len(ratios))
        sound = osc.ring(frequencies, np.array(t60) * min(1.4, (520 / hz) ** 0.4), tilt, n)
        click = noise.burst(rng, 0.02, 0.015, 0.0, 600, 7000)
        sound[: len(click)] += click * knock * strength
        return mixing.at_peak(sound)

    return play


BARS = {
    "celesta": bar((1, 2.01, 3.98, 6.2), (1.8, 0.9, 0.5, 0.2), (1, 0.22, 0.16, 0.05), 0.02),
    "music box": bar((1, 2.0, 5.42, 9.1), (2.6, 1.0, 0.5, 0.2), (1, 0.10, 0.16, 0.06), 0.04),
    "glockenspiel": bar((1, 2.71, 5.15, 8.4), (2.2, 0.9, 0.35, 0.2), (1, 0.28, 0.14, 0.05), 0.03),
    "bells": bar(
        (0.5, 1, 1.19, 1.5, 2.0, 2.67, 4.1),
        (4.0, 3.2, 2.4, 2.0, 1.6, 1.0, 0.5),
        (0.3, 1, 0.45, 0.2, 0.4, 0.2, 0.1),
        0.02,
    ),
    "marimba": bar((1, 3.93, 9.6), (0.75, 0.22, 0.06), (1, 0.24, 0.10), 0.10),
    "steel drum": bar((1, 2.0, 3.01, 4.1, 5.2), (1.1, 0.9, 0.5, 0.3, 0.2), (1, 0.6, 0.25, 0.15, 0.08), 0.05),
}


def vibraphone(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A vibraphone with its motor on."""
    n = samples(3.4)
    sound = osc.ring([hz, 3.98 * hz, 9.9 * hz], [3.2, 0.8, 0.15], [1.0, 0.16 * strength + 0.05, 0.05], n)
    return mixing.at_peak(sound * (1.0 + 0.28 * np.sin(2 * np.pi * 5.0 * np.arange(n) / RATE)))


def blown(
    gains: tuple[float, ...],
    breath: float,
    cents: float,
    attack: float,
    rate: float = 5.1,
    scoop: float = 0.0,
) -> PlayNote:
    """A wind instrument: a few harmonics that open with the breath, breath noise, a late vibrato."""

    def play(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
        n = samples(seconds + 0.12)
        count = min(len(gains), osc.partials_below(hz))
        soft = np.array([gain * 0.5**k for k, gain in enumerate(gains[:count])])
        bend = osc.vibrato(n, rate * rng.uniform(0.94, 1.06), cents, rng)
        bend = bend * np.exp2(-scoop / 1200.0 * np.exp(-np.arange(n) / (0.05 * RATE)))
        phase = osc.cycles(hz * bend, n)
        shape = envelopes.sustain(n, attack, 0.11)
        open_up = shape * (0.35 + 0.65 * strength) * (1.0 + 0.12 * noise.drift(rng, n, 3.0))
        tone = osc.opening(soft, np.array(gains[:count]), phase, open_up)
        air = noise.shaped(rng, n, lambda f: noise.bell(f, hz * 2.2, 0.8) + 0.3 * noise.bell(f, 5200.0, 0.9))
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


def bowed(darkness: float, cents: float, attack: float) -> PlayNote:
    """A solo string: a bright sawtooth through a wooden body, vibrato, the bow's grain."""

    def play(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
        n = samples(seconds + 0.15)
        count = osc.partials_below(hz, 40)
        order = np.arange(1, count + 1)
        at = order * hz
        body = noise.bells(at, ((290.0, 1.0, 0.35), (520.0, 0.8, 0.4), (2600.0, 0.7, 0.6)), 0.5)
        gains = body / order**darkness / (1.0 + (at / 5200.0) ** 3)
        bend = osc.vibrato(n, 5.4 * rng.uniform(0.93, 1.07), cents, rng, 0.18) * (
            1.0 + 0.0012 * noise.drift(rng, n, 7.0)
        )
        phase = osc.cycles(hz * bend, n)
        shape = envelopes.sustain(n, attack, 0.13) * (0.82 + 0.18 * envelopes.swell(n, 0.4, 1.0))
        grain = noise.coloured(rng, n, 3.0, 900, 6000) * 0.012 * (1.0 + 3.0 * envelopes.decay(n, 0.15))
        return (osc.wave(gains, phase) * (1.0 + 0.06 * noise.drift(rng, n, 9.0)) + grain) * shape

    return play


def brass(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """Three horns: dark when soft, bright and brassy as the breath grows."""
    n = samples(seconds + 0.15)
    count = osc.partials_below(hz, 24)
    order = np.arange(1, count + 1)
    shape = envelopes.sustain(n, 0.055, 0.12)
    bite = shape**2 * (0.30 + 0.7 * strength) * (0.75 + 0.45 * envelopes.decay(n, 0.5, 0.05))
    sound = np.zeros((2, n))
    for side, pan in ((0, -0.5), (1, 0.5), (2, 0.0)):
        tune = hz * (1.0 + 0.0016 * (side - 1)) * osc.vibrato(n, 4.9 + 0.2 * side, 7, rng, 0.35)
        phase = osc.cycles(tune, n, float(rng.random()))
        dark = osc.wave(0.42 ** (order - 1.0), phase)
        bright = osc.wave(noise.bell(order * hz, 900.0, 1.6) / order**0.25, phase)
        voice = (dark * (1.0 - 0.75 * bite) + bright * 0.8 * bite) * shape
        sound += np.array([[1.0 - 0.5 * pan], [1.0 + 0.5 * pan]]) * voice / 3.0
    return sound


def accordion(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """Three reeds, two of them a little out of tune."""
    n = samples(seconds + 0.08)
    count = osc.partials_below(hz, 24)
    order = np.arange(1, count + 1)
    wave = osc.table((0.35 + noise.bell(order * hz, 1500.0, 1.2)) / order)
    left, right = (
        osc.look_up(wave, osc.cycles(hz * tune, n, float(rng.random()))) for tune in (1.004, 0.9975)
    )
    middle = osc.look_up(wave, osc.cycles(hz, n))
    shape = envelopes.sustain(n, 0.035, 0.07) * (0.8 + 0.2 * envelopes.swell(n, 0.3, 1.0))
    return np.stack([middle * 0.6 + left * 0.5, middle * 0.6 + right * 0.5]) * shape * 0.7
