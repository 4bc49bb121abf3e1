"""Prepare a build: read the manifest and the store, and make the plan. Imports neither Prefect nor numpy."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence, Set
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
    ReleaseRules,
    Renames,
    Reviews,
    ReviewState,
    SigningState,
    Version,
    assemble_rows,
    compare_rows,
    is_off_target,
    missing_row,
    needs_signature,
    pending_renames,
    rows_by_current_id,
)
from pipeline.credentials import DEVELOPMENT, SignedFiles, available, configured
from pipeline.errors import ManifestError, Problem, UsageError
from pipeline.generators import engine_keys
from pipeline.manifest import beside, lazy_imports, load_cached, nearest
from pipeline.manifest.problems import list_names
from pipeline.manifest.spec import AssetSpec, CredentialsPolicy, ManifestText, Project, sha256_of
from pipeline.plan import APPROVED, LOCKED, AssetPlan, Plan, Reason, Stage, VariationPlan, plan
from pipeline.plan.validate import check_manifest
from pipeline.plan.values import Known
from pipeline.provenance import CredentialsJson, MasterRow, MissingRow, name_of, place_of
from pipeline.store import Store

Signatures = Mapping[tuple[str, int], SignedFiles]
"""By asset id and variation."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a build made, and what it could not make."""

    masters: Mapping[Place, str] = field(default_factory=dict)
    """Digests of the masters, by asset id and variation."""
    new: Set[str] = frozenset()
    """Digests of the masters that did not exist before."""
    failures: Failures = field(default_factory=dict)
    signed: Signatures = field(default_factory=dict)

    def digest(self, plan: AssetPlan, variation: VariationPlan) -> str:
        """Return the digest of a variation's master: the one that the build made, or the one of the plan."""
        return self.masters.get((plan.asset.id, variation.variation)) or variation.master


NOTHING_MADE = Made()

LOCAL, RAY = "local", "ray"
"""Where workers run."""


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """The options of a build."""

    manifest: Path
    outputs: str
    """Folder or URL of the store and the catalog."""
    profile: str | None = None
    only: tuple[str, ...] = ()
    """Globs of asset ids; empty for all."""
    devices: str = "auto"
    """The text that `parse_devices` reads."""
    allow_removals: bool = False
    """Whether it may remove masters that `check_removals` protects."""
    refresh_models: bool = False
    """Whether to use the newest revisions of published models, and not those that the catalog has."""
    max_minutes: float | None = None
    """Minutes after which no take and no master begins; None for no limit."""
    runner: str = LOCAL
    ray_address: str | None = None
    """The address of a Ray cluster; None for the one that ``RAY_ADDRESS`` names, or one on this machine."""

    def __post_init__(self) -> None:
        if self.runner not in (LOCAL, RAY):
            raise UsageError(f"--runner {self.runner!r} is unknown; give {LOCAL} or {RAY}")
        if self.ray_address and self.runner != RAY:
            raise UsageError(f"--ray-address needs --runner {RAY}")
        if self.max_minutes is not None and not self.max_minutes >= 0:
            raise UsageError(f"--max-minutes {self.max_minutes:g} is not a time; give minutes, such as 60")


