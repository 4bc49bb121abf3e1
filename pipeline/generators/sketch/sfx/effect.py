"""One sound effect from its prompt: read, make, place in a space, finish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, mixing, noise, reverb
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.mixing import Bus
from pipeline.generators.sketch.dsp.units import RATE, Audio, Mix, about, between, db, generator, samples
from pipeline.generators.sketch.sfx import (
    ambience,
    combat,
    creatures,
    elements,
    impacts,
    interface,
    mechanisms,
)
from pipeline.generators.sketch.sfx.materials import Blow, strike
from pipeline.generators.sketch.sfx.reading import Scene, SoundReading, read_sound


def fallback(scene: Scene) -> Audio:
    """A steady texture when it loops or is long, else one struck object."""
    return _texture(scene) if scene.loop or scene.seconds > 6.0 else _object(scene)


def _texture(scene: Scene) -> Audio:
    """Air with three faint resonances at frequencies drawn from the prompt."""
    drawn = np.exp(scene.asset.uniform(np.log(150), np.log(2400), 3))
    centres = drawn * 2.0 ** (0.8 * scene.reading.brightness)

    def spectrum(hz: Audio) -> Audio:
        bells = noise.bells(hz, ((centre, 1.0, 0.06) for centre in centres))
        return np.asarray(noise.band_edges(hz, 60, 7000) * (0.25 * noise.power_slope(hz, 4.0) + bells))

    def air() -> Audio:
        still = noise.shaped(scene.rng, scene.n, spectrum)
        return still * (0.8 + 0.2 * noise.drift(scene.rng, scene.n, 0.5)) * 0.2

    return scene.each_channel(air)


def _object(scene: Scene) -> Audio:
    """An unknown object: a soft blow, modes drawn from the prompt, and a little air."""
    reading, asset, rng = scene.reading, scene.asset, scene.rng
    n = samples(scene.scaled(1.2))
    scale = 2.0 ** (0.8 * reading.size - 0.4 * reading.brightness)
    modes = np.sort(np.exp(asset.uniform(np.log(170), np.log(3200), 7))) / scale
    t60 = between(asset, 0.12, 0.6) * scale**0.4 * (modes[0] / modes) ** 0.4
    tone = osc.ring(modes * about(rng, 1.0, 0.01), t60, asset.uniform(0.2, 1.0, 7) * 0.25, n)
    material = reading.material or str(asset.choice(["wood", "stone", "plastic", "cloth", "dirt"]))
    bus = Bus(scene.n, 1)
    blow = Blow(scale, 0.7 + 0.25 * reading.force, reading.brightness)
    bus.add(strike(material, blow, asset, rng, n / RATE), 0, 0.7)
    bus.add(tone, 0)
    centre = between(asset, 500, 2500)
    air = filters.time_varying(
        rng.standard_normal(n), lambda hz, at: noise.bell(hz, centre * (1.2 - 0.6 * at), 0.7), 512
    )
    bus.add(air * envelopes.swell(n, 0.15, 1.0) * envelopes.decay(n, 0.5, 0.02), 0, 0.2)
    return bus.audio


class Family(NamedTuple):
    """A kind of effect: what makes it, and how it is finished."""

    make: Callable[[Scene], Audio]
    """A scene to [samples], or [2, samples] for a loop; shorter than the scene where the sound ends early."""
    level_db: float = -3.0
    room: tuple[str, float] | None = ("dry", 0.0)
    """Space and level of the reverb where the prompt names no space; None: the sound brings its own space."""
    steady: bool = False
    """Sounds for the whole take and is periodic."""


FAMILIES: dict[str, Family] = {
    "footstep": Family(impacts.footstep, -6.0),
    "impact": Family(impacts.impact),
    "jingle": Family(impacts.jingle),
    "scrape": Family(impacts.scrape),
    "rustle": Family(impacts.rustle),
    "bell": Family(impacts.bell),
    "heartbeat": Family(impacts.heartbeat),
    "whoosh": Family(combat.whoosh),
    "explosion": Family(combat.explosion, room=("outdoor", 0.22)),
    "gunshot": Family(combat.gunshot, room=("outdoor", 0.22)),
    "laser": Family(combat.laser),
    "click": Family(interface.click, -8.0),
    "hover": Family(interface.hover, -14.0),
    "confirm": Family(interface.confirm),
    "error": Family(interface.error),
    "notify": Family(interface.notify),
    "coin": Family(interface.coin),
    "magic": Family(combat.magic, room=None),
    "door": Family(mechanisms.door, room=None),
    "creature": Family(creatures.creature, room=("chamber", 0.10)),
    "engine": Family(mechanisms.engine),
    "alarm": Family(mechanisms.alarm),
    "robot": Family(mechanisms.robot),
    "electric": Family(mechanisms.electric),
    "wind": Family(elements.wind, -8.0, steady=True),
    "rain": Family(elements.rain, -9.0, steady=True),
    "thunder": Family(elements.thunder, room=("outdoor", 0.22)),
    "fire": Family(elements.fire, steady=True),
    "stream": Family(elements.stream, steady=True),
    "splash": Family(elements.splash),
    "drip": Family(elements.drip, room=None),
    "bubbles": Family(elements.bubbles, steady=True),
    "ambience": Family(ambience.ambience, -9.0, None, True),
    "room": Family(ambience.room, -24.0, None, True),
    "fallback": Family(fallback),
}

_LEAST_S = 0.1
"""Shorter takes are rendered at this length and cut, so that every family can start."""
_LOUDEST = 0.97


def effect(prompt: str, seconds: float, loop: bool, seed: int) -> tuple[Mix, Mapping[str, Any]]:
    """Samples [1, n], or [2, n] for a loop, and what was read from the prompt."""
    reading = read_sound(prompt)
    n = samples(seconds)
    made = n if loop else max(n, samples(_LEAST_S))
    asset, take = generator(reading.words.fingerprint, 3), generator(seed, 4)
    scene = Scene(reading, made, loop, asset, take)
    sound = _placed(_fitted(FAMILIES[reading.family].make(scene), scene), scene)
    return _finished(sound[..., :n], scene, loop), _notes(reading, scene)


def _fitted(sound: Audio, scene: Scene) -> Audio:
    """The sound at exactly the scene's length; a short one is faded out and padded."""
    length = sound.shape[-1]
    if length >= scene.n:
        return sound[..., : scene.n]
    pad = [(0, 0)] * (sound.ndim - 1) + [(0, scene.n - length)]
    return np.pad(sound * envelopes.sustain(length, 0.0, min(0.01, length / RATE / 4)), pad)


