"""From an asset to its recipes: one for each variation and candidate, at the re-roll that reviews ask for."""

from __future__ import annotations

from collections.abc import Set
from itertools import count

from pipeline.generators import Ask
from pipeline.manifest.spec import AssetSpec
from pipeline.recipe import Recipe, derive_seed


def recipes_for(
    asset: AssetSpec, ask: Ask, version: str, variation: int, rejected: Set[str]
) -> tuple[Recipe, ...]:
    """Recipes of one variation's candidates, at the first re-roll of which no take was rejected.

    ``version`` is the engine's, ``rejected`` holds recipe digests.
    """
    for reroll in count():
        recipes = tuple(
            Recipe(
                engine=asset.engine,
                engine_version=version,
                model=ask.model.id,
                revision=ask.model.revision,
                kind=asset.kind,
                prompt=asset.prompt,
                seconds=ask.seconds,
                seed=derive_seed(asset.seed, asset.id, variation, reroll, candidate),
                settings=ask.settings,
                conditioning=ask.conditioning,
            )
            for candidate in range(asset.candidates)
        )
        if not rejected or rejected.isdisjoint(recipe.digest for recipe in recipes):
            return recipes
    raise AssertionError("unreachable: re-rolls have no end")
