"""Footsteps: heel, then toe, on thirteen surfaces."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, noise, resonators
from pipeline.generators.sketch.dsp.canvas import Canvas, scatter
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng, about, between, samples
from pipeline.generators.sketch.sfx.materials import Blow, grain, strike
from pipeline.generators.sketch.sfx.scene import Scene

DEFAULT_SURFACE = "dirt"
_RINGING = frozenset({"wood", "stone", "metal", "tile", "glass", "ice", "plastic"})
_CRUMBLING = {"gravel": 46, "snow": 150, "sand": 110, "leaves": 42, "grass": 26, "dirt": 14, "ice": 16}
"""Grains in one step."""


def footstep(scene: Scene) -> Audio:
    """One step; in a longer take or a loop, a walk."""
    reading = scene.reading
    surface = reading.material or DEFAULT_SURFACE
    canvas = Canvas(scene.n, 1, scene.loop)
    walking = reading.says("footsteps", "walking", "running", "walk_cycle", "steps") and scene.seconds >= 1.2
    single = reading.says("single", "one", "a_single") or not (walking or scene.loop)
    if single:
        canvas.add(_step(scene, surface), 0 if scene.loop else samples(0.004))
        return canvas.audio
    pace = 0.30 if reading.says("run", "running", "sprint") else 0.62 if reading.speed < 0 else 0.52
    count = max(1, round(scene.seconds / pace))
    for k in range(count):
        late = scene.rng.normal(0.0, 0.008) if k else 0.004
        canvas.add(_step(scene, surface), int(max(0.0, k * scene.seconds / count + late) * RATE))
    return canvas.audio


def _step(scene: Scene, surface: str) -> Audio:
    reading, rng = scene.reading, scene.rng
    weight = 1.0 + 0.45 * reading.size
    strength = float(np.clip(0.7 + 0.3 * reading.force, 0.3, 1.0)) * about(rng, 1.0, 0.12)
    roll = about(rng, 0.105 - 0.03 * reading.speed + 0.02 * reading.size, 0.15)
    length = samples(min(max(scene.seconds, 0.25), 0.9))
    out = Canvas(length, 1)
    for at, share, bright in ((0.0, 1.0, 0.0), (roll, 0.55, 0.3)):
        part = _contact(scene, surface, weight, strength * share, bright)
        out.add(part, samples(at) - 1, share)
    _wear(scene, out)
    return out.audio


def _contact(scene: Scene, surface: str, weight: float, strength: float, bright: float) -> Audio:
    """Heel or toe: the sole on the surface, then what the surface does."""
    rng, n = scene.rng, samples(0.55)
    blow = Blow(1.15 * weight, strength, bright + 0.4 * scene.reading.brightness, 0.55)
    base = (
        strike(surface, blow, scene.asset, rng, 0.55) if surface in _RINGING else _sole(surface, blow, rng, n)
    )
    if surface == "metal":
        base *= 0.7
    if surface in _CRUMBLING:
        base = base + _crumble(surface, strength, rng, n)
    extra = _EXTRAS.get(surface)
    return base + extra(rng, strength, n) if extra else base


def _sole(surface: str, blow: Blow, rng: Rng, n: int) -> Audio:
    """A muffled thump: soft ground swallows the rest."""
    soft = strike(surface, Blow(blow.scale, blow.strength * 0.8, blow.bright - 0.3, 0.5), rng, rng, n / RATE)
    return soft * 0.8


def _crumble(surface: str, strength: float, rng: Rng, n: int) -> Audio:
    """Fragments that shift under the weight, dense at first."""
    canvas = Canvas(n, 1)
    count = max(3, int(_CRUMBLING[surface] * (0.5 + 0.7 * strength)))
    spread = {"snow": 0.075, "sand": 0.06, "leaves": 0.07, "grass": 0.06}.get(surface, 0.048)
    times = np.sort(np.minimum(rng.gamma(1.6, spread / 1.6, count), 0.4)) * RATE
    scatter(canvas, rng, times, lambda r: grain(surface, r), 0.75)
    level = {
        "snow": 0.11,
        "sand": 0.10,
        "gravel": 0.34,
        "leaves": 0.24,
        "dirt": 0.12,
        "grass": 0.10,
        "ice": 0.14,
    }
    return canvas.audio * level[surface] * (0.5 + 0.7 * strength)


def _snow(rng: Rng, strength: float, n: int) -> Audio:
    """The creak of packing snow: a band of noise that tightens as the foot sinks."""
    pressed = noise.white(rng, n) * (0.6 + 0.4 * noise.drift(rng, n, 90.0))
    top = between(rng, 1300, 1900)
    tight = filters.sculpt(
        pressed, lambda hz, at: noise.bump(hz, top * (0.55 + 0.8 * np.minimum(at * 3, 1)), 0.55), 512
    )
    return 0.30 * strength * tight * envelopes.hump(n, 0.14, 1.0) * envelopes.decay(n, 0.42, 0.012)


def _blades(low: float, high: float, level: float) -> Callable[[Rng, float, int], Audio]:
    """The swish of stalks or leaves against the leg."""

    def swish(rng: Rng, strength: float, n: int) -> Audio:
        rough = noise.coloured(rng, n, 1.0, low, high) * (0.65 + 0.35 * noise.drift(rng, n, 60.0))
        return level * strength * rough * envelopes.decay(n, 0.26, 0.025)

    return swish


def _puddle(rng: Rng, strength: float, n: int) -> Audio:
    """A slap on the surface, then drops and bubbles."""
    canvas = Canvas(n, 1)
    slap = noise.coloured(rng, n, 2.0, 500, 9000) * envelopes.decay(n, 0.20, 0.006)
    canvas.add(slap, 0, 0.26 * strength)
    times = np.minimum(rng.gamma(1.5, 0.06, int(12 + 14 * strength)), 0.45) * RATE
    scatter(
        canvas,
        rng,
        np.sort(times),
        lambda r: resonators.bubble(r.uniform(500, 2600), samples(0.06)) * 0.30,
        0.6,
    )
    return canvas.audio


def _squelch(rng: Rng, strength: float, n: int) -> Audio:
    """Mud pressed out, then letting go with a smack."""
    wet = noise.white(rng, n) * (0.5 + 0.5 * noise.drift(rng, n, 45.0))
    centre = between(rng, 320, 460)
    pull = filters.sculpt(
        wet,
        lambda hz, at: filters.resonance(hz, centre * (1.0 + 2.4 * np.clip(at * 2.4 - 0.25, 0, 1)), 3.5),
        512,
    )
    smack = np.zeros(n)
    at = samples(between(rng, 0.11, 0.16))
    bubble = resonators.bubble(between(rng, 380, 620), samples(0.08), 0.2)
    smack[at : at + len(bubble)] = bubble[: n - at]
    return strength * (0.55 * pull * envelopes.decay(n, 0.34, 0.02) + 0.28 * smack)


_EXTRAS: dict[str, Callable[[Rng, float, int], Audio]] = {
    "snow": _snow,
    "grass": _blades(1800, 9000, 0.13),
    "leaves": _blades(2200, 10000, 0.10),
    "sand": _blades(900, 7000, 0.14),
    "cloth": _blades(300, 2200, 0.08),
    "water": _puddle,
    "mud": _squelch,
}


def _wear(scene: Scene, out: Canvas) -> None:
    """What the walker wears: armour rattles, boots are heavy leather."""
    reading, rng = scene.reading, scene.rng
    if reading.says("armor", "armour", "chainmail", "knight", "plate"):
        times = np.abs(rng.normal(0.05, 0.05, 9)) * RATE
        scatter(out, rng, np.sort(times), lambda r: grain("metal", r, 0.9) * 0.10, 0.5)
    if reading.says("claw", "dog", "wolf", "rat"):
        times = rng.uniform(0.0, 0.05, 4) * RATE
        scatter(out, rng, np.sort(times), lambda r: grain("plastic", r, 1.6) * 0.3, 0.3)
