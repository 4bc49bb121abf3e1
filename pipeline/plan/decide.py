"""The decision: for every variation of a project one action, with its reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from pipeline.generators import Engine, Redecoding, Requirements
from pipeline.manifest.spec import AssetSpec, Project
from pipeline.mastering import CHAIN_VERSION
from pipeline.plan.digests import (
    group_digest,
    is_seed_of,
    master_digest,
    mastering_digest,
    recipes_for,
)
from pipeline.plan.reasons import (
    chain_reasons,
    label_reasons,
    mastering_reasons,
    recipe_reasons,
    review_reasons,
    say,
    ucs_of,
)
from pipeline.plan.validate import check
from pipeline.plan.values import (
    APPROVED,
    EARLIER_APPROVED,
    FROM_STORED_TAKE,
    IN_STORE,
    LOCKED,
    LOCKED_IN_MANIFEST,
    WAITING_APPROVED,
    WAITS,
    WILL_WAIT,
    Action,
    AssetPlan,
    Known,
    NewerModel,
    Plan,
    Reason,
    TakeOrder,
    VariationPlan,
    changed,
)
from pipeline.provenance import MasterRow
from pipeline.recipe import Recipe

_TAKE_MISSING = Reason("take missing from store")
_MASTER_MISSING = Reason("master missing from store")


def plan(project: Project, known: Known, refresh_models: bool = False) -> Plan:
    """What a build of ``project`` must do, given what is ``known`` to exist.

    A published model keeps the revision that the catalog has, unless ``refresh_models`` asks for the newest. Raises
    `ManifestError` with everything in the manifest that engines cannot make.
    """
    newer: dict[NewerModel, None] = {}
    assets = []
    for spec, engine, newest in check(project):
        requirements = newest if refresh_models else _with_kept_revision(spec, newest, known)
        if requirements is not newest:
            model = requirements.model
            newer[NewerModel(engine.name, model.id, model.revision, newest.model.revision)] = None
        assets.append(
            _plan_asset(
                _Asset(spec, engine, requirements, project.name, mastering_digest(spec, project.name), known)
            )
        )
    return Plan(tuple(assets), tuple(newer))


def _with_kept_revision(spec: AssetSpec, newest: Requirements, known: Known) -> Requirements:
    model = newest.model
    kept = known.revision(spec.id, spec.engine, model.id) if model.published else None
    if kept in (None, model.revision):
        return newest
    return replace(newest, model=replace(model, revision=kept))


@dataclass(frozen=True, slots=True)
class _Asset:
    """One asset of the manifest, and what is known."""

    spec: AssetSpec
    engine: Engine
    requirements: Requirements
    project: str
    mastering: str
    """Digest of its specs."""
    known: Known


class _Variation(NamedTuple):
    """One variation of the manifest, and what the catalog has of it."""

    number: int
    """From 1."""
    recipes: tuple[Recipe, ...]
    takes: tuple[str, ...]
    """Digests of the recipes."""
    previous: MasterRow | None
    hold: Reason | None
    """Why the previous master stays whatever the manifest says; None: it may be replaced."""
    matching: MasterRow | None
    """The held master, or the one that waits beside it, if it matches the manifest."""

    def decided(
        self, action: Action, master: str, *reasons: Reason, orders: tuple[TakeOrder, ...] = ()
    ) -> VariationPlan:
        """The plan of the variation."""
        unique = tuple(dict.fromkeys(reasons))
        return VariationPlan(self.number, action, unique, self.recipes, orders, master, self.previous)


def _plan_asset(asset: _Asset) -> AssetPlan:
    recipes = recipes_for(asset.spec, asset.requirements, asset.engine.version, asset.known.rejected)
    variations = [_variation(asset, number, candidates) for number, candidates in enumerate(recipes, 1)]
    group, anchors = _gain_group(asset, variations)
    plans = tuple([_decide(asset, group, variation, recipes) for variation in variations])
    return AssetPlan(
        asset.spec, asset.requirements, asset.mastering, plans, anchors, group if anchors else None
    )


def _variation(asset: _Asset, number: int, recipes: tuple[Recipe, ...]) -> _Variation:
    known, place = asset.known, (asset.spec.id, number)
    takes = tuple([recipe.digest for recipe in recipes])
    previous = known.rows.get(place)
    hold = LOCKED_IN_MANIFEST if asset.spec.lock else known.held.get(place)
    waiting = _waiting_beside(previous, known)
    if waiting and hold in (None, APPROVED) and known.chosen.get(place) == waiting["master"]:
        previous, waiting, hold = waiting, None, APPROVED
    if not hold or previous is None or not _files_present(previous, known):
        return _Variation(number, recipes, takes, previous, None, None)
    # Nothing waits beside a locked master any more, so no other variation may take its gain from one that waited.
    rows = (previous, waiting) if hold == APPROVED else (previous,)
    matching = (
        row for row in rows if row and set(takes) == set(row["takes"]) and asset.mastering == row["mastering"]
    )
    return _Variation(number, recipes, takes, previous, hold, next(matching, None))


def _waiting_beside(row: MasterRow | None, known: Known) -> MasterRow | None:
    """The complete master that waits beside an approved one."""
    waiting = row.get("waiting") if row else None
    return waiting if waiting and _files_present(waiting, known) else None


def _gain_group(asset: _Asset, variations: Sequence[_Variation]) -> tuple[str, tuple[str, ...]]:
    """The identity of the gain that the asset's masters share, and the masters that it is taken from.

    Held masters that match the manifest give their gain to the others. Where none is held and no remaining variation
    has changed, all keep their gain: removing a variation changes no level. Otherwise the masters get a new gain
    together, and none is an anchor.
    """
    held = _held_group(asset.mastering, variations)
    if held is not None:
        return held, tuple(variation.matching["master"] for variation in variations if variation.matching)
    sharing = [variation for variation in variations if variation.hold in (None, APPROVED)]
    new_group = group_digest(variation.takes for variation in sharing)
    rows = [variation.previous for variation in sharing if variation.previous]
    earlier = rows[0]["gain_group"] if rows else new_group
    anchors = _anchors(asset, earlier, sharing) if earlier != new_group else ()
    return (earlier, anchors) if anchors else (new_group, ())


def _anchors(asset: _Asset, group: str, sharing: Sequence[_Variation]) -> tuple[str, ...]:
    """The present masters with the gain of ``group``; none unless every variation was mastered with it."""
    present = []
    for variation in sharing:
        master = master_digest(asset.mastering, variation.number, variation.takes, group)
        previous = variation.previous
        row = previous if previous and previous["master"] == master else None
        if row is None and master not in asset.known.masters:
            return ()
        if row is not None and _files_present(row, asset.known):
            present.append(master)
    return tuple(present)


def _held_group(mastering: str, variations: Sequence[_Variation]) -> str | None:
    """The identity of the gain of held masters that match the manifest; None where there are none."""
    for variation in variations:
        row = variation.matching
        if row is not None:
            group = group_digest(each.takes for each in variations)
            same = master_digest(mastering, variation.number, variation.takes, group) == row["master"]
            return group if same else row["gain_group"]
    return None


def _decide(
    asset: _Asset, group: str, variation: _Variation, recipes: Sequence[Sequence[Recipe]]
) -> VariationPlan:
    """``recipes`` holds the candidates of each variation of the asset, from the first."""
    previous, known = variation.previous, asset.known
    if variation.hold and previous is not None and (variation.matching or variation.hold != APPROVED):
        return _decide_held(asset, variation, previous)
    master = master_digest(asset.mastering, variation.number, variation.takes, group)
    approved_earlier = known.chosen.get((asset.spec.id, variation.number)) == master
    beside = EARLIER_APPROVED if approved_earlier else WILL_WAIT
    review = (beside,) if variation.hold else ()
    missing = [recipe for recipe in variation.recipes if not _take_present(recipe.digest, previous, known)]
    if missing:
        orders = tuple(_order(asset, recipe, previous) for recipe in missing)
        without_model = (FROM_STORED_TAKE,) if all(order.stored_take for order in orders) else ()
        reasons = _generate_reasons(asset, variation)
        return variation.decided(Action.GENERATE, master, *review, *reasons, *without_model, orders=orders)
    if previous is not None and previous["master"] == master and _files_present(previous, known):
        return variation.decided(Action.REUSE, master)
    reasons = _remaster_reasons(asset, group, master, variation, recipes)
    if known.master_is_whole(master):
        failed = known.quarantined(master)
        if failed:
            return replace(variation.decided(Action.REUSE, master, Reason(failed)), quarantined=failed)
        return variation.decided(Action.REUSE, master, *review, IN_STORE, *reasons)
    if previous is None:
        [new] = reasons
        reasons = (Reason(f"{new.words}: its take is in the store"),)
    return variation.decided(Action.REMASTER, master, *review, *(reasons or (_MASTER_MISSING,)))


def _decide_held(asset: _Asset, variation: _Variation, previous: MasterRow) -> VariationPlan:
    """A variation for which nothing is made, because a person has decided or has to decide."""
    master = previous["master"]
    if variation.hold != APPROVED or variation.matching is None:
        hold = variation.hold or LOCKED
        return variation.decided(Action.LOCKED, master, hold, *_differences(asset, variation))
    if variation.matching is not previous:
        waiting = variation.matching["master"]
        return variation.decided(Action.REUSE, waiting, WAITS, *_differences(asset, variation))
    if asset.known.rows.get((asset.spec.id, variation.number)) is previous:
        return variation.decided(Action.REUSE, master)
    return variation.decided(Action.REUSE, master, WAITING_APPROVED)


def _order(asset: _Asset, recipe: Recipe, previous: MasterRow | None) -> TakeOrder:
    used = set(recipe.conditioning.values())
    audio = tuple((file.sha256, file.path) for file in asset.spec.audio if file.sha256 in used)
    stored_take = _stored_take_for(asset.engine, recipe, previous, asset.known)
    return TakeOrder(
        recipe,
        asset.requirements,
        audio,
        asset.engine.cost(recipe),
        stored_take,
        priority=asset.spec.priority,
    )


def _stored_take_for(engine: Engine, recipe: Recipe, previous: MasterRow | None, known: Known) -> str | None:
    """Digest of a complete take whose stored data gives the take of ``recipe``; None where there is none.

    The take of the recipe's origin comes first, then those of the ``previous`` master.
    """
    if not isinstance(engine, Redecoding):
        return None
    origin = engine.origin(recipe)
    candidates: list[str] = [origin.digest, *(previous["takes"] if previous else ())]
    for digest in candidates:
        record = known.take(digest) if digest != recipe.digest else None
        if record is None or not record["attachments"]:
            continue
        complete = all(file["sha256"] in known.objects for file in record["attachments"].values())
        if complete and engine.origin(Recipe.from_json(record["recipe"])) == origin:
            return digest
    return None


def _take_present(digest: str, previous: MasterRow | None, known: Known) -> bool:
    if digest not in known.takes:
        return False
    if previous is not None and digest in previous["takes"]:
        return previous["takes"][digest] in known.objects
    record = known.take(digest)
    return record is not None and record["object"]["sha256"] in known.objects


def _files_present(row: MasterRow, known: Known) -> bool:
    return row["master"] in known.masters and all(
        file["sha256"] in known.objects for file in row["files"].values()
    )


def _generate_reasons(asset: _Asset, variation: _Variation) -> tuple[Reason, ...]:
    previous = variation.previous
    if previous is None:
        return (_new(asset),)
    reasons = (*_differences(asset, variation), *_chain_difference(previous, asset.known))
    if set(variation.takes) <= set(previous["takes"]) or not reasons:
        return (_TAKE_MISSING, *reasons)
    return reasons


def _remaster_reasons(
    asset: _Asset, group: str, master: str, variation: _Variation, recipes: Sequence[Sequence[Recipe]]
) -> tuple[Reason, ...]:
    """Why the variation has another master than in the catalog; empty where it has the same."""
    previous = variation.previous
    if previous is None:
        return (_new(asset),)
    if previous["master"] == master:
        return ()
    reasons = [*_differences(asset, variation), *_chain_difference(previous, asset.known)]
    if _same_takes(previous, variation.recipes):
        reasons += _gain_differences(asset, variation.number, recipes)
    if reasons:
        return tuple(reasons)
    regrouped = previous["gain_group"] != group
    return changed(
        "shared gain changed" if regrouped else f"mastering chain changed: now version {CHAIN_VERSION}"
    )


def _new(asset: _Asset) -> Reason:
    known = asset.spec.id in asset.known.variations
    return Reason("new variation" if known else "new asset")


def _differences(asset: _Asset, variation: _Variation) -> tuple[Reason, ...]:
    """How takes and specs in the manifest differ from those of the previous master; empty where they are the same."""
    assert variation.previous is not None
    words: list[str] = []
    if not _same_takes(variation.previous, variation.recipes):
        words.extend(_take_differences(asset, variation.previous, variation.recipes))
    if asset.mastering != variation.previous["mastering"]:
        words.extend(_spec_differences(asset, variation.previous))
    return changed(*words)


def _same_takes(row: MasterRow, recipes: Sequence[Recipe]) -> bool:
    return row["takes"].keys() == {recipe.digest for recipe in recipes}


def _chain_difference(previous: MasterRow, known: Known) -> tuple[Reason, ...]:
    """That ``previous`` was made with another version of the mastering chain, where its record is still there."""
    record = known.master(previous["master"])
    return changed(*chain_reasons(record["chain_version"], CHAIN_VERSION)) if record else ()


def _gain_differences(
    asset: _Asset, variation: int, recipes: Sequence[Sequence[Recipe]]
) -> tuple[Reason, ...]:
    """Which other variations changed or were removed, and so give ``variation`` another gain."""
    spec, known = asset.spec, asset.known
    rows = {number: known.rows.get((spec.id, number)) for number in range(1, spec.variations + 1)}
    another_changed = any(
        row is None or not _same_takes(row, recipes[number - 1])
        for number, row in rows.items()
        if number != variation
    )
    removed = [number for number in known.variations.get(spec.id, ()) if number > spec.variations]
    return changed(
        *(["shared gain: another variation changed"] if another_changed else []),
        *(f"shared gain: variation {number} was removed" for number in removed),
    )


def _take_differences(asset: _Asset, previous: MasterRow, recipes: Sequence[Recipe]) -> Iterator[str]:
    known = asset.known
    reviewed = list(review_reasons(previous["takes"].keys(), known.rejected, known.rerolled))
    yield from reviewed
    if len(recipes) != len(previous["takes"]):
        yield f"candidates changed: {len(previous['takes'])} -> {len(recipes)}"
    record = known.take(previous["take"])
    if record is None:
        yield "recipe changed"
        return
    differences = list(recipe_reasons(record["recipe"], recipes[0]))
    yield from differences
    candidates = max(len(recipes), len(previous["takes"]))
    seed, variation = int(record["recipe"]["seed"]), previous["variation"]
    if not is_seed_of(asset.spec, variation, seed, candidates):
        yield "seed changed"
    elif not (reviewed or differences) and seed not in {recipe.seed for recipe in recipes}:
        yield "a review brought its earlier take back"


def _spec_differences(asset: _Asset, previous: MasterRow) -> Iterator[str]:
    record = asset.known.master(previous["master"])
    if record is None:
        yield "mastering changed"
        return
    differences = [
        *mastering_reasons(record, asset.spec),
        *label_reasons(previous, {"ucs": ucs_of(asset.spec)}),
    ]
    project = record["manifest"]["project"]
    if project != asset.project:
        differences.append(f"project changed: {say(project)} -> {asset.project}")
    yield from differences or ["labels in the files changed"]
