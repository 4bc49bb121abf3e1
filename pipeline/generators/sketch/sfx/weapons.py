"""Things that fly, fire and blow up: whoosh, explosion, gunshot, laser."""

from __future__ import annotations

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, noise, shaping
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.canvas import Canvas, scatter
from pipeline.generators.sketch.dsp.units import RATE, Audio, about, between, samples
from pipeline.generators.sketch.sfx.materials import grain
from pipeline.generators.sketch.sfx.scene import Scene


def whoosh(scene: Scene) -> Audio:
    """Air torn by something that comes near and goes: its band and its level rise, then fall."""
    reading, rng, asset = scene.reading, scene.rng, scene.asset
    natural = 0.42 * 2.0 ** (0.9 * reading.size - 0.6 * reading.speed)
    natural *= 2.2 if reading.says("flyby", "fly_by", "pass_by", "passby", "dragon") else 1.0
    n = samples(scene.scaled(about(rng, natural, 0.12)))
    top = 1500.0 * 2.0 ** (-1.0 * reading.size + 0.7 * reading.brightness) * between(asset, 0.85, 1.2)
    top *= (1.7 if reading.says("sword", "blade", "whip", "arrow") else 1.0) * about(rng, 1.0, 0.12)
    peak = about(rng, 0.46, 0.12)

    def air(hz: Audio, at: Audio) -> Audio:
        near = np.exp(-(((at - peak) / 0.24) ** 2))
        centre = top * (0.28 + 0.95 * near)
        low = 0.25 * noise.bump(hz, 180.0, 0.8)
        return np.asarray(noise.bump(hz, centre, 0.75) + 0.25 * noise.bump(hz, centre * 2.7, 0.5) + low)

    rough = noise.white(rng, n) * (0.75 + 0.25 * noise.drift(rng, n, 40.0))
    sound = filters.sculpt(rough, air, 512) * envelopes.hump(n, peak, 2.6)
    if reading.says("sword", "blade", "slash", "katana"):
        edge = np.sum(
            [
                osc.sine(envelopes.curve(n, ((0, f * 0.97), (peak, f * 1.03), (1, f * 0.94))), n)
                for f in (3150.0, 4420.0, 5870.0)
            ],
            axis=0,
        )
        sound = sound + edge * envelopes.hump(n, peak + 0.08, 4.0) * 0.03
    if reading.says("flap", "wing"):
        sound = sound * (0.4 + 0.6 * np.sin(np.pi * np.linspace(0, 1, n)) ** 2)
    return shaping.at_peak(sound)


def explosion(scene: Scene) -> Audio:
    """A crack, a blast whose colour sinks, a boom that falls below 40 Hz, rubble, and the land's answer."""
    reading, rng = scene.reading, scene.rng
    n = scene.n
    size = 2.0 ** (0.8 * reading.size + 0.3 * reading.force)
    tail = float(np.clip(2.6 * size, 0.5, max(0.4, 1.25 * scene.seconds)))
    canvas = Canvas(n, 1)
    start = samples(0.003)
    crack = noise.coloured(rng, samples(0.12), 0.0, 300, 14000) * envelopes.decay(samples(0.12), 0.07, 0.0004)
    canvas.add(crack, start, 0.35 * (1.0 - 0.8 * reading.distance))
    blast = filters.sculpt(
        noise.white(rng, n),
        lambda hz, at: (
            filters.below(hz, 90.0 + 5200.0 * np.exp(-at * scene.seconds / (0.16 * size)), 1)
            / (1 + (hz / 300.0) ** 0.6)
        ),
        1024,
    )
    canvas.add(shaping.at_peak(blast * envelopes.decay(n, tail * 0.55, 0.004)), start, 0.9)
    time = np.arange(n) / RATE
    low = osc.sine(about(rng, 31.0, 0.08) / size**0.3 + 75.0 * np.exp(-time / 0.07), n)
    canvas.add(low * envelopes.decay(n, tail * 0.6, 0.005), start, 0.9)
    rumble = noise.coloured(rng, n, 6.0, 22, 260) * (0.65 + 0.35 * noise.drift(rng, n, 9.0))
    canvas.add(rumble * envelopes.decay(n, tail, 0.12), start, 0.30)
    if not reading.says("magic", "energy", "plasma", "underwater"):
        times = (0.12 + rng.gamma(1.6, 0.22 * size, int(55 * size))) * RATE
        scatter(canvas, rng, np.sort(times), lambda r: grain("stone", r, about(r, 0.55, 0.6)) * 0.10, 0.9)
    return shaping.saturate(shaping.at_peak(canvas.audio), 2.4)


