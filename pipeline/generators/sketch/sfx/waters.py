"""Water: streams and waves, splashes, drips and bubbles."""

from __future__ import annotations

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, noise, resonators, reverb
from pipeline.generators.sketch.dsp.canvas import Canvas, poisson, scatter
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng, about, between, samples
from pipeline.generators.sketch.sfx.scene import Scene


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
    canvas = Canvas(n, channels, True)
    scale = 2.0 ** (-0.7 * size)
    for side in range(channels):
        wash = noise.shaped(
            rng,
            n,
            lambda hz: (
                noise.band_edges(hz, 250 * scale, 9000)
                * (noise.power_slope(hz, 3.0) + 0.5 * noise.bump(hz, 1100.0 * scale, 0.8))
            ),
        )
        moving = 1.0 + 0.18 * noise.drift(rng, n, 3.0)
        canvas.add(
            wash * moving, 0, 0.10 + 0.08 * max(size, 0.0), 0.0 if channels == 1 else (-0.8, 0.8)[side]
        )

    def one(r: Rng) -> Audio:
        hz = float(np.exp(r.normal(np.log(1050.0 * scale), 0.5)))
        return resonators.bubble(hz, samples(min(0.12, 28.0 / hz)), r.uniform(0.02, 0.16)) * 0.5

    scatter(canvas, rng, poisson(rng, n, 85.0 * bubbling), one, 0.75)
    return canvas.audio


def waves(rng: Rng, n: int, channels: int, strength: float) -> Audio:
    """Surf: each wave swells, breaks bright and draws back; a whole number of waves, so it loops."""
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
            canvas = Canvas(n, 1, True)
            canvas.add(crash * 0.30 + hiss * 0.10, at, gain)
            out[side] += canvas.audio
    return out if channels > 1 else np.asarray(out[0])


def splash(scene: Scene) -> Audio:
    """The slap, the cavity that closes, the spray that falls back."""
    reading, rng = scene.reading, scene.rng
    size = 2.0 ** (0.8 * reading.size + 0.3 * reading.force)
    n = samples(scene.scaled(1.3 * size**0.4))
    canvas = Canvas(scene.n, 1)
    slap = noise.coloured(rng, n, 2.5, 220 / size, 8000) * envelopes.decay(n, 0.22 * size**0.4, 0.004)
    canvas.add(slap, samples(0.002), 0.5)
    spray = (
        noise.coloured(rng, n, -0.5, 1800, 11000)
        * envelopes.hump(n, 0.22, 1.6)
        * envelopes.decay(n, n / RATE * 1.3, 0.05)
    )
    canvas.add(spray, 0, 0.16)
    gulp = resonators.bubble(about(rng, 190.0, 0.15) / size**0.6, samples(0.3), 0.35)
    canvas.add(gulp, samples(0.05), 0.6)
    times = (0.03 + rng.gamma(1.5, 0.14 * size**0.4, int(70 * size**0.5))) * RATE

    def one(r: Rng) -> Audio:
        hz = float(np.exp(r.normal(np.log(1150.0 / size**0.4), 0.55)))
        return resonators.bubble(hz, samples(min(0.12, 28.0 / hz)), r.uniform(0.05, 0.2)) * 0.28

    scatter(canvas, rng, np.sort(times), one, 0.7)
    return canvas.audio


def drip(scene: Scene) -> Audio:
    """Single drops into still water, in a place that answers."""
    canvas = Canvas(scene.n, scene.channels, scene.loop)
    times = np.array([samples(0.01)], dtype=np.float64)
    if scene.loop or scene.seconds > 2.5:
        times = np.concatenate([times, poisson(scene.rng, scene.n, 1.1)])
    drops(canvas, scene.rng, times, 0.7)
    space = scene.reading.space or ("cave" if scene.reading.says("cave", "dungeon", "echo") else "chamber")
    return reverb.add_space(canvas.audio, space if space != "dry" else "closet", 0.5, scene.loop)


def drops(canvas: Canvas, rng: Rng, times: Audio, gain: float) -> None:
    """Put drips at these times: a tick on the surface, then the bubble under it."""
    for at in times:
        hz = float(np.exp(rng.normal(np.log(1300.0), 0.35)))
        pan, level = between(rng, -0.8, 0.8), gain * about(rng, 0.7, 0.5)
        tick = rng.standard_normal(samples(0.004)) * envelopes.decay(samples(0.004), 0.003, 0.0002)
        canvas.add(tick, int(at), 0.15 * level, pan)
        canvas.add(
            resonators.bubble(hz, samples(0.09), 0.2),
            int(at) + samples(between(rng, 0.012, 0.022)),
            level,
            pan,
        )


def bubbles(scene: Scene) -> Audio:
    """Bubbles that rise: a boiling pot, a potion, a diver."""
    reading, rng = scene.reading, scene.rng
    boiling = reading.says("boil", "boiling", "cauldron", "lava", "swamp", "tar")
    steady = scene.loop or boiling or reading.says("underwater", "bubbling", "potion_brew")
    n = scene.n if steady else samples(scene.scaled(0.9))
    centre = (240.0 if boiling else 520.0) * 2.0 ** (-0.5 * reading.size)
    canvas = Canvas(n, scene.channels if steady else 1, steady)

    def one(r: Rng) -> Audio:
        hz = float(np.exp(r.normal(np.log(centre), 0.45)))
        return resonators.bubble(hz, samples(min(0.25, 40.0 / hz)), r.uniform(0.1, 0.4)) * 0.5

    if reading.says("drink", "drinking", "gulp") and not scene.loop:
        for k in range(3):
            at = samples(0.03 + k * min(0.24, scene.seconds / 4))
            for step in range(4):
                canvas.add(
                    resonators.bubble(centre * (0.8 + 0.18 * step), samples(0.09), 0.25),
                    at + samples(0.026 * step),
                    0.5,
                )
        return canvas.audio
    scatter(canvas, rng, poisson(rng, n, 26.0 if boiling else 18.0), one, 0.6)
    simmer = noise.coloured(rng, n, 4.0, 60, 700) * (0.7 + 0.3 * noise.drift(rng, n, 9.0))
    canvas.add(simmer, 0, 0.05 if boiling or reading.says("underwater") else 0.015)
    return canvas.audio if steady else canvas.audio * envelopes.held(n, 0.01, 0.3)
