"""The opened sketch engine: recipes in, takes out. Importing this loads numpy and scipy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import scipy

from pipeline.audio import Clip, Loop
from pipeline.errors import GenerationError
from pipeline.generators.protocol import GeneratedTake, Outcome
from pipeline.generators.sketch.dsp.mixing import calmest
from pipeline.generators.sketch.dsp.units import RATE
from pipeline.generators.sketch.engine import CALM
from pipeline.generators.sketch.music.cue import cue
from pipeline.generators.sketch.sfx.effect import FAMILIES, effect
from pipeline.recipe import Recipe


class SketchGenerator:
    """Makes takes on the CPU, in order. A take depends on its recipe alone."""

    def generate(self, recipes: Sequence[Recipe], audio: Mapping[str, Clip]) -> Iterator[Outcome]:
        """Yield each recipe with its take, in order. A recipe that fails yields its error."""
        for recipe in recipes:
            try:
                yield recipe, _take(recipe)
            except (ArithmeticError, LookupError, MemoryError, TypeError, ValueError) as error:
                reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
                yield (
                    recipe,
                    GenerationError(f"sketch could not make {recipe.prompt!r}: {reason}; change the prompt"),
                )

    def software(self) -> Mapping[str, str]:
        """Versions that the audio depends on."""
        return {"numpy": np.__version__, "scipy": scipy.__version__}

    def close(self) -> None:
        """Nothing to release."""


def _take(recipe: Recipe) -> GeneratedTake:
    loop = bool(recipe.settings.get("loop", False))
    if not 0.0 < recipe.seconds < 24 * 3600:
        raise ValueError(f"{recipe.seconds} s is not a length; give more than 0 s and less than a day")
    if recipe.kind == "music":
        bpm = recipe.settings.get("bpm")
        tempo = None if bpm is None else float(bpm)
        samples, notes = cue(recipe.prompt, recipe.seconds, tempo, loop, recipe.seed)
    else:
        samples, notes = effect(recipe.prompt, recipe.seconds, loop, recipe.seed)
        if recipe.settings.get("start") == CALM and not FAMILIES[notes["family"]].steady:
            samples = np.roll(samples, -calmest(samples), axis=1)
    clip = Clip(np.ascontiguousarray(samples, dtype=np.float32), RATE)
    return GeneratedTake(clip, Loop(0, clip.length) if loop else None, notes=notes)
