"""Fire: a roar that breathes, a hiss, and crackles of every size."""

from __future__ import annotations

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, noise, resonators
from pipeline.generators.sketch.dsp.canvas import Canvas, poisson, scatter
from pipeline.generators.sketch.dsp.units import Audio, Rng, samples
from pipeline.generators.sketch.sfx.scene import Scene


def fire(scene: Scene) -> Audio:
    """A torch, a campfire or a blaze, by size."""
    reading, rng, n = scene.reading, scene.rng, scene.n
    big = 2.0 ** (
        reading.size
        + 0.6 * reading.force
        + (0.8 if reading.says("blaze", "bonfire", "burning", "inferno") else 0.0)
    )
    canvas = Canvas(n, scene.channels, True)
    for side in range(scene.channels):
        pan = 0.0 if scene.channels == 1 else (-0.7, 0.7)[side]
        canvas.add(flames(rng, n, big), 0, 0.55, pan)
    rate = (6.0 if reading.says("torch", "flame", "lava") else 15.0) * big**0.4
    crackles(canvas, rng, rate)
    return canvas.audio


def flames(rng: Rng, n: int, big: float) -> Audio:
    """The roar without the crackle; periodic."""
    flutter = np.clip(0.55 + 0.45 * noise.drift(rng, n, 7.0) + 0.25 * noise.drift(rng, n, 1.1), 0.1, 1.4)
    low = noise.coloured(rng, n, 4.0, 85, 800.0 * big**0.3) * flutter
    hiss = noise.coloured(rng, n, 1.0, 1500, 9500) * np.clip(0.6 + 0.4 * noise.drift(rng, n, 4.0), 0.1, 1.0)
    return np.asarray(low * 0.22 * big**0.4 + hiss * 0.028)


def crackles(canvas: Canvas, rng: Rng, rate: float) -> None:
    """Many ticks, some snaps, a rare pop, in clusters."""
    n = canvas.mix.shape[1]
    times = poisson(rng, n, rate)
    followers = (
        np.concatenate([times + rng.uniform(300, 5000, len(times)) for _ in range(2)])
        if len(times)
        else times
    )
    kept = followers[rng.random(len(followers)) < 0.4] % n
    scatter(canvas, rng, np.sort(np.concatenate([times, kept])), _tick, 1.0)
    scatter(canvas, rng, poisson(rng, n, rate * 0.06), _pop, 0.5)


def _tick(rng: Rng) -> Audio:
    n = samples(0.012)
    hz = float(np.exp(rng.uniform(np.log(900), np.log(6500))))
    return (
        resonators.ring([hz], [0.008], [0.6], n) + rng.standard_normal(n) * envelopes.decay(n, 0.003, 0.0001)
    ) * 0.45


def _pop(rng: Rng) -> Audio:
    n = samples(0.06)
    hz = float(rng.uniform(280, 700))
    body = resonators.ring([hz, hz * 1.9], [0.04, 0.02], [0.8, 0.5], n)
    return body * 0.8 + rng.standard_normal(n) * envelopes.decay(n, 0.012, 0.0003) * 0.35