@dataclass(frozen=True)
class Prepared:
    """A manifest, its store, and the plan that brings the store up to date with the manifest."""

    request: BuildRequest
    project: Project
    """Only the assets in scope."""
    store: Store
    catalog: Catalog
    latest: Version | None
    known: Known
    plan: Plan
    reviews: ReviewState
    assets: tuple[AssetSpec, ...]
    """Every asset of the manifest, in scope or not."""
    renames: Renames = field(default_factory=dict)
    """Earlier id to current id, for every renamed asset of the manifest, in scope or not."""

    @cached_property
    def policies(self) -> Mapping[str, CredentialsPolicy]:
        """Asset id to its credentials policy."""
        return {asset.id: asset.credentials for asset in self.project.assets}

    @property
    def rules(self) -> ReleaseRules:
        """What the manifest tells the release gate."""
        promotion = {channel: list(allowed) for channel, allowed in self.project.promotion}
        return ReleaseRules(promotion, self.project.license, self.project.policy)

    @cached_property
    def texts(self) -> tuple[ManifestText, ...]:
        """The manifest and the files that it includes. Raises `UsageError` if they changed after the plan was made."""
        texts = lazy_imports.loader.manifest_texts(Path(self.project.file), engine_keys)
        if sha256_of(texts) != self.project.sha256:
            raise UsageError(
                f"{self.project.file} changed while the build started; run the same command again"
            )
        return texts

    @property
    def removed(self) -> tuple[MasterRow, ...]:
        """Rows of the latest version that the manifest no longer lists, and that the next version drops."""
        return self.removed_from(self.latest)

    def removed_from(self, before: Version | None) -> tuple[MasterRow, ...]:
        """Return the rows of ``before`` that the version after it drops."""
        listed = self.plan.by_place()
        rows = before.masters if before else ()
        moved = pending_renames(before, self.renames)
        places = ((moved.get(row["asset"], row["asset"]), row["variation"]) for row in rows)
        return tuple(
            row
            for row, place in zip(rows, places, strict=True)
            if place not in listed and self.in_scope(row["asset"])
        )

    @cached_property
    def to_make(self) -> Set[Place]:
        """Asset id and variation of everything that the build generates or re-masters."""
        return {place for place, (_, variation) in self.plan.by_place().items() if variation.action.makes}

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """Changes from the latest to the next version in rows for which the build makes nothing.

        Labels, names, locks, reviews, waiting or earlier masters, signatures, removals.
        """
        return tuple(_changes(self))

    @property
    def publishes(self) -> bool:
        """Whether a build would make or publish anything. `plan`, `plan --check` and `build` all use this."""
        other_name = self.latest is not None and self.latest.project != self.project.name
        return bool(self.plan.stale or self.changes or self.renamed or other_name or self._missing_changed)

    @cached_property
    def _missing_changed(self) -> bool:
        """Whether the missing rows or the release rules differ from the latest version."""
        if self.latest is None:
            return False
        return not self.latest.same_gaps(missing_from(self, self.latest, self.rows), self.rules)

    @cached_property
    def rows(self) -> tuple[MasterRow, ...]:
        """The rows of the next version if it were published now and nothing were made."""
        return next_rows(self, self.latest, known=self.known)

    @cached_property
    def renamed(self) -> Mapping[str, str]:
        """Earlier id to new id, for the assets in scope that the latest version has under the earlier id."""
        moved = pending_renames(self.latest, self.renames)
        return {old: new for old, new in sorted(moved.items()) if self.in_scope(new)}

    @cached_property
    def warnings(self) -> tuple[Problem, ...]:
        """Probable mistakes: those of the manifest, and earlier ids (``was``) that the catalog does not have."""
        catalog_ids = {row["asset"] for row in self.latest.masters} if self.latest else set[str]()
        unknown = (
            asset
            for asset in self.project.assets
            if asset.was and catalog_ids.isdisjoint((asset.id, *asset.was))
        )
        return (
            *self.project.warnings,
            *(_unknown_rename(self.project, asset, catalog_ids) for asset in unknown if catalog_ids),
        )

    def in_scope(self, asset: str) -> bool:
        """Whether the build may change the rows of ``asset``: its current id matches ``--only``, if that is set."""
        name = self.renames.get(asset, asset)
        only = self.request.only
        return not only or any(fnmatch.fnmatchcase(name, glob) for glob in only)


def prepare(request: BuildRequest) -> Prepared:
    """Load the manifest of ``request``, read its store, and plan the assets in scope.

    Raises `ManifestError`, the store's errors, and `UsageError` if a glob of ``only`` matches nothing.
    """
    store = Store.open(request.outputs)
    catalog = Catalog(store)
    latest = catalog.latest()
    compiled = store.backend.local_path("cache/manifests") if latest else None
    try:
        project = load_cached(request.manifest, request.profile, compiled, engine_keys)
    except ManifestError:
        check_manifest(request.manifest, request.profile)  # It raises the problems that engines find, too.
        raise
    renames = {old: asset.id for asset in project.assets for old in reversed(asset.was)}
    every_asset = project.assets
    if request.only:
        project = _filter_assets(project, request.only)
    reviews = Reviews(store).state(renames)
    known = _known(store, latest, reviews, renames)
    new_plan = plan(project, known, request.refresh_models)
    return Prepared(request, project, store, catalog, latest, known, new_plan, reviews, every_asset, renames)


