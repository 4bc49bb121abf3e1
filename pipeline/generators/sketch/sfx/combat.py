"""Weapons and spells: whoosh, explosion, gunshot, laser, magic."""

from __future__ import annotations

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, mixing, noise, reverb
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.mixing import Bus, poisson, scatter
from pipeline.generators.sketch.dsp.units import RATE, Audio, about, between, midi_hz, samples
from pipeline.generators.sketch.sfx.elements import flames
from pipeline.generators.sketch.sfx.materials import grain
from pipeline.generators.sketch.sfx.mechanisms import arcs
from pipeline.generators.sketch.sfx.reading import Scene


def whoosh(scene: Scene) -> Audio:
    """Air around something that passes by: its band and level rise, then fall."""
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
        low = 0.25 * noise.bell(hz, 180.0, 0.8)
        return np.asarray(noise.bell(hz, centre, 0.75) + 0.25 * noise.bell(hz, centre * 2.7, 0.5) + low)

    rough = rng.standard_normal(n) * (0.75 + 0.25 * noise.drift(rng, n, 40.0))
    sound = filters.time_varying(rough, air, 512) * envelopes.swell(n, peak, 2.6)
    if reading.says("sword", "blade", "slash", "katana"):
        edge = np.zeros(n)
        for f in (3150.0, 4420.0, 5870.0):
            edge += osc.sine(envelopes.curve(n, ((0, f * 0.97), (peak, f * 1.03), (1, f * 0.94))), n)
        sound = sound + edge * envelopes.swell(n, peak + 0.08, 4.0) * 0.03
    if reading.says("flap", "wing"):
        sound = sound * (0.4 + 0.6 * np.sin(np.pi * np.linspace(0, 1, n)) ** 2)
    return mixing.at_peak(sound)


def explosion(scene: Scene) -> Audio:
    """A crack, a blast that gets darker, a boom that falls below 40 Hz, and rubble."""
    reading, rng = scene.reading, scene.rng
    n = scene.n
    size = 2.0 ** (0.8 * reading.size + 0.3 * reading.force)
    tail = float(np.clip(2.6 * size, 0.5, max(0.4, 1.25 * scene.seconds)))
    bus = Bus(n, 1)
    start = samples(0.003)
    crack = noise.burst(rng, 0.12, 0.07, 0.0, 300, 14000, 0.0004)
    bus.add(crack, start, 0.35 * (1.0 - 0.8 * reading.distance))

    def darker(hz: Audio, at: Audio) -> Audio:
        cutoff = 90.0 + 5200.0 * np.exp(-at * scene.seconds / (0.16 * size))
        return filters.low_pass_gain(hz, cutoff, 1) / (1 + (hz / 300.0) ** 0.6)

    blast = filters.time_varying(rng.standard_normal(n), darker)
    bus.add(mixing.at_peak(blast * envelopes.decay(n, tail * 0.55, 0.004)), start, 0.9)
    low = osc.sine(about(rng, 31.0, 0.08) / size**0.3 + 75.0 * envelopes.fall(n, 0.07), n)
    bus.add(low * envelopes.decay(n, tail * 0.6, 0.005), start, 0.9)
    rumble = noise.coloured(rng, n, 6.0, 22, 260) * (0.65 + 0.35 * noise.drift(rng, n, 9.0))
    bus.add(rumble * envelopes.decay(n, tail, 0.12), start, 0.30)
    if not reading.says("magic", "energy", "plasma", "underwater"):
        times = (0.12 + rng.gamma(1.6, 0.22 * size, int(55 * size))) * RATE
        scatter(bus, rng, times, lambda r: grain("stone", r, about(r, 0.55, 0.6)) * 0.10, 0.9)
    return mixing.saturate(mixing.at_peak(bus.audio), 2.4)


def gunshot(scene: Scene) -> Audio:
    """A supersonic crack, the muzzle's thump, the action's click, and the echo of open land."""
    reading, rng = scene.reading, scene.rng
    heavy = 1.2 if reading.says("rifle", "sniper") else 0.9
    if reading.says("shotgun", "cannon", "musket"):
        heavy = 1.5
    silenced = reading.says("silenced", "suppressed", "silencer")
    bus = Bus(scene.n, 1)
    times = [0.002]
    if reading.says("machine_gun", "burst", "automatic"):
        times = [0.002 + 0.085 * k for k in range(max(3, int(scene.scaled(0.8) / 0.085)))]
    for at in times:
        bus.add(_shot(scene, heavy * about(rng, 1.0, 0.05), silenced), samples(at))
    click_at = samples(times[-1] + between(rng, 0.10, 0.14))
    for k in range(3):
        bus.add(grain("metal", rng, 1.0), click_at + samples(0.02 * k), 0.05)
    return bus.audio


