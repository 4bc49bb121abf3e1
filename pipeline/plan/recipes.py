"""From an asset to its recipes: one for each variation and candidate, at the re-roll that reviews ask for."""

from __future__ import annotations

from collections.abc import Set
from itertools import count

from pipeline.generators import Requirements
from pipeline.manifest.spec import AssetSpec
from pipeline.recipe import Recipe, derive_seed, with_seeds

_REROLLS_SEARCHED = 20


def recipes_for(
    asset: AssetSpec, ask: Requirements, version: str, rejected: Set[str]
) -> tuple[tuple[Recipe, ...], ...]:
    """For each variation, from the first, its candidates' recipes at the first re-roll with none rejected.

    ``version`` is the engine's, ``rejected`` holds recipe digests.
    """
    common = Recipe(
        engine=asset.engine,
        engine_version=version,
        model=ask.model.id,
        revision=ask.model.revision,
        kind=asset.kind,
        prompt=asset.prompt,
        seconds=ask.seconds,
        seed=0,
        settings=ask.settings,
        conditioning=ask.conditioning,
    )
    variations = range(1, asset.variations + 1)
    seeds = (seed for variation in variations for seed in _seeds(asset, variation, reroll=0))
    first = with_seeds(common, seeds)
    rolled = (first[start : start + asset.candidates] for start in range(0, len(first), asset.candidates))
    return tuple(
        _reroll(asset, common, variation, recipes, rejected)
        for variation, recipes in zip(variations, rolled, strict=True)
    )


def is_seed_of(asset: AssetSpec, variation: int, seed: int, candidates: int) -> bool:
    """Whether ``seed`` comes of the asset's present seed: as one of the first ``candidates``, at an early re-roll."""
    return any(
        derive_seed(asset.seed, asset.origin, variation, reroll, candidate) == seed
        for reroll in range(_REROLLS_SEARCHED)
        for candidate in range(candidates)
    )


def _reroll(
    asset: AssetSpec, common: Recipe, variation: int, recipes: tuple[Recipe, ...], rejected: Set[str]
) -> tuple[Recipe, ...]:
    if not rejected:
        return recipes
    rerolls = count(1)
    while not rejected.isdisjoint(recipe.digest for recipe in recipes):
        recipes = with_seeds(common, _seeds(asset, variation, next(rerolls)))
    return recipes


def _seeds(asset: AssetSpec, variation: int, reroll: int) -> list[int]:
    return [
        derive_seed(asset.seed, asset.origin, variation, reroll, candidate)
        for candidate in range(asset.candidates)
    ]
