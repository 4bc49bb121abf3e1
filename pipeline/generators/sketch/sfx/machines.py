"""Machines: engines by their firing, turbines, alarms and talking computers."""

from __future__ import annotations

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, noise, shaping
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.canvas import Canvas
from pipeline.generators.sketch.dsp.units import RATE, Audio, about, between, midi_hz, samples
from pipeline.generators.sketch.sfx.scene import Scene


def engine(scene: Scene) -> Audio:
    """An engine that the prompt names: combustion by default, else turbine, rotor, electric or starship."""
    reading = scene.reading
    if reading.says("jet", "turbine", "thruster", "rocket"):
        return _turbine(scene)
    if reading.manner == "sci-fi" or reading.says("spaceship", "starship", "hover", "airship", "drone_motor"):
        return _starship(scene)
    if reading.says("helicopter", "propeller", "rotor"):
        return _combustion(scene, 11.0, 2, 0.7)
    if reading.says("train", "steam"):
        return _combustion(scene, 5.0, 4, 0.9)
    heavy = reading.says("truck", "tank", "tractor", "diesel", "boat", "generator")
    rate = 24.0 if heavy else 38.0
    if reading.says("motorcycle", "bike"):
        rate = 46.0
    return _combustion(
        scene, rate * 2.0 ** (-0.4 * reading.size), 2 if reading.says("motorcycle") else 4, 0.35
    )


def firing_rate(scene: Scene, rate: float) -> Audio:
    """Firings a second over the take: steady when idling or looping, else started, revved or let go."""
    reading, n = scene.reading, scene.n
    driving = 2.3 if reading.says("driving", "fast", "racing", "high", "full") else 1.0
    base = rate * driving * between(scene.asset, 0.92, 1.1)
    if reading.says("rev", "revving", "accelerate", "acceleration") and not scene.loop:
        return base * envelopes.curve(n, ((0, 1.0), (0.12, 1.1), (0.45, 3.6), (0.6, 3.3), (1.0, 1.0)))
    if reading.says("start", "startup", "ignition") and not scene.loop:
        return base * envelopes.curve(n, ((0, 0.3), (0.3, 0.35), (0.42, 1.9), (0.65, 1.1), (1.0, 1.0)))
    if reading.says("stop", "shutdown", "off") and not scene.loop:
        return base * envelopes.curve(n, ((0, 1.0), (0.4, 0.8), (1.0, 0.12)))
    return base * (1.0 + 0.018 * noise.drift(scene.rng, n, 2.5))


def _whole_turns(hz: Audio, group: int, loop: bool) -> Audio:
    """Phase in firings; a loop holds a whole number of groups, so that it closes on itself."""
    turns = float(np.sum(hz)) / RATE
    if loop:
        hz = hz * (max(1, round(turns / group)) * group / max(turns, 1e-9))
    return np.cumsum(hz) / RATE


def _combustion(scene: Scene, rate: float, cylinders: int, chop: float) -> Audio:
    """A pulse for each firing, no two cylinders alike, through exhaust resonances, with intake noise."""
    rng, n = scene.rng, scene.n
    hz = firing_rate(scene, rate)
    phase = _whole_turns(hz, cylinders, scene.loop)
    part = phase % 1.0
    uneven = scene.asset.uniform(0.72, 1.0, cylinders)
    strength = uneven[(np.floor(phase).astype(np.int64)) % cylinders]
    pulse = (np.exp(-part * 7.0) - 0.25 * np.exp(-part * 2.2)) * strength
    blast = noise.coloured(rng, n, 2.0, 120, 4500) * np.exp(-part * (5.0 + 6.0 * chop)) * strength
    pipe = np.array((82, 165, 310, 540, 980)) * between(scene.asset, 0.88, 1.12)

    def exhaust(f: Audio, at: Audio) -> Audio:
        lift = np.asarray(
            np.interp(
                at, np.linspace(0, 1, 33), hz[np.linspace(0, n - 1, 33).astype(int)] / float(np.mean(hz))
            )
        )
        tubes = np.sum(
            [g * filters.resonance(f, p, 3.0) for p, g in zip(pipe, (1.2, 1.0, 0.8, 0.5, 0.35), strict=True)],
            axis=0,
        )
        return np.asarray((tubes + 0.12) * filters.below(f, 4200.0 * lift**0.8, 1))

    sound = filters.sculpt(pulse * 0.9 + blast * (0.20 + 0.35 * chop), exhaust, 2048, scene.loop)
    valve = noise.coloured(rng, n, -1.0, 2500, 9000) * np.exp(-((part - 0.5) ** 2) / 0.002) * 0.02
    sound = shaping.saturate(shaping.at_peak(sound), 1.8) + valve
    return np.asarray(sound if scene.loop else sound * envelopes.held(n, 0.05, min(0.3, scene.seconds / 4)))


