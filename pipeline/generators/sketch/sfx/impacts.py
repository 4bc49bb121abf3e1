"""Footsteps and impacts: things that are stepped on, struck, dropped, broken, scraped or rattled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, mixing, noise
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.mixing import Bus, poisson, scatter
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng, about, between, samples
from pipeline.generators.sketch.sfx.materials import MATERIALS, Blow, grain, strike
from pipeline.generators.sketch.sfx.reading import Scene

DEFAULT_SURFACE = "dirt"
_RINGING = frozenset({"wood", "stone", "metal", "tile", "glass", "ice", "plastic"})
_CRUMBLING = {
    "gravel": (46, 0.048, 0.34),
    "snow": (150, 0.075, 0.11),
    "sand": (110, 0.06, 0.10),
    "leaves": (42, 0.07, 0.24),
    "grass": (26, 0.06, 0.10),
    "dirt": (14, 0.048, 0.12),
    "ice": (16, 0.048, 0.14),
}
"""Grains in one step, the seconds over which they spread, and their level."""


def footstep(scene: Scene) -> Audio:
    """One step; in a longer take or a loop, a walk."""
    reading = scene.reading
    surface = reading.material or DEFAULT_SURFACE
    bus = Bus(scene.n, 1, scene.loop)
    walking = reading.says("footsteps", "walking", "running", "walk_cycle", "steps") and scene.seconds >= 1.2
    single = reading.says("single", "one") or not (walking or scene.loop)
    if single:
        bus.add(_step(scene, surface), 0 if scene.loop else samples(0.004))
        return bus.audio
    pace = 0.30 if reading.says("run", "sprint") else 0.62 if reading.speed < 0 else 0.52
    count = max(1, round(scene.seconds / pace))
    for k in range(count):
        late = scene.rng.normal(0.0, 0.008) if k else 0.004
        bus.add(_step(scene, surface), int(max(0.0, k * scene.seconds / count + late) * RATE))
    return bus.audio


def _step(scene: Scene, surface: str) -> Audio:
    reading, rng = scene.reading, scene.rng
    weight = 1.0 + 0.45 * reading.size
    strength = float(np.clip(0.7 + 0.3 * reading.force, 0.3, 1.0)) * about(rng, 1.0, 0.12)
    roll = about(rng, 0.105 - 0.03 * reading.speed + 0.02 * reading.size, 0.15)
    length = samples(min(max(scene.seconds, 0.25), 0.9))
    out = Bus(length, 1)
    for at, share, bright in ((0.0, 1.0, 0.0), (roll, 0.55, 0.3)):
        part = _contact(scene, surface, weight, strength * share, bright)
        out.add(part, samples(at) - 1, share)
    _wear(scene, out)
    return out.audio


def _contact(scene: Scene, surface: str, weight: float, strength: float, bright: float) -> Audio:
    """Heel or toe: the sole on the surface, then what the surface does."""
    rng, n = scene.rng, samples(0.55)
    blow = Blow(1.15 * weight, strength, bright + 0.4 * scene.reading.brightness, 0.55)
    if surface in _RINGING:
        base = strike(surface, blow, scene.asset, rng, 0.55)
    else:
        swallowed = Blow(blow.scale, strength * 0.8, blow.bright - 0.3, 0.5)
        base = strike(surface, swallowed, rng, rng, n / RATE) * 0.8
    if surface == "metal":
        base *= 0.7
    if surface in _CRUMBLING:
        base = base + _crumble(surface, strength, rng, n)
    extra = _EXTRAS.get(surface)
    return base + extra(rng, strength, n) if extra else base


def _crumble(surface: str, strength: float, rng: Rng, n: int) -> Audio:
    """Fragments that shift under the weight, dense at first."""
    bus = Bus(n, 1)
    grains, spread, level = _CRUMBLING[surface]
    count = max(3, int(grains * (0.5 + 0.7 * strength)))
    times = np.minimum(rng.gamma(1.6, spread / 1.6, count), 0.4) * RATE
    scatter(bus, rng, times, lambda r: grain(surface, r), 0.75)
    return bus.audio * level * (0.5 + 0.7 * strength)


def _snow(rng: Rng, strength: float, n: int) -> Audio:
    """The creak of packing snow: a band of noise that tightens as the foot sinks."""
    pressed = rng.standard_normal(n) * (0.6 + 0.4 * noise.drift(rng, n, 90.0))
    top = between(rng, 1300, 1900)
    tight = filters.time_varying(
        pressed, lambda hz, at: noise.bell(hz, top * (0.55 + 0.8 * np.minimum(at * 3, 1)), 0.55), 512
    )
    return 0.30 * strength * tight * envelopes.swell(n, 0.14, 1.0) * envelopes.decay(n, 0.42, 0.012)


def _blades(low: float, high: float, level: float) -> Callable[[Rng, float, int], Audio]:
    """The swish of stalks or leaves against the leg."""

    def swish(rng: Rng, strength: float, n: int) -> Audio:
        rough = noise.coloured(rng, n, 1.0, low, high) * (0.65 + 0.35 * noise.drift(rng, n, 60.0))
        return level * strength * rough * envelopes.decay(n, 0.26, 0.025)

    return swish


def _puddle(rng: Rng, strength: float, n: int) -> Audio:
    """A slap on the surface, then drops and bubbles."""
    bus = Bus(n, 1)
    slap = noise.coloured(rng, n, 2.0, 500, 9000) * envelopes.decay(n, 0.20, 0.006)
    bus.add(slap, 0, 0.26 * strength)
    times = np.minimum(rng.gamma(1.5, 0.06, int(12 + 14 * strength)), 0.45) * RATE
    scatter(bus, rng, times, lambda r: osc.bubble(r.uniform(500, 2600), samples(0.06)) * 0.30, 0.6)
    return bus.audio


def _squelch(rng: Rng, strength: float, n: int) -> Audio:
    """Mud pressed out, then letting go with a smack."""
    wet = rng.standard_normal(n) * (0.5 + 0.5 * noise.drift(rng, n, 45.0))
    centre = between(rng, 320, 460)

    def mouth(hz: Audio, at: Audio) -> Audio:
        return filters.resonance(hz, centre * (1.0 + 2.4 * np.clip(at * 2.4 - 0.25, 0, 1)), 3.5)

    pull = filters.time_varying(wet, mouth, 512)
    smack = np.zeros(n)
    at = samples(between(rng, 0.11, 0.16))
    bubble = osc.bubble(between(rng, 380, 620), samples(0.08), 0.2)
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


def _wear(scene: Scene, out: Bus) -> None:
    """What the walker wears: armour rattles, boots are heavy leather."""
    reading, rng = scene.reading, scene.rng
    if reading.says("armor", "armour", "chainmail", "knight", "plate"):
        times = np.abs(rng.normal(0.05, 0.05, 9)) * RATE
        scatter(out, rng, times, lambda r: grain("metal", r, 0.9) * 0.10, 0.5)
    if reading.says("claw", "dog", "wolf", "rat"):
        times = rng.uniform(0.0, 0.05, 4) * RATE
        scatter(out, rng, times, lambda r: grain("plastic", r, 1.6) * 0.3, 0.3)


_BREAKING = ("shatter", "break", "smash", "crack", "destroy", "crumble", "collapse", "splinter", "broken")
_BRITTLE = {"glass": (130, 0.5), "tile": (60, 0.5), "ice": (70, 0.4), "wood": (45, 0.8), "stone": (50, 0.7)}
"""How many fragments each breaks into, and their level."""


def impact(scene: Scene) -> Audio:
    """A blow on the material that the prompt names; brittle things come apart if it says so."""
    reading, rng = scene.reading, scene.rng
    material = reading.material or ("flesh" if reading.says("punch", "kick", "slap") else "wood")
    strength = float(np.clip(0.75 + 0.3 * reading.force, 0.35, 1.0))
    scale = 1.15 * 2.0 ** (0.9 * reading.size)
    blade = reading.says("sword", "clash", "parry", "blade")
    ring = 1.6 if reading.says("sword", "clang", "bell", "ring") else 1.0
    edge = 0.6 if blade else 0.0
    blow = Blow(scale * (0.4 if blade else 1.0), strength, reading.brightness + edge, ring)
    bus = Bus(scene.n, 1)
    seconds = scene.scaled(2.5)
    bus.add(strike(material, blow, scene.asset, rng, seconds), samples(0.002))
    if reading.second_material and reading.second_material != material:
        other = Blow(scale, strength * 0.7, reading.brightness, 0.8)
        bus.add(strike(reading.second_material, other, scene.asset, rng, seconds), samples(0.004), 0.5)
    if reading.says(*_BREAKING) and material in _BRITTLE:
        _break(scene, bus, material)
    elif reading.says("drop", "bounce", "fall"):
        _bounce(scene, bus, material, blow)
    return mixing.saturate(bus.audio, 1.0 + 0.8 * max(0.0, reading.force))


def _break(scene: Scene, bus: Bus, material: str) -> None:
    """A burst of fragments that fall, larger ones later and lower."""
    rng = scene.rng
    span = scene.scaled(1.4) * 0.8
    count, level = _BRITTLE[material]
    times = np.minimum(rng.gamma(0.9, span / 4.0, count), span) * RATE
    scatter(bus, rng, times, lambda r: grain(material, r, about(r, 0.9, 0.5)) * level, 0.8)
    bus.add(noise.burst(rng, 0.3, 0.12, 1.0, 400, 12000), samples(0.002), 0.4)


def _bounce(scene: Scene, bus: Bus, material: str, blow: Blow) -> None:
    at, gap, gain = 0.0, about(scene.rng, 0.24, 0.2), 0.5
    while gap > 0.025 and gain > 0.04:
        at += gap
        if at >= scene.seconds:
            return
        bus.add(strike(material, blow, scene.asset, scene.rng, 0.5), samples(at), gain)
        gap, gain = gap * 0.62, gain * 0.6


def jingle(scene: Scene) -> Audio:
    """Keys, chains, mail: many small metal things that knock together in waves."""
    rng = scene.rng
    bus = Bus(scene.n, scene.channels, scene.loop)
    low = 0.45 if scene.reading.says("chain", "shackle", "heavy") else 1.0
    span = scene.n if scene.loop else samples(scene.scaled(1.2))
    knocks = np.array([0.0, 0.11, 0.2, 0.34, 0.5]) * min(span, RATE)
    waves = poisson(rng, span, 7.0, least=1) if scene.loop else knocks
    for start in waves:
        times = start + np.abs(rng.normal(0.0, 0.03, int(rng.integers(4, 10)))) * RATE
        scatter(bus, rng, times, lambda r: grain("metal", r, low) * 0.35, 0.7)
    return bus.audio


def scrape(scene: Scene) -> Audio:
    """One thing drawn along another: a blade from its scabbard, a crate over stone."""
    reading, rng = scene.reading, scene.rng
    blade = reading.says("sword", "blade", "sheath", "unsheathe")
    material = reading.material or ("metal" if blade else "stone")
    metal = material == "metal"
    n = samples(scene.scaled(0.9 if metal else 1.8))
    modes = np.array(MATERIALS[material].modes)
    modes = modes * scene.asset.uniform(0.9, 1.1, len(modes)) * (1.9 if metal else 1.0)
    rough = rng.standard_normal(n) * (0.55 + 0.45 * noise.drift(rng, n, 70.0 if metal else 28.0))
    glide = 1.35 if reading.says("draw", "unsheathe") else 0.85

    def body(hz: Audio, at: Audio) -> Audio:
        moved = [filters.resonance(hz, mode * (1.0 + (glide - 1.0) * at), 18.0) for mode in modes]
        return np.asarray(np.sum(moved, axis=0) + 0.35 * noise.bell(hz, 3200.0 * (0.6 + 0.8 * at), 0.9))

    sound = filters.time_varying(rough, body, 1024) * envelopes.swell(n, 0.55, 0.9)
    bus = Bus(scene.n, 1)
    bus.add(sound, 0)
    if metal:
        t60, gains = 1.3 / (modes / modes[0]) ** 0.4, 0.5 / np.arange(1, len(modes) + 1)
        tail = osc.ring(modes, t60, gains, scene.n, rng.random(len(modes)))
        bus.add(tail * float(np.sqrt(np.mean(sound**2))) * 1.6, int(n * 0.78))
    return bus.audio


def rustle(scene: Scene) -> Audio:
    """Cloth, paper or leaves: swells of fine crackle."""
    reading, rng = scene.reading, scene.rng
    paper = reading.says("paper", "page", "book", "map", "scroll", "parchment")
    low, high = (1400, 11000) if paper else (500, 5500)
    n = scene.n if scene.loop else samples(scene.scaled(0.9))
    motion = np.clip(noise.drift(rng, n, 7.0) * 0.7 + 0.45, 0.02, 1.0) ** 2
    shape = motion if scene.loop else motion * envelopes.swell(n, 0.42, 0.7)
    bus = Bus(n, 1, scene.loop)
    bus.add(noise.coloured(rng, n, 1.5, low, high) * shape * 0.35, 0)
    times = poisson(rng, n, 220.0 if paper else 90.0)
    chosen = times[rng.random(len(times)) < shape[np.minimum(times.astype(int), n - 1)]]
    name = "leaves" if paper or reading.says("leaves", "bush", "foliage") else "cloth"
    scatter(bus, rng, chosen, lambda r: grain(name, r, 0.9) * 0.3, 0.9)
    if paper and reading.says("page", "turn", "flip") and not scene.loop:
        flick = noise.coloured(rng, samples(0.12), 1.0, 700, 7000) * envelopes.swell(samples(0.12), 0.3, 2.0)
        bus.add(flick, int(n * 0.55), 0.5)
    return bus.audio


def bell(scene: Scene) -> Audio:
    """A cast bell or a gong: many slow partials that beat against each other."""
    reading, rng = scene.reading, scene.rng
    gong = reading.says("gong")
    base = (95.0 if gong else 330.0) * 2.0 ** (-0.9 * reading.size + 0.6 * reading.brightness)
    base *= between(scene.asset, 0.9, 1.1)
    ratios = np.array([0.5, 1.0, 1.2, 1.5, 2.0, 2.5, 2.67, 3.0, 4.0, 5.33, 6.7, 8.1])
    if gong:
        ratios = np.sort(scene.asset.uniform(0.7, 9.0, 26))
    seconds = scene.scaled(6.0)
    n = samples(seconds)
    t60 = min(5.0, 1.3 * seconds) / ratios**0.55
    gains = np.exp(-0.28 * ratios) * rng.uniform(0.7, 1.1, len(ratios))
    sound = np.zeros(n)
    for detune in (0.9994, 1.0006):
        sound += osc.ring(ratios * base * detune, t60, gains, n)
    if gong:
        sound *= 1.0 + 0.5 * envelopes.swell(n, 0.12, 1.0)
    clapper = noise.burst(rng, 0.05, 0.03, 1.0, 500, 6000)
    sound[: len(clapper)] += clapper[:n] * 0.3
    return sound


def heartbeat(scene: Scene) -> Audio:
    """Lub-dub, for as long as the take lasts."""
    rng = scene.rng
    rate = 1.7 if scene.reading.speed > 0 or scene.reading.says("low_health", "panic", "danger") else 1.15
    beats = max(1, round(scene.seconds * rate))
    bus = Bus(scene.n, 1, scene.loop)
    for k in range(beats):
        at = k * scene.seconds / beats + 0.01
        for late, hz, gain in ((0.0, 47.0, 1.0), (0.27 / rate, 58.0, 0.65)):
            n = samples(0.35)
            fall = 1.0 + 0.25 * np.exp(-np.arange(n) / (0.02 * RATE))
            low = mixing.saturate(np.sin(2 * np.pi * hz * np.arange(n) / RATE * fall), 2.2)
            flesh = noise.coloured(rng, n, 6.0, 35, 220) * 0.22
            beat = (low + flesh) * envelopes.decay(n, 0.24, 0.014)
            bus.add(beat, samples(at + late), gain * about(rng, 1.0, 0.08))
    return bus.audio