def is_outdated(prepared: Prepared) -> bool:
    """Whether another build published a version or made takes or masters after this plan was made."""
    channel, latest = prepared.catalog.channel(LATEST), prepared.latest
    known, now = prepared.known, prepared.known.fresh()
    return (
        (channel["version"] if channel else None) != (latest.number if latest else None)
        or known.takes != now.takes
        or known.masters != now.masters
    )


def with_valid_plan(prepared: Prepared) -> Prepared:
    """Return ``prepared``, with a new plan if `gc` or `verify --repair` removed something since.

    The caller must hold the store's shared lock.
    """
    known, now = prepared.known, prepared.known.fresh()
    if known.takes <= now.takes and known.masters <= now.masters and known.objects <= now.objects:
        return prepared
    latest, reviews = prepared.catalog.latest(), Reviews(prepared.store).state(prepared.renames)
    known = _known(prepared.store, latest, reviews, prepared.renames)
    new_plan = plan(prepared.project, known, prepared.request.refresh_models)
    return replace(prepared, latest=latest, known=known, plan=new_plan, reviews=reviews)


def _unknown_rename(project: Project, asset: AssetSpec, catalog_ids: Set[str]) -> Problem:
    """Return the warning for an asset whose earlier ids are not in the latest version."""
    old = asset.was[0]
    close = nearest(old, catalog_ids)
    remedy = (
        f"did you mean {close}?" if close else "write the id that the asset had in the catalog, or remove was"
    )
    what = f"the catalog has no {old!r}, so there is no sound to keep"
    file = beside(project.file, asset.source.file)
    return Problem(file, asset.source.line, f"{asset.id}.was", what, remedy)


def _filter_assets(project: Project, only: Sequence[str]) -> Project:
    for glob in only:
        if not any(fnmatch.fnmatchcase(asset.id, glob) for asset in project.assets):
            raise UsageError(
                f"--only {glob!r} matches no asset of {project.file}; "
                "to list the ids: cuesmith plan --json; music/* matches all assets in music/"
            )
    chosen = (asset for asset in project.assets if any(fnmatch.fnmatchcase(asset.id, glob) for glob in only))
    return replace(project, assets=tuple(chosen))


def _known(store: Store, latest: Version | None, reviews: ReviewState, renames: Renames) -> Known:
    rows = rows_by_current_id(latest, renames)
    return Known(
        store, rows, reviews.rejected, _protected(rows, reviews), reviews.chosen, rerolled=reviews.rerolled
    )


def _protected(
    rows: Mapping[tuple[str, int], MasterRow], state: ReviewState
) -> dict[tuple[str, int], Reason]:
    held = dict.fromkeys(state.locked, LOCKED)
    for place, row in rows.items() if state.approved else ():
        if row["master"] in state.approved:
            held.setdefault(place, APPROVED)
    return held


def up_to_date(prepared: Prepared) -> bool:
    """Whether the latest version is exactly what the manifest describes."""
    return prepared.latest is not None and not prepared.publishes


def _changes(prepared: Prepared) -> Iterable[Change]:
    latest = prepared.latest
    rows = prepared.rows
    unsigned = unsigned_rows(prepared, rows)
    if latest is not None and not unsigned and latest.same_masters(rows):
        return
    after = {place_of(row): row for row in (*rows, *map(_as_signed, unsigned))}
    before = rows_by_current_id(latest, prepared.renames)
    for change in compare_rows(prepared.store, before, after, prepared.reviews, reasons_of(prepared)):
        if change.place not in prepared.to_make:
            yield change


