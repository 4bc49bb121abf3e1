"""Before a build: the manifest, what is known to be made, and the plan. Light: neither Prefect nor numpy."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.catalog import (
    LATEST,
    Catalog,
    Change,
    Failures,
    Place,
    Renames,
    Reviews,
    ReviewState,
    Sealing,
    SignedFiles,
    Version,
    assemble_rows,
    compare_rows,
    is_off_target,
    is_open,
    missing_row,
    pending_renames,
    rows_by_current_id,
    with_deviations,
)
from pipeline.catalog.version import sha256_of
from pipeline.credentials import DEVELOPMENT, available, configured
from pipeline.errors import Problem, UsageError
from pipeline.generators import engine_keys
from pipeline.manifest import beside, load, load_cached, manifest_texts, nearest
from pipeline.manifest.problems import list_names
from pipeline.manifest.spec import AssetSpec, CredentialsPolicy, ManifestText, Project
from pipeline.plan import APPROVED, LOCKED, AssetPlan, Known, Plan, Reason, Stage, VariationPlan, plan
from pipeline.provenance import CredentialsJson, MasterRow, MissingRow, name_of
from pipeline.store import Store

Signatures = Mapping[tuple[str, int], SignedFiles]
"""By asset id and variation."""
MadeMaster = Callable[[AssetPlan, VariationPlan], str | None]
"""Digest of the master that a build made for a variation; None where it made none."""


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What a build was asked for."""

    manifest: Path
    outputs: str
    """Folder or URL of the store and the catalog."""
    profile: str | None = None
    only: tuple[str, ...] = ()
    """Globs of asset ids; empty for all."""
    devices: str = "auto"
    """As `parse_devices` reads it."""
    allow_removals: bool = False


@dataclass(frozen=True)
class Prepared:
    """A manifest beside its store, with the plan that takes one to the other."""

    project: Project
    """Only the assets in scope."""
    store: Store
    catalog: Catalog
    latest: Version | None
    known: Known
    plan: Plan
    reviews: ReviewState
    only: tuple[str, ...]
    assets: tuple[AssetSpec, ...]
    """Every asset of the manifest, in scope or not."""
    renames: Renames = field(default_factory=dict)
    """By earlier id, the id of every asset of the manifest that was renamed, in scope or not."""
    allow_removals: bool = False
    """Whether the next version may lack what `pipeline.build.prepare` protects."""

    @cached_property
    def policies(self) -> Mapping[str, CredentialsPolicy]:
        """By asset id: who may sign its files."""
        return {asset.id: asset.credentials for asset in self.project.assets}

    @property
    def promotion(self) -> dict[str, list[str]]:
        """Channel to the reasons of the release gate that the manifest allows there."""
        return {channel: list(allowed) for channel, allowed in self.project.promotion}

    @cached_property
    def texts(self) -> tuple[ManifestText, ...]:
        """The manifest and what it includes, as the project was loaded from them. Raises `UsageError` where they
        changed since."""
        texts = manifest_texts(Path(self.project.file), engine_keys)
        if sha256_of(texts) != self.project.sha256:
            raise UsageError(f"{self.project.file} was changed while the build began; run it again")
        return texts

    @property
    def leaving(self) -> tuple[MasterRow, ...]:
        """Rows of the latest version for which the manifest no longer asks: the next version is without them."""
        return self.leaving_from(self.latest)

    def leaving_from(self, before: Version | None) -> tuple[MasterRow, ...]:
        """Rows of ``before`` that the version after it is without."""
        asked = {(one.asset.id, part.variation) for one in self.plan.assets for part in one.variations}
        rows = before.masters if before else ()
        moved = pending_renames(before, self.renames)
        places = ((moved.get(row["asset"], row["asset"]), row["variation"]) for row in rows)
        return tuple(
            row
            for row, place in zip(rows, places, strict=True)
            if place not in asked and self.in_scope(row["asset"])
        )

    @cached_property
    def in_the_making(self) -> Set[Place]:
        """Asset id and variation of everything that is to be generated or re-mastered."""
        return {
            (plan.asset.id, variation.variation)
            for plan in self.plan.stale
            for variation in plan.variations
            if variation.action.makes
        }

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """How the next version differs from the latest in rows for which nothing has to be made.

        Labels, names, locks, reviews, what waited or was made before, signatures, removals.
        """
        return tuple(_changes(self))

    @property
    def publishes(self) -> bool:
        """Whether a build would make or publish anything: what `plan`, `plan --check` and `build` go by."""
        other_name = self.latest is not None and self.latest.project != self.project.name
        return bool(self.plan.stale or self.changes or self.renamed or other_name or self._gaps_differ)

    @cached_property
    def _gaps_differ(self) -> bool:
        """Whether the next version lacks something else than the latest, or has other rules for channels."""
        if self.latest is None:
            return False
        return not self.latest.same_gaps(missing_from(self, self.latest, self.rows), self.promotion)

    @cached_property
    def rows(self) -> tuple[MasterRow, ...]:
        """The rows that the next version would have if it were published now, with nothing made."""
        return next_rows(self, self.latest, known=self.known)

    @cached_property
    def renamed(self) -> Mapping[str, str]:
        """Assets in scope that the latest version has under an earlier id: that id, and the one that they get."""
        moved = pending_renames(self.latest, self.renames)
        return {old: new for old, new in sorted(moved.items()) if self.in_scope(new)}

    @cached_property
    def warnings(self) -> tuple[Problem, ...]:
        """What may not be meant: of the manifest as it is written, and earlier ids that the catalog never had."""
        have = {row["asset"] for row in self.latest.masters} if self.latest else set[str]()
        lost = (
            asset for asset in self.project.assets if asset.was and have.isdisjoint((asset.id, *asset.was))
        )
        return (*self.project.warnings, *(_lost(self.project, asset, have) for asset in lost if have))

    def in_scope(self, asset: str) -> bool:
        """Whether the build may change the rows of ``asset``, by its id now: all, or those that match ``--only``."""
        name = self.renames.get(asset, asset)
        return not self.only or any(fnmatch.fnmatchcase(name, glob) for glob in self.only)