def gunshot(scene: Scene) -> Audio:
    """A supersonic crack, the muzzle's thump, the action's click, and the echo of open land."""
    reading, rng = scene.reading, scene.rng
    heavy = (
        1.5
        if reading.says("shotgun", "cannon", "musket")
        else 1.2
        if reading.says("rifle", "sniper")
        else 0.9
    )
    silenced = reading.says("silenced", "suppressed", "silencer")
    canvas = Canvas(scene.n, 1)
    times = [0.002]
    if reading.says("machine_gun", "burst", "automatic"):
        times = [0.002 + 0.085 * k for k in range(max(3, int(scene.scaled(0.8) / 0.085)))]
    for at in times:
        canvas.add(_shot(scene, heavy * about(rng, 1.0, 0.05), silenced), samples(at))
    click_at = samples(times[-1] + between(rng, 0.10, 0.14))
    for k in range(3):
        canvas.add(grain("metal", rng, 1.0), click_at + samples(0.02 * k), 0.05)
    return canvas.audio


def _shot(scene: Scene, heavy: float, silenced: bool) -> Audio:
    rng, n = scene.rng, samples(1.0)
    crack = noise.coloured(rng, n, 1.0, 250, 12000) * envelopes.decay(n, 0.09 * heavy, 0.0003)
    body = noise.coloured(rng, n, 5.0, 60, 1500) * envelopes.decay(n, 0.24 * heavy, 0.001)
    time = np.arange(n) / RATE
    thump = osc.sine(62.0 / heavy + 150.0 * np.exp(-time / 0.012), n) * envelopes.decay(n, 0.22 * heavy)
    if silenced:
        return filters.low_pass(crack * 0.25 + body * 0.12 + thump * 0.2, 3500.0)
    return shaping.saturate(crack * 0.9 + body * 0.5 + thump, 3.0)


def laser(scene: Scene) -> Audio:
    """A tone that dives (or, charging, climbs), rough with frequency modulation, with a snap of noise."""
    reading, rng, asset = scene.reading, scene.rng, scene.asset
    charging = reading.says("charge", "charging", "power_up", "load")
    beam = reading.says("beam", "continuous", "ray") or scene.loop
    natural = 1.6 if beam else 1.1 if charging else 0.38 * 2.0 ** (0.6 * reading.size - 0.4 * reading.speed)
    n = scene.n if beam else samples(scene.scaled(about(rng, natural, 0.06)))
    top = (
        between(asset, 1900, 2900)
        * 2.0 ** (-0.8 * reading.size + 0.6 * reading.brightness)
        * about(rng, 1.0, 0.06)
    )
    bottom = top * between(asset, 0.07, 0.14)
    if beam:
        hz: Audio = (bottom * 2.2) * (1.0 + 0.04 * noise.drift(rng, n, 11.0))
    elif charging:
        hz = envelopes.curve(n, ((0.0, bottom), (0.85, top), (1.0, top * 1.05)))
    else:
        hz = envelopes.curve(n, ((0.0, top), (0.18, top * 0.55), (0.6, bottom * 1.7), (1.0, bottom)))
    sound = _ray(scene, hz, n)
    if beam:
        return (
            sound
            * (0.8 + 0.2 * noise.drift(rng, n, 18.0))
            * (1.0 if scene.loop else envelopes.held(n, 0.02, 0.15))
        )
    if charging:
        return sound * envelopes.line(n, ((0, 0.15), (0.9, 1.0), (1.0, 0.0)))
    snap = noise.coloured(rng, n, 0.0, 1200, 12000) * envelopes.decay(n, 0.05, 0.0004) * 0.3
    thump = (
        osc.sine(envelopes.curve(n, ((0, 320.0), (0.3, 70.0), (1, 50.0))), n) * envelopes.decay(n, 0.16) * 0.6
    )
    return sound * envelopes.decay(n, n / RATE * 1.15, 0.0012) + snap + thump


def _ray(scene: Scene, hz: Audio, n: int) -> Audio:
    if scene.reading.manner == "retro":
        return osc.tone("square", np.repeat(hz[::400], 400)[:n], n) * 0.7
    ratio = float(scene.asset.choice([1.41, 1.5, 2.0, 2.76]))
    if scene.loop:
        whole = max(1.0, round(float(np.sum(hz)) / RATE))
        hz = hz * (whole / (float(np.sum(hz)) / RATE))
        ratio = 2.0
    phase = osc.cycles(hz, n)
    index = 1.8 + 0.8 * scene.reading.force + 0.4 * scene.reading.brightness
    main = np.sin(2 * np.pi * phase + index * np.sin(2 * np.pi * ratio * phase))
    twin = np.sin(2 * np.pi * (phase * (1.0 if scene.loop else 1.007) + 0.2))
    return np.asarray(0.62 * main + 0.38 * twin)
