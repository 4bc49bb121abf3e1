"""The recipes of an asset, and the digests of its masters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence, Set
from dataclasses import asdict
from functools import lru_cache
from itertools import count

from pipeline.generators import Requirements
from pipeline.manifest.spec import NOT_IN_DIGESTS, AssetSpec, DeliverySpec, MasteringSpec, QualitySpec
from pipeline.mastering import CHAIN_VERSION
from pipeline.recipe import Recipe, derive_seed, digest, reseeded
from pipeline.scores import find_score
from pipeline.watermarks import find_watermark

_REROLLS_SEARCHED = 20


def recipes_for(
    asset: AssetSpec, requirements: Requirements, version: str, rejected: Set[str]
) -> tuple[tuple[Recipe, ...], ...]:
    """For each variation, from the first, the recipes of its candidates at the first re-roll that none rejects.

    ``version`` is that of the engine, ``rejected`` holds recipe digests.
    """
    common = Recipe(
        engine=asset.engine,
        engine_version=version,
        model=requirements.model.id,
        revision=requirements.model.revision,
        kind=asset.kind,
        prompt=asset.prompt,
        seconds=requirements.seconds,
        seed=0,
        settings=requirements.settings,
        conditioning=requirements.conditioning,
    )
    with_seed = reseeded(common)

    def candidates(variation: int) -> tuple[Recipe, ...]:
        rerolls = (
            tuple(
                with_seed(derive_seed(asset.seed, asset.origin, variation, reroll, candidate))
                for candidate in range(asset.candidates)
            )
            for reroll in count()
        )
        return next(each for each in rerolls if rejected.isdisjoint(recipe.digest for recipe in each))

    return tuple(map(candidates, range(1, asset.variations + 1)))


def is_seed_of(asset: AssetSpec, variation: int, seed: int, candidates: int) -> bool:
    """Whether ``seed`` is derived from the asset's seed: for one of the first ``candidates``, at an early re-roll."""
    return any(
        derive_seed(asset.seed, asset.origin, variation, reroll, candidate) == seed
        for reroll in range(_REROLLS_SEARCHED)
        for candidate in range(candidates)
    )


def mastering_digest(asset: AssetSpec, project: str) -> str:
    """Digest of everything that shapes an asset's masters except their takes: mastering, delivery, gates, labels."""
    private = ["private prompts"] if asset.private_prompts else []
    category, name = (asset.ucs.category, asset.ucs.name or "") if asset.ucs else ("", "")
    specs = _specs_digest(asset.mastering, asset.delivery, asset.quality)
    if asset.scores:
        scores = [{**score.to_json(), "version": find_score(score.name).version} for score in asset.scores]
        specs = digest({"specs": specs, "scores": scores})
    if asset.watermark:
        specs = digest({"specs": specs, "watermark": find_watermark(asset.watermark).version})
    return hashlib.sha256(
        "\n".join([specs, project, asset.origin, category, name, *private]).encode()
    ).hexdigest()


def group_digest(candidates: Iterable[Sequence[str]]) -> str:
    """Digest of the takes that share one gain, in any order; each item holds a variation's candidates."""
    return hashlib.sha256("\n".join(sorted(" ".join(takes) for takes in candidates)).encode()).hexdigest()


def master_digest(mastering: str, variation: int, takes: Sequence[str], group: str) -> str:
    """The identity of one master: its specs, its variation, its candidates and the takes that share its gain."""
    text = "\n".join(["cuesmith.mastering/1", CHAIN_VERSION, mastering, str(variation), *takes, group])
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=4096)
def _specs_digest(mastering: MasteringSpec, delivery: DeliverySpec, quality: QualitySpec) -> str:
    settings = asdict(mastering).items()
    return digest(
        {
            "mastering": {key: value for key, value in settings if NOT_IN_DIGESTS.get(key, ...) != value},
            "delivery": {**asdict(delivery), "formats": list(delivery.formats)},
            "quality": asdict(quality),
        }
    )
