"""The rows of a version: made from a master's record or an earlier row, and compared with the record.

This includes the names of delivered files, assets with a new id, and the choice between an approved master and a
new one, which waits for review.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, cast

from pipeline.catalog.reviews import ReviewState, name_of
from pipeline.catalog.version import Version
from pipeline.errors import VerificationError
from pipeline.manifest.spec import AssetSpec
from pipeline.plan import (
    LOCKED,
    LOCKED_IN_MANIFEST,
    Action,
    AssetPlan,
    Reason,
    ReasonKind,
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
    master_records,
)
from pipeline.store import Store, fields_fault


def file_name(asset: str, variation: int, suffix: str, naming: str | None = None) -> str:
    """Path of a rendition in the library: the name, the variation in two digits or more, the suffix.

    ``naming`` is what the manifest makes of its template for the asset; without one the asset's id is the name.

    >>> file_name("sfx/footstep/gravel", 3, ".wav")
    'sfx/footstep/gravel_03.wav'
    >>> file_name("sfx/step", 3, ".wav", "sfx/FOOTHmn_Step_Cuesmith_game_{variation}")
    'sfx/FOOTHmn_Step_Cuesmith_game_03.wav'
    """
    number = f"{variation:02d}"
    return (f"{asset}_{number}" if naming is None else naming.replace("{variation}", number)) + suffix


def name_of_files(files: Mapping[str, ObjectJson]) -> str:
    """What the paths of one master's files have in common: the name without any suffix."""
    return min((path.removesuffix(item["suffix"]) for path, item in files.items()), key=len, default="")


def renamed(files: Mapping[str, ObjectJson], name: str) -> dict[str, ObjectJson]:
    """The same objects under another ``name`` (without suffix); a sidecar goes with its sound."""
    before = name_of_files(files)
    return {name + path[len(before) :]: item for path, item in files.items()}


_OF_THE_RECIPE = frozenset({"kind", "prompt", "engine", "model", "revision", "seed", "take"})
"""What stays the same where a master was made again and sounds otherwise."""
_TOLERANCE = 1e-3
"""Older releases rounded some figures to three decimals."""


def facts_of(record: MasterRecord) -> dict[str, Any]:
    """The fields of a row that stand in its master's record, by name.

    Raises `VerificationError` where the record lacks one, or has another type there.
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
        "loudness_lufs": _reached(record),
        "true_peak_dbtp": measured["true_peak_dbtp"],
        "quality": record["quality"]["score"],
        "take": take["digest"],
        "takes": {candidate["take"]: candidate["object"] for candidate in record["candidates"]},
        "master": record["digest"],
        "gain_group": record["gain_group"],
        "pcm_sha256": record["pcm_sha256"],
    }


def differing(row: MasterRow, record: MasterRecord) -> dict[str, Any]:
    """The fields of ``row`` that say something else than ``record``, each with the record's value.

    Where the record is of a master that was made again and sounds otherwise, only its recipe is compared.
    """
    plain = row["credentials"]["unsigned"] if "credentials" in row else row["files"]
    sounds = {item["sha256"] for item in (plain or row["files"]).values()}
    again = sounds.isdisjoint(rendition["object"]["sha256"] for rendition in record["renditions"])
    values: Any = row
    return {
        name: fact
        for name, fact in facts_of(record).items()
        if name in row and (name in _OF_THE_RECIPE or not again) and not _agree(values[name], fact)
    }


def disagreements(store: Store, rows: Sequence[MasterRow]) -> Iterator[tuple[MasterRow, dict[str, Any]]]:
    """Each of ``rows``, and of the rows that wait beside them, that differs from its master's record, and how.

    Rows whose record is gone are left out. Raises as `Store.get_records`.
    """
    every = [one for row in rows for one in (row, row.get("waiting")) if one is not None]
    digests = sorted({row["master"] for row in every})
    records = master_records(store, digests)
    for row in every:
        record = records.get(row["master"])
        if record is not None and (found := differing(row, record)):
            yield row, found


def say_difference(row: MasterRow, found: dict[str, Any]) -> str:
    """What `differing` found, in a line."""
    values: Any = row
    told = (f"{name} is {values[name]!r} here and {fact!r} in its record" for name, fact in found.items())
    return f"{name_of(row)}: {', '.join(told)}"


def _reached(record: MasterRecord) -> float | None:
    loudness = record["loudness"]
    reached = (
        record["measurements"]["integrated_lufs"] if loudness["method"] == "peak" else loudness["reached"]
    )
    return None if reached is None else round(float(reached), 3)


def _agree(one: Any, other: Any) -> bool:
    if isinstance(one, float) or isinstance(other, float):
        numbers = isinstance(one, float | int) and isinstance(other, float | int)
        return numbers and math.isclose(one, other, abs_tol=_TOLERANCE)
    return bool(one == other)


Renames = Mapping[str, str]
"""By earlier asset id: the id that the manifest gives the asset now (`was`).