def prepare(
    manifest: Path,
    outputs: str,
    profile: str | None = None,
    only: Sequence[str] = (),
    allow_removals: bool = False,
) -> Prepared:
    """Load ``manifest`` for ``profile``, read the store at ``outputs`` and plan what ``only`` (globs) matches.

    Raises `ManifestError`, `UsageError` when a glob matches nothing, and the store's errors.
    """
    store = Store.open(outputs)
    catalog = Catalog(store)
    latest = catalog.latest()
    compiled = store.backend.local_path("cache/manifests") if latest else None
    project = (
        load_cached(manifest, profile, compiled, engine_keys)
        if compiled
        else load(manifest, profile, engine_keys)
    )
    renames = {old: asset.id for asset in project.assets for old in reversed(asset.was)}
    whole = project.assets
    if only:
        project = _narrow(project, only)
    reviews = Reviews(store).state(renames)
    known = _known(store, latest, reviews, renames)
    todo = plan(project, known)
    return Prepared(
        project, store, catalog, latest, known, todo, reviews, tuple(only), whole, renames, allow_removals
    )


def is_outdated(prepared: Prepared) -> bool:
    """Whether another build published a version, or made takes or masters, after this plan was made."""
    channel, latest = prepared.catalog.channel(LATEST), prepared.latest
    known, now = prepared.known, prepared.known.fresh()
    return (
        (channel["version"] if channel else None) != (latest.number if latest else None)
        or known.takes != now.takes
        or known.masters != now.masters
    )


def still_valid(prepared: Prepared) -> Prepared:
    """``prepared``, or a new plan where `gc` or `verify --repair` removed something since.

    The caller holds the store.
    """
    known, now = prepared.known, prepared.known.fresh()
    if known.takes <= now.takes and known.masters <= now.masters and known.objects <= now.objects:
        return prepared
    latest, reviews = prepared.catalog.latest(), Reviews(prepared.store).state(prepared.renames)
    known = _known(prepared.store, latest, reviews, prepared.renames)
    todo = plan(prepared.project, known)
    return replace(prepared, latest=latest, known=known, plan=todo, reviews=reviews)


def _lost(project: Project, asset: AssetSpec, have: Set[str]) -> Problem:
    """The warning of an asset whose earlier ids the latest version does not have."""
    old = asset.was[0]
    close = nearest(old, have)
    remedy = (
        f"did you mean {close}?" if close else "write the id that the asset had in the catalog, or remove was"
    )
    what = f"the catalog has no {old!r}, so there is no sound to keep"
    file = beside(project.file, asset.source.file)
    return Problem(file, asset.source.line, f"{asset.id}.was", what, remedy)


def _narrow(project: Project, only: Sequence[str]) -> Project:
    for glob in only:
        if not any(fnmatch.fnmatchcase(asset.id, glob) for asset in project.assets):
            raise UsageError(
                f"--only {glob!r} matches no asset of {project.file}; "
                f"`cuesmith plan --json` lists their ids, and `music/*` matches all below music/"
            )
    chosen = (asset for asset in project.assets if any(fnmatch.fnmatchcase(asset.id, glob) for glob in only))
    return replace(project, assets=tuple(chosen))


def _known(store: Store, latest: Version | None, reviews: ReviewState, renames: Renames) -> Known:
    rows = rows_by_current_id(latest, renames)
    return Known(store, rows, reviews.rejected, _held(rows, reviews), reviews.chosen)