def _shot(scene: Scene, heavy: float, silenced: bool) -> Audio:
    rng, n = scene.rng, samples(1.0)
    crack = noise.coloured(rng, n, 1.0, 250, 12000) * envelopes.decay(n, 0.09 * heavy, 0.0003)
    body = noise.coloured(rng, n, 5.0, 60, 1500) * envelopes.decay(n, 0.24 * heavy, 0.001)
    thump = osc.sine(62.0 / heavy + 150.0 * envelopes.fall(n, 0.012), n) * envelopes.decay(n, 0.22 * heavy)
    if silenced:
        return filters.low_pass(crack * 0.25 + body * 0.12 + thump * 0.2, 3500.0)
    return mixing.saturate(crack * 0.9 + body * 0.5 + thump, 3.0)


def laser(scene: Scene) -> Audio:
    """A frequency-modulated tone that falls (or rises, when charging), with a snap of noise."""
    reading, rng, asset = scene.reading, scene.rng, scene.asset
    charging = reading.says("charge", "power_up", "load")
    beam = reading.says("beam", "continuous", "ray") or scene.loop
    natural = 1.6 if beam else 1.1 if charging else 0.38 * 2.0 ** (0.6 * reading.size - 0.4 * reading.speed)
    n = scene.n if beam else samples(scene.scaled(about(rng, natural, 0.06)))
    top = between(asset, 1900, 2900) * 2.0 ** (-0.8 * reading.size + 0.6 * reading.brightness)
    top *= about(rng, 1.0, 0.06)
    bottom = top * between(asset, 0.07, 0.14)
    if beam:
        hz: Audio = (bottom * 2.2) * (1.0 + 0.04 * noise.drift(rng, n, 11.0))
    elif charging:
        hz = envelopes.curve(n, ((0.0, bottom), (0.85, top), (1.0, top * 1.05)))
    else:
        hz = envelopes.curve(n, ((0.0, top), (0.18, top * 0.55), (0.6, bottom * 1.7), (1.0, bottom)))
    sound = _ray(scene, hz, n)
    if beam:
        sound = sound * (0.8 + 0.2 * noise.drift(rng, n, 18.0))
        return sound if scene.loop else sound * envelopes.sustain(n, 0.02, 0.15)
    if charging:
        return sound * envelopes.line(n, ((0, 0.15), (0.9, 1.0), (1.0, 0.0)))
    snap = noise.coloured(rng, n, 0.0, 1200, 12000) * envelopes.decay(n, 0.05, 0.0004) * 0.3
    low = osc.sine(envelopes.curve(n, ((0, 320.0), (0.3, 70.0), (1, 50.0))), n)
    thump = low * envelopes.decay(n, 0.16) * 0.6
    return sound * envelopes.decay(n, n / RATE * 1.15, 0.0012) + snap + thump


def _ray(scene: Scene, hz: Audio, n: int) -> Audio:
    if scene.reading.manner == "retro":
        return osc.tone("square", np.repeat(hz[::400], 400)[:n], n) * 0.7
    ratio = float(scene.asset.choice([1.41, 1.5, 2.0, 2.76]))
    if scene.loop:
        hz = osc.whole_cycles(hz)
        ratio = 2.0
    phase = osc.cycles(hz, n)
    index = 1.8 + 0.8 * scene.reading.force + 0.4 * scene.reading.brightness
    main = np.sin(2 * np.pi * phase + index * np.sin(2 * np.pi * ratio * phase))
    twin = np.sin(2 * np.pi * (phase * (1.0 if scene.loop else 1.007) + 0.2))
    return np.asarray(0.62 * main + 0.38 * twin)


_BRIGHT = (0, 2, 4, 6, 7, 9, 11)
_DARK = (0, 1, 3, 6, 7, 8, 10)


def magic(scene: Scene) -> Audio:
    """A spell: it builds up, is released at about a third, and rings out."""
    reading = scene.reading
    dark = reading.says(
        "dark", "curse", "evil", "shadow", "necromancy", "demonic", "death", "poison", "blood"
    )
    moment = 0.5 if scene.loop else min(0.34, 0.45 / scene.seconds if scene.seconds > 1.5 else 0.3)
    root = round(between(scene.asset, 50, 61)) - (12 if dark else 0) - round(5 * reading.size)
    bus = Bus(scene.n, 1, scene.loop)
    bus.add(_chord(scene, root, dark, moment), 0, 0.55)
    _sparks(scene, bus, root, dark, moment)
    bus.add(_breath(scene, moment, dark), 0, 0.22)
    bus.add(_release(scene, root, dark), int(moment * scene.n), 0.5)
    bus.add(_element(scene), int(moment * scene.n * 0.8), 0.8)
    return reverb.add_space(mixing.at_peak(bus.audio), "plate", 0.45, scene.loop)


def _swell(scene: Scene, moment: float) -> Audio:
    if scene.loop:
        return 0.8 + 0.2 * noise.drift(scene.rng, scene.n, 0.7)
    points = ((0, 0.0), (moment, 1.0), (min(0.98, moment + 0.25), 0.55), (1.0, 0.0))
    return envelopes.line(scene.n, points) ** 1.5