Of several earlier ids of one asset the latest is last.
"""


def followed(version: Version | None, renames: Renames) -> Mapping[tuple[str, int], MasterRow]:
    """The version's rows by asset id and variation, each under the id that its asset has now.

    Where the version has rows of the new id already, those count and the earlier id's are left out.
    """
    if version is None:
        return {}
    rows = version.by_variation
    moved = renamed_in(version, renames)
    if not moved:
        return rows
    stay = {place: row for place, row in rows.items() if place[0] not in renames}
    return stay | {
        (moved[asset], variation): _under(row, moved[asset])
        for (asset, variation), row in rows.items()
        if asset in moved
    }


def renamed_in(version: Version | None, renames: Renames) -> dict[str, str]:
    """Those of ``renames`` that ``version`` does not show yet: it has the earlier id, and not the new one."""
    have = {row["asset"] for row in version.masters} if version and renames else set()
    latest = {new: old for old, new in renames.items() if old in have and new not in have}
    return {old: new for new, old in latest.items()}


def _under(row: MasterRow, asset: str) -> MasterRow:
    renamed = MasterRow(**{**row, "asset": asset})
    if "waiting" in row:
        renamed["waiting"] = WaitingRow(**{**row["waiting"], "asset": asset})
    return renamed


Outcome = Literal["new", "kept", "waits"]


def promoted(row: MasterRow, reviews: ReviewState) -> MasterRow:
    """The row that stands before a build: the one that waited, once it is the one that was approved last."""
    place, waiting = (row["asset"], row["variation"]), row.get("waiting")
    if waiting is None or place in reviews.locked or reviews.chosen.get(place) != waiting["master"]:
        return row
    return settled(waiting)


def outcome(previous: MasterRow, fresh: MasterRow, reviews: ReviewState) -> Outcome:
    """Which of two masters of a variation stands: the one that the catalog has, or the one just asked for.

    ``waits``: the previous one is approved, and nobody has approved the new one since.
    """
    place = (previous["asset"], previous["variation"])
    if previous["master"] == fresh["master"]:
        return "new"
    if previous["master"] in reviews.approved and reviews.chosen.get(place) != fresh["master"]:
        return "waits"
    if fresh["take"] in reviews.rejected and previous["take"] not in reviews.rejected:
        return "kept"
    return "new"


def beside(
    approved: MasterRow, fresh: MasterRow, waiting: WaitingRow | None, reasons: Sequence[Reason]
) -> MasterRow:
    """The approved row with ``fresh`` waiting beside it; what ``waiting`` told of the same master stays told."""
    if waiting is not None and waiting["master"] == fresh["master"]:
        words = waiting["reasons"]
    else:
        states = (ReasonKind.WILL_WAIT, ReasonKind.WAITS)
        words = [reason.words for reason in reasons if reason.kind not in states]
    candidate = WaitingRow(**{**fresh, "status": "waiting", "reasons": words})
    return MasterRow(**{**approved, "waiting": candidate})


def settled(row: MasterRow) -> MasterRow:
    """The row without anything that waits beside it, or as it will be when it no longer waits."""
    if "waiting" not in row and "reasons" not in row:
        return row
    left: Any = dict(row)
    for key in ("waiting", "reasons"):
        left.pop(key, None)
    return cast("MasterRow", left)


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
            if previous is not None and variation.action is not Action.LOCKED:
                previous = promoted(previous, reviews)
            if failure is not None:
                row = _failed(previous, failure, reviews)
            elif variation.action is Action.LOCKED and previous is not None:
                row = _locked(previous, plan.asset, variation.reasons)
            else:
                fresh = _fresh(plan, digest_of(plan, variation), record_of, previous)
                row = _decided(plan.asset, variation.reasons, previous, fresh, reviews)
            if row is not None:
                rows.append(row)
    return tuple(sorted(rows, key=lambda row: (row["asset"], row["variation"])))


def _locked(previous: MasterRow, asset: AssetSpec, reasons: Sequence[Reason]) -> MasterRow:
    """The row of a locked master. It keeps the words with which it was locked: nothing of it changes any more."""
    words = previous.get("reason", "")
    same = previous["status"] == "locked" and recorded_lock(words) == reasons[0]
    return _kept(labelled(previous, asset), "locked", words if same else "; ".join(map(str, reasons)))


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
    reasons: tuple[Reason, ...],
    previous: MasterRow | None,
    fresh: MasterRow | None,
    reviews: ReviewState,
) -> MasterRow | None:
    """The row that stands: reviews may have come in since the plan was made, so they are asked here."""
    if fresh is None or asset.lock:
        return fresh and _kept(fresh, "locked", LOCKED_IN_MANIFEST.words)
    if (asset.id, fresh["variation"]) in reviews.locked:
        return _kept(labelled(previous or fresh, asset), "locked", LOCKED.words)
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
