"""Things that are struck, dropped, broken, scraped or rattled."""

from __future__ import annotations

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, noise, resonators, shaping
from pipeline.generators.sketch.dsp.canvas import Canvas, poisson, scatter
from pipeline.generators.sketch.dsp.units import RATE, Audio, about, between, samples
from pipeline.generators.sketch.sfx.materials import MATERIALS, Blow, grain, strike
from pipeline.generators.sketch.sfx.scene import Scene

_BREAKING = ("shatter", "break", "smash", "crack", "destroy", "crumble", "collapse", "splinter", "broken")
_BRITTLE = frozenset({"glass", "tile", "ice", "wood", "stone"})


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
    canvas = Canvas(scene.n, 1)
    seconds = scene.scaled(2.5)
    canvas.add(strike(material, blow, scene.asset, rng, seconds), samples(0.002))
    if reading.second_material and reading.second_material != material:
        other = Blow(scale, strength * 0.7, reading.brightness, 0.8)
        canvas.add(strike(reading.second_material, other, scene.asset, rng, seconds), samples(0.004), 0.5)
    if reading.says(*_BREAKING) and material in _BRITTLE:
        _break(scene, canvas, material)
    elif reading.says("drop", "bounce", "fall", "coin_drop"):
        _bounce(scene, canvas, material, blow)
    return shaping.saturate(canvas.audio, 1.0 + 0.8 * max(0.0, reading.force))


def _break(scene: Scene, canvas: Canvas, material: str) -> None:
    """A burst of fragments that fall, larger ones later and lower."""
    rng = scene.rng
    span = scene.scaled(1.4) * 0.8
    count = {"glass": 130, "tile": 60, "ice": 70, "wood": 45, "stone": 50}[material]
    times = np.sort(np.minimum(rng.gamma(0.9, span / 4.0, count), span)) * RATE
    level = {"glass": 0.5, "tile": 0.5, "ice": 0.4, "wood": 0.8, "stone": 0.7}[material]
    scatter(canvas, rng, times, lambda r: grain(material, r, about(r, 0.9, 0.5)) * level, 0.8)
    crack = noise.coloured(rng, samples(0.3), 1.0, 400, 12000) * envelopes.decay(samples(0.3), 0.12)
    canvas.add(crack, samples(0.002), 0.4)


def _bounce(scene: Scene, canvas: Canvas, material: str, blow: Blow) -> None:
    at, gap, gain = 0.0, about(scene.rng, 0.24, 0.2), 0.5
    while gap > 0.025 and gain > 0.04:
        at += gap
        if at >= scene.seconds:
            return
        canvas.add(strike(material, blow, scene.asset, scene.rng, 0.5), samples(at), gain)
        gap, gain = gap * 0.62, gain * 0.6


def jingle(scene: Scene) -> Audio:
    """Keys, chains, mail: many small metal things that knock together in waves."""
    rng = scene.rng
    canvas = Canvas(scene.n, scene.channels, scene.loop)
    low = 0.45 if scene.reading.says("chain", "shackle", "heavy") else 1.0
    span = scene.n if scene.loop else samples(scene.scaled(1.2))
    knocks = np.array([0.0, 0.11, 0.2, 0.34, 0.5]) * min(span, RATE)
    waves = poisson(rng, span, 7.0, least=1) if scene.loop else knocks
    for start in waves:
        times = start + np.abs(rng.normal(0.0, 0.03, int(rng.integers(4, 10)))) * RATE
        scatter(canvas, rng, np.sort(times), lambda r: grain("metal", r, low) * 0.35, 0.7)
    return canvas.audio


