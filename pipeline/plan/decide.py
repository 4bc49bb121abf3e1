"""The decision: for every variation of a project one action, with its reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.generators import Engine, Redecoding, Requirements
from pipeline.manifest.spec import AssetSpec, Project
from pipeline.plan import digests
from pipeline.plan.digests import (
    gain_group_of,
    group_digest,
    is_seed_of,
    master_digest,
    mastering_digest,
    recipes_for,
)
from pipeline.plan.reasons import chain_reasons, label_reasons, mastering_reasons, recipe_reasons, say, ucs_of
from pipeline.plan.validate import check
from pipeline.plan.values import (
    APPROVED,
    EARLIER_TAKES_ITS_PLACE,
    LOCKED,
    LOCKED_IN_MANIFEST,
    MADE_BEFORE,
    TAKES_ITS_PLACE,
    WAITS,
    WILL_WAIT,
    Action,
    AssetPlan,
    Known,
    Plan,
    TakeOrder,
    VariationPlan,
)
from pipeline.provenance import MasterRow
from pipeline.recipe import Recipe

ANOTHER_CHANGED = "shared gain: another variation changed"
FROM_KEPT = "from what its take keeps, without the model"


def plan(project: Project, known: Known) -> Plan:
    """What a build of ``project`` must do, given what is ``known`` to be made.

    Raises `ManifestError` with everything that engines cannot make as it is written.
    """
    return Plan(
        tuple(
            _plan_asset(
                _Asset(asset, engine, ask, project.name, mastering_digest(asset, project.name), known)
            )
            for asset, engine, ask in check(project)
        )
    )


@dataclass(frozen=True, slots=True)
class _Asset:
    """One asset as the manifest asks for it, and what is known."""

    spec: AssetSpec
    engine: Engine
    ask: Requirements
    project: str
    mastering: str
    """Digest of its specs."""
    known: Known


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One variation as the manifest asks for it, beside what the catalog has."""

    variation: int
    recipes: tuple[Recipe, ...]
    takes: tuple[str, ...]
    """Digests of the recipes."""
    previous: MasterRow | None
    hold: str | None
    """Why the previous master stays whatever the manifest says; None: it may be replaced."""
    stays: MasterRow | None
    """A held master, or one that waits beside it, that is what the manifest asks for."""


def _plan_asset(asset: _Asset) -> AssetPlan:
    rolled = recipes_for(asset.spec, asset.ask, asset.engine.version, asset.known.rejected)
    wanted = [_want(asset, variation, recipes) for variation, recipes in enumerate(rolled, 1)]
    group, anchors = _group(asset, wanted)
    variations = tuple([_decide(asset, group, one, rolled) for one in wanted])
    kept_group = group if anchors else None
    return AssetPlan(asset.spec, asset.ask, asset.mastering, variations, anchors, kept_group)


def _group(asset: _Asset, wanted: Sequence[_Wanted]) -> tuple[str, tuple[str, ...]]:
    """The identity of the gain that the asset's masters share, and the masters that it is taken from.

    Masters that stay give theirs to the others. Where none is held and no variation that is left has changed, all
    keep the gain that they have: a variation that is removed changes no level. Otherwise the masters find a gain
    together, and none is an anchor.
    """
    held = _held_group(asset.mastering, wanted)
    if held is not None:
        return held, tuple(one.stays["master"] for one in wanted if one.stays)
    sharing = [one for one in wanted if one.hold in (None, APPROVED)]
    together = group_digest(one.takes for one in sharing)
    rows = [one.previous for one in sharing if one.previous]
    earlier = gain_group_of(rows[0]) if rows else together
    if earlier == together:
        return together, ()
    anchors = _anchors_of(asset, earlier, sharing)
    return (earlier, anchors) if anchors else (together, ())