def _as_signed(row: MasterRow) -> MasterRow:
    """Return the row with the credentials that signing will give it, as far as they are known now."""
    identity = configured()
    signer = identity.name if identity else DEVELOPMENT
    credentials = CredentialsJson(signed_by=signer, reason=None, unsigned=row["files"])
    return MasterRow(**{**row, "credentials": credentials})


def reasons_of(prepared: Prepared) -> dict[Place, tuple[Reason, ...]]:
    """Return the reasons of every variation that is not up to date."""
    rows = prepared.plan.by_place().items()
    return {place: variation.reasons for place, (_, variation) in rows if variation.reasons}


def next_rows(
    prepared: Prepared,
    before: Version | None,
    made: Made = NOTHING_MADE,
    reviews: ReviewState | None = None,
    known: Known | None = None,
) -> tuple[MasterRow, ...]:
    """Return the rows of the version after ``before``, with ``reviews`` (default: those of the plan).

    With ``known``, the store is not read again.
    """
    fresh = known or prepared.known.fresh()
    quarantined = {place: reason for place, (reason, _) in known_failures(prepared).items()}

    rows = assemble_rows(
        prepared.plan.assets,
        {**quarantined, **made.failures},
        made.digest,
        fresh.master,
        before,
        lambda asset: not prepared.in_scope(asset),
        reviews or prepared.reviews,
        prepared.renames,
    )
    return _with_signatures(prepared, rows, before, made.signed, fresh)


def missing_from(
    prepared: Prepared,
    before: Version | None,
    rows: Sequence[MasterRow],
    failed: Iterable[Mapping[str, Any]] | None = None,
) -> tuple[MissingRow, ...]:
    """Return what the whole manifest lists and ``rows`` do not have.

    ``failed`` is that of the build's result. Default: what earlier builds quarantined.
    """
    present = set(map(place_of, rows))
    failures = _failed_before(prepared) if failed is None else failed
    reasons = {(failure["asset"], failure["variation"]): failure for failure in failures}
    known = {place_of(gap): gap for gap in (before.missing if before else ())}
    missing = []
    for asset in prepared.assets:
        for place in ((asset.id, variation) for variation in range(1, asset.variations + 1)):
            if place in present:
                continue
            if place in reasons:
                missing.append(missing_row(reasons[place], asset.kind, asset.tags))
            elif place in known and not prepared.in_scope(asset.id):
                missing.append(known[place])
            else:
                missing.append(_not_built(asset, place[1]))
    return tuple(missing)


def _not_built(asset: AssetSpec, variation: int) -> MissingRow:
    return MissingRow(
        asset=asset.id,
        variation=variation,
        kind=asset.kind,
        tags=sorted(asset.tags),
        code="missing",
        reason="not built yet",
    )


def _with_signatures(
    prepared: Prepared, rows: tuple[MasterRow, ...], before: Version | None, signed: Signatures, known: Known
) -> tuple[MasterRow, ...]:
    """Return the rows with their signatures: those that exist, according to each asset's policy."""
    policies = prepared.policies
    if set(policies.values()) <= {"none"} and not any("credentials" in row for row in rows):
        return rows
    identity = configured()
    signing = SigningState(identity.name if identity else None, available(), known.objects)
    earlier = rows_by_current_id(before, prepared.renames)
    return tuple(
        signing.with_signatures(row, policies.get(row["asset"]), earlier.get(place), signed.get(place))
        for row in rows
        for place in [place_of(row)]
    )


def unsigned_rows(prepared: Prepared, rows: Sequence[MasterRow]) -> list[MasterRow]:
    """Return the rows that still need a signature."""
    return [row for row in rows if needs_signature(row, prepared.policies.get(row["asset"]))]


def known_failures(prepared: Prepared) -> dict[tuple[str, int], tuple[str, str]]:
    """Return what earlier builds quarantined: asset id and variation to the reason and the master's digest."""
    return {
        place: (variation.quarantined, variation.master)
        for place, (_, variation) in prepared.plan.by_place().items()
        if variation.quarantined
    }


