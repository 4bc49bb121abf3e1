"""Rows of a version: from a master's record, from an earlier row, and put together for publishing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict

from pipeline.catalog.naming import file_name
from pipeline.catalog.version import Version
from pipeline.manifest.spec import AssetSpec
from pipeline.plan import AssetPlan, VariationPlan
from pipeline.provenance import MasterRecord, MasterRow, Status

Failures = Mapping[tuple[str, int], str]
"""By asset id and variation: why it could not be made."""
Outcome = tuple[str, MasterRecord | None]
"""Digest of the master that a variation has now, and its record when there is one."""


def assemble(
    plans: Iterable[AssetPlan],
    failures: Failures,
    master_of: Callable[[AssetPlan, VariationPlan], MasterRecord | None],
    before: Version | None,
    carry: Callable[[str], bool],
) -> tuple[MasterRow, ...]:
    """The rows of the next version, sorted by asset and variation.

    ``master_of`` reads the record of a planned variation's master when its row is not the previous one's.
    ``carry`` tells of an asset outside the build's scope whether its rows stay. A variation that failed keeps its
    previous master, marked ``stale``; one that never had any has no row.
    """
    rows = [row for row in (before.masters if before else ()) if carry(row["asset"])]
    known = before.by_variation if before else {}
    for plan in plans:
        for variation in plan.variations:
            row = _row(plan, variation, failures, master_of, known.get((plan.asset.id, variation.variation)))
            if row is not None:
                rows.append(row)
    return tuple(sorted(rows, key=lambda row: (row["asset"], row["variation"])))


def _row(
    plan: AssetPlan,
    variation: VariationPlan,
    failures: Failures,
    master_of: Callable[[AssetPlan, VariationPlan], MasterRecord | None],
    previous: MasterRow | None,
) -> MasterRow | None:
    failure = failures.get((plan.asset.id, variation.variation))
    if failure is not None:
        return _kept(previous, "stale", failure) if previous else None
    if variation.action == "locked" and previous is not None:
        return _kept(_labelled(previous, plan.asset), "locked", "; ".join(variation.reasons))
    if previous is not None and variation.action == "reuse" and previous["master"] == variation.master:
        return _labelled(previous, plan.asset)
    record = master_of(plan, variation)
    return None if record is None else row_of(record, plan.asset, plan.mastering)


def row_of(record: MasterRecord, asset: AssetSpec, mastering: str) -> MasterRow:
    """The row that a catalog keeps of a master; ``mastering`` is the digest of its specs."""
    take, model, measured = record["take"], record["take"]["model"], record["measurements"]
    return MasterRow(
        asset=asset.id,
        variation=record["variation"],
        kind=asset.kind,
        tags=sorted(asset.tags),
        prompt=take["recipe"]["prompt"],
        engine=model["engine"],
        model=model["id"],
        revision=model["revision"],
        license=model["license"],
        commercial=model["commercial"],
        neural=model["neural"],
        placeholder=model["placeholder"],
        seed=take["recipe"]["seed"],
        seconds=measured["duration_s"],
        sample_rate_hz=measured["sample_rate_hz"],
        channels=measured["channels"],
        loop=record["loop"],
        bpm=asset.bpm,
        loudness_method=record["loudness"]["method"],
        loudness_lufs=_reached(record),
        target_lufs=asset.mastering.loudness_lufs,
        true_peak_dbtp=measured["true_peak_dbtp"],
        quality=record["quality"]["score"],
        take=take["digest"],
        takes={candidate["take"]: candidate["object"] for candidate in record["candidates"]},
        master=record["digest"],
        mastering=mastering,
        pcm_sha256=record["pcm_sha256"],
        files={
            file_name(asset.id, record["variation"], rendition["object"]["suffix"]): rendition["object"]
            for rendition in record["renditions"]
        },
        status="current",
        ucs=_ucs(asset),
        source=_source(asset),
    )


def _reached(record: MasterRecord) -> float | None:
    loudness = record["loudness"]
    reached = (
        record["measurements"]["integrated_lufs"] if loudness["method"] == "peak" else loudness["reached"]
    )
    return None if reached is None else round(float(reached), 3)


def _labelled(row: MasterRow, asset: AssetSpec) -> MasterRow:
    """The row with what may change without any work: tags, UCS labels, place in the manifest, standing."""
    tags, ucs, source = sorted(asset.tags), _ucs(asset), _source(asset)
    if (row["status"], row["tags"], row["ucs"], row["source"]) == ("current", tags, ucs, source):
        return row  # the very object, so that comparing 100,000 rows is quick
    fresh = MasterRow(**{**row, "status": "current", "tags": tags, "ucs": ucs, "source": source})
    fresh.pop("reason", None)
    return fresh


def _kept(row: MasterRow, status: Status, reason: str) -> MasterRow:
    return MasterRow(**{**row, "status": status, "reason": reason})


def _ucs(asset: AssetSpec) -> dict[str, str] | None:
    return {key: value for key, value in asdict(asset.ucs).items() if value} if asset.ucs else None


def _source(asset: AssetSpec) -> str:
    return f"{asset.source.file}:{asset.source.line}"
