"""The rows of a version: made from a master's record or an earlier row, and compared with the record.

This includes the names of delivered files, assets with a new id, and the choice between an approved master and a
new one, which waits for review.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, cast

from pipeline.catalog.reviews import ReviewState
from pipeline.catalog.version import Version
from pipeline.errors import VerificationError
from pipeline.manifest.spec import AssetSpec
from pipeline.plan import (
    LOCKED,
    LOCKED_IN_MANIFEST,
    WAITS,
    WILL_WAIT,
    Action,
    AssetPlan,
    Reason,
    VariationPlan,
    recorded_lock,
    ucs_of,
)
from pipeline.provenance import (
    CredentialsJson,
    MasterRecord,
    MasterRow,
    ObjectJson,
    Status,
    WaitingRow,
    master_name,
    name_of,
    place_of,
)
from pipeline.store import fields_fault


def file_name(asset: str, variation: int, suffix: str, naming: str | None = None) -> str:
    """Path of a rendition in the library: the name, the variation with at least two digits, the suffix.

    ``naming`` is the manifest's naming template, filled in for the asset; the default name is the asset's id.

    >>> file_name("sfx/footstep/gravel", 3, ".wav")
    'sfx/footstep/gravel_03.wav'
    >>> file_name("sfx/step", 3, ".wav", "sfx/FOOTHmn_Step_Cuesmith_game_{variation}")
    'sfx/FOOTHmn_Step_Cuesmith_game_03.wav'
    """
    if naming is None:
        return master_name(asset, variation) + suffix
    return naming.replace("{variation}", f"{variation:02d}") + suffix


def name_of_files(files: Mapping[str, ObjectJson]) -> str:
    """The common name of one master's files, without a suffix."""
    return min((path.removesuffix(item["suffix"]) for path, item in files.items()), key=len, default="")


def renamed(files: Mapping[str, ObjectJson], name: str) -> dict[str, ObjectJson]:
    """The same objects under another ``name`` (without suffix), sidecars included."""
    before = name_of_files(files)
    return {name + path[len(before) :]: item for path, item in files.items()}


_RECIPE_FIELDS = frozenset({"kind", "prompt", "engine", "model", "revision", "seed", "take"})
"""Fields that stay the same when a master is made again with other samples."""


def facts_of(record: MasterRecord) -> dict[str, Any]:
    """The fields of a row that come from its master's record, by name.

    Raises `VerificationError` if the record lacks a field or has another type.
    """
    try:
        facts = _facts(record)
        fault = fields_fault(facts, MasterRow)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        fault = repr(error)
    if fault is not None:
        raise VerificationError(
            f"masters/{record['digest']}.json is damaged: {fault}; run `cuesmith verify --repair`, then build again"
        )
    return facts


def _facts(record: MasterRecord) -> dict[str, Any]:
    take, model, measured = record["take"], record["take"]["model"], record["measurements"]
    return {
        "variation": record["variation"],
        "kind": record["kind"],
        "prompt": take["recipe"]["prompt"],
        "engine": model["engine"],
        "model": model["id"],
        "revision": model["revision"],
        "license": model["license"],
        "commercial": model["commercial"],
        "neural": model["neural"],
        "placeholder": model["placeholder"],
        "seed": take["recipe"]["seed"],
        "seconds": measured["duration_s"],
        "sample_rate_hz": measured["sample_rate_hz"],
        "channels": measured["channels"],
        "loop": record["loop"],
        "loudness_method": record["loudness"]["method"],
        "loudness_lufs": _reached_loudness(record),
        "true_peak_dbtp": measured["true_peak_dbtp"],
        "quality": record["quality"]["score"],
        "take": take["digest"],
        "takes": {candidate["take"]: candidate["object"] for candidate in record["candidates"]},
        "master": record["digest"],
        "gain_group": record["gain_group"],
        "pcm_sha256": record["pcm_sha256"],
        **({"watermark": record["watermark"]} if "watermark" in record else {}),
        **({"watermark_lost": lost} if (lost := _formats_without_mark(record)) else {}),
    }


def _formats_without_mark(record: MasterRecord) -> list[str]:
    return [
        rendition["format"]
        for rendition in record["renditions"]
        if "watermark" in rendition and not rendition["watermark"]["found"]
    ]


def differing(row: MasterRow, record: MasterRecord) -> dict[str, Any]:
    """The fields of ``row`` that differ from ``record``, each with the record's value.

    If the master was made again with other samples, only its recipe is compared.
    """
    unsigned = row["credentials"]["unsigned"] if "credentials" in row else row["files"]
    hashes = {item["sha256"] for item in (unsigned or row["files"]).values()}
    made_again = hashes.isdisjoint(rendition["object"]["sha256"] for rendition in record["renditions"])
    values: Any = row
    return {
        name: fact
        for name, fact in facts_of(record).items()
        if name in row and (name in _RECIPE_FIELDS or not made_again) and values[name] != fact
    }


def with_waiting_rows(rows: Iterable[MasterRow]) -> Iterator[MasterRow]:
    """Each row, followed by the row that waits beside it, if any."""
    for row in rows:
        yield row
        if "waiting" in row:
            yield row["waiting"]


