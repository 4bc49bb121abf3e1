"""Creatures: a throat (pulses with roughness, or breath) behind a mouth (moving formants)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, mixing, noise
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.envelopes import breakpoints
from pipeline.generators.sketch.dsp.mixing import Bus
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng, about, between, samples
from pipeline.generators.sketch.sfx.reading import Scene

Points = list[tuple[float, float]]
"""(Position in the call from 0 to 1, value)."""


class Voice(NamedTuple):
    """A call of a creature of medium size (about a wolf)."""

    rough: float
    """Flutter of the throat from 0 to 1: growling."""
    breath: float
    """Share of air against tone."""
    seconds: float
    formants: tuple[float, ...]
    """Three, in Hz."""
    flutter_hz: float
    pitch: Points
    """Hz."""
    mouth: Points
    """Openness: 0 shut to 1 wide open."""
    level: Points


_VOICES = """
growl     0.85   0.35   1.4    480   1150  2500    27
  pitch   0:62 0.4:74 0.8:66 1:54
  mouth   0:0.1 0.5:0.35 1:0.1
  level   0:0 0.2:0.8 0.7:1 1:0
roar      0.6    0.45   1.8    480   1150  2500    27
  pitch   0:85 0.25:150 0.6:128 1:62
  mouth   0:0.2 0.25:1 0.65:0.85 1:0.15
  level   0:0 0.12:0.9 0.3:1 0.7:0.8 1:0
groan     0.35   0.35   1.5    480   1150  2500    19
  pitch   0:92 0.3:108 1:70
  mouth   0:0.15 0.4:0.5 1:0.1
  level   0:0 0.25:1 0.6:0.7 1:0
grunt     0.4    0.35   0.32   480   1150  2500    27
  pitch   0:120 0.3:145 1:85
  mouth   0:0.3 0.3:0.7 1:0.2
  level   0:0 0.15:1 0.5:0.7 1:0
bark      0.4    0.3    0.22   480   1150  2500    27
  pitch   0:230 0.25:380 1:180
  mouth   0:0.1 0.3:1 1:0.1
  level   0:0 0.15:1 0.5:0.6 1:0
howl      0.04   0.1    2.6    520   900   2400    27
  pitch   0:250 0.2:470 0.7:500 1:330
  mouth   0:0.2 0.3:0.6 0.8:0.5 1:0.2
  level   0:0 0.2:0.9 0.7:1 1:0
screech   0.55   0.4    0.9    1300  2700  4600    55
  pitch   0:700 0.2:1350 0.6:1150 1:800
  mouth   0:0.4 0.3:1 1:0.5
  level   0:0 0.1:1 0.6:0.8 1:0
squeak    0.05   0.08   0.16   1600  3200  5200    27
  pitch   0:1100 0.3:1750 0.6:1500 1:1250
  mouth   0:0.3 0.4:0.8 1:0.3
  level   0:0 0.2:1 0.7:0.7 1:0
chatter   0.35   0.25   0.2    620   1700  2900    40
  pitch   0:240 0.3:310 0.7:220 1:270
  mouth   0:0.2 0.3:0.8 0.6:0.3 1:0.6
  level   0:0 0.2:1 0.7:0.8 1:0
meow      0.05   0.1    0.6    700   1500  3000    27
  pitch   0:480 0.35:720 1:430
  mouth   0:0.1 0.4:1 1:0.2
  level   0:0 0.2:1 0.7:0.7 1:0
wail      0.06   0.45   2.4    600   1000  2800    27
  pitch   0:330 0.35:620 0.7:540 1:260
  mouth   0:0.3 0.5:0.7 1:0.3
  level   0:0 0.35:1 0.7:0.8 1:0
"""
"""Each voice: roughness, breath, seconds, three formants in Hz, flutter in Hz; then its breakpoints over the call."""


def _read_voices(table: str) -> dict[str, Voice]:
    voices = {}
    lines = table.strip().splitlines()
    for k in range(0, len(lines), 4):
        name, *numbers = lines[k].split()
        rough, breath, seconds, *formants, flutter_hz = map(float, numbers)
        pitch, mouth, level = (breakpoints(line.split(maxsplit=1)[1]) for line in lines[k + 1 : k + 4])
        voices[name] = Voice(rough, breath, seconds, tuple(formants), flutter_hz, pitch, mouth, level)
    return voices


VOICES = _read_voices(_VOICES)

_CALLS: tuple[tuple[str, str], ...] = (
    ("hiss", "hiss snake cobra serpent"),
    ("squelch", "slime blob ooze jelly"),
    ("squeak", "squeak rat mouse bat chirp hamster"),
    ("howl", "howl"),
    ("bark", "bark dog"),
    ("meow", "meow cat kitten"),
    ("screech", "screech shriek scream bird eagle harpy spider alien insect pterodactyl"),
    ("wail", "wail ghost banshee spirit"),
    ("grunt", "grunt hurt pain oof pig orc ogre attack_grunt effort"),
    ("groan", "groan moan zombie undead ghoul mummy idle_groan"),
    ("chatter", "goblin imp chatter gremlin laugh giggle"),
    ("roar", "roar dragon lion dinosaur bear boss giant titan"),
    ("growl", "growl snarl wolf monster beast demon"),
)


def call_name(scene: Scene) -> str:
    """Which call the prompt names; a sound's own name counts before its owner."""
    named = [name for name, words in _CALLS if scene.reading.says(words.split()[0])]
    owned = [name for name, words in _CALLS if scene.reading.says(*words.split())]
    return (named or owned or ["growl"])[0]