def _placed(sound: Audio, scene: Scene) -> Audio:
    """Distance darkens the sound; a space adds reverb."""
    reading, loop = scene.reading, scene.loop
    family = FAMILIES[reading.family]
    if reading.distance > 0 and reading.family != "thunder":
        sound = filters.low_pass(sound, 9000.0 * (1.0 - 0.8 * reading.distance), 1, loop)
    if family.room is None or (loop and family.steady):
        return sound
    space, wet = (reading.space, 0.35) if reading.space else family.room
    return reverb.add_space(sound, space, wet * (1.0 + reading.distance), loop)


def _finished(sound: Audio, scene: Scene, loop: bool) -> Mix:
    """Remove subsonics and offset, set a level by family and force, and fade the ends."""
    n, reading = sound.shape[-1], scene.reading
    family = FAMILIES[reading.family]
    cut = 18.0 if reading.family in ("explosion", "thunder") else 24.0
    clean = filters.high_pass(sound, cut, 2, loop)
    if loop:
        clean = clean - np.mean(clean, axis=-1, keepdims=True)
    elif family.steady:
        edge = min(0.5, 0.12 * n / RATE)
        clean = clean * envelopes.sustain(n, edge, 1.6 * edge)
    else:
        fall = min(max(0.01, 0.15 * n / RATE), 0.5)
        clean = clean * envelopes.sustain(n, min(0.0006, 0.02 * n / RATE), fall)
    level_db = family.level_db + 3.0 * reading.force - 6.0 * reading.distance
    clean = mixing.at_peak(clean, float(min(db(level_db) * scene.rng.uniform(0.92, 1.05), _LOUDEST)))
    wide = np.atleast_2d(clean)
    return np.repeat(wide, scene.channels // wide.shape[0], axis=0).astype(np.float32)


def _notes(reading: SoundReading, scene: Scene) -> dict[str, Any]:
    notes: dict[str, Any] = {
        "family": reading.family,
        **{key: round(getattr(reading, key), 2) for key in ("size", "force", "brightness", "distance")},
        "manner": reading.manner,
        "space": reading.space,
    }
    if reading.family in ("footstep", "impact", "door", "scrape", "fallback"):
        default = impacts.DEFAULT_SURFACE if reading.family == "footstep" else None
        notes["surface"] = reading.material or default
    if reading.family == "ambience":
        notes["layers"] = list(ambience.layers_of(scene))
        notes["place"] = reading.place
    if reading.family == "creature":
        notes["call"] = creatures.call_name(scene)
    return notes