def say_difference(row: MasterRow, differences: dict[str, Any]) -> str:
    """The result of `differing` in one line."""
    values: Any = row
    words = (
        f"{name} is {values[name]!r} here and {fact!r} in its record" for name, fact in differences.items()
    )
    return f"{name_of(row)}: {', '.join(words)}"


def _reached_loudness(record: MasterRecord) -> float | None:
    loudness = record["loudness"]
    reached = (
        record["measurements"]["integrated_lufs"] if loudness["method"] == "peak" else loudness["reached"]
    )
    return None if reached is None else round(float(reached), 3)


Renames = Mapping[str, str]
"""By earlier asset id: the asset's current id (`was` in the manifest).

If an asset had several ids, the latest is last.
"""


def rows_by_current_id(version: Version | None, renames: Renames) -> Mapping[tuple[str, int], MasterRow]:
    """The version's rows by asset id and variation, each with the current id of its asset.

    If the version already has rows of the new id, the rows of the earlier id are left out.
    """
    if version is None:
        return {}
    rows = version.by_variation
    moved = pending_renames(version, renames)
    if not moved:
        return rows
    unchanged = {place: row for place, row in rows.items() if place[0] not in renames}
    return unchanged | {
        (moved[asset], variation): _with_id(row, moved[asset])
        for (asset, variation), row in rows.items()
        if asset in moved
    }


def pending_renames(version: Version | None, renames: Renames) -> dict[str, str]:
    """The ``renames`` that ``version`` does not have yet: it has the earlier id, and not the new one."""
    ids = {row["asset"] for row in version.masters} if version and renames else set()
    latest = {new: old for old, new in renames.items() if old in ids and new not in ids}
    return {old: new for new, old in latest.items()}


def _with_id(row: MasterRow, asset: str) -> MasterRow:
    renamed = MasterRow(**{**row, "asset": asset, "origin": row.get("origin", row["asset"])})
    if "waiting" in row:
        renamed["waiting"] = WaitingRow(**{**row["waiting"], "asset": asset})
    return renamed


Choice = Literal["new", "kept", "waits"]


def with_approved_candidate(row: MasterRow, reviews: ReviewState) -> MasterRow:
    """The row of a variation before a build: the waiting one, if it was approved last."""
    place, waiting = place_of(row), row.get("waiting")
    if waiting is None or place in reviews.locked or reviews.chosen.get(place) != waiting["master"]:
        return row
    return without_waiting(waiting)


def choose_master(previous: MasterRow, new_row: MasterRow, reviews: ReviewState) -> Choice:
    """Which of two masters a variation gets: the one in the catalog, or the one that the plan wants.

    ``waits``: the previous one is approved, and nobody has approved the new one since.
    """
    place = place_of(previous)
    if previous["master"] == new_row["master"]:
        return "new"
    if previous["master"] in reviews.approved and reviews.chosen.get(place) != new_row["master"]:
        return "waits"
    if new_row["take"] in reviews.rejected and previous["take"] not in reviews.rejected:
        return "kept"
    return "new"


def with_waiting_take(
    approved: MasterRow, new_row: MasterRow, waiting: WaitingRow | None, reasons: Sequence[Reason]
) -> MasterRow:
    """The approved row with ``new_row`` waiting beside it; ``waiting`` keeps its reasons if it is the same master."""
    if waiting is not None and waiting["master"] == new_row["master"]:
        words = waiting["reasons"]
    else:
        words = [reason.words for reason in reasons if reason not in (WILL_WAIT, WAITS)]
    candidate = WaitingRow(**{**new_row, "status": "waiting", "reasons": words})
    return MasterRow(**{**approved, "waiting": candidate})


def without_waiting(row: MasterRow) -> MasterRow:
    """The row without a row that waits beside it; of a waiting row, the row that it becomes."""
    if "waiting" not in row and "reasons" not in row:
        return row
    return cast("MasterRow", {key: value for key, value in row.items() if key not in ("waiting", "reasons")})


Failures = Mapping[tuple[str, int], str]
"""By asset id and variation: why it failed."""
DigestOf = Callable[[AssetPlan, VariationPlan], str]
"""Digest of the new master of a planned variation."""


