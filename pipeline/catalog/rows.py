"""Rows of a version: from a master's record, from an earlier row, and put together for publishing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

from pipeline.catalog.matching import facts_of
from pipeline.catalog.naming import file_name, renamed
from pipeline.catalog.renaming import Renames, followed
from pipeline.catalog.reviews import ReviewState
from pipeline.catalog.version import Version
from pipeline.catalog.waiting import beside, outcome, promoted, settled
from pipeline.manifest.spec import AssetSpec
from pipeline.plan import LOCKED, LOCKED_IN_MANIFEST, AssetPlan, VariationPlan, ucs_of
from pipeline.provenance import CredentialsJson, MasterRecord, MasterRow, Status

Failures = Mapping[tuple[str, int], str]
"""By asset id and variation: why it could not be made."""
DigestOf = Callable[[AssetPlan, VariationPlan], str]
"""Digest of the master that a planned variation has now."""


def assemble(
    plans: Iterable[AssetPlan],
    failures: Failures,
    digest_of: DigestOf,
    record_of: Callable[[str], MasterRecord | None],
    before: Version | None,
    carry: Callable[[str], bool],
    reviews: ReviewState,
    renames: Renames = MappingProxyType({}),
) -> tuple[MasterRow, ...]:
    """The rows of the next version, sorted by asset and variation.

    ``record_of`` reads a master's record where no row of ``before`` tells of it. ``carry`` tells of an asset
    outside the build's scope whether its rows stay. A variation that failed keeps its previous master, marked
    ``stale``; one that never had any has no row. An approved master stays, and the new one waits beside it.
    What ``before`` has under an earlier id of an asset (``renames``) is the asset's.
    """
    rows = [row for row in (before.masters if before else ()) if carry(row["asset"])]
    known = followed(before, renames)
    for plan in plans:
        for variation in plan.variations:
            place = (plan.asset.id, variation.variation)
            previous, failure = known.get(place), failures.get(place)
            if previous is not None and variation.action != "locked":
                previous = promoted(previous, reviews)
            if failure is not None:
                row = _failed(previous, failure, reviews)
            elif variation.action == "locked" and previous is not None:
                row = _locked(previous, plan.asset, variation.reasons)
            else:
                fresh = _fresh(plan, digest_of(plan, variation), record_of, previous)
                row = _decided(plan.asset, variation.reasons, previous, fresh, reviews)
            if row is not None:
                rows.append(row)
    return tuple(sorted(rows, key=lambda row: (row["asset"], row["variation"])))


def _locked(previous: MasterRow, asset: AssetSpec, reasons: Sequence[str]) -> MasterRow:
    """The row of a locked master. It keeps the words with which it was locked: nothing of it changes any more."""
    told = previous.get("reason", "")
    same = previous["status"] == "locked" and told.split("; ")[0] == reasons[0]
    return _kept(labelled(previous, asset), "locked", told if same else "; ".join(reasons))


def _failed(previous: MasterRow | None, failure: str, reviews: ReviewState) -> MasterRow | None:
    """What stays where nothing new could be made: an approved master is no less approved for it."""
    if previous is None:
        return None
    if previous["master"] in reviews.approved:
        return MasterRow(**{**previous, "status": "current"})
    return _kept(settled(previous), "stale", failure)


def _fresh(
    plan: AssetPlan,
    digest: str,
    record_of: Callable[[str], MasterRecord | None],
    previous: MasterRow | None,
) -> MasterRow | None:
    """The row of the master that the plan asked for."""
    waiting = previous.get("waiting") if previous else None
    for row in (previous, waiting):
        if row is not None and row["master"] == digest:
            return labelled(row, plan.asset)
    record = record_of(digest)
    return None if record is None else row_of(record, plan.asset, plan.mastering)


def _decided(
    asset: AssetSpec,
    reasons: tuple[str, ...],
    previous: MasterRow | None,
    fresh: MasterRow | None,
    reviews: ReviewState,
) -> MasterRow | None:
    """The row that stands: reviews may have come in since the plan was made, so they are asked here."""
    if fresh is None or asset.lock:
        return fresh and _kept(fresh, "locked", LOCKED_IN_MANIFEST)
    if (asset.id, fresh["variation"]) in reviews.locked:
        return _kept(labelled(previous or fresh, asset), "locked", LOCKED)
    if previous is None:
        return fresh
    match outcome(previous, fresh, reviews):
        case "new":
            return fresh
        case "kept":
            return labelled(previous, asset)
        case "waits":
            return beside(labelled(previous, asset), fresh, previous.get("waiting"), reasons)


def row_of(record: MasterRecord, asset: AssetSpec, mastering: str) -> MasterRow:
    """The row that a catalog keeps of a master; ``mastering`` is the digest of its specs."""
    row: Any = {
        **facts_of(record),
        "asset": asset.id,
        "tags": sorted(asset.tags),
        "bpm": asset.bpm,
        "target_lufs": asset.mastering.loudness_lufs,
        "mastering": mastering,
        "files": {
            file_name(asset.id, record["variation"], rendition["object"]["suffix"], asset.naming): rendition[
                "object"
            ]
            for rendition in record["renditions"]
        },
        "status": "current",
        "ucs": ucs_of(asset),
        "source": _source(asset),
    }
    if record["loudness"].get("deviation"):
        row["deviation"] = record["loudness"]["deviation"]
    return cast("MasterRow", {key: row[key] for key in MasterRow.__annotations__ if key in row})


def labelled(row: MasterRow, asset: AssetSpec) -> MasterRow:
    """The row with what may change without any work: labels, names, place in the manifest, standing."""
    row = _named(settled(row), asset)
    told = (row["status"], row["tags"], row["ucs"], row["bpm"], row["source"])
    tags, ucs, source = sorted(asset.tags), ucs_of(asset), _source(asset)
    if told == ("current", tags, ucs, asset.bpm, source):
        return row  # the very object, so that comparing 100,000 rows is quick
    fresh = MasterRow(
        **{**row, "status": "current", "tags": tags, "ucs": ucs, "bpm": asset.bpm, "source": source}
    )
    fresh.pop("reason", None)
    return fresh


def _named(row: MasterRow, asset: AssetSpec) -> MasterRow:
    """The row with its files under the names that the manifest gives them now."""
    name = file_name(asset.id, row["variation"], "", asset.naming)
    if all(path.startswith(f"{name}.") for path in row["files"]):
        return row
    files, credentials = renamed(row["files"], name), row.get("credentials")
    if credentials is None:
        return MasterRow(**{**row, "files": files})
    told = CredentialsJson(**{**credentials, "unsigned": renamed(credentials["unsigned"], name)})
    return MasterRow(**{**row, "files": files, "credentials": told})


def _kept(row: MasterRow, status: Status, reason: str) -> MasterRow:
    return MasterRow(**{**row, "status": status, "reason": reason})


def _source(asset: AssetSpec) -> str:
    return f"{asset.source.file}:{asset.source.line}"
