"""Mechanisms: doors and locks, engines, alarms, robots, electric hum and arcs."""

from __future__ import annotations

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, mixing, noise, reverb
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.mixing import Bus, poisson, scatter
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng, about, between, midi_hz, samples
from pipeline.generators.sketch.sfx.materials import Blow, grain, strike
from pipeline.generators.sketch.sfx.reading import Scene


def door(scene: Scene) -> Audio:
    """An opening, closing, slammed or locked door; also sliding and stone doors."""
    reading = scene.reading
    bus = Bus(scene.n, 1)
    if reading.manner == "sci-fi" or reading.says("airlock", "hatch", "sliding"):
        return _sliding(scene)
    if reading.material == "stone" or reading.says("stone_door", "slab", "tomb"):
        return _stone(scene)
    closing = reading.says("close", "shut", "slam")
    quick = reading.says("slam", "lock", "unlock", "lever")
    creaking = not quick or reading.says("creak", "old", "rusty", "hinge")
    if reading.says("lock", "unlock", "lever", "latch", "bolt") and not reading.says("creak"):
        _latch(scene, bus, 0.01, 1.0)
        _latch(scene, bus, min(0.22, scene.seconds * 0.5), 0.8)
        return bus.audio
    start = 0.02
    if not closing:
        _latch(scene, bus, start, 0.6)
        start += min(0.18, 0.2 * scene.seconds)
    if creaking:
        span = max(0.15, (scene.scaled(2.2) - start) * (0.62 if closing else 0.85))
        bus.add(_creak(scene, span), samples(start), 0.6)
        start += span
    if closing:
        _shut(scene, bus, min(start, scene.seconds * 0.7))
    return reverb.add_space(bus.audio, "room", 0.18)


def _creak(scene: Scene, seconds: float) -> Audio:
    """Stick and slip: pulses at an uneven rate that set the panel ringing."""
    reading, rng, asset = scene.reading, scene.rng, scene.asset
    n = samples(seconds)
    metal = reading.material == "metal" or reading.says("rusty", "iron", "gate")
    base = between(asset, 34, 52) * (2.2 if metal else 1.0) * 2.0 ** (-0.5 * reading.size)
    wander = 1.0 + 0.45 * noise.drift(rng, n, 2.6 / max(seconds, 0.4)) + 0.10 * noise.drift(rng, n, 16.0)
    pace = envelopes.curve(n, ((0, 0.55), (0.3, 1.0), (0.75, 1.5), (1, 0.9)))
    rate = base * np.clip(wander, 0.35, 2.0) * pace
    phase = np.cumsum(rate) / RATE
    slips = np.flatnonzero(np.diff(np.floor(phase)) > 0)
    pulses = np.zeros(n)
    pulses[slips] = rng.uniform(0.35, 1.0, len(slips))
    pulses += 0.05 * rng.standard_normal(n) * (phase % 1.0) ** 6
    modes = np.array((390, 610, 905, 1380, 2050, 2900, 4100)) * (1.7 if metal else 1.0)
    modes = modes * asset.uniform(0.9, 1.12, 7)
    gains = (1, 0.9, 0.8, 0.7, 0.4, 0.3, 0.2)
    glide = rate / np.mean(rate)
    coarse = np.interp(np.linspace(0, 1, 64), np.linspace(0, 1, n), glide)

    def panel(hz: Audio, at: Audio) -> Audio:
        bend = np.interp(at, np.linspace(0, 1, 64), coarse) ** 0.35
        return filters.resonances(hz, [mode * bend for mode in modes], gains, 14.0)

    sound = filters.time_varying(pulses, panel, 1024)
    motion = np.clip(0.75 + 0.5 * noise.drift(rng, n, 3.0), 0.12, 1.2)
    sound = sound * motion * envelopes.sustain(n, 0.08, 0.12)
    return np.asarray(sound / max(float(np.max(np.abs(sound))), 1e-9))


