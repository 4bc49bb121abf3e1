"""What a prompt gets that no table knows: a neutral sound shaped by its adjectives and its hash."""

from __future__ import annotations

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, noise, resonators
from pipeline.generators.sketch.dsp.canvas import Canvas
from pipeline.generators.sketch.dsp.units import RATE, Audio, about, between, samples
from pipeline.generators.sketch.sfx.materials import Blow, strike
from pipeline.generators.sketch.sfx.scene import Scene


def fallback(scene: Scene) -> Audio:
    """A steady texture when it loops or is long, else one struck object."""
    return _texture(scene) if scene.loop or scene.seconds > 6.0 else _object(scene)


def _texture(scene: Scene) -> Audio:
    """Air with three faint resonances that only this prompt has."""
    centres = np.exp(scene.asset.uniform(np.log(150), np.log(2400), 3)) * 2.0 ** (
        0.8 * scene.reading.brightness
    )
    sides = []
    for _ in range(scene.channels):
        air = noise.shaped(
            scene.rng,
            scene.n,
            lambda hz: (
                noise.band_edges(hz, 60, 7000)
                * (
                    0.25 * noise.power_slope(hz, 4.0)
                    + np.sum([noise.bump(hz, c, 0.06) for c in centres], axis=0)
                )
            ),
        )
        sides.append(air * (0.8 + 0.2 * noise.drift(scene.rng, scene.n, 0.5)) * 0.2)
    return sides[0] if len(sides) == 1 else np.stack(sides)


def _object(scene: Scene) -> Audio:
    """An object of no known kind: a soft blow, modes of its own, a breath of air."""
    reading, asset, rng = scene.reading, scene.asset, scene.rng
    n = samples(scene.scaled(1.2))
    scale = 2.0 ** (0.8 * reading.size - 0.4 * reading.brightness)
    modes = np.sort(np.exp(asset.uniform(np.log(170), np.log(3200), 7))) / scale
    t60 = between(asset, 0.12, 0.6) * scale**0.4 * (modes[0] / modes) ** 0.4
    tone = resonators.ring(modes * about(rng, 1.0, 0.01), t60, asset.uniform(0.2, 1.0, 7) * 0.25, n)
    material = reading.material or str(asset.choice(["wood", "stone", "plastic", "cloth", "dirt"]))
    canvas = Canvas(scene.n, 1)
    canvas.add(
        strike(material, Blow(scale, 0.7 + 0.25 * reading.force, reading.brightness), asset, rng, n / RATE),
        0,
        0.7,
    )
    canvas.add(tone, 0)
    centre = between(asset, 500, 2500)
    air = filters.sculpt(
        noise.white(rng, n), lambda hz, at: noise.bump(hz, centre * (1.2 - 0.6 * at), 0.7), 512
    )
    canvas.add(air * envelopes.hump(n, 0.15, 1.0) * envelopes.decay(n, 0.5, 0.02), 0, 0.2)
    return canvas.audio