def _chord(scene: Scene, root: float, dark: bool, moment: float) -> Audio:
    """A chord of many voices that swells until the release."""
    steps = (0, 6, 13, 15) if dark else (0, 7, 16, 18)
    n = scene.n
    out = np.zeros(n)
    size = 1 << 16
    for step in steps:
        hz = midi_hz(root + step)
        order = np.arange(1, osc.partials_below(hz, 14) + 1)
        table = osc.ensemble(hz, 1.0 / order**1.3, 30.0, scene.rng, size)
        if scene.loop:
            out += noise.shaped(scene.rng, n, lambda f, hz=hz: _comb(f, hz)) / len(steps)  # type: ignore[misc]
        else:
            out += table[np.arange(n) % size] / len(steps)
    return out * _swell(scene, moment) * 0.5


def _comb(f: Audio, hz: float) -> Audio:
    """Narrow bands on the first harmonics of ``hz``, for voices that loop at any length."""
    return np.asarray(np.sum([noise.bell(f, hz * k, 0.012) / k**1.3 for k in range(1, 8)], axis=0))


def _sparks(scene: Scene, bus: Bus, root: float, dark: bool, moment: float) -> None:
    """Small bells that rise until the release, or fall in a curse."""
    rng, reading = scene.rng, scene.reading
    scale = _DARK if dark else _BRIGHT
    rising = not (dark or reading.says("descending", "down", "debuff", "dispel"))
    rate = 22.0 if reading.says("sparkle", "shimmer", "fairy", "heal") else 13.0
    for at in poisson(rng, scene.n, rate):
        place = at / scene.n
        climb = place / max(moment * 1.6, 0.05) if rising else 1.0 - place
        degree = int(np.clip(climb, 0.0, 1.4) * 10 + rng.integers(-2, 4))
        octave, step = divmod(degree, 7)
        hz = midi_hz(root + 24 + 12 * octave + scale[step])
        n = samples(between(rng, 0.25, 0.7))
        bell = osc.ring([hz, hz * 2.76, hz * 5.4], [n / RATE, n / RATE * 0.4, 0.05], [1.0, 0.25, 0.1], n)
        fade = 1.0 if scene.loop else float(np.interp(place, [0, moment, 1.0], [0.35, 1.0, 0.05]))
        bus.add(bell, int(at), 0.30 * fade * about(rng, 1.0, 0.4))


def _breath(scene: Scene, moment: float, dark: bool) -> Audio:
    """Air that is drawn in and released."""
    top = 1400.0 if dark else 4200.0

    def air(hz: Audio, at: Audio) -> Audio:
        near = np.exp(-(((at - moment) / 0.3) ** 2))
        return noise.bell(hz, top * (0.25 + near), 0.8)

    wind = filters.time_varying(scene.rng.standard_normal(scene.n), air, 1024, scene.loop)
    return wind * _swell(scene, moment)


def _release(scene: Scene, root: float, dark: bool) -> Audio:
    """The release: a soft blow that falls in pitch (or, for healing, a tone that rises)."""
    n = samples(min(1.2, scene.seconds * 0.6))
    lift = scene.reading.says("heal", "buff", "power_up", "powerup", "teleport", "summon")
    hz = midi_hz(root + (12 if lift else 0))
    path = ((0, 1.0), (0.5, 2.0), (1, 2.0)) if lift else ((0, 2.5), (0.25, 0.6), (1, 0.4))
    tone = osc.sine(envelopes.curve(n, [(at, hz * step) for at, step in path]), n) * envelopes.decay(
        n, n / RATE, 0.012
    )
    puff = noise.coloured(scene.rng, n, 4.0, 60, 900 if dark else 2500) * envelopes.decay(n, 0.4, 0.01)
    return tone * (0.4 if lift else 0.7) + puff * (0.10 if lift else 0.25)


def _element(scene: Scene) -> Audio:
    """The sound of the element that the prompt names: fire, lightning or ice; else silence."""
    reading, rng = scene.reading, scene.rng
    n = samples(min(1.6, scene.seconds * 0.65))
    fall = envelopes.decay(n, n / RATE * 1.2, 0.03)
    if reading.says("fire", "fireball", "flame", "burning", "inferno"):
        return flames(rng, n, 1.0) * fall * 2.2
    if reading.says("lightning", "electric", "thunder", "shock", "storm"):
        return arcs(rng, n, 1.0) * fall * 1.6
    if reading.says("ice", "frost", "frozen", "crystal", "cold"):
        bus = Bus(n, 1)
        times = np.minimum(rng.gamma(1.2, 0.16, 60), n / RATE) * RATE
        scatter(bus, rng, times, lambda r: grain("glass", r, 1.1) * 0.3, 0.8)
        return bus.audio
    return np.zeros(n)