def _shut(scene: Scene, bus: Bus, at: float) -> None:
    """The panel hits the frame, then the latch clicks."""
    reading = scene.reading
    hard = 1.0 if reading.says("slam") else 0.7
    material = "metal" if reading.material == "metal" else "wood"
    blow = Blow(1.7 * 2.0 ** (0.6 * reading.size), hard, -0.2, 0.8)
    bus.add(strike(material, blow, scene.asset, scene.rng, 1.2), samples(at), 1.0)
    bus.add(strike("dirt", Blow(1.6, hard), scene.asset, scene.rng, 0.4), samples(at), 0.7)
    _latch(scene, bus, at + 0.035, 0.5)


def _latch(scene: Scene, bus: Bus, at: float, gain: float) -> None:
    """Two metal clicks."""
    rng = scene.rng
    for late, share in ((0.0, 1.0), (between(rng, 0.05, 0.08), 0.7)):
        clack = strike("metal", Blow(0.55, 0.6, 0.1, 0.10), scene.asset, rng, 0.2)
        bus.add(clack, samples(at + late), 0.45 * gain * share)
        bus.add(grain("metal", rng, 0.7), samples(at + late + 0.004), 0.10 * gain)


def _sliding(scene: Scene) -> Audio:
    """Compressed air, a servo that runs up and down, and a soft stop."""
    rng, asset = scene.rng, scene.asset
    n = samples(scene.scaled(1.3))
    stop = 0.72
    hiss = noise.coloured(rng, n, -1.0, 1800, 12000) * envelopes.decay(n, n / RATE * 0.8, 0.02)
    low = between(asset, 120, 190)
    points = ((0, low), (0.15, low * 2.3), (stop - 0.12, low * 2.5), (stop, low), (1, low * 0.9))
    path = envelopes.curve(n, points)
    level = envelopes.line(n, ((0, 0), (0.08, 1), (stop - 0.05, 1), (stop, 0), (1, 0)))
    servo = osc.tone("saw", path, n) + 0.6 * osc.tone("saw", path * 1.498, n)
    servo = filters.low_pass(servo, 1900.0) * level
    bus = Bus(scene.n, 1)
    bus.add(hiss, 0, 0.14)
    bus.add(servo, 0, 0.20)
    bus.add(strike("metal", Blow(2.2, 0.8, -0.5, 0.25), asset, rng, 0.6), int(n * stop), 0.7)
    bus.add(noise.burst(rng, 0.25, 0.2, 0.0, 2500, 12000), int(n * (stop + 0.03)), 0.12)
    return reverb.add_space(bus.audio, "chamber", 0.2)


def _stone(scene: Scene) -> Audio:
    """A slab that grinds, then settles."""
    rng = scene.rng
    seconds = scene.scaled(3.0)
    n = samples(seconds * 0.8)
    rough = noise.coloured(rng, n, 5.0, 40, 2600) * np.clip(0.6 + 0.6 * noise.drift(rng, n, 22.0), 0.05, 1.5)
    grit = noise.coloured(rng, n, 1.0, 900, 6000) * np.clip(noise.drift(rng, n, 34.0), 0, 1) ** 2
    shape = envelopes.sustain(n, min(0.25, seconds / 5), 0.08)
    bus = Bus(scene.n, 1)
    bus.add((rough * 0.5 + grit * 0.22) * shape, 0, about(rng, 0.8, 0.05))
    bus.add(strike("stone", Blow(3.2, 1.0, -0.4), scene.asset, rng, 0.8), n, 1.2)
    bus.add(osc.ring([41, 66], [0.5, 0.3], [0.9, 0.5], samples(0.7)), n, 0.8)
    return reverb.add_space(bus.audio, "chamber", 0.3)


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
    cylinders = 2 if reading.says("motorcycle") else 4
    return _combustion(scene, rate * 2.0 ** (-0.4 * reading.size), cylinders, 0.35)


def firing_rate(scene: Scene, rate: float) -> Audio:
    """Firings a second over the take: steady when idling or looping, else starting, revving or stopping."""
    reading, n = scene.reading, scene.n
    driving = 2.3 if reading.says("driving", "fast", "racing", "high", "full") else 1.0
    base = rate * driving * between(scene.asset, 0.92, 1.1)
    if reading.says("rev", "accelerate", "acceleration") and not scene.loop:
        return base * envelopes.curve(n, ((0, 1.0), (0.12, 1.1), (0.45, 3.6), (0.6, 3.3), (1.0, 1.0)))
    if reading.says("start", "startup", "ignition") and not scene.loop:
        return base * envelopes.curve(n, ((0, 0.3), (0.3, 0.35), (0.42, 1.9), (0.65, 1.1), (1.0, 1.0)))
    if reading.says("stop", "shutdown", "off") and not scene.loop:
        return base * envelopes.curve(n, ((0, 1.0), (0.4, 0.8), (1.0, 0.12)))
    return base * (1.0 + 0.018 * noise.drift(scene.rng, n, 2.5))


