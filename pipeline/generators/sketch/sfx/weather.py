"""Wind, rain and thunder."""

from __future__ import annotations

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, noise, resonators, shaping
from pipeline.generators.sketch.dsp.canvas import Canvas, poisson, scatter
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng, about, between, samples
from pipeline.generators.sketch.sfx.scene import Scene


def wind(scene: Scene) -> Audio:
    """Gusts; a howl where the prompt has one, leaves where it has trees."""
    reading = scene.reading
    strength = float(np.clip(0.5 + 0.4 * reading.force + 0.15 * reading.size, 0.1, 1.0))
    if reading.says("blizzard", "gale", "storm", "howling", "howl"):
        strength = max(strength, 0.8)
    howl = 0.9 if reading.says("howl", "howling", "eerie", "whistling", "haunted", "blizzard") else 0.25
    if reading.says("breeze", "gentle", "light"):
        strength, howl = min(strength, 0.3), 0.05
    leaves = 0.5 if reading.says("leaves", "trees", "forest", "grass", "wheat") else 0.0
    gusts = gusting(scene.rng, scene.n, 0.16 + 0.25 * strength)
    sides = [blow(scene.rng, gusts, strength, howl, leaves) for _ in range(scene.channels)]
    return sides[0] if len(sides) == 1 else np.stack(sides)


def gusting(rng: Rng, n: int, hz: float) -> Audio:
    """How hard the wind blows, 0 to about 1: slow swells with quicker ones on them; periodic."""
    slow = 0.5 + 0.42 * noise.drift(rng, n, hz)
    return np.clip(slow + 0.14 * noise.drift(rng, n, hz * 6.0), 0.05, 1.0)


def blow(rng: Rng, gusts: Audio, strength: float, howl: float, leaves: float) -> Audio:
    """Wind for one ear that follows ``gusts``: its band climbs with its force; periodic."""
    n = len(gusts)
    points = min(n, 256)
    coarse = gusts[np.linspace(0, n - 1, points).astype(int)]
    own = noise.drift(rng, points, 0.12 * n / max(points, 1))
    pitch = noise.drift(rng, points, 0.2 * n / max(points, 1))
    grid = np.linspace(0, 1, points)

    def air(hz: Audio, at: Audio) -> Audio:
        force = np.interp(at, grid, coarse)
        centre = (150.0 + 520.0 * strength * force) * np.exp2(0.35 * np.interp(at, grid, own))
        body = noise.bump(hz, centre, 1.15) * (0.25 + force)
        tone = (430.0 + 420.0 * force) * np.exp2(0.4 * np.interp(at, grid, pitch))
        sing = filters.resonance(hz, tone, 16.0) ** 2 + 0.6 * filters.resonance(hz, tone * 1.53, 18.0) ** 2
        rustle = noise.bump(hz, 4200.0, 0.8) * leaves * force**2
        return np.asarray(body + howl * 4.0 * force**1.7 * sing + 0.30 * rustle + 0.02 * force)

    pink = noise.coloured(rng, n, 1.0, 25, 14000)
    return filters.sculpt(pink, air, 4096, True) * (0.35 + 0.65 * gusts) * (0.3 + 0.7 * strength)


def rain(scene: Scene) -> Audio:
    """Drops without number, the near ones heard singly; on leaves, on a roof, on metal, in puddles."""
    reading, n = scene.reading, scene.n
    heavy = float(np.clip(0.5 + 0.4 * reading.force + 0.15 * reading.size, 0.1, 1.0))
    if reading.says("downpour", "storm", "heavy", "monsoon", "pouring"):
        heavy = max(heavy, 0.9)
    if reading.says("drizzle", "light", "gentle"):
        heavy = min(heavy, 0.25)
    surface = (
        "roof"
        if reading.says("roof", "window", "metal", "tin", "car")
        else "leaves"
        if reading.says("forest", "leaves", "jungle")
        else "ground"
    )
    sides = [falling(scene.rng, n, heavy, surface) for _ in range(scene.channels)]
    return sides[0] if len(sides) == 1 else np.stack(sides)


_DROPS = {"ground": (1600.0, 7800.0), "roof": (700.0, 4200.0), "leaves": (900.0, 5200.0)}


def falling(rng: Rng, n: int, heavy: float, surface: str) -> Audio:
    """Rain for one ear; periodic."""
    low, high = _DROPS[surface]
    bed = noise.shaped(
        rng,
        n,
        lambda hz: (
            noise.band_edges(hz, 350, 13500)
            * (noise.power_slope(hz, 1.6) + 0.7 * noise.bump(hz, 5200.0, 1.0))
        ),
    )
    pool = [_drop(rng, float(np.exp(rng.uniform(np.log(low), np.log(high)))), surface) for _ in range(120)]
    near = Canvas(n, 1, True)
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
    return tick + resonators.ring([hz, hz * 1.7], [ring, ring * 0.6], [0.7, 0.35], n)


def thunder(scene: Scene) -> Audio:
    """A tearing crack if it is close, then rolls that come back lower each time."""
    reading = scene.reading
    far = max(
        reading.distance, 0.0 if reading.says("close", "crack", "strike", "lightning", "loud") else 0.35
    )
    return rolling(scene.rng, scene.n, far)


def rolling(rng: Rng, n: int, far: float) -> Audio:
    """One thunderclap from ``far`` away (0 overhead to 1 at the horizon) that fades by the end."""
    seconds = n / RATE
    canvas = Canvas(n, 1)
    start = 0.02 + 0.05 * far
    if far < 0.5:
        for _ in range(7):
            at = start + abs(float(rng.normal(0.0, 0.07)))
            tear = noise.coloured(rng, samples(0.25), 1.0, 200, 9000) * envelopes.decay(
                samples(0.25), 0.13, 0.001
            )
            canvas.add(tear, samples(at), (0.5 - far) * about(rng, 0.7, 0.4))
    strength = envelopes.decay(n, 1.1 * seconds, start + 0.1 + 0.3 * far) * (
        0.35 + 0.2 * noise.drift(rng, n, 1.2)
    )
    for k in range(max(3, int(2.5 * min(seconds, 9)))):
        at = start + 0.06 + float(rng.exponential(seconds * 0.16)) * (k > 0)
        if at < 0.7 * seconds:
            length = max(1, n - samples(at))
            strength[-length:] += envelopes.decay(
                length, between(rng, 0.9, 2.4), (0.25 if k else 0.04) + 0.16 * far
            ) * about(rng, 0.8, 0.6)
    fall = np.exp(-1.6 * np.arange(n) / n)

    def sky(hz: Audio, at: Audio) -> Audio:
        return filters.below(hz, (950.0 * (1.0 - 0.75 * far)) * np.exp(-1.8 * at) + 60.0, 1) * filters.above(
            hz, 28.0
        )

    rumble = filters.sculpt(noise.coloured(rng, n, 3.0, 25, 3000), sky, 2048)
    canvas.add(shaping.at_peak(rumble * strength * fall), 0, 0.9)
    return shaping.saturate(canvas.audio, 1.4) * envelopes.held(n, 0.0, min(1.0, seconds / 3))
