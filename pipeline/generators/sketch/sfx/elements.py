"""The elements: wind, rain, thunder, water and fire."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, mixing, noise, reverb
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.mixing import Bus, poisson, scatter
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng, about, between, samples
from pipeline.generators.sketch.sfx.reading import Scene


def wind(scene: Scene) -> Audio:
    """Gusts, with a howl or with leaves where the prompt asks for them."""
    reading = scene.reading
    strength = float(np.clip(0.5 + 0.4 * reading.force + 0.15 * reading.size, 0.1, 1.0))
    if reading.says("blizzard", "gale", "storm", "howling"):
        strength = max(strength, 0.8)
    howl = 0.9 if reading.says("howl", "eerie", "whistling", "haunted", "blizzard") else 0.25
    if reading.says("breeze", "gentle", "light"):
        strength, howl = min(strength, 0.3), 0.05
    leaves = 0.5 if reading.says("leaves", "trees", "forest", "grass", "wheat") else 0.0
    gusts = gusting(scene.rng, scene.n, 0.16 + 0.25 * strength)
    return scene.each_channel(lambda: blow(scene.rng, gusts, strength, howl, leaves))


def gusting(rng: Rng, n: int, hz: float) -> Audio:
    """How hard the wind blows, 0 to about 1: slow swells with quicker ones on them; periodic."""
    slow = 0.5 + 0.42 * noise.drift(rng, n, hz)
    return np.clip(slow + 0.14 * noise.drift(rng, n, hz * 6.0), 0.05, 1.0)


def blow(rng: Rng, gusts: Audio, strength: float, howl: float, leaves: float) -> Audio:
    """Wind for one channel that follows ``gusts``: its band climbs with its force; periodic."""
    n = len(gusts)
    points = min(n, 256)
    coarse = gusts[np.linspace(0, n - 1, points).astype(int)]
    own = noise.drift(rng, points, 0.12 * n / max(points, 1))
    pitch = noise.drift(rng, points, 0.2 * n / max(points, 1))
    grid = np.linspace(0, 1, points)

    def air(hz: Audio, at: Audio) -> Audio:
        force = np.interp(at, grid, coarse)
        centre = (150.0 + 520.0 * strength * force) * np.exp2(0.35 * np.interp(at, grid, own))
        body = noise.bell(hz, centre, 1.15) * (0.25 + force)
        tone = (430.0 + 420.0 * force) * np.exp2(0.4 * np.interp(at, grid, pitch))
        sing = filters.resonance(hz, tone, 16.0) ** 2 + 0.6 * filters.resonance(hz, tone * 1.53, 18.0) ** 2
        rustle = noise.bell(hz, 4200.0, 0.8) * leaves * force**2
        return np.asarray(body + howl * 4.0 * force**1.7 * sing + 0.30 * rustle + 0.02 * force)

    pink = noise.coloured(rng, n, 1.0, 25, 14000)
    return filters.time_varying(pink, air, 4096, True) * (0.35 + 0.65 * gusts) * (0.3 + 0.7 * strength)


def rain(scene: Scene) -> Audio:
    """A bed of drops and single near ones, on the ground, leaves or a roof."""
    reading, n = scene.reading, scene.n
    heavy = float(np.clip(0.5 + 0.4 * reading.force + 0.15 * reading.size, 0.1, 1.0))
    if reading.says("downpour", "storm", "heavy", "monsoon", "pouring"):
        heavy = max(heavy, 0.9)
    if reading.says("drizzle", "light", "gentle"):
        heavy = min(heavy, 0.25)
    surface = "leaves" if reading.says("forest", "leaves", "jungle") else "ground"
    if reading.says("roof", "window", "metal", "tin", "car"):
        surface = "roof"
    return scene.each_channel(lambda: falling(scene.rng, n, heavy, surface))


_DROPS = {"ground": (1600.0, 7800.0), "roof": (700.0, 4200.0), "leaves": (900.0, 5200.0)}


def falling(rng: Rng, n: int, heavy: float, surface: str) -> Audio:
    """Rain for one channel; periodic."""
    low, high = _DROPS[surface]

    def wash(hz: Audio) -> Audio:
        slope = noise.power_slope(hz, 1.6) + 0.7 * noise.bell(hz, 5200.0, 1.0)
        return noise.band_edges(hz, 350, 13500) * slope

    bed = noise.shaped(rng, n, wash)
    pool = [_drop(rng, float(np.exp(rng.uniform(np.log(low), np.log(high)))), surface) for _ in range(120)]
    near = Bus(n, 1, True)
    times = poisson(rng, n, 60.0 + 480.0 * heavy)
    scatter(near, rng, times, lambda r: pool[int(r.integers(len(pool)))], 0.9)
    slow = 1.0 + 0.07 * noise.drift(rng, n, 0.3)
    under = noise.coloured(rng, n, 4.0, 60, 500) * 0.05 * heavy
    return np.asarray((bed * (0.045 + 0.13 * heavy) + near.audio * 0.16 + under) * slow)


def _drop(rng: Rng, hz: float, surface: str) -> Audio:
    """One drop: a tick, and the small ring of what it fell on."""
    n = samples(0.09 if surface == "roof" else 0.03)
    ring = 0.05 if surface == "roof" else 0.007
    tick = rng.standard_normal(n) * envelopes.decay(n, 0.004, 0.0002) * 0.6
    return tick + osc.ring([hz, hz * 1.7], [ring, ring * 0.6], [0.7, 0.35], n)


def thunder(scene: Scene) -> Audio:
    """A tearing crack when close, then rolls that get lower and softer."""
    reading = scene.reading
    near = reading.says("close", "crack", "strike", "lightning", "loud")
    return rolling(scene.rng, scene.n, max(reading.distance, 0.0 if near else 0.35))


def rolling(rng: Rng, n: int, far: float) -> Audio:
    """One thunderclap from ``far`` away (0 overhead to 1 at the horizon) that fades by the end."""
    seconds = n / RATE
    bus = Bus(n, 1)
    start = 0.02 + 0.05 * far
    if far < 0.5:
        for _ in range(7):
            at = start + abs(float(rng.normal(0.0, 0.07)))
            tear = noise.burst(rng, 0.25, 0.13, 1.0, 200, 9000)
            bus.add(tear, samples(at), (0.5 - far) * about(rng, 0.7, 0.4))
    first = envelopes.decay(n, 1.1 * seconds, start + 0.1 + 0.3 * far)
    strength = first * (0.35 + 0.2 * noise.drift(rng, n, 1.2))
    for k in range(max(3, int(2.5 * min(seconds, 9)))):
        at = start + 0.06 + float(rng.exponential(seconds * 0.16)) * (k > 0)
        if at < 0.7 * seconds:
            length = max(1, n - samples(at))
            roll = envelopes.decay(length, between(rng, 0.9, 2.4), (0.25 if k else 0.04) + 0.16 * far)
            strength[-length:] += roll * about(rng, 0.8, 0.6)
    fall = np.exp(-1.6 * np.arange(n) / n)

    def sky(hz: Audio, at: Audio) -> Audio:
        cutoff = (950.0 * (1.0 - 0.75 * far)) * np.exp(-1.8 * at) + 60.0
        return filters.low_pass_gain(hz, cutoff, 1) * filters.high_pass_gain(hz, 28.0)

    rumble = filters.time_varying(noise.coloured(rng, n, 3.0, 25, 3000), sky, 2048)
    bus.add(mixing.at_peak(rumble * strength * fall), 0, 0.9)
    return mixing.saturate(bus.audio, 1.4) * envelopes.sustain(n, 0.0, min(1.0, seconds / 3))


def stream(scene: Scene) -> Audio:
    """A brook, a river, a waterfall, or waves on a shore."""
    reading, n = scene.reading, scene.n
    if reading.says("ocean", "sea", "wave", "surf", "shore", "beach", "coast"):
        return waves(scene.rng, n, scene.channels, 0.5 + 0.4 * reading.force)
    falls = reading.says("waterfall", "rapids", "torrent")
    size = reading.size + (0.9 if falls else 0.3 if reading.says("river") else 0.0)
    return flowing(scene.rng, n, scene.channels, size, 0.25 if falls else 1.0)


def flowing(rng: Rng, n: int, channels: int, size: float, bubbling: float) -> Audio:
    """Running water: a wash, and bubbles by the hundred; periodic."""
    bus = Bus(n, channels, True)
    scale = 2.0 ** (-0.7 * size)

    def spectrum(hz: Audio) -> Audio:
        wash = noise.power_slope(hz, 3.0) + 0.5 * noise.bell(hz, 1100.0 * scale, 0.8)
        return noise.band_edges(hz, 250 * scale, 9000) * wash

    def water() -> Audio:
        return noise.shaped(rng, n, spectrum) * (1.0 + 0.18 * noise.drift(rng, n, 3.0))

    bus.add_each_side(water, 0.10 + 0.08 * max(size, 0.0), 0.8)
    bubble = _bubble_near(1050.0 * scale, 0.5, (0.02, 0.16), 0.5)
    scatter(bus, rng, poisson(rng, n, 85.0 * bubbling), bubble, 0.75)
    return bus.audio


def _bubble_near(
    hz: float,
    spread: float,
    rise: tuple[float, float],
    gain: float,
    longest: float = 0.12,
    waves: float = 28.0,
) -> Callable[[Rng], Audio]:
    """A grain: a bubble of a random pitch around ``hz``, whose pitch rises by a random amount."""

    def bubble(rng: Rng) -> Audio:
        pitch = float(np.exp(rng.normal(np.log(hz), spread)))
        return osc.bubble(pitch, samples(min(longest, waves / pitch)), rng.uniform(*rise)) * gain

    return bubble


def waves(rng: Rng, n: int, channels: int, strength: float) -> Audio:
    """Surf: each wave swells, breaks and draws back. A whole number of waves fits, so it loops."""
    count = max(1, round(n / RATE / 7.5))
    out = np.zeros((channels, n))
    for side in range(channels):
        out[side] += noise.coloured(rng, n, 4.0, 40, 900) * 0.045
    for k in range(count):
        span = n / count
        length = int(span * 1.5)
        shape = envelopes.line(length, ((0, 0), (0.32, 0.55), (0.42, 1.0), (0.7, 0.35), (1, 0))) ** 1.5
        gain = about(rng, 0.8, 0.2) * (0.5 + 0.6 * strength)
        at = int(k * span + rng.normal(0, 0.05) * span)
        for side in range(channels):
            crash = noise.coloured(rng, length, 2.2, 120, 9000) * shape
            hiss = noise.coloured(rng, length, -1.0, 2500, 12000) * np.roll(shape, int(0.12 * length)) * shape
            bus = Bus(n, 1, True)
            bus.add(crash * 0.30 + hiss * 0.10, at, gain)
            out[side] += bus.audio
    return out if channels > 1 else np.asarray(out[0])


def splash(scene: Scene) -> Audio:
    """The slap, the cavity that closes, the spray that falls back."""
    reading, rng = scene.reading, scene.rng
    size = 2.0 ** (0.8 * reading.size + 0.3 * reading.force)
    n = samples(scene.scaled(1.3 * size**0.4))
    bus = Bus(scene.n, 1)
    slap = noise.coloured(rng, n, 2.5, 220 / size, 8000) * envelopes.decay(n, 0.22 * size**0.4, 0.004)
    bus.add(slap, samples(0.002), 0.5)
    spray = noise.coloured(rng, n, -0.5, 1800, 11000) * envelopes.swell(n, 0.22, 1.6)
    bus.add(spray * envelopes.decay(n, n / RATE * 1.3, 0.05), 0, 0.16)
    gulp = osc.bubble(about(rng, 190.0, 0.15) / size**0.6, samples(0.3), 0.35)
    bus.add(gulp, samples(0.05), 0.6)
    times = (0.03 + rng.gamma(1.5, 0.14 * size**0.4, int(70 * size**0.5))) * RATE
    scatter(bus, rng, times, _bubble_near(1150.0 / size**0.4, 0.55, (0.05, 0.2), 0.28), 0.7)
    return bus.audio


def drip(scene: Scene) -> Audio:
    """Single drops into still water, with reverb."""
    bus = Bus(scene.n, scene.channels, scene.loop)
    times = np.array([samples(0.01)], dtype=np.float64)
    if scene.loop or scene.seconds > 2.5:
        times = np.concatenate([times, poisson(scene.rng, scene.n, 1.1)])
    drops(bus, scene.rng, times, 0.7)
    space = scene.reading.space or ("cave" if scene.reading.says("cave", "dungeon", "echo") else "chamber")
    return reverb.add_space(bus.audio, space if space != "dry" else "closet", 0.5, scene.loop)


def drops(bus: Bus, rng: Rng, times: Audio, gain: float) -> None:
    """Put drips at these times: a tick on the surface, then the bubble under it."""
    for at in times:
        hz = float(np.exp(rng.normal(np.log(1300.0), 0.35)))
        pan, level = between(rng, -0.8, 0.8), gain * about(rng, 0.7, 0.5)
        tick = rng.standard_normal(samples(0.004)) * envelopes.decay(samples(0.004), 0.003, 0.0002)
        bus.add(tick, int(at), 0.15 * level, pan)
        under = int(at) + samples(between(rng, 0.012, 0.022))
        bus.add(osc.bubble(hz, samples(0.09), 0.2), under, level, pan)


def bubbles(scene: Scene) -> Audio:
    """Bubbles that rise: a boiling pot, a potion, a diver."""
    reading, rng = scene.reading, scene.rng
    boiling = reading.says("boil", "cauldron", "lava", "swamp", "tar")
    steady = scene.loop or boiling or reading.says("underwater", "bubbling", "potion_brew")
    n = scene.n if steady else samples(scene.scaled(0.9))
    centre = (240.0 if boiling else 520.0) * 2.0 ** (-0.5 * reading.size)
    bus = Bus(n, scene.channels if steady else 1, steady)

    if reading.says("drink", "gulp") and not scene.loop:
        for k in range(3):
            at = samples(0.03 + k * min(0.24, scene.seconds / 4))
            for step in range(4):
                gulp = osc.bubble(centre * (0.8 + 0.18 * step), samples(0.09), 0.25)
                bus.add(gulp, at + samples(0.026 * step), 0.5)
        return bus.audio
    bubble = _bubble_near(centre, 0.45, (0.1, 0.4), 0.5, 0.25, 40.0)
    scatter(bus, rng, poisson(rng, n, 26.0 if boiling else 18.0), bubble, 0.6)
    simmer = noise.coloured(rng, n, 4.0, 60, 700) * (0.7 + 0.3 * noise.drift(rng, n, 9.0))
    bus.add(simmer, 0, 0.05 if boiling or reading.says("underwater") else 0.015)
    return bus.audio if steady else bus.audio * envelopes.sustain(n, 0.01, 0.3)


def fire(scene: Scene) -> Audio:
    """A torch, a campfire or a blaze, by size."""
    reading, rng, n = scene.reading, scene.rng, scene.n
    lift = 0.8 if reading.says("blaze", "bonfire", "burning", "inferno") else 0.0
    big = 2.0 ** (reading.size + 0.6 * reading.force + lift)
    bus = Bus(n, scene.channels, True)
    bus.add_each_side(lambda: flames(rng, n, big), 0.55, 0.7)
    rate = (6.0 if reading.says("torch", "flame", "lava") else 15.0) * big**0.4
    crackles(bus, rng, rate)
    return bus.audio


def flames(rng: Rng, n: int, big: float) -> Audio:
    """The roar without the crackle; periodic."""
    flutter = np.clip(0.55 + 0.45 * noise.drift(rng, n, 7.0) + 0.25 * noise.drift(rng, n, 1.1), 0.1, 1.4)
    low = noise.coloured(rng, n, 4.0, 85, 800.0 * big**0.3) * flutter
    hiss = noise.coloured(rng, n, 1.0, 1500, 9500) * np.clip(0.6 + 0.4 * noise.drift(rng, n, 4.0), 0.1, 1.0)
    return np.asarray(low * 0.22 * big**0.4 + hiss * 0.028)


def crackles(bus: Bus, rng: Rng, rate: float) -> None:
    """Many ticks, some snaps, a rare pop, in clusters."""
    n = bus.mix.shape[1]
    times = poisson(rng, n, rate)
    followers = np.concatenate([times + rng.uniform(300, 5000, len(times)) for _ in range(2)])
    repeats = followers[rng.random(len(followers)) < 0.4] % n
    scatter(bus, rng, np.concatenate([times, repeats]), _tick, 1.0)
    scatter(bus, rng, poisson(rng, n, rate * 0.06), _pop, 0.5)


def _tick(rng: Rng) -> Audio:
    n = samples(0.012)
    hz = float(np.exp(rng.uniform(np.log(900), np.log(6500))))
    click = rng.standard_normal(n) * envelopes.decay(n, 0.003, 0.0001)
    return (osc.ring([hz], [0.008], [0.6], n) + click) * 0.45


def _pop(rng: Rng) -> Audio:
    n = samples(0.06)
    hz = float(rng.uniform(280, 700))
    body = osc.ring([hz, hz * 1.9], [0.04, 0.02], [0.8, 0.5], n)
    return body * 0.8 + rng.standard_normal(n) * envelopes.decay(n, 0.012, 0.0003) * 0.35
