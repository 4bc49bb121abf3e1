"""Interface sounds: small, clear gestures whose direction says what happened."""

from __future__ import annotations

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, mixing, noise
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.mixing import Bus
from pipeline.generators.sketch.dsp.units import Audio, about, between, midi_hz, samples
from pipeline.generators.sketch.sfx.reading import Scene


def _key(scene: Scene) -> float:
    """The pitch this asset is built on, the same for all its variations; MIDI note."""
    base = 76 + 6 * scene.reading.brightness - 5 * scene.reading.size
    return round(base + between(scene.asset, -3.5, 3.5))


def _voice(scene: Scene, hz: float, seconds: float) -> Audio:
    """One note in the manner of the game: square wave, glassy FM, wooden bar, or a soft bell."""
    n = samples(seconds)
    hz = about(scene.rng, hz, 0.006)
    manner = scene.reading.manner
    if manner == "retro":
        return osc.tone("pulse", hz, n, 0.0, 0.25) * envelopes.sustain(n, 0.001, 0.5 * seconds) * 0.6
    if manner == "sci-fi":
        phase = osc.cycles(hz, n)
        glow = envelopes.decay(n, seconds * 0.6)
        tone = np.sin(2 * np.pi * phase + 1.4 * glow * np.sin(4.02 * np.pi * phase))
        return np.asarray(tone * envelopes.decay(n, seconds, 0.003))
    if manner == "fantasy" or scene.reading.material == "wood":
        return osc.ring([hz, hz * 3.93, hz * 9.2], [seconds * 0.7, seconds * 0.22, 0.03], [1, 0.25, 0.1], n)
    t60 = [seconds, seconds * 0.6, seconds * 0.35, 0.06]
    soft = osc.ring([hz, 2 * hz, 3.01 * hz, 5.2 * hz], t60, [1, 0.28, 0.10, 0.05], n)
    return soft * envelopes.sustain(n, 0.002, 0.3 * seconds)


def _tick(scene: Scene, hz: float, level: float) -> Audio:
    """The first milliseconds of a touch."""
    n = samples(0.03)
    click = osc.ring([hz, hz * 1.73, hz * 2.9], [0.018, 0.012, 0.006], [0.8, 0.5, 0.3], n, [0.25, 0.1, 0.4])
    touch = 0.4 * noise.coloured(scene.rng, n, 0.0, 1500, 12000) * envelopes.decay(n, 0.006, 0.0002)
    return level * (click + touch)


def _melody(scene: Scene, steps: tuple[float, ...], gap: float, last: float, base: float) -> Bus:
    bus = Bus(scene.n, 1, scene.loop)
    room = max(0.02, min(gap, scene.seconds / (len(steps) + 1)))
    for k, step in enumerate(steps):
        final = k == len(steps) - 1
        length = min(last, max(0.05, scene.seconds - k * room)) if final else max(0.05, room * 1.6)
        bus.add(_voice(scene, midi_hz(base + step), length), samples(0.002 + k * room), 1.0 if final else 0.8)
    return bus


def click(scene: Scene) -> Audio:
    """A button: a tick down and, a moment later, a softer tick up."""
    bus = Bus(scene.n, 1, scene.loop)
    hz = midi_hz(_key(scene) + 18) * about(scene.rng, 1.0, 0.05)
    if scene.reading.manner == "retro":
        bus.add(osc.tone("square", hz * 0.4, samples(0.035)) * envelopes.decay(samples(0.035), 0.05), 0, 0.5)
        return bus.audio
    heavy = scene.reading.says("mechanical", "switch", "heavy", "keyboard", "typing", "lever")
    repeats = max(1, int(scene.seconds / 0.13)) if scene.reading.says("typing", "ticking", "scroll") else 1
    for k in range(repeats):
        at = 0.002 + k * 0.13 * (about(scene.rng, 1.0, 0.25) if k else 1.0)
        bus.add(_tick(scene, hz * (0.55 if heavy else 1.0), 0.9), samples(at))
        bus.add(_tick(scene, hz * 1.3, 0.35), samples(at + between(scene.rng, 0.045, 0.06)))
        body = osc.ring([hz * 0.16, hz * 0.29], [0.05, 0.03], [0.5, 0.35], samples(0.08))
        bus.add(body, samples(at), 1.0 if heavy else 0.5)
    return bus.audio