def _combustion(scene: Scene, rate: float, cylinders: int, chop: float) -> Audio:
    """A pulse for each firing, no two cylinders alike, through exhaust resonances, with intake noise."""
    rng, n = scene.rng, scene.n
    hz = firing_rate(scene, rate)
    phase = np.cumsum(osc.whole_cycles(hz, cylinders) if scene.loop else hz) / RATE
    part = phase % 1.0
    uneven = scene.asset.uniform(0.72, 1.0, cylinders)
    strength = uneven[(np.floor(phase).astype(np.int64)) % cylinders]
    pulse = (np.exp(-part * 7.0) - 0.25 * np.exp(-part * 2.2)) * strength
    blast = noise.coloured(rng, n, 2.0, 120, 4500) * np.exp(-part * (5.0 + 6.0 * chop)) * strength
    pipe = np.array((82, 165, 310, 540, 980)) * between(scene.asset, 0.88, 1.12)
    coarse = hz[np.linspace(0, n - 1, 33).astype(int)] / float(np.mean(hz))

    def exhaust(f: Audio, at: Audio) -> Audio:
        lift = np.interp(at, np.linspace(0, 1, 33), coarse)
        tubes = filters.resonances(f, pipe, (1.2, 1.0, 0.8, 0.5, 0.35), 3.0)
        return np.asarray((tubes + 0.12) * filters.low_pass_gain(f, 4200.0 * lift**0.8, 1))

    sound = filters.time_varying(pulse * 0.9 + blast * (0.20 + 0.35 * chop), exhaust, 2048, scene.loop)
    valve = noise.coloured(rng, n, -1.0, 2500, 9000) * np.exp(-((part - 0.5) ** 2) / 0.002) * 0.02
    sound = mixing.saturate(mixing.at_peak(sound), 1.8) + valve
    return np.asarray(
        sound if scene.loop else sound * envelopes.sustain(n, 0.05, min(0.3, scene.seconds / 4))
    )


def _turbine(scene: Scene) -> Audio:
    """A roar and several whines that share a shaft."""
    rng, n = scene.rng, scene.n
    shaft = firing_rate(scene, 310.0)
    phase = np.cumsum(osc.whole_cycles(shaft) if scene.loop else shaft) / RATE
    whine = np.zeros(n)
    for order, level in ((3, 0.25), (5, 0.4), (7, 0.3), (12, 0.16), (17, 0.08)):
        whine += level * np.sin(2 * np.pi * (order * phase + rng.random()))
    roar = noise.coloured(rng, n, 3.5, 40, 9000) * (0.85 + 0.15 * noise.drift(rng, n, 6.0))
    sound = roar * 0.42 + whine * 0.22
    return sound if scene.loop else sound * envelopes.sustain(n, 0.15, min(0.5, scene.seconds / 3))


def _starship(scene: Scene) -> Audio:
    """A deep hum of stacked fifths that beats slowly, with air noise."""
    rng, n = scene.rng, scene.n
    base = between(scene.asset, 46, 62) * 2.0 ** (-0.5 * scene.reading.size)
    out = np.zeros(n)
    for order, level in ((1, 1.0), (1.5, 0.5), (2, 0.6), (3, 0.35), (4, 0.2), (6, 0.12), (9, 0.06)):
        for side in (-1, 1):
            cycles = max(1, round((base * order + side * 0.35) * n / RATE))
            out += level * np.sin(2 * np.pi * (np.arange(n) * (cycles / n) + rng.random()))
    air = noise.coloured(rng, n, 3.0, 90, 3000) * (0.8 + 0.2 * noise.drift(rng, n, 0.8))
    sound = out * 0.16 * (0.9 + 0.1 * noise.drift(rng, n, 1.3)) + air * 0.10
    return sound if scene.loop else sound * envelopes.sustain(n, 0.2, min(0.6, scene.seconds / 3))