def failed_json(asset: str, variation: int, stage: Stage, reason: str, master: str | None) -> dict[str, Any]:
    """Return one item of ``failed`` in ``build --json``; if a quality gate failed, it names the master."""
    item: dict[str, Any] = {"asset": asset, "variation": variation, "stage": stage, "reason": reason}
    return item | ({"master": master} if stage is Stage.QUALITY else {})


def attention_counts(version: Version | None) -> dict[str, int]:
    """Count the masters of a version that need somebody's attention, as ``build --json`` does.

    Those with a new take that waits for review, those that missed their loudness target, and those whose watermark was
    not found again in a delivered file.
    """
    rows = version.masters if version else ()
    return {
        "waiting": sum("waiting" in row for row in rows),
        "off_target": sum(map(is_off_target, rows)),
        "watermark_lost": sum("watermark_lost" in row for row in rows),
    }


def _failed_before(prepared: Prepared) -> list[dict[str, Any]]:
    """Return what earlier builds quarantined, as items of ``failed``."""
    return [
        failed_json(asset, variation, Stage.QUALITY, reason, master)
        for (asset, variation), (reason, master) in sorted(known_failures(prepared).items())
    ]


def unchanged_result(prepared: Prepared) -> dict[str, Any]:
    """Return the object of ``build --json`` for a build that makes nothing."""
    failed = _failed_before(prepared)
    return {
        "version": prepared.latest.number if prepared.latest else None,
        "published": False,
        "generated": 0,
        "mastered": 0,
        "reused": len(prepared.plan.by_place()) - len(failed),
        **attention_counts(prepared.latest),
        "failed": failed,
        "left": [],
        "removed": [name_of(row) for row in prepared.removed],
        "run": None,
        "report": None,
        "library": None,
        "generate": {"seconds": 0.0, "estimated_seconds": 0.0, "basis": "", "devices": []},
        "estimated_seconds": 0.0,
        "seconds": 0.0,
    }


_REMOVABLE_SHARE = 1 / 3
"""A build that removes more than this share of the masters needs ``--allow-removals``."""
_REMOVABLE_COUNT = 3
"""A build may always remove this many masters if others stay: in a small project they soon exceed the share."""
_MANY_NAMES = 12


def prepare_build(request: BuildRequest) -> Prepared:
    """As `prepare`; raises `UsageError` too if the build would remove protected masters."""
    prepared = prepare(request)
    check_removals(prepared, prepared.latest)
    return prepared


def check_removals(prepared: Prepared, before: Version | None) -> None:
    """Raise `UsageError` if the version after ``before`` needs ``--allow-removals`` and it is not set."""
    problem = removal_problem(prepared, before)
    if problem is not None and not prepared.request.allow_removals:
        raise UsageError(problem)


def removal_problem(prepared: Prepared, before: Version | None) -> str | None:
    """Return why the version after ``before`` needs ``--allow-removals``, with fixes; None if it does not."""
    if before is None or not before.masters:
        return None
    removed = prepared.removed_from(before)
    names = list_names(map(name_of, removed), limit=_MANY_NAMES)
    project = prepared.project
    if before.project != project.name:
        loss = f" This build would remove {names}." if removed else ""
        return (
            f"{prepared.store.root} holds project {before.project!r}, and {project.file} is project "
            f"{project.name!r}.{loss} Choose another folder with --outputs, or, if you renamed the project, "
            "build with --allow-removals"
        )
    approved = [
        row
        for row in removed
        if row["master"] in prepared.reviews.approved or place_of(row) in prepared.reviews.locked
    ]
    if approved:
        return (
            f"{project.file} no longer lists {len(removed)} of {len(before.masters)} masters, and people approved "
            f"or locked {list_names(map(name_of, approved), limit=_MANY_NAMES)}. Add them to the manifest again, "
            "or remove them with --allow-removals"
        )
    if not prepared.assets or len(removed) > max(_REMOVABLE_COUNT, _REMOVABLE_SHARE * len(before.masters)):
        return (
            f"{project.file} no longer lists {len(removed)} of {len(before.masters)} masters: {names}. Add them "
            "to the manifest again, or remove them with --allow-removals"
        )
    return None
