"""Drums: synthesised hits, cached like samples, and the patterns of each kit."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, mixing, noise
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng, generator, samples
from pipeline.generators.sketch.music.score import Hit

Strike = Callable[[float, Rng], Audio]
"""(strength 0 to 1, randomness) to [samples] at any level."""


class Drum(NamedTuple):
    """A drum with its level in dB, its place and its send to the room."""

    strike: Strike
    level_db: float
    pan: float = 0.0
    send: float = 0.1


def _burst(rng: Rng, seconds: float, t60: float, low: float, high: float) -> Audio:
    return noise.burst(rng, seconds, t60, 0.0, low, high, 0.0006) * 0.3


def _membrane(low: float, drop: float, t60: float, skin: float, slap: float, seconds: float) -> Strike:
    """A drum head whose pitch falls to ``low`` Hz from ``drop`` times that, with upper modes and a stick."""

    def strike(strength: float, rng: Rng) -> Audio:
        n = samples(seconds)
        hz = low * rng.uniform(0.99, 1.01) * (1.0 + (drop - 1.0) * envelopes.fall(n, 0.028))
        body = osc.sine(hz, n) * envelopes.decay(n, t60, 0.001)
        modes = np.array([1.59, 2.14, 2.30, 2.65, 2.92, 3.5, 4.2]) * low * rng.uniform(0.98, 1.02, 7)
        upper = osc.ring(modes, t60 * 0.5 / np.arange(1.2, 8.0), 1.0 / np.arange(1.5, 8.0), n)
        body += skin * strength * upper
        stick = _burst(rng, 0.05, 0.03, 900, 6000) * slap * (0.4 + strength)
        body[: len(stick)] += stick[:n]
        return mixing.saturate(body, 1.0 + 0.8 * strength)

    return strike


def _snare(body_hz: float, t60: float, wires: float) -> Strike:
    def strike(strength: float, rng: Rng) -> Audio:
        n = samples(0.5)
        body = osc.ring([body_hz, body_hz * 1.76, body_hz * 2.4], [0.13, 0.09, 0.06], [0.8, 0.45, 0.2], n)
        rattle = noise.coloured(rng, n, 1.0, 1100, 11000) * envelopes.decay(n, t60, 0.001)
        return body * (1.3 - wires) + rattle * 0.42 * wires * (0.5 + strength)

    return strike


def _clap(strength: float, rng: Rng) -> Audio:
    n = samples(0.4)
    out = noise.coloured(rng, n, 0.0, 900, 5000) * envelopes.decay(n, 0.22) * 0.25
    for start in (0.0, 0.011, 0.021, 0.030):
        at = samples(start + rng.uniform(0, 0.002))
        snap = _burst(rng, 0.02, 0.014, 900, 6000)
        out[at : at + len(snap)] += snap * 2.4
    return out


_CYMBAL_HZ = np.array([205.3, 304.4, 369.6, 522.7, 540.0, 800.0])
"""Six oscillators of a well-known drum machine's metal sounds."""


def _metal(n: int, rng: Rng, low: float) -> Audio:
    """The dense clang of a cymbal: square waves that share no pitch, and noise, above ``low`` Hz."""
    clang = np.sum([osc.tone("square", float(hz) * 1.6, n, float(rng.random())) for hz in _CYMBAL_HZ], axis=0)
    return filters.high_pass(clang * 0.25 + rng.standard_normal(n) * 0.55, low, 3)


def _hat(t60: float) -> Strike:
    def strike(strength: float, rng: Rng) -> Audio:
        n = samples(t60 * 1.2 + 0.03)
        return _metal(n, rng, 7200.0) * envelopes.decay(n, t60 * (0.7 + 0.5 * strength), 0.0008)

    return strike


def _cymbal(t60: float, bell: float, bloom: float) -> Strike:
    def strike(strength: float, rng: Rng) -> Audio:
        n = samples(t60)
        clang = _metal(n, rng, 320.0)
        wash = filters.time_varying(
            clang, lambda hz, at: filters.low_pass_gain(hz, 12000.0 * np.exp(-1.6 * at), 1)
        )
        hz = np.exp(rng.uniform(np.log(350), np.log(7000), 40))
        ping = osc.ring(hz, rng.uniform(0.3, 1.0, 40) * t60 * 0.6, rng.uniform(0.2, 1.0, 40), n)
        return (wash + ping * 0.12 * bell) * envelopes.decay(n, t60 * 0.85, bloom)

    return strike