def alarm(scene: Scene) -> Audio:
    """A siren that sweeps, a klaxon that repeats, or beeps."""
    reading, n = scene.reading, scene.n
    if reading.says("siren", "air_raid", "police"):
        swings = max(1, round(scene.seconds * 0.4))
        swing = 0.5 - 0.5 * np.cos(2 * np.pi * swings * np.arange(n) / n)
        depth = about(scene.rng, 1.05, 0.05)
        hz = 420.0 * 2.0 ** (depth * swing) * between(scene.asset, 0.9, 1.1) * about(scene.rng, 1.0, 0.02)
        sound = filters.low_pass(osc.tone("saw", osc.whole_cycles(hz), n), 3500.0, 2, scene.loop)
        return sound if scene.loop else sound * envelopes.sustain(n, 0.03, 0.1)
    klaxon = reading.says("klaxon", "alarm", "warning", "red_alert")
    period = 0.72 if klaxon else 0.30
    count = max(1, round(scene.seconds / period))
    bus = Bus(n, 1, scene.loop)
    base = midi_hz(round(between(scene.asset, 66, 73))) * (0.6 if klaxon else 1.5)
    for k in range(count):
        length = samples(min(period * (0.62 if klaxon else 0.42), scene.seconds / count * 0.7))
        pitch = base * (1.0 if not klaxon or k % 2 == 0 else 0.84) * about(scene.rng, 1.0, 0.003)
        beep = osc.tone("saw" if klaxon else "pulse", pitch, length, 0.0, 0.3)
        beep = beep + 0.5 * osc.tone("saw", pitch * 1.5, length)
        beep = filters.low_pass(beep, 3800.0) * envelopes.sustain(length, 0.006, 0.03)
        bus.add(beep, int(k * n / count), 0.6)
    return bus.audio


def robot(scene: Scene) -> Audio:
    """Robot speech: quick pitch steps."""
    rng, asset = scene.rng, scene.asset
    bus = Bus(scene.n, 1, scene.loop)
    at, end = 0.0, scene.seconds if scene.loop else scene.scaled(1.2)
    scale = (0, 2, 4, 7, 9, 12, 14, 16, 19)
    root = round(between(asset, 69, 78))
    while at < end - 0.03:
        length = float(rng.choice([0.04, 0.06, 0.06, 0.09, 0.14]))
        n = samples(length)
        first, last = (midi_hz(root + scale[int(k)]) for k in rng.integers(0, len(scale), 2))
        phase = osc.cycles(envelopes.curve(n, ((0, first), (1, last))), n)
        tone = np.sin(2 * np.pi * phase + 1.6 * np.sin(4 * np.pi * phase))
        bus.add(tone * envelopes.sustain(n, 0.003, 0.015), samples(at), between(rng, 0.4, 0.8))
        at += length + float(rng.choice([0.0, 0.01, 0.03, 0.09]))
    return bus.audio


_MAINS_HZ = 50.0


def electric(scene: Scene) -> Audio:
    """A hum if the prompt asks for one, else arcs; a zap is one short arc."""
    reading, n = scene.reading, scene.n
    if scene.loop or reading.says("hum", "buzz", "transformer", "static", "power_line"):
        arcing = reading.says("spark", "arcing", "crackle")
        sparks = arcs(scene.rng, n, 0.25, True) if arcing else 0.0
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
    bus = Bus(n, 1, loop)
    gate = np.clip(noise.drift(rng, n, 13.0) * 1.6 + density - 0.6, 0.0, 1.0)
    buzz = np.sign(np.sin(2 * np.pi * np.cumsum(96.0 * (1.0 + 0.3 * noise.drift(rng, n, 25.0))) / RATE))
    torn = noise.coloured(rng, n, -1.0, 1200, 14000) * (0.5 + 0.5 * buzz) * gate
    bus.add(torn, 0, 0.32)
    times = poisson(rng, n, 60.0 * density)
    scatter(bus, rng, times, _snap, 1.0)
    return bus.audio


def _snap(rng: Rng) -> Audio:
    n = samples(0.006)
    return rng.standard_normal(n) * envelopes.decay(n, rng.uniform(0.001, 0.006), 0.0001) * 0.6
