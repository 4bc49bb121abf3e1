"""Electric hum, arcs and sparks."""

from __future__ import annotations

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, noise
from pipeline.generators.sketch.dsp.canvas import Canvas, poisson, scatter
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng, samples
from pipeline.generators.sketch.sfx.scene import Scene

_MAINS_HZ = 50.0


def electric(scene: Scene) -> Audio:
    """A hum where the prompt has one, arcs where it does not; a zap is one short arc."""
    reading, n = scene.reading, scene.n
    steady = scene.loop or reading.says("hum", "buzz", "transformer", "static", "power_line")
    if steady:
        sparks = (
            arcs(scene.rng, n, 0.25, True) if reading.says("spark", "arcing", "crackle", "crackling") else 0.0
        )
        return hum(scene.rng, n) * 0.6 + sparks
    short = samples(scene.scaled(0.5 if reading.says("zap", "shock") else 1.4))
    return arcs(scene.rng, short, 1.2) * envelopes.decay(short, short / RATE * 1.4, 0.002)


def hum(rng: Rng, n: int) -> Audio:
    """Mains hum: even harmonics that waver a little; whole cycles, so that it loops."""
    cycles = max(1, round(_MAINS_HZ * n / RATE))
    turn = np.arange(n) * (2.0 * np.pi * cycles / n)
    waver = 1.0 + 0.15 * noise.drift(rng, n, 1.5)
    out = np.zeros(n)
    for order, level in ((1, 0.35), (2, 1.0), (4, 0.5), (6, 0.3), (8, 0.16), (10, 0.12), (14, 0.06)):
        out += level * np.sin(order * turn + rng.uniform(0, 2 * np.pi))
    return np.asarray(out * 0.3 * waver + noise.coloured(rng, n, 2.0, 900, 9000) * 0.012)


def arcs(rng: Rng, n: int, density: float, loop: bool = False) -> Audio:
    """Crackling discharge: bursts of sharp impulses at the mains' own rate, over a torn buzz."""
    canvas = Canvas(n, 1, loop)
    gate = np.clip(noise.drift(rng, n, 13.0) * 1.6 + density - 0.6, 0.0, 1.0)
    buzz = np.sign(np.sin(2 * np.pi * np.cumsum(96.0 * (1.0 + 0.3 * noise.drift(rng, n, 25.0))) / RATE))
    torn = noise.coloured(rng, n, -1.0, 1200, 14000) * (0.5 + 0.5 * buzz) * gate
    canvas.add(torn, 0, 0.32)
    times = poisson(rng, n, 60.0 * density)
    scatter(canvas, rng, times, _snap, 1.0)
    return canvas.audio


def _snap(rng: Rng) -> Audio:
    n = samples(0.006)
    return rng.standard_normal(n) * envelopes.decay(n, rng.uniform(0.001, 0.006), 0.0001) * 0.6