def _held(rows: Mapping[tuple[str, int], MasterRow], state: ReviewState) -> dict[tuple[str, int], Reason]:
    held = dict.fromkeys(state.locked, LOCKED)
    for place, row in rows.items() if state.approved else ():
        if row["master"] in state.approved:
            held.setdefault(place, APPROVED)
    return held


def up_to_date(prepared: Prepared) -> bool:
    """Whether the latest version shows exactly what the manifest asks for."""
    return prepared.latest is not None and not prepared.publishes


def _changes(prepared: Prepared) -> Iterable[Change]:
    latest = prepared.latest
    rows = prepared.rows
    unsigned = open_rows(prepared, rows)
    if latest is not None and not unsigned and latest.same_masters(rows):
        return
    after = {(row["asset"], row["variation"]): row for row in (*rows, *map(_once_signed, unsigned))}
    before = rows_by_current_id(latest, prepared.renames)
    for change in compare_rows(
        prepared.store, before, after, prepared.reviews.rejected, reasons_of(prepared)
    ):
        if change.place not in prepared.in_the_making:
            yield change


def _once_signed(row: MasterRow) -> MasterRow:
    """The row as signing it would leave it, as far as that is known before."""
    identity = configured()
    signer = identity.name if identity else DEVELOPMENT
    told = CredentialsJson(signed_by=signer, reason=None, unsigned=row["files"])
    return MasterRow(**{**row, "credentials": told})


def reasons_of(prepared: Prepared) -> dict[Place, tuple[Reason, ...]]:
    """Why each variation of the plan that is not up to date is not."""
    return {
        (plan.asset.id, variation.variation): variation.reasons
        for plan in prepared.plan.assets
        for variation in plan.variations
        if variation.reasons
    }


def next_rows(
    prepared: Prepared,
    before: Version | None,
    failures: Failures | None = None,
    made: MadeMaster | None = None,
    reviews: ReviewState | None = None,
    signed: Signatures | None = None,
    known: Known | None = None,
) -> tuple[MasterRow, ...]:
    """The rows of the version that would follow ``before``, under ``reviews`` (default: those of the plan).

    ``signed`` is what this build signed. ``known`` spares a new look into the store.
    """
    fresh = known or prepared.known.fresh()
    quarantined = {place: reason for place, (reason, _) in known_failures(prepared).items()}

    def digest(plan: AssetPlan, variation: VariationPlan) -> str:
        return (made(plan, variation) if made else None) or variation.master

    rows = assemble_rows(
        prepared.plan.assets,
        {**quarantined, **(failures or {})},
        digest,
        fresh.master,
        before,
        lambda asset: not prepared.in_scope(asset),
        reviews or prepared.reviews,
        prepared.renames,
    )
    return _settled(prepared, rows, before, signed or {}, fresh)


def missing_from(
    prepared: Prepared,
    before: Version | None,
    rows: Sequence[MasterRow],
    failed: Iterable[Mapping[str, Any]] | None = None,
) -> tuple[MissingRow, ...]:
    """What the whole manifest asks for and ``rows`` lack. ``failed`` is as in the build's result; without it, what
    earlier builds quarantined."""
    there = {(row["asset"], row["variation"]) for row in rows}
    reasons = {
        (one["asset"], one["variation"]): one for one in (_failed(prepared) if failed is None else failed)
    }
    known = {(gap["asset"], gap["variation"]): gap for gap in (before.missing if before else ())}
    found = []
    for asset in prepared.assets:
        for place in ((asset.id, variation) for variation in range(1, asset.variations + 1)):
            if place in there:
                continue
            if place in reasons:
                found.append(missing_row(reasons[place], asset.kind, asset.tags))
            elif place in known and not prepared.in_scope(asset.id):
                found.append(known[place])
            else:
                found.append(_unmade(asset, place[1]))
    return tuple(found)


def _unmade(asset: AssetSpec, variation: int) -> MissingRow:
    return MissingRow(
        asset=asset.id,
        variation=variation,
        kind=asset.kind,
        tags=sorted(asset.tags),
        code="missing",
        reason="not built yet",
    )


def _settled(
    prepared: Prepared, rows: tuple[MasterRow, ...], before: Version | None, signed: Signatures, known: Known
) -> tuple[MasterRow, ...]:
    """The rows with the signatures that they shall have, as far as they exist."""
    policies = prepared.policies
    if set(policies.values()) <= {"none"} and not any("credentials" in row for row in rows):
        return rows
    identity = configured()
    sealing = Sealing(identity.name if identity else None, available(), known.objects)
    earlier = rows_by_current_id(before, prepared.renames)
    return tuple(
        sealing.settle(row, policies.get(row["asset"]), earlier.get(place), signed.get(place))
        for row in rows
        for place in [(row["asset"], row["variation"])]
    )


