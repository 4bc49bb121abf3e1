"""How a variation as the manifest asks for it differs from the master that the catalog has, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.manifest.spec import AssetSpec
from pipeline.plan import digests
from pipeline.plan.known import Known
from pipeline.plan.reasons import chain_reasons, label_reasons, mastering_reasons, recipe_reasons, say, ucs_of
from pipeline.plan.recipes import is_seed_of
from pipeline.provenance import MasterRow
from pipeline.recipe import Recipe

ANOTHER_CHANGED = "shared gain: another variation changed"


def differences(
    asset: AssetSpec,
    project: str,
    mastering: str,
    previous: MasterRow,
    recipes: Sequence[Recipe],
    known: Known,
) -> tuple[str, ...]:
    """Everything in which the take and the specs that the manifest asks for differ from those of ``previous``.

    ``mastering`` is the digest of the asset's specs, ``recipes`` are the variation's candidates. Empty when
    nothing differs.
    """
    found: list[str] = []
    if not same_takes(previous, recipes):
        found.extend(_take_differences(asset, previous, recipes, known))
    if mastering != previous["mastering"]:
        found.extend(_spec_differences(asset, project, previous, known))
    return tuple(dict.fromkeys(found))


def same_takes(previous: MasterRow, recipes: Sequence[Recipe]) -> bool:
    """Whether the candidates of ``previous`` are those of ``recipes``."""
    return previous["takes"].keys() == {recipe.digest for recipe in recipes}


def chain_difference(previous: MasterRow, known: Known) -> tuple[str, ...]:
    """That the mastering chain is another one than ``previous`` was made with, where its record names it."""
    record = known.master(previous["master"])
    return tuple(chain_reasons(record.get("chain_version") if record else None, digests.CHAIN_VERSION))


def newer_chain() -> str:
    """What is left to say where an older record does not name its mastering chain."""
    return f"mastering chain changed: now version {digests.CHAIN_VERSION}"


def gain_differences(
    asset: AssetSpec, variation: int, recipes: Sequence[Sequence[Recipe]], known: Known
) -> tuple[str, ...]:
    """Which other variations of ``asset`` give ``variation`` another gain: those that changed or were removed.

    ``recipes`` holds the candidates of each variation, from the first.
    """
    rows = {number: known.rows.get((asset.id, number)) for number in range(1, asset.variations + 1)}
    changed = any(
        row is None or not same_takes(row, recipes[number - 1])
        for number, row in rows.items()
        if number != variation
    )
    removed = [number for number in known.variations.get(asset.id, ()) if number > asset.variations]
    named = (f"shared gain: variation {number} was removed" for number in removed)
    return (*([ANOTHER_CHANGED] if changed else []), *named)


def _take_differences(
    asset: AssetSpec, previous: MasterRow, recipes: Sequence[Recipe], known: Known
) -> Iterator[str]:
    rejected = not known.rejected.isdisjoint(previous["takes"])
    if rejected:
        yield "rejected in review"
    if len(recipes) != len(previous["takes"]):
        yield f"candidates changed: {len(previous['takes'])} -> {len(recipes)}"
    record = known.take(previous["take"])
    if record is None:
        yield "recipe changed"
        return
    found = list(recipe_reasons(record["recipe"], recipes[0]))
    yield from found
    candidates = max(len(recipes), len(previous["takes"]))
    seed, variation = int(record["recipe"]["seed"]), previous["variation"]
    if not is_seed_of(asset, variation, seed, candidates):
        yield "seed changed"
    elif not (rejected or found) and seed not in {recipe.seed for recipe in recipes}:
        yield "its earlier take is no longer rejected in review"


def _spec_differences(asset: AssetSpec, project: str, previous: MasterRow, known: Known) -> Iterator[str]:
    record = known.master(previous["master"])
    if record is None:
        yield "mastering changed"
        return
    found = [*mastering_reasons(record, asset), *label_reasons(previous, {"ucs": ucs_of(asset)})]
    if record["manifest"]["project"] != project:
        found.append(f"project changed: {say(record['manifest']['project'])} -> {project}")
    yield from found or ["labels in the files changed"]