def scrape(scene: Scene) -> Audio:
    """One thing drawn along another: a blade from its scabbard, a crate over stone."""
    reading, rng = scene.reading, scene.rng
    material = reading.material or (
        "metal" if reading.says("sword", "blade", "sheath", "unsheathe") else "stone"
    )
    n = samples(scene.scaled(0.9 if material == "metal" else 1.8))
    modes = np.array(MATERIALS[material].modes) * scene.asset.uniform(
        0.9, 1.1, len(MATERIALS[material].modes)
    )
    if material == "metal":
        modes = modes * 1.9
    rough = noise.white(rng, n) * (0.55 + 0.45 * noise.drift(rng, n, 70.0 if material == "metal" else 28.0))
    glide = 1.35 if reading.says("draw", "unsheathe", "unsheath") else 0.85

    def body(hz: Audio, at: Audio) -> Audio:
        moved = [filters.resonance(hz, mode * (1.0 + (glide - 1.0) * at), 18.0) for mode in modes]
        return np.asarray(np.sum(moved, axis=0) + 0.35 * noise.bump(hz, 3200.0 * (0.6 + 0.8 * at), 0.9))

    sound = filters.sculpt(rough, body, 1024) * envelopes.hump(n, 0.55, 0.9)
    canvas = Canvas(scene.n, 1)
    canvas.add(sound, 0)
    if material == "metal":
        tail = resonators.ring(
            modes,
            1.3 / (modes / modes[0]) ** 0.4,
            0.5 / np.arange(1, len(modes) + 1),
            scene.n,
            rng.random(len(modes)),
        )
        canvas.add(tail * float(np.sqrt(np.mean(sound**2))) * 1.6, int(n * 0.78))
    return canvas.audio


def rustle(scene: Scene) -> Audio:
    """Cloth, paper or leaves: swells of fine crackle."""
    reading, rng = scene.reading, scene.rng
    paper = reading.says("paper", "page", "book", "map", "scroll", "parchment")
    low, high = (1400, 11000) if paper else (500, 5500)
    n = scene.n if scene.loop else samples(scene.scaled(0.9))
    motion = np.clip(noise.drift(rng, n, 7.0) * 0.7 + 0.45, 0.02, 1.0) ** 2
    shape = motion if scene.loop else motion * envelopes.hump(n, 0.42, 0.7)
    bed = noise.coloured(rng, n, 1.5, low, high) * shape * 0.35
    canvas = Canvas(n, 1, scene.loop)
    canvas.add(bed, 0)
    times = poisson(rng, n, 220.0 if paper else 90.0)
    kept = times[rng.random(len(times)) < shape[np.minimum(times.astype(int), n - 1)]]
    name = "leaves" if paper or reading.says("leaves", "bush", "foliage") else "cloth"
    scatter(canvas, rng, kept, lambda r: grain(name, r, 0.9) * 0.3, 0.9)
    if paper and reading.says("page", "turn", "flip") and not scene.loop:
        flick = noise.coloured(rng, samples(0.12), 1.0, 700, 7000) * envelopes.hump(samples(0.12), 0.3, 2.0)
        canvas.add(flick, int(n * 0.55), 0.5)
    return canvas.audio


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
        sound += resonators.ring(ratios * base * detune, t60, gains, n)
    if gong:
        sound *= 1.0 + 0.5 * envelopes.hump(n, 0.12, 1.0)
    clapper = noise.coloured(rng, samples(0.05), 1.0, 500, 6000) * envelopes.decay(samples(0.05), 0.03)
    sound[: len(clapper)] += clapper[:n] * 0.3
    return sound


def heartbeat(scene: Scene) -> Audio:
    """Lub-dub, for as long as the take lasts."""
    rng = scene.rng
    rate = 1.7 if scene.reading.speed > 0 or scene.reading.says("low_health", "panic", "danger") else 1.15
    beats = max(1, round(scene.seconds * rate))
    canvas = Canvas(scene.n, 1, scene.loop)
    for k in range(beats):
        at = k * scene.seconds / beats + 0.01
        for late, hz, gain in ((0.0, 47.0, 1.0), (0.27 / rate, 58.0, 0.65)):
            n = samples(0.35)
            low = np.sin(
                2 * np.pi * hz * np.arange(n) / RATE * (1.0 + 0.25 * np.exp(-np.arange(n) / (0.02 * RATE)))
            )
            low = shaping.saturate(low, 2.2)
            flesh = noise.coloured(rng, n, 6.0, 35, 220) * 0.22
            canvas.add(
                (low + flesh) * envelopes.decay(n, 0.24, 0.014),
                samples(at + late),
                gain * about(rng, 1.0, 0.08),
            )
    return canvas.audio
