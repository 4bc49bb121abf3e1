"""Doors, gates, chests and locks: hinges that creak, panels that shut, latches, pneumatics, stone."""

from __future__ import annotations

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, noise, resonators, reverb
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.canvas import Canvas
from pipeline.generators.sketch.dsp.units import RATE, Audio, about, between, samples
from pipeline.generators.sketch.sfx.materials import Blow, grain, strike
from pipeline.generators.sketch.sfx.scene import Scene


def door(scene: Scene) -> Audio:
    """Opening creaks after the latch; closing shuts; a slam only slams."""
    reading = scene.reading
    canvas = Canvas(scene.n, 1)
    if reading.manner == "sci-fi" or reading.says("airlock", "hatch", "sliding"):
        return _sliding(scene)
    if reading.material == "stone" or reading.says("stone_door", "slab", "tomb"):
        return _stone(scene)
    closing = reading.says("close", "closing", "shut", "slam", "slamming")
    creaking = reading.says("creak", "creaking", "creaky", "old", "rusty", "hinge") or not reading.says(
        "slam", "lock", "unlock", "lever"
    )
    if reading.says("lock", "unlock", "lever", "latch", "bolt") and not reading.says("creak", "creaking"):
        _latch(scene, canvas, 0.01, 1.0)
        _latch(scene, canvas, min(0.22, scene.seconds * 0.5), 0.8)
        return canvas.audio
    start = 0.02
    if not closing:
        _latch(scene, canvas, start, 0.6)
        start += min(0.18, 0.2 * scene.seconds)
    if creaking:
        span = max(0.15, (scene.scaled(2.2) - start) * (0.62 if closing else 0.85))
        canvas.add(_creak(scene, span), samples(start), 0.6)
        start += span
    if closing:
        _shut(scene, canvas, min(start, scene.seconds * 0.7))
    return reverb.add_space(canvas.audio, "room", 0.18)


def _creak(scene: Scene, seconds: float) -> Audio:
    """Stick and slip: pulses at an uneven rate that set the panel ringing."""
    reading, rng, asset = scene.reading, scene.rng, scene.asset
    n = samples(seconds)
    metal = reading.material == "metal" or reading.says("rusty", "iron", "gate")
    base = between(asset, 34, 52) * (2.2 if metal else 1.0) * 2.0 ** (-0.5 * reading.size)
    wander = 1.0 + 0.45 * noise.drift(rng, n, 2.6 / max(seconds, 0.4)) + 0.10 * noise.drift(rng, n, 16.0)
    rate = (
        base * np.clip(wander, 0.35, 2.0) * envelopes.curve(n, ((0, 0.55), (0.3, 1.0), (0.75, 1.5), (1, 0.9)))
    )
    phase = np.cumsum(rate) / RATE
    slips = np.flatnonzero(np.diff(np.floor(phase)) > 0)
    pulses = np.zeros(n)
    pulses[slips] = rng.uniform(0.35, 1.0, len(slips))
    pulses += 0.05 * noise.white(rng, n) * (phase % 1.0) ** 6
    modes = (
        np.array((390, 610, 905, 1380, 2050, 2900, 4100))
        * (1.7 if metal else 1.0)
        * asset.uniform(0.9, 1.12, 7)
    )
    glide = rate / np.mean(rate)
    coarse = np.interp(np.linspace(0, 1, 64), np.linspace(0, 1, n), glide)

    def panel(hz: Audio, at: Audio) -> Audio:
        bend = np.interp(at, np.linspace(0, 1, 64), coarse) ** 0.35
        return np.asarray(
            np.sum(
                [
                    g * filters.resonance(hz, m * bend, 14.0)
                    for m, g in zip(modes, (1, 0.9, 0.8, 0.7, 0.4, 0.3, 0.2), strict=True)
                ],
                axis=0,
            )
        )

    sound = filters.sculpt(pulses, panel, 1024)
    motion = np.clip(0.75 + 0.5 * noise.drift(rng, n, 3.0), 0.12, 1.2)
    sound = sound * motion * envelopes.held(n, 0.08, 0.12)
    return np.asarray(sound / max(float(np.max(np.abs(sound))), 1e-9))