def creature(scene: Scene) -> Audio:
    """One call, or a few short ones; large creatures are lower, slower and rougher."""
    name = call_name(scene)
    if name == "hiss":
        return _hiss(scene)
    if name == "squelch":
        return _squelch(scene)
    voice = VOICES[name]
    size = scene.reading.size + (0.6 if scene.reading.says("dragon", "dinosaur", "titan", "boss") else 0.0)
    repeats = {"squeak": 3, "bark": 2, "chatter": 4}.get(name, 1)
    bus = Bus(scene.n, 1)
    at = 0.0
    for _ in range(repeats):
        natural = voice.seconds * 2.0 ** (0.45 * size) * about(scene.rng, 1.0, 0.15)
        length = min(natural, max(0.05, scene.seconds - at))
        bus.add(_speak(voice, scene, length, 2.0 ** (-0.75 * size)), samples(at))
        at += length * 1.25 + between(scene.rng, 0.01, 0.06)
        if at > scene.seconds - 0.06:
            break
    return mixing.saturate(mixing.at_peak(bus.audio), 1.2 + 0.8 * max(0.0, scene.reading.force))


def _speak(voice: Voice, scene: Scene, seconds: float, scale: float) -> Audio:
    rng, n = scene.rng, samples(seconds)
    identity = between(scene.asset, 0.9, 1.12)
    hz = envelopes.curve(n, voice.pitch) * scale * identity * about(rng, 1.0, 0.07)
    hz = hz * (1.0 + 0.025 * noise.drift(rng, n, 9.0) + 0.10 * voice.rough * noise.drift(rng, n, 34.0))
    source = _throat(voice, rng, hz, n)
    shift = scale**0.55 * identity

    def mouth(f: Audio, at: Audio) -> Audio:
        wide = np.interp(at, [place for place, _ in voice.mouth], [value for _, value in voice.mouth])
        first, second, third = voice.formants
        shape = 1.3 * filters.resonance(f, first * shift * (0.65 + 0.75 * wide), 4.0)
        shape = shape + 0.9 * filters.resonance(f, second * shift * (0.85 + 0.3 * wide), 5.0)
        shape = shape + (0.25 + 0.35 * wide) * filters.resonance(f, third * shift, 5.0)
        dull = filters.low_pass_gain(f, 1500.0 + 8000.0 * wide, 1)
        return np.asarray((shape + 0.08) * (dull * filters.high_pass_gain(f, 75.0 * scale**0.4)))

    sound = filters.time_varying(source, mouth, 1024 if seconds > 0.3 else 512)
    catch = 1.0 - 0.35 * voice.rough * np.clip(noise.drift(rng, n, 14.0), 0, 1)
    sound = sound * envelopes.line(n, voice.level) * catch
    return mixing.saturate(mixing.at_peak(sound), 1.0 + 0.8 * voice.rough) * envelopes.sustain(n, 0.006, 0.04)


def _throat(voice: Voice, rng: Rng, hz: Audio, n: int) -> Audio:
    """Pulses whose strength flutters (which makes a growl), an octave below now and then, and breath."""
    phase = osc.cycles(hz, n)
    saw = osc.wave(1.0 / np.arange(1, osc.partials_below(float(np.max(hz)), 60) + 1), phase)
    if voice.rough > 0.3:
        under = osc.wave(1.0 / np.arange(1, 41) ** 0.9, phase * 0.5)
        saw = saw + voice.rough * 0.8 * under * np.clip(0.5 + noise.drift(rng, n, 5.0), 0, 1)
    wobble = voice.flutter_hz * (1.0 + 0.25 * noise.drift(rng, n, 6.0))
    flutter = 1.0 - voice.rough * (0.5 + 0.5 * np.sin(2 * np.pi * np.cumsum(wobble) / RATE)) * 0.85
    pulse = (1.0 - (phase % 1.0)) ** 2
    air = rng.standard_normal(n) * (0.35 + 0.65 * pulse)
    return (saw + air * voice.breath * 1.2) * flutter


def _hiss(scene: Scene) -> Audio:
    rng = scene.rng
    n = samples(scene.scaled(about(rng, 1.1, 0.12)))
    centre = 5200.0 * 2.0 ** (-0.6 * scene.reading.size) * between(scene.asset, 0.85, 1.15)

    def teeth(hz: Audio, at: Audio) -> Audio:
        return noise.bell(hz, centre * (0.85 + 0.3 * at), 0.45) + 0.4 * noise.bell(hz, centre * 1.9, 0.3)

    rough = rng.standard_normal(n) * (0.8 + 0.2 * noise.drift(rng, n, 40.0))
    level = envelopes.line(n, ((0, 0), (0.12, 0.8), (0.4, 1.0), (0.75, 0.6), (1, 0)))
    return filters.time_varying(rough, teeth, 512) * level


def _squelch(scene: Scene) -> Audio:
    rng = scene.rng
    n = samples(scene.scaled(0.7))
    wet = rng.standard_normal(n) * np.clip(0.5 + 0.7 * noise.drift(rng, n, 24.0), 0, 1.2)
    base = between(scene.asset, 280, 480) * 2.0 ** (-0.6 * scene.reading.size)
    turn = between(rng, 0.35, 0.6)

    def mouth(hz: Audio, at: Audio) -> Audio:
        centre = base * (1.0 + 1.8 * np.exp(-(((at - turn) / 0.22) ** 2)))
        return filters.resonance(hz, centre, 6.0) + 0.5 * filters.resonance(hz, centre * 2.6, 6.0)

    level = envelopes.line(n, ((0, 0), (0.1, 1), (0.4, 0.5), (0.6, 0.9), (1, 0)))
    return filters.time_varying(wet, mouth, 512) * level
