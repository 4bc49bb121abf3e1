"""Magic: chords of many voices, sparks that climb or sink, air drawn in, and the element that was called."""

from __future__ import annotations

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, noise, resonators, reverb, shaping
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.canvas import Canvas, poisson, scatter
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng, about, between, midi_hz, samples
from pipeline.generators.sketch.sfx.electricity import arcs
from pipeline.generators.sketch.sfx.fires import flames
from pipeline.generators.sketch.sfx.materials import grain
from pipeline.generators.sketch.sfx.scene import Scene

_BRIGHT = (0, 2, 4, 6, 7, 9, 11)
_DARK = (0, 1, 3, 6, 7, 8, 10)


def magic(scene: Scene) -> Audio:
    """A spell: it gathers, it happens at about a third, it rings away."""
    reading = scene.reading
    dark = reading.says(
        "dark", "curse", "evil", "shadow", "necromancy", "demonic", "death", "poison", "blood"
    )
    moment = 0.5 if scene.loop else min(0.34, 0.45 / scene.seconds if scene.seconds > 1.5 else 0.3)
    root = round(between(scene.asset, 50, 61)) - (12 if dark else 0) - round(5 * reading.size)
    canvas = Canvas(scene.n, 1, scene.loop)
    canvas.add(_chord(scene, root, dark, moment), 0, 0.55)
    _sparks(scene, canvas, root, dark, moment)
    canvas.add(_breath(scene, moment, dark), 0, 0.22)
    canvas.add(_release(scene, root, dark), int(moment * scene.n), 0.5)
    element = _element(scene)
    if element is not None:
        canvas.add(element, int(moment * scene.n * 0.8), 0.8)
    return reverb.add_space(shaping.at_peak(canvas.audio), "plate", 0.45, scene.loop)


def _swell(scene: Scene, moment: float) -> Audio:
    if scene.loop:
        return 0.8 + 0.2 * noise.drift(scene.rng, scene.n, 0.7)
    return (
        envelopes.line(scene.n, ((0, 0.0), (moment, 1.0), (min(0.98, moment + 0.25), 0.55), (1.0, 0.0)))
        ** 1.5
    )


def _chord(scene: Scene, root: float, dark: bool, moment: float) -> Audio:
    """A choir of glass (or of stone) that swells towards the moment."""
    steps = (0, 6, 13, 15) if dark else (0, 7, 16, 18)
    n = scene.n
    out = np.zeros(n)
    size = 1 << 16
    for step in steps:
        hz = midi_hz(root + step)
        order = np.arange(1, osc.partials_below(hz, 14) + 1)
        table = resonators.ensemble(hz, 1.0 / order**1.3, 30.0, scene.rng, size)
        if scene.loop:
            out += noise.shaped(scene.rng, n, lambda f, hz=hz: _comb(f, hz)) / len(steps)  # type: ignore[misc]
        else:
            out += table[np.arange(n) % size] / len(steps)
    return out * _swell(scene, moment) * 0.5


def _comb(f: Audio, hz: float) -> Audio:
    """Narrow bands on the first harmonics of ``hz``, for voices that loop at any length."""
    return np.asarray(np.sum([noise.bump(f, hz * k, 0.012) / k**1.3 for k in range(1, 8)], axis=0))


def _sparks(scene: Scene, canvas: Canvas, root: float, dark: bool, moment: float) -> None:
    """Small bells that climb towards the moment, or sink in a curse."""
    rng, reading = scene.rng, scene.reading
    scale = _DARK if dark else _BRIGHT
    rising = not (dark or reading.says("descending", "down", "debuff", "dispel"))
    rate = 22.0 if reading.says("sparkle", "shimmer", "fairy", "heal", "healing") else 13.0
    for at in poisson(rng, scene.n, rate):
        place = at / scene.n
        climb = place / max(moment * 1.6, 0.05) if rising else 1.0 - place
        degree = int(np.clip(climb, 0.0, 1.4) * 10 + rng.integers(-2, 4))
        octave, step = divmod(degree, 7)
        hz = midi_hz(root + 24 + 12 * octave + scale[step])
        n = samples(between(rng, 0.25, 0.7))
        bell = resonators.ring(
            [hz, hz * 2.76, hz * 5.4], [n / RATE, n / RATE * 0.4, 0.05], [1.0, 0.25, 0.1], n
        )
        fade = 1.0 if scene.loop else float(np.interp(place, [0, moment, 1.0], [0.35, 1.0, 0.05]))
        canvas.add(bell, int(at), 0.30 * fade * about(rng, 1.0, 0.4))


def _breath(scene: Scene, moment: float, dark: bool) -> Audio:
    """Air drawn in, then let go."""
    top = 1400.0 if dark else 4200.0

    def air(hz: Audio, at: Audio) -> Audio:
        near = np.exp(-(((at - moment) / 0.3) ** 2))
        return noise.bump(hz, top * (0.25 + near), 0.8)

    wind = filters.sculpt(noise.white(scene.rng, scene.n), air, 1024, scene.loop)
    return wind * _swell(scene, moment)


def _release(scene: Scene, root: float, dark: bool) -> Audio:
    """The moment itself: a soft blow that dives (or, healing, a tone that lifts)."""
    n = samples(min(1.2, scene.seconds * 0.6))
    lift = scene.reading.says("heal", "healing", "buff", "power_up", "powerup", "teleport", "summon")
    hz = midi_hz(root + (12 if lift else 0))
    path = (
        ((0, hz), (0.5, hz * 2.0), (1, hz * 2.0))
        if lift
        else ((0, hz * 2.5), (0.25, hz * 0.6), (1, hz * 0.4))
    )
    tone = osc.sine(envelopes.curve(n, path), n) * envelopes.decay(n, n / RATE, 0.012)
    puff = noise.coloured(scene.rng, n, 4.0, 60, 900 if dark else 2500) * envelopes.decay(n, 0.4, 0.01)
    return tone * (0.4 if lift else 0.7) + puff * (0.10 if lift else 0.25)


def _element(scene: Scene) -> Audio | None:
    """Fire burns, ice cracks, lightning arcs."""
    reading, rng = scene.reading, scene.rng
    n = samples(min(1.6, scene.seconds * 0.65))
    fall = envelopes.decay(n, n / RATE * 1.2, 0.03)
    if reading.says("fire", "fireball", "flame", "burning", "inferno"):
        return flames(rng, n, 1.0) * fall * 2.2
    if reading.says("lightning", "electric", "thunder", "shock", "storm"):
        return arcs(rng, n, 1.0) * fall * 1.6
    if reading.says("ice", "frost", "frozen", "crystal", "cold"):
        return _frost(rng, n)
    return None


def _frost(rng: Rng, n: int) -> Audio:
    canvas = Canvas(n, 1)
    times = np.sort(np.minimum(rng.gamma(1.2, 0.16, 60), n / RATE)) * RATE
    scatter(canvas, rng, times, lambda r: grain("glass", r, 1.1) * 0.3, 0.8)
    return canvas.audio