def _swish(seconds: float, slope: float, band: tuple[float, float], peak: float, sharpness: float) -> Strike:
    """Noise that swells: seeds in a shaker, wires on a skin."""

    def strike(strength: float, rng: Rng) -> Audio:
        n = samples(seconds)
        return noise.coloured(rng, n, slope, *band) * envelopes.swell(n, peak, sharpness)

    return strike


def _jingles(count: int, seconds: float) -> Strike:
    """Small bells or discs that rattle: tambourine, sleigh bells."""

    def strike(strength: float, rng: Rng) -> Audio:
        n = samples(seconds)
        out = np.zeros(n)
        for _ in range(count):
            at = int(abs(rng.normal(0.0, 0.014)) * RATE)
            hz = rng.uniform(5200, 12500, 3)
            ping = osc.ring(hz, [seconds * 0.5, seconds * 0.4, 0.05], [0.6, 0.5, 0.4], max(1, n - at))
            out[at:] += ping[: max(0, n - at)] * rng.uniform(0.3, 1.0)
        return out

    return strike


def _rim(hz: float, t60: float) -> Strike:
    def strike(strength: float, rng: Rng) -> Audio:
        n = samples(0.12)
        return osc.ring(
            [hz, hz * 1.47, hz * 2.09], [t60, t60 * 0.7, t60 * 0.5], [1, 0.6, 0.5], n, [0.25, 0.1, 0.4]
        )

    return strike


def _machine_kick(strength: float, rng: Rng) -> Audio:
    n = samples(0.5)
    thump = osc.sine(47.0 + 180.0 * envelopes.fall(n, 0.022), n) * envelopes.decay(n, 0.42, 0.0008)
    click = _burst(rng, 0.012, 0.008, 1500, 9000)
    thump[: len(click)] += click
    return mixing.saturate(thump, 2.2)


def _chip_noise(t60: float, hold: int) -> Strike:
    def strike(strength: float, rng: Rng) -> Audio:
        n = samples(t60 * 1.2)
        return mixing.crush(rng.standard_normal(n) * 0.3, hold) * envelopes.decay(n, t60)

    return strike


def _chip_kick(strength: float, rng: Rng) -> Audio:
    n = samples(0.16)
    hz = 55.0 + 300.0 * np.exp(-np.arange(n) / (0.02 * RATE))
    return osc.tone("triangle", hz, n) * envelopes.decay(n, 0.2)


def _boom(strength: float, rng: Rng) -> Audio:
    n = samples(3.0)
    low = osc.sine(36.0 + 26.0 * envelopes.fall(n, 0.12), n) * envelopes.decay(n, 2.6, 0.006)
    air = noise.coloured(rng, n, 6.0, 30, 500) * envelopes.decay(n, 1.4, 0.01) * 0.25
    return mixing.saturate(low + air, 1.5)


DRUMS: dict[str, Drum] = {
    "kick": Drum(_membrane(54, 2.6, 0.30, 0.10, 0.5, 0.4), -6, 0.0, 0.03),
    "snare": Drum(_snare(188, 0.22, 0.75), -4, 0.05, 0.18),
    "hat": Drum(_hat(0.07), -15, 0.3, 0.03),
    "open hat": Drum(_hat(0.42), -18, 0.3, 0.06),
    "crash": Drum(_cymbal(2.6, 0.6, 0.002), -13, -0.35, 0.2),
    "ride": Drum(_cymbal(1.1, 1.5, 0.001), -18, 0.4, 0.1),
    "tom high": Drum(_membrane(150, 1.5, 0.30, 0.25, 0.5, 0.5), -7, 0.35, 0.15),
    "tom mid": Drum(_membrane(112, 1.5, 0.38, 0.25, 0.5, 0.6), -9, 0.0, 0.15),
    "tom low": Drum(_membrane(80, 1.6, 0.48, 0.25, 0.5, 0.7), -8, -0.35, 0.15),
    "taiko": Drum(_membrane(65, 1.8, 0.70, 0.50, 0.9, 1.1), -6.5, -0.1, 0.35),
    "taiko high": Drum(_membrane(104, 1.5, 0.45, 0.45, 0.9, 0.7), -9, 0.35, 0.3),
    "stick": Drum(_rim(1250, 0.05), -13, 0.45, 0.3),
    "timpani": Drum(_membrane(73, 1.06, 1.5, 0.5, 0.3, 1.8), -8, 0.15, 0.4),
    "boom": Drum(_boom, -10, 0.0, 0.4),
    "heart": Drum(_membrane(46, 1.7, 0.32, 0.05, 0.05, 0.5), -7, 0.0, 0.2),
    "frame": Drum(_membrane(88, 1.35, 0.42, 0.32, 0.35, 0.6), -8.5, -0.1, 0.2),
    "frame tap": Drum(_membrane(235, 1.1, 0.10, 0.5, 0.9, 0.2), -11, 0.15, 0.2),
    "djembe": Drum(_membrane(74, 1.5, 0.34, 0.2, 0.3, 0.5), -8, -0.1, 0.15),
    "djembe tone": Drum(_membrane(215, 1.1, 0.22, 0.4, 0.5, 0.35), -13, 0.2, 0.15),
    "djembe slap": Drum(_membrane(340, 1.1, 0.12, 0.7, 1.6, 0.25), -11, 0.2, 0.15),
    "shaker": Drum(_swish(0.12, -1.0, (3500, 12000), 0.35, 2.0), -15, 0.35, 0.1),
    "tambourine": Drum(_jingles(14, 0.22), -15, -0.35, 0.15),
    "sleigh": Drum(_jingles(26, 0.32), -16, -0.3, 0.25),
    "rim": Drum(_rim(1720, 0.035), -12, 0.2, 0.15),
    "brush": Drum(_swish(0.28, 1.5, (900, 8000), 0.25, 1.3), -15, 0.15, 0.12),
    "soft kick": Drum(_membrane(52, 1.8, 0.26, 0.02, 0.08, 0.4), -10, 0.0, 0.04),
    "soft snare": Drum(_snare(172, 0.16, 0.5), -9, 0.05, 0.15),
    "machine kick": Drum(_machine_kick, -7, 0.0, 0.0),
    "clap": Drum(_clap, -6, 0.0, 0.2),
    "tick": Drum(_rim(3200, 0.012), -15, 0.3, 0.2),
    "chip kick": Drum(_chip_kick, -9, 0.0, 0.0),
    "chip snare": Drum(_chip_noise(0.13, 5), -11, 0.0, 0.02),
    "chip hat": Drum(_chip_noise(0.035, 2), -18, 0.0, 0.0),
}