def _shut(scene: Scene, canvas: Canvas, at: float) -> None:
    """The panel meets the frame; the latch answers."""
    reading = scene.reading
    hard = 1.0 if reading.says("slam", "slamming") else 0.7
    material = "metal" if reading.material == "metal" else "wood"
    blow = Blow(1.7 * 2.0 ** (0.6 * reading.size), hard, -0.2, 0.8)
    canvas.add(strike(material, blow, scene.asset, scene.rng, 1.2), samples(at), 1.0)
    canvas.add(strike("dirt", Blow(1.6, hard), scene.asset, scene.rng, 0.4), samples(at), 0.7)
    _latch(scene, canvas, at + 0.035, 0.5)


def _latch(scene: Scene, canvas: Canvas, at: float, gain: float) -> None:
    """Two metal clicks."""
    rng = scene.rng
    for late, share in ((0.0, 1.0), (between(rng, 0.05, 0.08), 0.7)):
        clack = strike("metal", Blow(0.55, 0.6, 0.1, 0.10), scene.asset, rng, 0.2)
        canvas.add(clack, samples(at + late), 0.45 * gain * share)
        canvas.add(grain("metal", rng, 0.7), samples(at + late + 0.004), 0.10 * gain)


def _sliding(scene: Scene) -> Audio:
    """Compressed air, a servo that runs up and down, and a soft stop."""
    rng, asset = scene.rng, scene.asset
    n = samples(scene.scaled(1.3))
    stop = 0.72
    hiss = noise.coloured(rng, n, -1.0, 1800, 12000) * envelopes.decay(n, n / RATE * 0.8, 0.02)
    low = between(asset, 120, 190)
    path = envelopes.curve(
        n, ((0, low), (0.15, low * 2.3), (stop - 0.12, low * 2.5), (stop, low), (1, low * 0.9))
    )
    servo = osc.tone("saw", path, n) + 0.6 * osc.tone("saw", path * 1.498, n)
    servo = filters.low_pass(servo, 1900.0) * envelopes.line(
        n, ((0, 0), (0.08, 1), (stop - 0.05, 1), (stop, 0), (1, 0))
    )
    canvas = Canvas(scene.n, 1)
    canvas.add(hiss, 0, 0.14)
    canvas.add(servo, 0, 0.20)
    canvas.add(strike("metal", Blow(2.2, 0.8, -0.5, 0.25), asset, rng, 0.6), int(n * stop), 0.7)
    canvas.add(
        noise.coloured(rng, samples(0.25), 0.0, 2500, 12000) * envelopes.decay(samples(0.25), 0.2),
        int(n * (stop + 0.03)),
        0.12,
    )
    return reverb.add_space(canvas.audio, "chamber", 0.2)


def _stone(scene: Scene) -> Audio:
    """A slab that grinds, then settles."""
    rng = scene.rng
    seconds = scene.scaled(3.0)
    n = samples(seconds * 0.8)
    rough = noise.coloured(rng, n, 5.0, 40, 2600) * np.clip(0.6 + 0.6 * noise.drift(rng, n, 22.0), 0.05, 1.5)
    grit = noise.coloured(rng, n, 1.0, 900, 6000) * np.clip(noise.drift(rng, n, 34.0), 0, 1) ** 2
    shape = envelopes.held(n, min(0.25, seconds / 5), 0.08)
    canvas = Canvas(scene.n, 1)
    canvas.add((rough * 0.5 + grit * 0.22) * shape, 0, about(rng, 0.8, 0.05))
    canvas.add(strike("stone", Blow(3.2, 1.0, -0.4), scene.asset, rng, 0.8), n, 1.2)
    canvas.add(resonators.ring([41, 66], [0.5, 0.3], [0.9, 0.5], samples(0.7)), n, 0.8)
    return reverb.add_space(canvas.audio, "chamber", 0.3)
