"""The pitched instruments, each a function from a note to sound; a small sampler keeps what was played.

An instrument is a fixed thing: its notes depend on pitch, strength and take of the round robin alone, never on
the piece. So notes are made once a process and shared by every piece that plays them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, noise, resonators, shaping
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng, generator, midi_hz, samples

Player = Callable[[float, float, float, Rng], Audio]
"""(Hz, seconds, strength 0 to 1, randomness) to [samples] or [2, samples], peak about 1."""


@dataclass(frozen=True)
class Instrument:
    """A player with its place in the mix: range (MIDI), level in dB, pan, reverb send, and how notes end."""

    play: Player
    low: int
    high: int
    level_db: float
    send: float = 0.3
    rings: bool = False
    """True: the sound dies by itself, and one recording serves every length."""
    pan: float = 0.0
    blend: float = 0.0
    """Seconds by which held notes overlap the next."""


# --- struck and plucked ------------------------------------------------------------------------------------


def _nylon(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    n = samples(3.2)
    string = resonators.pluck(hz, n, rng, 2.6 * (220 / hz) ** 0.35, 0.42 + 0.3 * strength, 0.22)
    body = resonators.ring([104, 205, 390], [0.16, 0.12, 0.08], [0.05, 0.035, 0.02], samples(0.3))
    string[: len(body)] += body * strength
    return shaping.at_peak(filters.low_pass(string, 6500.0, 1))


def _steel(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    string = resonators.pluck(hz, samples(3.5), rng, 4.0 * (220 / hz) ** 0.3, 0.8 + 0.15 * strength, 0.12)
    swing = 1.0 + 0.12 * np.sin(2 * np.pi * 5.2 * np.arange(len(string)) / RATE)
    return shaping.at_peak(filters.shelf(string * swing, 2200.0, 4.0, True))


def _harp(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    string = resonators.pluck(hz, samples(3.0), rng, 3.0 * (220 / hz) ** 0.4, 0.5 + 0.25 * strength, 0.38)
    return shaping.at_peak(filters.low_pass(string, 7000.0, 1))


def _koto(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    string = resonators.pluck(hz, samples(2.5), rng, 2.0 * (220 / hz) ** 0.3, 0.75 + 0.2 * strength, 0.07)
    return shaping.at_peak(filters.shelf(string, 900.0, 3.0, True))


def _oud(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    pair = [
        resonators.pluck(hz * tune, samples(2.0), rng, 1.3, 0.6 + 0.2 * strength, 0.1)
        for tune in (0.9985, 1.0015)
    ]
    return shaping.at_peak(filters.low_pass(pair[0] + pair[1], 5500.0, 1))


def _pizzicato(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    string = resonators.pluck(hz, samples(0.9), rng, 0.55 * (220 / hz) ** 0.3, 0.35 + 0.3 * strength, 0.3)
    body = resonators.ring([hz, 270, 480], [0.12, 0.06, 0.05], [0.5, 0.08, 0.06], len(string))
    return shaping.at_peak(string + 0.4 * body)


def _upright(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    n = samples(2.2)
    string = resonators.pluck(hz, n, rng, 1.9, 0.3 + 0.2 * strength, 0.3)
    body = resonators.ring([hz, 2 * hz, 62.0], [1.0, 0.5, 0.1], [0.7, 0.25, 0.1], n)
    return shaping.at_peak(filters.low_pass(string, 2200.0, 1) + 0.6 * body)


def _electric_bass(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    n = samples(2.5)
    string = resonators.pluck(hz, n, rng, 2.6, 0.5 + 0.25 * strength, 0.14)
    under = resonators.ring([hz], [2.2], [0.5], n)
    return shaping.at_peak(filters.low_pass(shaping.saturate(string + under, 1.6), 3200.0, 1))


def _piano(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
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


def _muted_piano(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    return shaping.at_peak(filters.low_pass(_piano(hz, seconds, strength * 0.4, rng), 1400.0))


def _electric_piano(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
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


def _bar(ratios: tuple[float, ...], t60: tuple[float, ...], gains: tuple[float, ...], knock: float) -> Player:
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


_BARS: dict[str, tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...], float]] = {
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


def _vibraphone(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    n = samples(3.4)
    sound = resonators.ring(
        [hz, 3.98 * hz, 9.9 * hz], [3.2, 0.8, 0.15], [1.0, 0.16 * strength + 0.05, 0.05], n
    )
    return shaping.at_peak(sound * (1.0 + 0.28 * np.sin(2 * np.pi * 5.0 * np.arange(n) / RATE)))


# --- blown and bowed ---------------------------------------------------------------------------------------


def _blown(
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


_WINDS = {
    "flute": _blown((1, 0.42, 0.16, 0.07, 0.03), 0.055, 22, 0.06),
    "ocarina": _blown((1, 0.06, 0.09, 0.02), 0.035, 14, 0.05),
    "whistle": _blown((1, 0.08, 0.03), 0.03, 26, 0.05, 5.6, 60),
    "shakuhachi": _blown((1, 0.5, 0.3, 0.1, 0.05), 0.12, 38, 0.09, 4.4, 130),
    "ney": _blown((1, 0.55, 0.4, 0.2, 0.1, 0.05), 0.10, 30, 0.08, 4.8, 80),
    "clarinet": _blown((1, 0.05, 0.55, 0.06, 0.32, 0.06, 0.18, 0.05, 0.1), 0.012, 8, 0.04),
}


def _bowed(darkness: float, cents: float, attack: float) -> Player:
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


def _brass(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
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


def _accordion(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
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


# --- ensembles, from dense tables ---------------------------------------------------------------------------


def _formant(at: Audio, peaks: tuple[tuple[float, float, float], ...]) -> Audio:
    return np.sum([gain * noise.bump(at, hz, width) for hz, gain, width in peaks], axis=0)


def _spectrum(name: str, hz: float) -> tuple[Audio, float]:
    """Harmonic amplitudes of an ensemble at ``hz``, and its width in cents."""
    order = np.arange(1, osc.partials_below(hz, 48) + 1, dtype=np.float64)
    at = order * hz
    if name == "choir":
        vowel = _formant(at, ((680, 1.0, 0.35), (1080, 0.6, 0.25), (2750, 0.18, 0.25), (3400, 0.10, 0.2)))
        return (vowel + 0.10 * np.exp(-at / 500)) / order**0.45, 34.0
    if name == "organ":
        stops = {1: 1.0, 2: 0.7, 3: 0.25, 4: 0.5, 6: 0.2, 8: 0.3, 12: 0.08, 16: 0.1}
        return np.array([stops.get(int(k), 0.01) for k in order]), 3.0
    if name == "analog pad":
        return 1.0 / order / (1.0 + (at / 2400.0) ** 2), 26.0
    if name == "chip pad":
        return osc.harmonics("pulse", len(order), 0.25) / (1.0 + (at / 3000.0) ** 2), 4.0
    if name in ("warm pad", "soft synth"):
        return 1.0 / order**1.5 / (1.0 + (at / 1300.0) ** 2), 24.0
    if name == "dark drone":
        return (1.0 / order**1.2 + 0.25 * np.sin(order * 2.7) ** 2 / order) / (1.0 + (at / 700.0) ** 2), 46.0
    body = (
        0.4
        + noise.bump(at, 330.0, 0.5)
        + 0.6 * noise.bump(at, 1100.0, 0.7)
        + 0.25 * noise.bump(at, 3000.0, 0.4)
    )
    return body / order**1.05 / (1.0 + (at / 4200.0) ** 2), 30.0


@lru_cache(maxsize=96)
def _table(name: str, hz: float) -> Audio:
    spectrum, cents = _spectrum(name, hz)
    rng = generator(0x7AB1E, zlib.crc32(name.encode()), round(hz * 1000))
    return resonators.ensemble(hz, spectrum, cents, rng).astype(np.float32).astype(np.float64)


def _section(name: str, attack: float, release: float) -> Player:
    """A section of players: two far apart places of one dense table make left and right."""

    def play(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
        table = _table(name, hz)
        n = samples(seconds + release)
        offset = int(rng.integers(len(table)))
        place = (offset + np.arange(n)) % len(table)
        shape = envelopes.held(n, min(attack, 0.6 * seconds), release) * 0.28
        return np.stack([table[place], table[(place + len(table) // 3) % len(table)]]) * shape

    return play


def _tremolo(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    sound = _section("strings", 0.25, 0.4)(hz, seconds, strength, rng)
    n = sound.shape[1]
    time = np.arange(n) / RATE
    wobble = 12.5 * time + 0.25 * noise.drift(rng, n, 2.0)
    return sound * (0.72 + 0.28 * np.sin(2 * np.pi * np.stack([wobble, wobble + 0.3])))


def _staccato(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    sound = _section("strings", 0.012, 0.14)(hz, min(seconds, 0.20), strength, rng)
    bow = noise.coloured(rng, sound.shape[1], 2.0, 1200, 7000) * envelopes.decay(sound.shape[1], 0.07)
    return sound * (1.0 + 0.6 * envelopes.decay(sound.shape[1], 0.2)) + 0.025 * strength * bow


# --- electronic ---------------------------------------------------------------------------------------------


def _saw_lead(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
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


def _synth_arp(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    n = samples(0.55)
    phase = osc.cycles(hz, n)
    bright = osc.look_up(osc.table(osc.harmonics("saw", osc.partials_below(hz, 40))), phase)
    dark = osc.look_up(osc.table(0.45 ** np.arange(osc.partials_below(hz, 10))), phase)
    open_up = (0.4 + 0.6 * strength) * envelopes.decay(n, 0.22)
    return (bright * open_up + dark * (1 - open_up)) * envelopes.decay(n, 0.65, 0.002)


def _synth_bass(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
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


def _sub_bass(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    n = samples(seconds + 0.2)
    tone = shaping.saturate(osc.sine(hz, n) + 0.12 * osc.sine(2 * hz, n), 1.2)
    return tone * envelopes.held(n, 0.05, 0.2)


def _chip(shape: str, width: float, release: float) -> Player:
    def play(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
        n = samples(seconds + release)
        bend: Audio | float = hz * osc.vibrato(n, 6.0, 16, rng, 0.2) if seconds > 0.3 else hz
        steps = np.ceil(envelopes.held(n, 0.002, release) * (1.0 - 0.35 * np.linspace(0, 1, n)) * 15) / 15
        return osc.tone(shape, bend, n, 0.0, width) * filters.low_pass(steps, 900.0, 1) * 0.7

    return play


def _guitar_amp(dry: Audio, drive: float) -> Audio:
    """A valve stage into a speaker: clipping, then a cabinet's band."""
    hot = shaping.saturate(filters.high_pass(dry, 110.0, 1), drive)
    return filters.low_pass(filters.shelf(filters.high_pass(hot, 80.0, 1), 2200.0, 4.0, True), 4600.0, 4)