def _turbine(scene: Scene) -> Audio:
    """A roar and several whines that share a shaft."""
    rng, n = scene.rng, scene.n
    shaft = firing_rate(scene, 310.0) / 1.0
    phase = _whole_turns(shaft, 1, scene.loop)
    whine = np.zeros(n)
    for order, level in ((3, 0.25), (5, 0.4), (7, 0.3), (12, 0.16), (17, 0.08)):
        whine += level * np.sin(2 * np.pi * (order * phase + rng.random()))
    roar = noise.coloured(rng, n, 3.5, 40, 9000) * (0.85 + 0.15 * noise.drift(rng, n, 6.0))
    sound = roar * 0.42 + whine * 0.22
    return sound if scene.loop else sound * envelopes.held(n, 0.15, min(0.5, scene.seconds / 3))


def _starship(scene: Scene) -> Audio:
    """A deep hum of stacked fifths that beats slowly, with air moving round it."""
    rng, n = scene.rng, scene.n
    base = between(scene.asset, 46, 62) * 2.0 ** (-0.5 * scene.reading.size)
    out = np.zeros(n)
    for order, level in ((1, 1.0), (1.5, 0.5), (2, 0.6), (3, 0.35), (4, 0.2), (6, 0.12), (9, 0.06)):
        for side in (-1, 1):
            cycles = max(1, round((base * order + side * 0.35) * n / RATE))
            out += level * np.sin(2 * np.pi * (np.arange(n) * (cycles / n) + rng.random()))
    air = noise.coloured(rng, n, 3.0, 90, 3000) * (0.8 + 0.2 * noise.drift(rng, n, 0.8))
    sound = out * 0.16 * (0.9 + 0.1 * noise.drift(rng, n, 1.3)) + air * 0.10
    return sound if scene.loop else sound * envelopes.held(n, 0.2, min(0.6, scene.seconds / 3))


def alarm(scene: Scene) -> Audio:
    """A siren that sweeps, a klaxon that repeats, or beeps."""
    reading, n = scene.reading, scene.n
    if reading.says("siren", "air_raid", "police"):
        swings = max(1, round(scene.seconds * 0.4))
        swing = 0.5 - 0.5 * np.cos(2 * np.pi * swings * np.arange(n) / n)
        depth = about(scene.rng, 1.05, 0.05)
        hz = 420.0 * 2.0 ** (depth * swing) * between(scene.asset, 0.9, 1.1) * about(scene.rng, 1.0, 0.02)
        hz = hz * (max(1, round(float(np.sum(hz)) / RATE)) / (float(np.sum(hz)) / RATE))
        return filters.low_pass(osc.tone("saw", hz, n), 3500.0, 2, scene.loop) * (
            1.0 if scene.loop else envelopes.held(n, 0.03, 0.1)
        )
    klaxon = reading.says("klaxon", "alarm", "warning", "red_alert")
    period = 0.72 if klaxon else 0.30
    count = max(1, round(scene.seconds / period))
    canvas = Canvas(n, 1, scene.loop)
    base = midi_hz(round(between(scene.asset, 66, 73))) * (0.6 if klaxon else 1.5)
    for k in range(count):
        length = samples(min(period * (0.62 if klaxon else 0.42), scene.seconds / count * 0.7))
        pitch = base * (1.0 if not klaxon or k % 2 == 0 else 0.84) * about(scene.rng, 1.0, 0.003)
        beep = osc.tone("saw" if klaxon else "pulse", pitch, length, 0.0, 0.3) + 0.5 * osc.tone(
            "saw", pitch * 1.5, length
        )
        beep = filters.low_pass(beep, 3800.0) * envelopes.held(length, 0.006, 0.03)
        canvas.add(beep, int(k * n / count), 0.6)
    return canvas.audio


def robot(scene: Scene) -> Audio:
    """Data as sound: quick steps of pitch with a servo under them."""
    rng, asset = scene.rng, scene.asset
    canvas = Canvas(scene.n, 1, scene.loop)
    at, end = 0.0, scene.seconds if scene.loop else scene.scaled(1.2)
    scale = (0, 2, 4, 7, 9, 12, 14, 16, 19)
    root = round(between(asset, 69, 78))
    while at < end - 0.03:
        length = float(rng.choice([0.04, 0.06, 0.06, 0.09, 0.14]))
        n = samples(length)
        first, last = (midi_hz(root + scale[int(k)]) for k in rng.integers(0, len(scale), 2))
        phase = osc.cycles(envelopes.curve(n, ((0, first), (1, last))), n)
        tone = np.sin(2 * np.pi * phase + 1.6 * np.sin(4 * np.pi * phase)) * envelopes.held(n, 0.003, 0.015)
        canvas.add(tone, samples(at), between(rng, 0.4, 0.8))
        at += length + float(rng.choice([0.0, 0.01, 0.03, 0.09]))
    return canvas.audio
