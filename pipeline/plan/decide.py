"""The decision: for every variation of a project one action, with its reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.errors import MachineError, ManifestError, Problem, UsageError
from pipeline.generators import Ask, AskProblem, Engine, engine_names, find_engine
from pipeline.manifest import beside, nearest
from pipeline.manifest.spec import AssetSpec, Project
from pipeline.plan.digests import gain_group_of, group_digest, master_digest, mastering_digest
from pipeline.plan.kept import FROM_KEPT, kept_for
from pipeline.plan.known import APPROVED, LOCKED, LOCKED_IN_MANIFEST, TAKES_ITS_PLACE, WAITS, WILL_WAIT, Known
from pipeline.plan.reasons import mastering_reasons, recipe_reasons
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
            _plan_asset(asset, engine, ask, mastering_digest(asset, project.name), known)
            for asset, engine, ask in check(project)
        )
    )


def check(project: Project) -> list[tuple[AssetSpec, Engine, Ask]]:
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
        problems = [ask] if isinstance(ask, AskProblem) else _problems(asset, ask)
        for problem in problems:
            place = (asset.source.file, asset.source.line, problem.field, problem.what)
            found.append((place, _located(project, asset, problem)))
        if isinstance(ask, Ask):
            asked.append((asset, engine, ask))
    if found:
        once: dict[tuple[object, ...], Problem] = {}
        for same, told in sorted(
            found, key=lambda one: (one[1].file != project.file, one[1].file, one[1].line)
        ):
            once.setdefault(same, told)
        raise ManifestError(once.values())
    return asked


def _ask(project: Project, asset: AssetSpec, engine: Engine) -> Ask | AskProblem:
    """What the engine asks, or the problem that it broke over the asset.

    Raises `MachineError`, with the asset's place, where this machine lacks what answering takes.
    """
    try:
        ask: object = engine.ask(asset)
    except MachineError as error:
        place = f"{_file_of(project, asset)}:{asset.source.line}: {asset.id}"
        raise MachineError(f"{place}: engine {asset.engine!r}: {error}") from error
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
    else:
        if isinstance(ask, Ask):
            return ask
        why = f"it answered with {type(ask).__name__}"
    what = f"engine {asset.engine!r} cannot say what this asset takes: {' '.join(why.split())}"
    return AskProblem("engine", what, "report this to the engine's makers, or choose another engine")


def _installed(name: str) -> Engine | None:
    try:
        return find_engine(name)
    except UsageError:
        return None


def _not_installed(engine: str) -> AskProblem:
    names = engine_names()
    close = nearest(engine, names)
    choice = f"did you mean {close}?" if close else f"choose one of {', '.join(names)}:"
    what = f"engine {engine!r} is not installed"
    return AskProblem("engine", what, f"{choice} it is said in defaults or a profile")


def _problems(asset: AssetSpec, ask: Ask) -> Iterator[AskProblem]:
    yield from ask.problems
    if asset.license == "commercial" and not ask.model.commercial:
        what = f"license is commercial, and the weights of {ask.model.id} are {ask.model.license}"
        yield AskProblem("license", what, "choose a model whose licence allows it, or set license: any")


def _file_of(project: Project, asset: AssetSpec) -> str:
    """The file in which an asset is written, as the person would write its path."""
    return beside(project.file, asset.source.file)


def _located(project: Project, asset: AssetSpec, problem: AskProblem) -> Problem:
    where = f"{asset.id}.{problem.field}"
    return Problem(_file_of(project, asset), asset.source.line, where, problem.what, problem.remedy)


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


def _plan_asset(asset: AssetSpec, engine: Engine, ask: Ask, mastering: str, known: Known) -> AssetPlan:
    rolled = recipes_for(asset, ask, engine.version, known.rejected)
    wanted = [
        _want(asset, mastering, variation, recipes, known) for variation, recipes in enumerate(rolled, 1)
    ]
    anchors = [w.stays for w in wanted if w.stays]
    held_group = _held_group(mastering, wanted)
    group = held_group or group_digest(w.takes for w in wanted if w.hold in (None, APPROVED))
    variations = tuple(_decide(asset, engine, ask, mastering, group, w, known) for w in wanted)
    return AssetPlan(
        asset, ask, mastering, variations, tuple(anchor["master"] for anchor in anchors), held_group
    )


def _held_group(mastering: str, wanted: Sequence[_Wanted]) -> str | None:
    """The identity of the gain of those that stay; None where none does."""
    for one in wanted:
        if one.stays is not None:
            everybody = group_digest(w.takes for w in wanted)
            alike = master_digest(mastering, one.variation, one.takes, everybody) == one.stays["master"]
            return everybody if alike else gain_group_of(one.stays)
    return None


def _want(
    asset: AssetSpec, mastering: str, variation: int, recipes: tuple[Recipe, ...], known: Known
) -> _Wanted:
    place = (asset.id, variation)
    takes = tuple([recipe.digest for recipe in recipes])
    previous = known.rows.get(place)
    hold = LOCKED_IN_MANIFEST if asset.lock else known.held.get(place)
    candidate = _candidate(previous, known)
    if candidate and hold in (None, APPROVED) and known.chosen.get(place) == candidate["master"]:
        previous, candidate, hold = candidate, None, APPROVED
    if not hold or previous is None or not _files_present(previous, known):
        return _Wanted(variation, recipes, takes, previous, None, None)
    # Nothing waits beside a locked one any more, so no other variation may take its gain from what had waited.
    rows = (previous, candidate) if hold == APPROVED else (previous,)
    asked_for = (
        row for row in rows if row and set(takes) == set(row["takes"]) and mastering == row["mastering"]
    )
    return _Wanted(variation, recipes, takes, previous, hold, next(asked_for, None))


def _candidate(row: MasterRow | None, known: Known) -> MasterRow | None:
    """The whole master that waits beside an approved one."""
    waiting = row.get("waiting") if row else None
    return waiting if waiting and _files_present(waiting, known) else None


def _decide(
    asset: AssetSpec, engine: Engine, ask: Ask, mastering: str, group: str, wanted: _Wanted, known: Known
) -> VariationPlan:
    previous = wanted.previous
    if wanted.hold and previous is not None and (wanted.stays or wanted.hold != APPROVED):
        return _decide_held(asset, mastering, wanted, previous, known)
    waits = (WILL_WAIT,) if wanted.hold else ()
    master = master_digest(mastering, wanted.variation, wanted.takes, group)
    missing = [recipe for recipe in wanted.recipes if not _take_present(recipe.digest, previous, known)]
    if missing:
        orders = tuple(_order(asset, engine, ask, recipe, previous, known) for recipe in missing)
        reasons = (*waits, *_generate_reasons(asset, mastering, wanted, known))
        if all(order.kept for order in orders):
            reasons = (*reasons, FROM_KEPT)
        return VariationPlan(wanted.variation, "generate", reasons, wanted.recipes, orders, master, previous)
    if previous is not None and previous["master"] == master and _files_present(previous, known):
        return VariationPlan(wanted.variation, "reuse", (), wanted.recipes, (), master, previous)
    if known.master_is_whole(master):
        failed = known.quarantined(master)
        reasons = (failed,) if failed else (*waits, "made before: its master is in the store")
        return VariationPlan(wanted.variation, "reuse", reasons, wanted.recipes, (), master, previous, failed)
    reasons = (*waits, *_remaster_reasons(asset, mastering, master, wanted, known))
    return VariationPlan(wanted.variation, "re-master", reasons, wanted.recipes, (), master, previous)


def _decide_held(
    asset: AssetSpec, mastering: str, wanted: _Wanted, previous: MasterRow, known: Known
) -> VariationPlan:
    """A variation for which nothing is to be made, because a person decided or has to."""

    def decided(action: Action, reasons: Sequence[str], row: MasterRow) -> VariationPlan:
        return VariationPlan(
            wanted.variation, action, tuple(reasons), wanted.recipes, (), row["master"], previous
        )

    if wanted.hold != APPROVED or wanted.stays is None:
        reasons = (wanted.hold or LOCKED, *_differences(asset, mastering, wanted, known))
        return decided("locked", reasons, previous)
    if wanted.stays is previous:
        changed = known.rows.get((asset.id, wanted.variation)) is not previous
        return decided("reuse", (TAKES_ITS_PLACE,) if changed else (), previous)
    return decided("reuse", (WAITS, *_differences(asset, mastering, wanted, known)), wanted.stays)


def _order(
    asset: AssetSpec, engine: Engine, ask: Ask, recipe: Recipe, previous: MasterRow | None, known: Known
) -> TakeOrder:
    inputs = (asset.melody, asset.continue_from, asset.style)
    heard = set(recipe.conditioning.values())
    audio = tuple((one.sha256, one.path) for one in inputs if one is not None and one.sha256 in heard)
    kept = kept_for(engine, recipe, previous, known)
    return TakeOrder(recipe, ask, audio, engine.cost(recipe), kept)


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


def _generate_reasons(asset: AssetSpec, mastering: str, wanted: _Wanted, known: Known) -> tuple[str, ...]:
    previous = wanted.previous
    if previous is None:
        return (_newness(asset, known),)
    if set(wanted.takes) <= set(previous["takes"]):
        return ("take missing from store",)
    reasons = _differences(asset, mastering, wanted, known)
    return reasons or ("take missing from store",)


def _remaster_reasons(
    asset: AssetSpec, mastering: str, master: str, wanted: _Wanted, known: Known
) -> tuple[str, ...]:
    previous = wanted.previous
    if previous is None:
        return (f"{_newness(asset, known)}: its take is in the store",)
    if previous["master"] == master:
        return ("master missing from store",)
    reasons = _differences(asset, mastering, wanted, known)
    return reasons or ("shared gain: another variation changed",)


def _newness(asset: AssetSpec, known: Known) -> str:
    return "new variation" if asset.id in known.assets else "new asset"


def _differences(asset: AssetSpec, mastering: str, wanted: _Wanted, known: Known) -> tuple[str, ...]:
    """How the wanted variation differs from the catalog's, in words; empty when it does not."""
    previous = wanted.previous
    assert previous is not None
    reasons: list[str] = []
    if set(wanted.takes) != set(previous["takes"]):
        reasons.extend(_take_differences(previous, wanted, known))
    if mastering != previous["mastering"]:
        record = known.master(previous["master"])
        reasons.extend(mastering_reasons(record, asset) if record else ["mastering changed"])
        if not reasons:
            reasons.append("labels changed")
    return tuple(dict.fromkeys(reasons))


def _take_differences(previous: MasterRow, wanted: _Wanted, known: Known) -> Sequence[str]:
    if previous["take"] in known.rejected:
        return ["rejected in review"]
    if len(wanted.takes) != len(previous["takes"]):
        return [f"candidates changed: {len(previous['takes'])} -> {len(wanted.takes)}"]
    record = known.take(previous["take"])
    if record is None:
        return ["recipe changed"]
    return list(recipe_reasons(record["recipe"], wanted.recipes[0])) or ["seed changed"]
