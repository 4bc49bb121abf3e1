"""The decision: for every variation of a project one action, with its reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.errors import MachineError, ManifestError, Problem, UsageError
from pipeline.generators import Engine, RequirementProblem, Requirements, engine_names, find_engine
from pipeline.manifest import beside, nearest
from pipeline.manifest.spec import AssetSpec, Project
from pipeline.plan.differences import (
    chain_difference,
    differences,
    gain_differences,
    newer_chain,
    same_takes,
)
from pipeline.plan.digests import (
    gain_group_of,
    group_digest,
    master_digest,
    mastering_digest,
)
from pipeline.plan.kept import FROM_KEPT, kept_for
from pipeline.plan.known import (
    APPROVED,
    EARLIER_TAKES_ITS_PLACE,
    LOCKED,
    LOCKED_IN_MANIFEST,
    MADE_BEFORE,
    TAKES_ITS_PLACE,
    WAITS,
    WILL_WAIT,
    Known,
)
from pipeline.plan.recipes import recipes_for
from pipeline.plan.values import Action, AssetPlan, Plan, TakeOrder, VariationPlan
from pipeline.provenance import MasterRow
from pipeline.recipe import Recipe


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


def check(project: Project) -> list[tuple[AssetSpec, Engine, Requirements]]:
    """Every asset with its engine and what it asks of it.

    Raises `ManifestError` with everything that engines cannot make as it is written, in file order. What is wrong
    with every asset of a for_each is told once.
    """
    engines = {name: _installed(name) for name in {asset.engine for asset in project.assets}}
    asked = []
    found: list[tuple[tuple[object, ...], Problem]] = []
    for asset in project.assets:
        engine = engines[asset.engine]
        if engine is None:
            found.append(((asset.engine,), _located(project, asset, _not_installed(asset.engine))))
            continue
        ask = _ask(project, asset, engine)
        problems = [ask] if isinstance(ask, RequirementProblem) else _problems(asset, ask)
        for problem in problems:
            place = (asset.source.file, asset.source.line, problem.field, problem.what)
            found.append((place, _located(project, asset, problem)))
        if isinstance(ask, Requirements):
            asked.append((asset, engine, ask))
    if found:
        once: dict[tuple[object, ...], Problem] = {}
        for same, told in sorted(
            found, key=lambda one: (one[1].file != project.file, one[1].file, one[1].line)
        ):
            once.setdefault(same, told)
        raise ManifestError(once.values())
    return asked


def _ask(project: Project, asset: AssetSpec, engine: Engine) -> Requirements | RequirementProblem:
    """What the engine asks, or the problem that it broke over the asset.

    Raises `MachineError`, with the asset's place, where this machine lacks what answering takes.
    """
    try:
        ask: object = engine.requirements(asset)
    except MachineError as error:
        place = f"{_file_of(project, asset)}:{asset.source.line}: {asset.id}"
        raise MachineError(f"{place}: engine {asset.engine!r}: {error}") from error
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
    else:
        if isinstance(ask, Requirements):
            return ask
        why = f"it answered with {type(ask).__name__}"
    what = f"engine {asset.engine!r} cannot say what this asset takes: {' '.join(why.split())}"
    return RequirementProblem("engine", what, "report this to the engine's makers, or choose another engine")


def _installed(name: str) -> Engine | None:
    try:
        return find_engine(name)
    except UsageError:
        return None


def _not_installed(engine: str) -> RequirementProblem:
    names = engine_names()
    close = nearest(engine, names)
    choice = f"did you mean {close}?" if close else f"choose one of {', '.join(names)}:"
    what = f"engine {engine!r} is not installed"
    return RequirementProblem("engine", what, f"{choice} it is said in defaults or a profile")


def _problems(asset: AssetSpec, ask: Requirements) -> Iterator[RequirementProblem]:
    yield from ask.problems
    if asset.license == "commercial" and not ask.model.commercial:
        what = f"license is commercial, and the weights of {ask.model.id} are {ask.model.license}"
        yield RequirementProblem(
            "license", what, "choose a model whose licence allows it, or set license: any"
        )


def _file_of(project: Project, asset: AssetSpec) -> str:
    """The file in which an asset is written, as the person would write its path."""
    return beside(project.file, asset.source.file)


def _located(project: Project, asset: AssetSpec, problem: RequirementProblem) -> Problem:
    where = f"{asset.id}.{problem.field}"
    return Problem(_file_of(project, asset), asset.source.line, where, problem.what, problem.remedy)


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
