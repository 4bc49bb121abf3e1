"""What an instrument is: a function from a note to sound."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.generators.sketch.dsp.units import Audio, Rng

Player = Callable[[float, float, float, Rng], Audio]
"""(Hz, seconds, strength 0 to 1, randomness) to [samples] or [2, samples], peak about 1."""