def drum_sound(name: str, velocity: float, take: int) -> Audio:
    """One hit, [samples]; ``take`` picks among its round robin of three."""
    return _struck(name, 1 + min(2, int(velocity * 3.0)), take % 3)


@lru_cache(maxsize=256)
def _struck(name: str, layer: int, take: int) -> Audio:
    rng = generator(0xD2C3, name, layer, take)
    return mixing.at_peak(DRUMS[name].strike(layer / 3.0, rng))


Groove = dict[str, str]


class Kit(NamedTuple):
    """What the drums of a style play."""

    grooves: list[tuple[float, Groove]]
    """Patterns, each with the least energy (0 to 1) that plays it."""
    fill: tuple[str, ...]
    """The drums of its fills, from first to last; none: it plays no fills."""


_LEVELS = {"x": 0.95, "o": 0.68, "-": 0.36}

_TABS = """
folk: frame tap, frame
  0.0   frame         x.......o.......
        shaker        ..-...-...-...-.
  0.35  frame         x.....o.o.....-.
        frame tap     ....o..-....o.-.
        tambourine    ....o.......o...
  0.6   frame         x..o..x.o..o..o.
        frame tap     ..o.o..o..o.o.-o
        tambourine    -.o.x.-.-.o.x.o.
taiko: taiko high, taiko, snare
  0.0   timpani       x...............
        taiko         ........o.......
  0.4   taiko         x.....o.x.......
        taiko high    ....o.....o.o...
        stick         ..-...-...-...-.
  0.7   taiko         x..o..x...x.o...
        taiko high    ..o.o..oo..o..oo
        stick         x.o.x.o.x.o.x.o.
        snare         ....-.-.....-.-o
  0.85  taiko         x..x..x.x..x..x.
        taiko high    ..oo..oo..oo.ooo
        stick         x.oox.oox.oox.oo
        snare         ....x..-....x.oo
rock: tom high, tom mid, tom low, snare
  0.0   kick          x.......o.......
        snare         ....o.......o...
        hat           o...o...o...o...
  0.5   kick          x.....o.x.......
        snare         ....x.......x...
        hat           x.o.x.o.x.o.x.o.
  0.8   kick          x..x..x.x..x..xo
        snare         ....x.......x...
        hat           x.x.x.x.x.x.x.x.
electronic: clap
  0.0   machine kick  x.......x.......
        clap          ....o.......o...
        hat           ..o...o...o...o.
  0.5   machine kick  x...x...x...x...
        clap          ....x.......x...
        open hat      ..o...o...o...o.
        hat           -.-.-.-.-.-.-.-.
  0.75  machine kick  x...x...x...x..o
        clap          ....x.......x...
        open hat      ..x...x...x...x.
        hat           -oo-oo-o-oo-oo-o
chip: chip snare
  0.0   chip kick     x.......x.......
        chip snare    ....o.......o...
        chip hat      ..o...o...o...o.
  0.5   chip kick     x.....o.x.o.....
        chip snare    ....x.......x...
        chip hat      x.o.x.o.x.o.x.o.
  0.8   chip kick     x...x...x...x.o.
        chip snare    ....x.......x..o
        chip hat      xoooxoooxoooxooo
brushes: soft snare
  0.0   soft kick     x.........o.....
        soft snare    ....o.......o...
        brush         o...-...o...-...
  0.3   soft kick     x......o..o.....
        soft snare    ....x..-....x...
        hat           o.-.o.-.o.-.o.-.
  0.6   soft kick     x.....oo..o..-..
        soft snare    ....x..-.-..x..-
        hat           o.o.o.o.o.o.o.oo
        ride          x...x...x...x...
hand drums: djembe slap, djembe tone, djembe
  0.0   djembe        x.......o.......
        djembe tone   ......-.....o...
        shaker        ..-...-...-...-.
  0.35  djembe        x.....o...o.....
        djembe tone   ...o....o....o-.
        djembe slap   ....o.......o...
        shaker        o.-.o.-.o.-.o.-.
  0.65  djembe        x..o..o.x.o...o.
        djembe tone   .-.-o.-o.-.-o.oo
        djembe slap   ....x..o....x..o
        shaker        o-o-o-o-o-o-o-o-
shaker: rim
  0.0   shaker        ..-...-...-...-.
        rim           ............-...
  0.35  shaker        o.-.o.-.o.-.o.-.
        rim           ....o.......o...
        soft kick     x.......o.......
  0.65  shaker        o-o-o-o-o-o-o-o-
        rim           ....o..o....o...
        soft kick     x.....o.x.......
        tambourine    ....o.......o...
sleigh
  0.0   sleigh        -.......-.......
  0.3   sleigh        o...-...o...-...
        timpani       -...............
  0.6   sleigh        o.-.o.-.o.-.o.-.
        soft kick     x.......o.......
        tambourine    ....o.......o...
dread
  0.0   boom          o...............
  0.3   boom          o...............
        heart         ........o..-....
  0.6   boom          x...............
        heart         o..-....o..-....
        tick          -.-.-.-.-.-.-.-.
pulse
  0.0   heart         o..-............
        tick          -...-...-...-...
  0.35  heart         x..-....o..-....
        tick          o.-.o.-.o.-.o.-.
  0.65  heart         x..-..o.x..-..o.
        tick          o-o-o-o-o-o-o-o-
        taiko         x.........o.....
"""
"""Each kit with the drums of its fills; below it its patterns, each with its least energy and a line for each drum."""


