"""The studio set: a third labelled set, written before looking at any limit; half of it is kept sealed.

Halves differ in families, seeds, rates, levels and how strong a fault is.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
from studio_faults import BEYOND, LISTED, Fault, Sound
from studio_open import OPEN, Family
from studio_sealed import SEALED
from studio_synthesis import Random, coded, unit

from pipeline.audio import Clip

NOT_FOR = {
    "clipped": {"square tune", "click", "laser", "coin", "quiet whisper"},
    "pops": {"click", "radio static", "square tune", "fire", "typewriter", "heavy rain", "gravel step"},
    "too short": {"click"},
    "DC": {"sub bass"},
    "tail": {"riser", "reversed cymbal", "square tune", "radio static", "heavy rain", "surf", "cicadas"},
    "cut off": {"square tune", "UI beep", "click", "camera shutter", "siren", "gated pad"},
    "dropout": {"gated pad", "square tune", "UI beep", "click", "typewriter", "camera shutter", "drips"},
    "stutter": {"square tune", "UI beep", "click", "sub bass", "drone", "typewriter", "siren", "coin"},
}
"""Families in which a fault would be none: what is clipped by nature, what stops by nature."""

GOOD_OF_A_FAMILY = 7
BROKEN_OF_A_FAULT = 8


def families(sealed: bool) -> dict[str, Family]:
    return SEALED if sealed else OPEN


def _random(sealed: bool, *place: int) -> Random:
    return np.random.default_rng((20261126 if sealed else 7041, *place))


def _base(random: Random, name: str, sealed: bool) -> Sound:
    rate = int(random.choice((24000, 32000, 44100, 48000) if sealed else (16000, 22050, 32000, 48000)))
    wave = np.atleast_2d(families(sealed)[name](random, rate))
    how = random.random()
    if len(wave) == 1 and wave.shape[1] > rate // 4 and how < 0.15 and np.abs(wave).max() > 0.1:
        wave = unit(coded(wave[0], rate, "OGG" if how < 0.08 else "MP3", random.uniform(0.2, 0.7)))[None]
    elif len(wave) == 1 and how < 0.3:
        wave = np.concatenate([wave, wave * random.uniform(0.5, 1)])
    level = 1.0 if name in {"quiet whisper", "loud master"} else 10 ** (-random.uniform(0, 18) / 20)
    samples = np.ascontiguousarray(wave * level, np.float32)
    return Sound(Clip(samples, rate), base=name, rate_hz=rate if random.random() < 0.5 else None)


@cache
def good(sealed: bool) -> tuple[Sound, ...]:
    """Sounds with nothing wrong; every second one comes with another variation of its family."""
    sounds = []
    for place, name in enumerate(families(sealed)):
        for number in range(GOOD_OF_A_FAMILY):
            random = _random(sealed, 0, place, number)
            sound = _base(random, name, sealed)
            if number % 2:
                again = _base(_random(sealed, 1, place, number), name, sealed)
                sound = replace(sound, other=again.clip)
            sounds.append(sound)
    return tuple(sounds)


def broken(sealed: bool, faults: dict[str, Fault] = LISTED) -> Iterator[Sound]:
    """Broken sounds, every fault on many families."""
    for place, (name, fault) in enumerate(faults.items()):
        barred = set().union(*(those for word, those in NOT_FOR.items() if word in name))
        allowed = [family for family in families(sealed) if family not in barred]
        for number in range(BROKEN_OF_A_FAULT):
            random = _random(sealed, 2, place + 100 * (faults is BEYOND), number)
            strength = random.uniform(0, 1) if sealed else random.uniform(0.1, 0.9)
            base = _base(random, allowed[(number * 5 + place * 3) % len(allowed)], sealed)
            yield replace(fault(random, base, strength), fault=name)