def _anchors_of(asset: _Asset, group: str, sharing: Sequence[_Wanted]) -> tuple[str, ...]:
    """The present masters with the gain of ``group``; none unless every variation was mastered with it."""
    present = []
    for one in sharing:
        master = master_digest(asset.mastering, one.variation, one.takes, group)
        row = one.previous if one.previous and one.previous["master"] == master else None
        if row is None and master not in asset.known.masters:
            return ()
        if row is not None and _files_present(row, asset.known):
            present.append(master)
    return tuple(present)


def _held_group(mastering: str, wanted: Sequence[_Wanted]) -> str | None:
    """The identity of the gain of those that stay; None where none does."""
    for one in wanted:
        if one.stays is not None:
            everybody = group_digest(w.takes for w in wanted)
            alike = master_digest(mastering, one.variation, one.takes, everybody) == one.stays["master"]
            return everybody if alike else gain_group_of(one.stays)
    return None


def _want(asset: _Asset, variation: int, recipes: tuple[Recipe, ...]) -> _Wanted:
    known, place = asset.known, (asset.spec.id, variation)
    takes = tuple([recipe.digest for recipe in recipes])
    previous = known.rows.get(place)
    hold = LOCKED_IN_MANIFEST if asset.spec.lock else known.held.get(place)
    candidate = _candidate(previous, known)
    if candidate and hold in (None, APPROVED) and known.chosen.get(place) == candidate["master"]:
        previous, candidate, hold = candidate, None, APPROVED
    if not hold or previous is None or not _files_present(previous, known):
        return _Wanted(variation, recipes, takes, previous, None, None)
    # Nothing waits beside a locked one any more, so no other variation may take its gain from what had waited.
    rows = (previous, candidate) if hold == APPROVED else (previous,)
    asked_for = (
        row for row in rows if row and set(takes) == set(row["takes"]) and asset.mastering == row["mastering"]
    )
    return _Wanted(variation, recipes, takes, previous, hold, next(asked_for, None))


def _candidate(row: MasterRow | None, known: Known) -> MasterRow | None:
    """The whole master that waits beside an approved one."""
    waiting = row.get("waiting") if row else None
    return waiting if waiting and _files_present(waiting, known) else None


def _decide(asset: _Asset, group: str, wanted: _Wanted, rolled: Sequence[Sequence[Recipe]]) -> VariationPlan:
    previous, known = wanted.previous, asset.known
    if wanted.hold and previous is not None and (wanted.stays or wanted.hold != APPROVED):
        return _decide_held(asset, wanted, previous)
    master = master_digest(asset.mastering, wanted.variation, wanted.takes, group)

    def decided(
        action: Action, reasons: Sequence[str], orders: tuple[TakeOrder, ...] = (), failed: str | None = None
    ) -> VariationPlan:
        told = tuple(dict.fromkeys(reasons))
        return VariationPlan(wanted.variation, action, told, wanted.recipes, orders, master, previous, failed)

    waits = _standing(asset, wanted, master)
    missing = [recipe for recipe in wanted.recipes if not _take_present(recipe.digest, previous, known)]
    if missing:
        orders = tuple(_order(asset, recipe, previous) for recipe in missing)
        from_kept = (FROM_KEPT,) if all(order.kept for order in orders) else ()
        return decided("generate", (*waits, *_generate_reasons(asset, wanted), *from_kept), orders)
    if previous is not None and previous["master"] == master and _files_present(previous, known):
        return decided("reuse", ())
    reasons = _remaster_reasons(asset, group, master, wanted, rolled)
    if known.master_is_whole(master):
        failed = known.quarantined(master)
        return decided("reuse", (failed,) if failed else (*waits, MADE_BEFORE, *reasons), failed=failed)
    lacking = () if reasons else ("master missing from store",)
    found = (f"{reasons[0]}: its take is in the store",) if previous is None else (*reasons, *lacking)
    return decided("re-master", (*waits, *found))