def _read_tabs(tabs: str) -> dict[str, Kit]:
    kits: dict[str, Kit] = {}
    for line in tabs.strip().splitlines():
        if not line.startswith(" "):
            name, *fill = re.split("[:,] ", line)
            kits[name] = kit = Kit([], tuple(fill))
            continue
        *energy, drum, steps = re.split(r"\s{2,}", line.strip())
        if energy:
            kit.grooves.append((float(energy[0]), {}))
        kit.grooves[-1][1][drum] = steps
    return kits


KITS = _read_tabs(_TABS)

CRASHING = frozenset({"taiko", "rock", "electronic"})
"""Kits that mark the start of a section with a cymbal."""


def groove(kit: str, energy: float, quieter: bool = False) -> Groove:
    """The pattern of a kit at an energy; ``quieter`` takes the one below."""
    levels = KITS[kit].grooves
    chosen = max(k for k, (least, _) in enumerate(levels) if energy >= least)
    return levels[max(0, chosen - int(quieter))][1]


def bar_of(pattern: Groove, start: float, beats_in_bar: int, until: float) -> list[Hit]:
    """The hits of one bar that starts at beat ``start``; nothing from ``until`` (beats) on."""
    return [
        Hit(drum, start + step / 4.0, _LEVELS[mark])
        for drum, steps in pattern.items()
        for step, mark in enumerate(steps[: 4 * beats_in_bar])
        if mark != "." and step / 4.0 < until
    ]


def fill(rng: Rng, kit: str, start: float, beats: float, energy: float) -> list[Hit]:
    """A drum fill that leads into the next section."""
    drums = KITS[kit].fill
    if not drums:
        return []
    steps = int(beats * 4)
    spots = [k for k in range(steps) if k % 2 == 0 or rng.random() < 0.25 + 0.6 * energy]
    return [
        Hit(drums[min(len(drums) - 1, k * len(drums) // steps)], start + k / 4.0, 0.5 + 0.45 * k / steps)
        for k in spots
    ]
