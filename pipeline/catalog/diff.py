"""What changed between two versions and why: recipes, mastering, labels, states and measurements.

A version is published with the reasons of its own changes, so they never change later. Any other two versions are
compared by their rows and records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pipeline.catalog.catalog import Catalog
from pipeline.catalog.reviews import NO_REVIEWS, Filter, ReviewEvent, ReviewState, review_state
from pipeline.catalog.rows import name_of_files
from pipeline.catalog.version import Place, Version, compared
from pipeline.plan import (
    Reason,
    chain_reasons,
    changed,
    label_reasons,
    recipe_reasons,
    review_reasons,
    say,
    spec_reasons,
    specs_of,
)
from pipeline.provenance import MasterRecord, MasterRow, master_name, master_records, place_of, signer_of
from pipeline.provenance.clock import utc
from pipeline.recipe import Recipe
from pipeline.store import Store

PROMOTED = Reason("approved in review: the waiting take took its place", is_difference=False)
Kind = Literal["added", "removed", "changed", "missing"]
Records = Mapping[str, MasterRecord]
"""By master digest, as far as the records exist."""

MEASURED = {
    "seconds": ("length", " s"),
    "loudness_lufs": ("loudness", " LUFS"),
    "true_peak_dbtp": ("true peak", " dBTP"),
    "quality": ("quality", ""),
    "loop": ("loop", " samples"),
    "sample_rate_hz": ("sample rate", " Hz"),
    "channels": ("channels", ""),
}
"""Fields of a row whose change is described with numbers: their words and their unit."""


@dataclass(frozen=True)
class Change:
    """The difference of one master between two versions."""

    kind: Kind
    asset: str
    variation: int
    reasons: tuple[Reason, ...]
    """What differs in recipe, mastering, labels and state, or why a master is missing. Empty for added
    and removed masters."""
    measured: Mapping[str, tuple[Any, Any]]
    """Values before and after of each field of `MEASURED` that differs."""
    before: MasterRow | None
    after: MasterRow | None

    @property
    def place(self) -> Place:
        """Asset id and variation."""
        return self.asset, self.variation

    @property
    def reason_words(self) -> tuple[str, ...]:
        """The reasons in words."""
        return tuple(reason.words for reason in self.reasons)

    @property
    def audible(self) -> bool:
        """Whether the samples differ."""
        return (self.before and self.before["pcm_sha256"]) != (self.after and self.after["pcm_sha256"])

    @property
    def words(self) -> tuple[str, ...]:
        """The reasons, and the figures before and after."""
        return (*self.reason_words, *(_figure(key, old, new) for key, (old, new) in self.measured.items()))

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "change": self.kind,
            "asset": self.asset,
            "variation": self.variation,
            "reasons": list(self.reason_words),
            "audible": self.audible,
            "measured": {key: {"before": old, "after": new} for key, (old, new) in self.measured.items()},
            "before": _identity(self.before),
            "after": _identity(self.after),
        }

    def __str__(self) -> str:
        return f"{self.kind:<8} {master_name(*self.place):<40} {'; '.join(self.words)}".rstrip()


def diff(store: Store, before: Version, after: Version, reviews: ReviewState = NO_REVIEWS) -> list[Change]:
    """Every master that differs, by asset and variation, and every new reason why a variation is missing.

    ``reviews`` is the state when ``after`` was published. If ``after`` followed
    ``before``, the changes have the reasons that it recorded.
    """
    differences = compare_rows(store, before.by_variation, after.by_variation, reviews)
    recorded = after.reasons if after.parent == before.number else {}
    explained = [
        replace(change, reasons=changed(*recorded[change.place])) if change.place in recorded else change
        for change in differences
    ]
    return sorted([*explained, *_gaps(before, after)], key=lambda change: change.place)


def _gaps(before: Version, after: Version) -> Iterator[Change]:
    """What the manifest asked for and ``after`` lacks for another reason than ``before``, or no longer lacks."""
    known = {place_of(gap): gap for gap in before.missing}
    for gap in after.missing:
        earlier = known.pop(place_of(gap), None)
        if earlier is None or (earlier["code"], earlier["reason"]) != (gap["code"], gap["reason"]):
            why = changed(f"{gap['code']}: {gap['reason']}")
            yield Change("missing", gap["asset"], gap["variation"], why, {}, None, None)
    for asset, variation in known.keys() - after.by_variation.keys():
        yield Change("removed", asset, variation, changed("it was missing"), {}, None, None)


def compare_rows(
    store: Store,
    before: Mapping[Place, MasterRow],
    after: Mapping[Place, MasterRow],
    reviews: ReviewState = NO_REVIEWS,
    planned: Mapping[Place, Sequence[Reason]] | None = None,
) -> list[Change]:
    """Every row that differs, by asset and variation. ``planned`` has the reasons of the plan of ``after``."""
    places = sorted({*before, *after})
    pairs = [(place, before.get(place), after.get(place)) for place in places]
    pairs = [(place, old, new) for place, old, new in pairs if old is not new]
    records = _records(store, [(old, new) for _, old, new in pairs if old and new])
    differences = (
        compare(old, new, records, reviews, (planned or {}).get(place, ())) for place, old, new in pairs
    )
    return [change for change in differences if change is not None]


def _records(store: Store, pairs: Sequence[tuple[MasterRow, MasterRow]]) -> Records:
    digests = {row["master"] for pair in pairs for row in pair if pair[0]["master"] != pair[1]["master"]}
    return master_records(store, sorted(digests))


def compare(
    before: MasterRow | None,
    after: MasterRow | None,
    records: Records,
    reviews: ReviewState = NO_REVIEWS,
    planned: Sequence[Reason] = (),
) -> Change | None:
    """How one variation differs between two versions; None if it does not. ``planned`` has the reasons of the plan."""
    row = after or before
    if row is None:
        return None
    place = place_of(row)
    if before is None or after is None:
        return Change("added" if after else "removed", *place, (), {}, before, after)
    reasons = tuple(dict.fromkeys(_reasons(before, after, records, reviews, planned)))
    measured = {key: (before.get(key), after.get(key)) for key in MEASURED}
    measured = {key: pair for key, pair in measured.items() if pair[0] != pair[1]}
    if not reasons and not measured:
        reasons = changed(*_other_reasons(before, after))
    return Change("changed", *place, reasons, measured, before, after) if reasons or measured else None


def _reasons(
    before: MasterRow, after: MasterRow, records: Records, reviews: ReviewState, planned: Sequence[Reason]
) -> Iterator[Reason]:
    if before["master"] != after["master"]:
        if _waited(before, after):
            yield PROMOTED
        why = [reason for reason in planned if reason.is_difference]
        yield from why or changed(*_master_reasons(before, after, records, reviews))
    yield from changed(*_row_changes(before, after))


def _row_changes(before: MasterRow, after: MasterRow) -> Iterator[str]:
    """What differs in labels, names, signature and state."""
    yield from label_changes(before, after)
    if signer_of(before) != signer_of(after):
        yield f"signed by: {say(signer_of(before))} -> {say(signer_of(after))}"
    yield from _status_reasons(before, after)
    yield from _waiting_reasons(before, after)


def label_changes(before: MasterRow, after: MasterRow) -> Iterator[str]:
    """What differs in labels and in names of files."""
    yield from label_reasons(before, after)
    yield from _file_reasons(before, after)


def _other_reasons(before: MasterRow, after: MasterRow) -> Iterator[str]:
    """The fields that differ and have no other words."""
    old, new = compared(before), compared(after)
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            yield f"{key.replace('_', ' ')} changed"


def _master_reasons(
    before: MasterRow, after: MasterRow, records: Records, reviews: ReviewState
) -> Iterator[str]:
    reasons = list(_take_reasons(before, after, records, reviews))
    old, new = records.get(before["master"]), records.get(after["master"])
    if old and new:
        reasons.extend(spec_reasons(specs_of(old), specs_of(new)))
        reasons.extend(chain_reasons(old["chain_version"], new["chain_version"]))
    elif before["mastering"] != after["mastering"]:
        reasons.append("mastering changed")
    if not reasons and before["mastering"] != after["mastering"]:
        reasons.append("labels in the files changed")
    if before["takes"].keys() == after["takes"].keys() and _gain_group(before, old) != _gain_group(
        after, new
    ):
        reasons.append("shared gain: another variation changed")
    yield from reasons or ["mastering chain changed"]


def _gain_group(row: MasterRow, record: MasterRecord | None) -> Any:
    """The other takes that share the gain of a master, or the id of its gain group if there is no record."""
    return set(record["group"]) - row["takes"].keys() if record else row["gain_group"]


def _waited(before: MasterRow, after: MasterRow) -> bool:
    waiting = before.get("waiting")
    return waiting is not None and waiting["master"] == after["master"]


def _take_reasons(
    before: MasterRow, after: MasterRow, records: Records, reviews: ReviewState
) -> Iterator[str]:
    reviewed = list(review_reasons({before["take"]} - {after["take"]}, reviews.rejected, reviews.rerolled))
    yield from reviewed
    if len(before["takes"]) != len(after["takes"]):
        yield f"candidates changed: {len(before['takes'])} -> {len(after['takes'])}"
    if before["take"] == after["take"]:
        return
    old, new = records.get(before["master"]), records.get(after["master"])
    if not old or not new:
        yield "prompt changed" if before["prompt"] != after["prompt"] else "recipe changed"
        return
    reasons = list(recipe_reasons(old["take"]["recipe"], Recipe.from_json(new["take"]["recipe"])))
    if not reasons and not reviewed:
        reasons = ["seed changed"]
    yield from reasons


def _status_reasons(before: MasterRow, after: MasterRow) -> Iterator[str]:
    reason = after.get("reason")
    if before["status"] != after["status"]:
        yield f"status changed: {before['status']} -> {after['status']}" + (f" ({reason})" if reason else "")
    elif before.get("reason") != reason:
        yield f"{after['status']} for another reason: {reason}"


def _file_reasons(before: MasterRow, after: MasterRow) -> Iterator[str]:
    old, new = name_of_files(before["files"]), name_of_files(after["files"])
    if old != new:
        yield f"files renamed: {old} -> {new}"
        return
    unchanged = before["master"] == after["master"] and signer_of(before) == signer_of(after)
    if unchanged and before["files"] != after["files"]:
        yield "signed again"


def _waiting_reasons(before: MasterRow, after: MasterRow) -> Iterator[str]:
    old, new = before.get("waiting"), after.get("waiting")
    if new is not None and (old is None or old["master"] != new["master"]):
        yield f"a new take waits for review: {', '.join(new['reasons']) or 'generated again'}"
    elif old is not None and new is None and after["master"] == before["master"]:
        yield "nothing waits for review any more"


def _figure(key: str, old: Any, new: Any) -> str:
    word, unit = MEASURED[key]
    return f"{word} {say(old)} -> {say(new)}{unit}"


def _identity(row: MasterRow | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        key: row.get(key) for key in ("master", "take", "seed", "prompt", "model", "status", "pcm_sha256")
    }


@dataclass(frozen=True)
class HistoryEntry:
    """One version that changed the asset."""

    version: int
    created: str
    run: str
    change: Change

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"version": self.version, "created": self.created, "run": self.run, **self.change.to_json()}


def asset_history(catalog: Catalog, asset: str, variation: int | None = None) -> list[HistoryEntry]:
    """Every change of the masters that `Filter` selects, oldest first.

    Each version is compared with its parent. Versions that cannot be read are left out.
    """
    chosen = Filter(asset, variation)
    versions: dict[int, Version] = {}
    entries: list[HistoryEntry] = []
    for complete in catalog.readable():
        version, number = _only(complete, chosen), complete.number
        before = versions.get(version.parent or 0, replace(version, masters=(), missing=()))
        entries.extend(
            HistoryEntry(number, version.created, version.run, change)
            for change in diff(catalog.store, before, version)
        )
        versions[number] = version
    return entries


def reviews_before(version: Version, events: tuple[ReviewEvent, ...]) -> ReviewState:
    """The result of those ``events`` that were there when ``version`` was published."""
    published = utc(version.created)
    return review_state(event for event in events if event.moment <= published)


def _only(version: Version, chosen: Filter) -> Version:
    return replace(
        version,
        masters=tuple(chosen.select(version.masters, NO_REVIEWS)),
        missing=tuple(chosen.select_missing(version.missing)),
    )
