"""Ambience: the layers of a place, named by the prompt or implied by the place; and room tone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, noise, reverb
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.mixing import Bus, poisson, scatter
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng, between, midi_hz, samples
from pipeline.generators.sketch.sfx.elements import (
    blow,
    crackles,
    drops,
    falling,
    flames,
    flowing,
    gusting,
    rolling,
    waves,
)
from pipeline.generators.sketch.sfx.materials import Blow, grain, strike
from pipeline.generators.sketch.sfx.mechanisms import arcs, hum
from pipeline.generators.sketch.sfx.reading import Scene


def _wavering(scene: Scene, slope_db: float, low: float, high: float, depth: float, hz: float) -> Audio:
    """Noise whose level drifts."""
    still = noise.coloured(scene.rng, scene.n, slope_db, low, high)
    return still * (1 + depth * noise.drift(scene.rng, scene.n, hz))


def _wind(scene: Scene, bus: Bus) -> None:
    gusts = gusting(scene.rng, scene.n, 0.15)
    leafy = 0.8 if scene.reading.place in ("forest", "night", None) else 0.15
    howl = 0.6 if scene.reading.says("howling", "cold", "eerie", "snow", "haunted") else 0.08
    bus.add_each_side(lambda: blow(scene.rng, gusts, 0.5, howl, leafy), 0.8)


def _rain(scene: Scene, bus: Bus) -> None:
    bus.add_each_side(lambda: falling(scene.rng, scene.n, 0.5, "leaves"), 0.8)


def _thunder(scene: Scene, bus: Bus) -> None:
    for at in poisson(scene.rng, scene.n, 0.07, least=1)[:20]:
        length = min(scene.n, samples(7.0))
        bus.add(rolling(scene.rng, length, 0.8), int(at), 0.5, between(scene.rng, -0.6, 0.6))


def _fire(scene: Scene, bus: Bus) -> None:
    bus.add_each_side(lambda: flames(scene.rng, scene.n, 0.8), 0.3)
    crackles(bus, scene.rng, 9.0)


def _stream(scene: Scene, bus: Bus) -> None:
    if scene.reading.place == "coast" or scene.reading.says("ocean", "wave", "sea"):
        bus.add(waves(scene.rng, scene.n, bus.mix.shape[0], 0.5), 0, 0.9)
        return
    far = 0.4 if scene.reading.says("distant", "far") else 0.75
    bus.add(flowing(scene.rng, scene.n, bus.mix.shape[0], 0.1, 0.8), 0, far)


def _drip(scene: Scene, bus: Bus) -> None:
    drops(bus, scene.rng, poisson(scene.rng, scene.n, 0.7, least=1), 0.35)


def _bubbles(scene: Scene, bus: Bus) -> None:
    def bubble(r: Rng) -> Audio:
        return osc.bubble(float(np.exp(r.normal(np.log(330.0), 0.5))), samples(0.12), 0.25) * 0.3

    scatter(bus, scene.rng, poisson(scene.rng, scene.n, 5.0), bubble, 0.7)


def _birds(scene: Scene, bus: Bus) -> None:
    """A few birds, each with its own song, level and pan."""
    for bird in range(int(scene.asset.integers(3, 6))):
        low = between(scene.asset, 2100, 4600)
        shape = scene.asset.uniform(0.75, 1.45, int(scene.asset.integers(2, 6)))
        pan, level = between(scene.asset, -0.9, 0.9), between(scene.asset, 0.16, 0.42)
        for start in poisson(scene.rng, scene.n, 0.16, least=1 if bird == 0 else 0):
            at = start
            for _phrase in range(int(scene.rng.integers(1, 4))):
                for ratio in shape:
                    bus.add(_chirp(scene.rng, low * ratio), int(at), level, pan)
                    at += RATE * between(scene.rng, 0.07, 0.13)
                at += RATE * 0.2


def _chirp(rng: Rng, hz: float) -> Audio:
    n = samples(between(rng, 0.04, 0.11))
    bend = between(rng, 0.82, 1.25)
    trill = 1.0 + 0.03 * np.sin(2 * np.pi * 38.0 * np.arange(n) / RATE)
    path = envelopes.curve(n, ((0, hz), (0.5, hz * bend), (1, hz * 0.95))) * trill
    return osc.sine(path, n) * envelopes.swell(n, 0.4, 1.4)


def _crickets(scene: Scene, bus: Bus) -> None:
    """Each cricket: three or four pulses, a rest, at its own pace."""
    for _ in range(int(scene.asset.integers(4, 8))):
        hz, pan = between(scene.asset, 3900, 5200), between(scene.asset, -1, 1)
        count = max(1, round(scene.seconds * between(scene.asset, 1.3, 2.4)))
        level, pulses = between(scene.asset, 0.03, 0.09), int(scene.asset.integers(3, 5))
        first = between(scene.rng, 0, scene.n / count)
        n = samples(0.018)
        pulse = osc.sine(hz, n) * envelopes.swell(n, 0.45, 1.5)
        for k in range(count):
            at = first + k * scene.n / count + scene.rng.normal(0, 250)
            for p in range(pulses):
                bus.add(pulse, int(at + p * 0.031 * RATE), level, pan)


def _owl(scene: Scene, bus: Bus) -> None:
    for start in poisson(scene.rng, scene.n, 0.05, least=1):
        pan = between(scene.rng, -0.8, 0.8)
        for late, length in ((0.0, 0.35), (0.65, 0.18), (0.9, 0.5)):
            n = samples(length)
            hoot = osc.sine(345.0 * envelopes.curve(n, ((0, 0.96), (0.4, 1.0), (1, 0.94))), n)
            bus.add(hoot * envelopes.swell(n, 0.4, 1.2), int(start + late * RATE), 0.12, pan)


def _frogs(scene: Scene, bus: Bus) -> None:
    for _ in range(4):
        hz, pan = between(scene.asset, 260, 620), between(scene.asset, -0.9, 0.9)
        for start in poisson(scene.rng, scene.n, 0.35, least=1):
            n = samples(between(scene.rng, 0.18, 0.32))
            pulses = 0.5 + 0.5 * np.sign(np.sin(2 * np.pi * 34.0 * np.arange(n) / RATE))
            croak = osc.tone("saw", hz, n) * filters.low_pass(pulses, 400.0, 1) * envelopes.swell(n, 0.5, 1.0)
            bus.add(filters.band_pass(croak, 300, 1800), int(start), 0.10, pan)


def _drone(scene: Scene, bus: Bus) -> None:
    """A low drone, as in a large dark place."""
    root = midi_hz(round(between(scene.asset, 26, 33)))

    def tone() -> Audio:
        def bands(hz: Audio) -> Audio:
            steps = (1.0, 2.0, 2.997, 4.24, 6.35)
            narrow = np.sum([noise.bell(hz, root * s, 0.02) / (k + 1) for k, s in enumerate(steps)], axis=0)
            return np.asarray(narrow + 0.02 * noise.bell(hz, 180.0, 1.2))

        return noise.shaped(scene.rng, scene.n, bands) * (0.8 + 0.2 * noise.drift(scene.rng, scene.n, 0.2))

    bus.add_each_side(tone, 0.16)


def _distant_metal(scene: Scene, bus: Bus) -> None:
    """Far knocks: a chain, a pipe, a hammer."""
    for at in poisson(scene.rng, scene.n, 0.12, least=1):
        pan = between(scene.rng, -0.9, 0.9)
        clang = strike("metal", Blow(1.6, 0.5, -0.7, 0.8), scene.asset, scene.rng, 1.5)
        bus.add(filters.low_pass(clang, 1600.0), int(at), 0.10, pan)
        for k in range(int(scene.rng.integers(0, 5))):
            bus.add(grain("metal", scene.rng, 0.6), int(at + k * 2900), 0.015, pan)


def _traffic(scene: Scene, bus: Bus) -> None:
    """Traffic a few streets away."""
    bus.add_each_side(lambda: _wavering(scene, 4.5, 30, 1800, 0.2, 0.4), 0.14)
    for at in poisson(scene.rng, scene.n, 0.12, least=1):
        n = samples(between(scene.rng, 3.0, 6.0))
        passing = noise.coloured(scene.rng, n, 3.0, 70, 2200) * envelopes.swell(n, 0.5, 2.0)
        bus.add(passing, int(at), 0.09, between(scene.rng, -0.9, 0.9))


def _engine(scene: Scene, bus: Bus) -> None:
    """Machinery behind a wall: a hum, a fan, a slow stroke."""
    bus.add(hum(scene.rng, scene.n), 0, 0.28)
    strokes = max(1, round(scene.seconds * 1.4))
    beat = 0.75 + 0.25 * np.cos(2 * np.pi * strokes * np.arange(scene.n) / scene.n)
    bus.add_each_side(lambda: noise.coloured(scene.rng, scene.n, 4.0, 50, 2400) * beat, 0.11)


def _electric(scene: Scene, bus: Bus) -> None:
    bus.add(hum(scene.rng, scene.n), 0, 0.25)
    bus.add(arcs(scene.rng, scene.n, 0.12, True), 0, 0.3)


def _starfield(scene: Scene, bus: Bus) -> None:
    """A spaceship: drone, air and occasional console beeps."""
    _drone(scene, bus)
    bus.add_each_side(lambda: noise.coloured(scene.rng, scene.n, 3.5, 60, 3000), 0.05)
    for at in poisson(scene.rng, scene.n, 0.18, least=1):
        n = samples(0.09)
        hz = midi_hz(84 + float(scene.rng.choice([0, 3, 7, 10])))
        beep = osc.sine(hz, n) * envelopes.sustain(n, 0.004, 0.05)
        bus.add(beep, int(at), 0.02, between(scene.rng, -0.8, 0.8))


def _room(scene: Scene, bus: Bus) -> None:
    """A quiet room: air and a trace of mains hum."""
    bus.add_each_side(lambda: noise.coloured(scene.rng, scene.n, 5.0, 25, 5000), 0.10)
    bus.add_each_side(lambda: noise.coloured(scene.rng, scene.n, 1.5, 300, 9000), 0.008)
    humming = scene.reading.says("hum", "hvac", "ventilation")
    bus.add(hum(scene.rng, scene.n), 0, 0.10 if humming else 0.02)


def _sea_floor(scene: Scene, bus: Bus) -> None:
    bus.add_each_side(lambda: _wavering(scene, 5.0, 30, 420, 0.3, 0.3), 0.25)
    _bubbles(scene, bus)


class Layer(NamedTuple):
    """A sound in a place."""

    add: Callable[[Scene, Bus], None]
    """Adds it to a looping bus."""
    words: str = ""
    """Words of a prompt that name it; families have words of their own."""


LAYERS: dict[str, Layer] = {
    "wind": Layer(_wind),
    "rain": Layer(_rain),
    "thunder": Layer(_thunder),
    "fire": Layer(_fire),
    "stream": Layer(_stream),
    "drip": Layer(_drip),
    "bubbles": Layer(_bubbles),
    "engine": Layer(_engine),
    "electric": Layer(_electric),
    "room": Layer(_room),
    "birds": Layer(_birds, "bird birdsong songbird seagull gull"),
    "crickets": Layer(_crickets, "cricket insect cicada"),
    "owl": Layer(_owl, "owl"),
    "frogs": Layer(_frogs, "frog toad"),
    "drone": Layer(_drone),
    "metal": Layer(_distant_metal, "chain clank"),
    "traffic": Layer(_traffic),
    "starfield": Layer(_starfield),
    "sea floor": Layer(_sea_floor),
}


class Place(NamedTuple):
    """What a place sounds like."""

    layers: tuple[str, ...]
    space: str = "dry"
    wet: float = 0.0
    """Level of its reverb."""


_PLACES: dict[str | None, Place] = {
    "forest": Place(("wind", "birds")),
    "night": Place(("wind", "crickets", "owl")),
    "swamp": Place(("frogs", "crickets", "bubbles")),
    "cave": Place(("drone", "drip"), "cave", 0.45),
    "dungeon": Place(("drone", "drip", "metal"), "cathedral", 0.35),
    "coast": Place(("stream", "wind")),
    "mountain": Place(("wind",)),
    "city": Place(("traffic",)),
    "machine": Place(("engine", "metal"), "hall", 0.2),
    "space": Place(("starfield",)),
    "indoors": Place(("room",), "room", 0.2),
    "underwater": Place(("sea floor",)),
    None: Place(()),
}


def layers_of(scene: Scene) -> tuple[str, ...]:
    """The layers that the place implies and the prompt names, without those that it excludes."""
    reading = scene.reading
    named = [name for name, layer in LAYERS.items() if reading.says(*layer.words.split())]
    names = [*_PLACES[reading.place].layers, *reading.beds, *named]
    layers = [name for name in dict.fromkeys(names) if not reading.words.denies(name)]
    return tuple(layers) or ("room",)


def ambience(scene: Scene) -> Audio:
    """All layers of a place, without a seam, with the reverb of the place."""
    bus = Bus(scene.n, scene.channels, True)
    for name in layers_of(scene):
        LAYERS[name].add(scene, bus)
    place = _PLACES[scene.reading.place]
    return reverb.add_space(bus.audio, place.space, place.wet, True)


def room(scene: Scene) -> Audio:
    """Room tone alone."""
    bus = Bus(scene.n, scene.channels, True)
    _room(scene, bus)
    return bus.audio