def _power_guitar(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    """A root and its fifth, doubled hard left and right."""
    n = samples(seconds + 0.06)
    sides = []
    for tune in (0.999, 1.0012):
        strings = [resonators.pluck(hz * tune * step, n, rng, 5.0, 0.8, 0.09) for step in (1.0, 1.4983, 2.0)]
        sides.append(_guitar_amp(strings[0] + 0.8 * strings[1] + 0.5 * strings[2], 14.0))
    return np.stack(sides) * envelopes.held(n, 0.002, 0.05) * 0.6


def _lead_guitar(hz: float, seconds: float, strength: float, rng: Rng) -> Audio:
    n = samples(seconds + 0.1)
    phase = osc.cycles(hz * osc.vibrato(n, 5.4, 28, rng, 0.2), n)
    order = np.arange(1, osc.partials_below(hz, 40) + 1)
    string = osc.look_up(osc.table(np.abs(np.sin(np.pi * order * 0.13)) / order), phase)
    return _guitar_amp(string * envelopes.decay(n, 6.0, 0.003), 6.0) * envelopes.held(n, 0.004, 0.08) * 0.7


INSTRUMENTS: dict[str, Instrument] = {
    "nylon guitar": Instrument(_nylon, 40, 84, -9, 0.22, True, -0.25),
    "twang guitar": Instrument(_steel, 40, 84, -10, 0.35, True, -0.2),
    "harp": Instrument(_harp, 36, 96, -10, 0.4, True, 0.3),
    "koto": Instrument(_koto, 48, 88, -9, 0.3, True, 0.2),
    "oud": Instrument(_oud, 40, 76, -9, 0.25, True, -0.2),
    "pizzicato": Instrument(_pizzicato, 48, 88, -8, 0.35, True, 0.2),
    "pizzicato bass": Instrument(_pizzicato, 28, 52, -6, 0.2, True),
    "upright bass": Instrument(_upright, 28, 52, -6.5, 0.08, True),
    "electric bass": Instrument(_electric_bass, 28, 52, -7, 0.04, True),
    "piano": Instrument(_piano, 33, 96, -8, 0.28, True, 0.0),
    "muted piano": Instrument(_muted_piano, 33, 88, -7, 0.4, True, 0.1),
    "electric piano": Instrument(_electric_piano, 36, 88, -11, 0.25, True),
    "vibraphone": Instrument(_vibraphone, 53, 89, -10, 0.35, True, 0.25),
    **{
        name: Instrument(_bar(*modes), 60 if name != "marimba" else 48, 98, -11, 0.4, True, 0.3)
        for name, modes in _BARS.items()
    },
    **{name: Instrument(player, 60, 91, -10, 0.38, False, 0.12) for name, player in _WINDS.items()},
    "violin": Instrument(_bowed(0.75, 24, 0.09), 55, 91, -12, 0.42, False, -0.2),
    "fiddle": Instrument(_bowed(0.65, 16, 0.04), 55, 91, -12, 0.28, False, -0.2),
    "cello": Instrument(_bowed(0.95, 20, 0.11), 36, 69, -9.5, 0.4, False, 0.2),
    "contrabass": Instrument(_bowed(1.15, 8, 0.07), 28, 50, -8, 0.2, False),
    "brass": Instrument(_brass, 46, 77, -9, 0.4, False, 0.15),
    "accordion": Instrument(_accordion, 48, 84, -14, 0.25, False),
    "strings": Instrument(_section("strings", 0.35, 0.6), 36, 88, -13, 0.35, blend=0.15),
    "choir": Instrument(_section("choir", 0.45, 0.8), 45, 79, -12.5, 0.5, blend=0.2),
    "organ": Instrument(_section("organ", 0.03, 0.2), 36, 84, -15, 0.4),
    "warm pad": Instrument(_section("warm pad", 0.6, 1.1), 36, 84, -13, 0.4, blend=0.3),
    "soft synth": Instrument(_section("soft synth", 0.05, 0.7), 48, 88, -15, 0.5),
    "analog pad": Instrument(_section("analog pad", 0.25, 0.6), 36, 84, -15, 0.3, blend=0.1),
    "chip pad": Instrument(_section("chip pad", 0.01, 0.1), 48, 84, -22, 0.05),
    "dark drone": Instrument(_section("dark drone", 1.2, 2.0), 24, 64, -11, 0.4, blend=0.6),
    "drone strings": Instrument(_section("strings", 0.8, 1.2), 36, 76, -14, 0.35, blend=0.4),
    "tremolo strings": Instrument(_tremolo, 40, 88, -13, 0.35, blend=0.1),
    "staccato strings": Instrument(_staccato, 40, 84, -7, 0.3, pan=-0.1),
    "saw lead": Instrument(_saw_lead, 55, 91, -14, 0.3),
    "synth arp": Instrument(_synth_arp, 48, 91, -12, 0.3, True, 0.2),
    "synth bass": Instrument(_synth_bass, 28, 52, -8, 0.03),
    "sub bass": Instrument(_sub_bass, 29, 48, -9, 0.0),
    "chip lead": Instrument(_chip("pulse", 0.25, 0.03), 55, 93, -14, 0.08),
    "chip arp": Instrument(_chip("pulse", 0.5, 0.02), 55, 93, -18, 0.05, pan=0.3),
    "chip bass": Instrument(_chip("triangle", 0.5, 0.01), 33, 57, -8, 0.0),
    "power guitar": Instrument(_power_guitar, 36, 60, -11, 0.08),
    "lead guitar": Instrument(_lead_guitar, 52, 88, -13, 0.3),
}


def sound(name: str, note: int, seconds: float, velocity: float, take: int) -> Audio:
    """One note of an instrument, [samples] or [2, samples]; ``take`` picks among its round robin of two."""
    layer = 1 + min(2, int(velocity * 3.0))
    held = 0.0 if INSTRUMENTS[name].rings else round(seconds, 3)
    return _played(name, note, held, layer, take % 2)


@lru_cache(maxsize=160)
def _played(name: str, note: int, seconds: float, layer: int, take: int) -> Audio:
    rng = generator(0x1257, zlib.crc32(name.encode()), note, round(seconds * 1000), layer, take)
    return INSTRUMENTS[name].play(midi_hz(note), max(seconds, 0.05), layer / 3.0, rng)
