"""The recipes that an asset asks for, and the digests of its masters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence, Set
from dataclasses import asdict
from functools import lru_cache
from itertools import count

from pipeline.generators import Requirements
from pipeline.manifest.spec import AssetSpec, DeliverySpec, MasteringSpec, QualitySpec, Ucs
from pipeline.provenance import MasterRow
from pipeline.recipe import Recipe, derive_seed, digest, with_seeds

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


CHAIN_VERSION = "7"
"""Of the mastering chain and of delivery: rises when the same takes and specs would give other bytes."""


def mastering_digest(asset: AssetSpec, project: str) -> str:
    """Digest of all that shapes an asset's masters besides their takes: mastering, delivery, gates,
    labels."""
    return _mastering_digest(asset.mastering, asset.delivery, asset.quality, project, asset.origin, asset.ucs)


def group_digest(candidates: Iterable[Sequence[str]]) -> str:
    """Digest of the takes that share one gain, in any order; each item holds a variation's candidates."""
    return hashlib.sha256("\n".join(sorted(" ".join(takes) for takes in candidates)).encode()).hexdigest()


def gain_group_of(row: MasterRow) -> str:
    """The identity of the gain that a master has; of one whose record does not tell, its own."""
    return row["gain_group"] or f"held {row['master']}"


def master_digest(mastering: str, variation: int, takes: Sequence[str], group: str) -> str:
    """The identity of one master: its specs, its variation, its candidates and the takes it shares a gain with."""
    text = "\n".join(["cuesmith.mastering/1", CHAIN_VERSION, mastering, str(variation), *takes, group])
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=4096)
def _specs_digest(mastering: MasteringSpec, delivery: DeliverySpec, quality: QualitySpec) -> str:
    return digest(
        {
            "mastering": asdict(mastering),
            "delivery": {**asdict(delivery), "formats": list(delivery.formats)},
            "quality": asdict(quality),
        }
    )


def _mastering_digest(
    mastering: MasteringSpec,
    delivery: DeliverySpec,
    quality: QualitySpec,
    project: str,
    asset: str,
    ucs: Ucs | None,
) -> str:
    labels = [project, asset, ucs.category if ucs else "", (ucs.name or "") if ucs else ""]
    text = "\n".join([_specs_digest(mastering, delivery, quality), *labels])
    return hashlib.sha256(text.encode()).hexdigest()