def open_rows(prepared: Prepared, rows: Sequence[MasterRow]) -> list[MasterRow]:
    """Those of settled ``rows`` that are still to be signed."""
    return [row for row in rows if is_open(row, prepared.policies.get(row["asset"]))]


def known_failures(prepared: Prepared) -> dict[tuple[str, int], tuple[str, str]]:
    """By asset id and variation, what earlier builds made and quarantined: its reason and its master's digest."""
    return {
        (plan.asset.id, variation.variation): (variation.quarantined, variation.master)
        for plan in prepared.plan.assets
        for variation in plan.variations
        if variation.quarantined
    }


def failed_json(asset: str, variation: int, stage: Stage, reason: str, master: str | None) -> dict[str, Any]:
    """One item of ``failed`` in the object of ``build --json``; what failed its quality gates names its record."""
    told: dict[str, Any] = {"asset": asset, "variation": variation, "stage": stage, "reason": reason}
    return told | ({"master": master} if stage is Stage.QUALITY else {})


def off_target_in(store: Store, version: Version | None) -> int:
    """How many masters of a version missed their loudness target."""
    return sum(map(is_off_target, with_deviations(store, version.masters))) if version else 0


def waiting_in(version: Version | None) -> int:
    """How many masters of a version have a new take waiting beside them."""
    return sum("waiting" in row for row in version.masters) if version else 0


def removed_names(prepared: Prepared) -> list[str]:
    """Names of the masters that the build leaves out of the catalog."""
    return [name_of(row) for row in prepared.leaving]


def _failed(prepared: Prepared) -> list[dict[str, Any]]:
    """What earlier builds quarantined, as items of ``failed``."""
    return [
        failed_json(asset, variation, Stage.QUALITY, reason, master)
        for (asset, variation), (reason, master) in sorted(known_failures(prepared).items())
    ]


def unbuilt(prepared: Prepared) -> dict[str, Any]:
    """The object of ``build --json`` for a build that makes nothing."""
    failed = _failed(prepared)
    return {
        "version": prepared.latest.number if prepared.latest else None,
        "published": False,
        "generated": 0,
        "mastered": 0,
        "reused": sum(len(plan.variations) for plan in prepared.plan.assets) - len(failed),
        "waiting": waiting_in(prepared.latest),
        "off_target": off_target_in(prepared.store, prepared.latest),
        "failed": failed,
        "removed": removed_names(prepared),
        "run": None,
        "report": None,
        "library": None,
        "generate": {"seconds": 0.0, "estimated_seconds": 0.0, "basis": ""},
        "seconds": 0.0,
    }


SHARE = 1 / 3
"""A build that removes more than this share of the masters needs ``--allow-removals``."""
FEW = 3
"""A build may always remove this many masters if others stay: a small project soon reaches `SHARE`."""
_MANY_NAMES = 12


def prepare_build(request: BuildRequest) -> Prepared:
    """`prepare`, with `check_removals` against the latest version."""
    prepared = prepare(
        request.manifest, request.outputs, request.profile, request.only, request.allow_removals
    )
    check_removals(prepared, prepared.latest)
    return prepared


def check_removals(prepared: Prepared, before: Version | None) -> None:
    """Raise `UsageError` if the version after ``before`` needs ``--allow-removals`` and it is not set."""
    problem = removal_problem(prepared, before)
    if problem is not None and not prepared.allow_removals:
        raise UsageError(problem)


def removal_problem(prepared: Prepared, before: Version | None) -> str | None:
    """Return why the version after ``before`` needs ``--allow-removals``, with fixes; None if it does not."""
    if before is None or not before.masters:
        return None
    leaving = prepared.leaving_from(before)
    names = list_names(map(name_of, leaving), limit=_MANY_NAMES)
    project = prepared.project
    if before.project != project.name:
        removed = f" This build would remove {names}." if leaving else ""
        return (
            f"{prepared.store.root} holds project {before.project!r}, and {project.file} is project "
            f"{project.name!r}.{removed} Choose another folder with --outputs, or, if you renamed the project, "
            "build with --allow-removals"
        )
    approved = [
        row
        for row in leaving
        if row["master"] in prepared.reviews.approved
        or (row["asset"], row["variation"]) in prepared.reviews.locked
    ]
    if approved:
        return (
            f"{project.file} no longer lists {len(leaving)} of {len(before.masters)} masters, and people approved "
            f"or locked {list_names(map(name_of, approved), limit=_MANY_NAMES)}. Add them to the manifest again, "
            "or remove them with --allow-removals"
        )
    if not prepared.assets or len(leaving) > max(FEW, SHARE * len(before.masters)):
        return (
            f"{project.file} no longer lists {len(leaving)} of {len(before.masters)} masters: {names}. Add them "
            "to the manifest again, or remove them with --allow-removals"
        )
    return None
