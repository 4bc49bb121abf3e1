"""What every sound-effect family is given: the reading, the length, and two sources of chance."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.generators.sketch.dsp.units import RATE, Rng
from pipeline.generators.sketch.sound_reading import SoundReading


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

    def scaled(self, seconds: float) -> float:
        """A duration that fits: at most ``seconds``, less where the take is shorter."""
        return min(seconds, self.seconds)