def assemble_rows(
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

    ``record_of`` reads the record of a master that ``before`` does not have. ``carry`` says whether the rows of an
    asset outside the build's scope stay. A variation that failed keeps its previous master, marked ``stale``; one that
    never had a master has no row. An approved master stays, and the new one waits beside it. Rows of ``before``
    under an earlier id of an asset (``renames``) belong to the asset.
    """
    rows = [row for row in (before.masters if before else ()) if carry(row["asset"])]
    known = rows_by_current_id(before, renames)
    for plan in plans:
        for variation in plan.variations:
            place = (plan.asset.id, variation.variation)
            earlier, failure = known.get(place), failures.get(place)
            previous = earlier
            if previous is not None and variation.action is not Action.LOCKED:
                previous = with_approved_candidate(previous, reviews)
            if failure is not None:
                row = _failed(previous, failure, reviews)
            elif variation.action is Action.LOCKED and previous is not None:
                row = _locked(previous, plan.asset, variation.reasons)
            else:
                new_row = _planned_row(plan, digest_of(plan, variation), record_of, previous)
                row = _row_to_publish(plan.asset, variation.reasons, previous, new_row, reviews)
            if row is not None:
                rows.append(_with_origin(row, plan.asset, earlier))
    return tuple(sorted(rows, key=place_of))


def _with_origin(row: MasterRow, asset: AssetSpec, earlier: MasterRow | None) -> MasterRow:
    """The row with the first id of its asset: that of the ``earlier`` row, so that ids of exports never change."""
    origin = asset.origin if earlier is None else earlier.get("origin", asset.id)
    if row.get("origin", asset.id) == origin:
        return row
    return MasterRow(**{**row, "origin": origin})


def _locked(previous: MasterRow, asset: AssetSpec, reasons: Sequence[Reason]) -> MasterRow:
    """The row of a locked master. Its reason does not change while it is locked."""
    words = previous.get("reason", "")
    same = previous["status"] == "locked" and recorded_lock(words) == reasons[0]
    return _with_status(
        with_labels(previous, asset), "locked", words if same else "; ".join(map(str, reasons))
    )


def _failed(previous: MasterRow | None, failure: str, reviews: ReviewState) -> MasterRow | None:
    """The row of a variation whose new master failed. An approved master stays approved."""
    if previous is None:
        return None
    if previous["master"] in reviews.approved:
        return MasterRow(**{**previous, "status": "current"})
    return _with_status(without_waiting(previous), "stale", failure)


def _planned_row(
    plan: AssetPlan,
    digest: str,
    record_of: Callable[[str], MasterRecord | None],
    previous: MasterRow | None,
) -> MasterRow | None:
    """The row of the master that the plan wants."""
    waiting = previous.get("waiting") if previous else None
    for row in (previous, waiting):
        if row is not None and row["master"] == digest:
            return with_labels(row, plan.asset)
    record = record_of(digest)
    return None if record is None else master_row(record, plan.asset, plan.mastering)


def _row_to_publish(
    asset: AssetSpec,
    reasons: tuple[Reason, ...],
    previous: MasterRow | None,
    new_row: MasterRow | None,
    reviews: ReviewState,
) -> MasterRow | None:
    """The row to publish. Reviews may be newer than the plan, so they decide here again."""
    if new_row is None or asset.lock:
        return new_row and _with_status(new_row, "locked", LOCKED_IN_MANIFEST.words)
    if (asset.id, new_row["variation"]) in reviews.locked:
        return _with_status(with_labels(previous or new_row, asset), "locked", LOCKED.words)
    if previous is None:
        return new_row
    match choose_master(previous, new_row, reviews):
        case "new":
            return new_row
        case "kept":
            return with_labels(previous, asset)
        case "waits":
            return with_waiting_take(with_labels(previous, asset), new_row, previous.get("waiting"), reasons)


def master_row(record: MasterRecord, asset: AssetSpec, mastering: str) -> MasterRow:
    """The catalog's row of a master; ``mastering`` is the digest of its specs."""
    row: Any = {
        **facts_of(record),
        "asset": asset.id,
        "target_lufs": asset.mastering.loudness_lufs,
        "mastering": mastering,
        "files": {
            file_name(asset.id, record["variation"], rendition["object"]["suffix"], asset.naming): rendition[
                "object"
            ]
            for rendition in record["renditions"]
        },
        "status": "current",
        **_labels(asset),
    }
    if record["loudness"].get("deviation"):
        row["deviation"] = record["loudness"]["deviation"]
    return cast("MasterRow", {key: row[key] for key in MasterRow.__annotations__ if key in row})


def with_labels(row: MasterRow, asset: AssetSpec) -> MasterRow:
    """The row with everything that changes without new audio: labels, names, place in the manifest, status."""
    row = _named(without_waiting(row), asset)
    labels: Any = {"status": "current", **_labels(asset)}
    if labels.items() <= row.items():
        return row  # the same object, so that comparing 100,000 rows is quick
    new_row = MasterRow(**{**row, **labels})
    new_row.pop("reason", None)
    return new_row


def _labels(asset: AssetSpec) -> dict[str, Any]:
    return {
        "tags": sorted(asset.tags),
        "bpm": asset.bpm,
        "ucs": ucs_of(asset),
        "source": f"{asset.source.file}:{asset.source.line}",
    }


def _named(row: MasterRow, asset: AssetSpec) -> MasterRow:
    """The row with its files under their current names."""
    name = file_name(asset.id, row["variation"], "", asset.naming)
    if all(path.startswith(f"{name}.") for path in row["files"]):
        return row
    files, credentials = renamed(row["files"], name), row.get("credentials")
    if credentials is None:
        return MasterRow(**{**row, "files": files})
    credentials = CredentialsJson(**{**credentials, "unsigned": renamed(credentials["unsigned"], name)})
    return MasterRow(**{**row, "files": files, "credentials": credentials})


def _with_status(row: MasterRow, status: Status, reason: str) -> MasterRow:
    return MasterRow(**{**row, "status": status, "reason": reason})