def _standing(asset: _Asset, wanted: _Wanted, master: str) -> tuple[str, ...]:
    """What becomes of the new master beside an approved one."""
    if not wanted.hold:
        return ()
    chosen = asset.known.chosen.get((asset.spec.id, wanted.variation))
    return (EARLIER_TAKES_ITS_PLACE,) if chosen == master else (WILL_WAIT,)


def _decide_held(asset: _Asset, wanted: _Wanted, previous: MasterRow) -> VariationPlan:
    """A variation for which nothing is to be made, because a person decided or has to."""

    def decided(action: Action, reasons: Sequence[str], row: MasterRow) -> VariationPlan:
        return VariationPlan(
            wanted.variation, action, tuple(reasons), wanted.recipes, (), row["master"], previous
        )

    if wanted.hold != APPROVED or wanted.stays is None:
        return decided("locked", (wanted.hold or LOCKED, *_differences(asset, wanted)), previous)
    if wanted.stays is previous:
        changed = asset.known.rows.get((asset.spec.id, wanted.variation)) is not previous
        return decided("reuse", (TAKES_ITS_PLACE,) if changed else (), previous)
    return decided("reuse", (WAITS, *_differences(asset, wanted)), wanted.stays)


def _order(asset: _Asset, recipe: Recipe, previous: MasterRow | None) -> TakeOrder:
    inputs = (asset.spec.melody, asset.spec.continue_from, asset.spec.style)
    heard = set(recipe.conditioning.values())
    audio = tuple((one.sha256, one.path) for one in inputs if one is not None and one.sha256 in heard)
    kept = kept_for(asset.engine, recipe, previous, asset.known)
    return TakeOrder(recipe, asset.ask, audio, asset.engine.cost(recipe), kept)


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


def _generate_reasons(asset: _Asset, wanted: _Wanted) -> tuple[str, ...]:
    previous = wanted.previous
    if previous is None:
        return (_newness(asset),)
    found = _differences(asset, wanted)
    if set(wanted.takes) <= set(previous["takes"]):
        found = ("take missing from store", *found)
    return (*found, *chain_difference(previous, asset.known)) or ("take missing from store",)


def _remaster_reasons(
    asset: _Asset, group: str, master: str, wanted: _Wanted, rolled: Sequence[Sequence[Recipe]]
) -> tuple[str, ...]:
    """Why the variation has another master than the catalog's; empty where it has not."""
    previous = wanted.previous
    if previous is None:
        return (_newness(asset),)
    if previous["master"] == master:
        return ()
    found = [*_differences(asset, wanted), *chain_difference(previous, asset.known)]
    if same_takes(previous, wanted.recipes):
        found += gain_differences(asset.spec, wanted.variation, rolled, asset.known)
    regrouped = previous["gain_group"] not in ("", group)
    return tuple(found) or ("shared gain changed" if regrouped else newer_chain(),)


def _newness(asset: _Asset) -> str:
    return "new variation" if asset.spec.id in asset.known.assets else "new asset"


def _differences(asset: _Asset, wanted: _Wanted) -> tuple[str, ...]:
    """How the wanted variation differs from the catalog's, in words; empty when it does not."""
    assert wanted.previous is not None
    return differences(
        asset.spec, asset.project, asset.mastering, wanted.previous, wanted.recipes, asset.known
    )


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


def kept_for(engine: Engine, recipe: Recipe, previous: MasterRow | None, known: Known) -> str | None:
    """Digest of a whole take from which ``recipe``'s can be made; None where there is none.

    The take of the recipe's origin is looked for, then those of the ``previous`` master.
    """
    if not isinstance(engine, Redecoding):
        return None
    origin = engine.origin(recipe)
    candidates: list[str] = [origin.digest, *(previous["takes"] if previous else ())]
    for digest in candidates:
        record = known.take(digest) if digest != recipe.digest else None
        if record is None or not record["attachments"]:
            continue
        made = Recipe.from_json(record["recipe"])
        whole = all(one["sha256"] in known.objects for one in record["attachments"].values())
        if whole and engine.origin(made) == origin:
            return digest
    return None