def hover(scene: Scene) -> Audio:
    """Lighter than a click: a breath of air and one soft note."""
    bus = Bus(scene.n, 1, scene.loop)
    n = samples(0.09)
    air = noise.coloured(scene.rng, n, 0.0, 3000, 10000) * envelopes.swell(n, 0.4, 2.0)
    bus.add(air, 0, 0.06)
    bus.add(_voice(scene, midi_hz(_key(scene) + 12), 0.14), samples(0.004), 0.6)
    return bus.audio


def confirm(scene: Scene) -> Audio:
    """Notes that rise into a consonance: the answer is yes."""
    grand = scene.reading.says("level_up", "levelup", "complete", "success", "upgrade", "achievement")
    shapes = ((0, 4, 7, 12), (0, 7, 12, 16), (0, 5, 9, 12)) if grand else ((0, 5), (0, 7), (0, 4))
    steps = shapes[int(scene.asset.integers(len(shapes)))]
    base = _key(scene)
    bus = _melody(scene, steps, 0.085, 0.7 if grand else 0.42, base)
    bus.add(_voice(scene, midi_hz(base + steps[-1] + 12), 0.35), samples(0.085 * (len(steps) - 1)), 0.25)
    return bus.audio


def error(scene: Scene) -> Audio:
    """Two low, rough notes, the second lower: the answer is no."""
    base = _key(scene) - 24
    fall = float(scene.asset.choice([1.0, 2.0, 3.0, 6.0]))
    back = scene.reading.says("cancel", "back", "close")
    bus = Bus(scene.n, 1, scene.loop)
    room = min(0.12, scene.seconds / 3)
    for k, step in enumerate((0.0, -fall)):
        length = min(0.26 if k else 0.11, scene.seconds)
        n = samples(length)
        hz = midi_hz(base + step + (12 if back else 0)) * about(scene.rng, 1.0, 0.006)
        rough = osc.tone("square" if scene.reading.manner == "retro" else "saw", hz, n)
        rough = rough + osc.tone("saw", hz * 1.06, n) * (0.0 if back else 0.6)
        dull = np.convolve(rough, np.hanning(24) / 12.0, mode="same")
        soft = _voice(scene, hz, length) if back else 0.0
        note = (dull * (0.3 if back else 0.8) + soft) * envelopes.sustain(n, 0.004, length * 0.5)
        bus.add(note, samples(0.002 + k * room))
    return bus.audio


def notify(scene: Scene) -> Audio:
    """Two or three bell notes that ask for attention without hurry."""
    shapes = ((0, 7, 4), (0, 4), (7, 0, 12), (0, 5, 12))
    steps = shapes[int(scene.asset.integers(len(shapes)))]
    bus = _melody(scene, steps, 0.14, 0.9, _key(scene))
    n = samples(min(0.5, scene.seconds))
    bus.add(noise.coloured(scene.rng, n, 0.0, 5000, 12000) * envelopes.swell(n, 0.3, 2.0), 0, 0.015)
    return bus.audio


def coin(scene: Scene) -> Audio:
    """A bright pair, the second a fourth above and ringing; a treasure sparkles on top."""
    base = 83 + round(between(scene.asset, -2.4, 2.4)) + 4 * scene.reading.brightness
    bus = Bus(scene.n, 1, scene.loop)
    gap = min(0.075, scene.seconds / 4)
    for k, (step, length) in enumerate(((0.0, gap * 1.3), (5.0, min(0.75, max(0.06, scene.seconds - gap))))):
        n = samples(length)
        hz = midi_hz(base + step) * about(scene.rng, 1.0, 0.004)
        if scene.reading.manner == "retro":
            note: Audio = osc.tone("square", hz, n) * envelopes.decay(n, length * 1.1) * 0.6
        else:
            t60 = [length, length * 0.7, length * 0.5, 0.1]
            note = osc.ring([hz, hz * 2.0, hz * 2.74, hz * 5.1], t60, [1, 0.3, 0.22, 0.1], n)
            note[: samples(0.004)] += scene.rng.standard_normal(samples(0.004))[: len(note)] * 0.15
        bus.add(note, samples(0.002 + k * gap), 0.8 + 0.2 * k)
    if scene.reading.says("treasure", "gem", "loot", "collectible", "gold"):
        for k, step in enumerate((12, 17, 21, 24)):
            bus.add(_voice(scene, midi_hz(base + step), 0.4), samples(0.12 + 0.05 * k), 0.16)
    return mixing.at_peak(bus.audio)
