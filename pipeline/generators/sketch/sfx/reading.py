"""What a sound-effect prompt asks for (family, materials, size, force, place), and the take to make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.generators.sketch import lexicon_sound as lexicon
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng
from pipeline.generators.sketch.text import Words, named_values, read_words, score

FALLBACK = "fallback"
_LEAST_SCORE = 1.5
"""The least score at which a family counts as named."""


@dataclass(frozen=True)
class SoundReading:
    """What was read from a sound-effect prompt. Variations of an asset share all of it."""

    family: str
    material: str | None
    second_material: str | None
    size: float
    """-1 (tiny) to 1 (gigantic)."""
    force: float
    """-1 (faint) to 1 (violent)."""
    brightness: float
    """-1 (muffled) to 1 (piercing)."""
    speed: float
    """-1 (slow) to 1 (fast)."""
    distance: float
    """0 (close) to 1 (far away)."""
    space: str | None
    manner: str | None
    place: str | None
    beds: tuple[str, ...]
    """Steady families that the prompt names besides."""
    words: Words

    def says(self, *entries: str) -> bool:
        """Whether the prompt says any of these."""
        return self.words.has(*entries)


def read_sound(prompt: str) -> SoundReading:
    """Read a sound-effect prompt; one without a known word is ``fallback``."""
    words = read_words(prompt)
    scores = {name: score(words, table) for name, table in lexicon.FAMILIES.items()}
    if words.has(*lexicon.UI_WORDS):
        scores |= {name: scores[name] * 1.5 + 0.5 * (name == "click") for name in lexicon.UI_FAMILIES}
    family = max(scores, key=lambda name: scores[name])
    if scores[family] < _LEAST_SCORE:
        family = FALLBACK
    named = {name: points for name, table in lexicon.MATERIALS.items() if (points := score(words, table)) > 0}
    materials = sorted(named, key=lambda name: -named[name])
    return SoundReading(
        family=family,
        material=materials[0] if materials else None,
        second_material=materials[1] if len(materials) > 1 else None,
        size=_mean(words, lexicon.SIZES),
        force=_mean(words, lexicon.FORCES),
        brightness=_mean(words, lexicon.BRIGHTNESSES),
        speed=_mean(words, lexicon.SPEEDS),
        distance=_mean(words, lexicon.DISTANCES),
        space=_named(words, lexicon.SPACES),
        manner=_named(words, lexicon.MANNERS),
        place=_named(words, lexicon.PLACES),
        beds=tuple(name for name in lexicon.BEDS if scores[name] >= _LEAST_SCORE),
        words=words,
    )


def _mean(words: Words, levels: Mapping[float, str]) -> float:
    named = named_values(words, levels)
    return sum(named) / len(named) if named else 0.0


def _named(words: Words, groups: Mapping[str, str]) -> str | None:
    """The group of which the prompt says something first."""
    first = min(groups, key=lambda group: words.first(*groups[group].split()))
    return first if words.has(*groups[first].split()) else None


@dataclass(frozen=True)
class Scene:
    """One take to make. ``asset`` draws what all variations share, ``rng`` what makes this take its own."""

    reading: SoundReading
    n: int
    loop: bool
    asset: Rng
    rng: Rng

    @property
    def seconds(self) -> float:
        """Length of the take."""
        return self.n / RATE

    @property
    def channels(self) -> int:
        """Loops surround the player; one-shots are placed by the game."""
        return 2 if self.loop else 1

    def each_channel(self, make: Callable[[], Audio]) -> Audio:
        """A new sound for each channel: [samples], or [2, samples] for a loop."""
        sides = [make() for _ in range(self.channels)]
        return sides[0] if len(sides) == 1 else np.stack(sides)

    def scaled(self, seconds: float) -> float:
        """A duration that fits: at most ``seconds``, less where the take is shorter."""
        return min(seconds, self.seconds)
