"""What changed between two versions and why: recipes, mastering, labels, standing, and what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.catalog.naming import name_of_files
from pipeline.catalog.version import Version
from pipeline.plan import recipe_reasons, say, spec_reasons
from pipeline.provenance import MASTER_SCHEMA, MasterRecord, MasterRow
from pipeline.recipe import Recipe
from pipeline.store import Store

Kind = Literal["added", "removed", "changed", "missing"]
Records = Mapping[str, MasterRecord]
"""By master digest; those that are gone are not in it."""

MEASURED = {
    "seconds": ("length", " s"),
    "loudness_lufs": ("loudness", " LUFS"),
    "true_peak_dbtp": ("true peak", " dBTP"),
    "quality": ("quality", ""),
    "loop": ("loop", " samples"),
    "sample_rate_hz": ("sample rate", " Hz"),
    "channels": ("channels", ""),
}
"""Fields of a row whose change is told with its numbers: how to say them, and their unit."""


@dataclass(frozen=True)
class Change:
    """One master that is not in two versions as it is in the other."""

    kind: Kind
    asset: str
    variation: int
    reasons: tuple[str, ...]
    """In words: what differs in recipe, mastering, labels and standing, or why a master is missing. Empty for added
    and removed masters."""
    measured: Mapping[str, tuple[Any, Any]]
    """Field of `MEASURED` to its value before and after, where they differ."""
    before: MasterRow | None
    after: MasterRow | None

    @property
    def audible(self) -> bool:
        """Whether the sound itself is another."""
        return (self.before and self.before["pcm_sha256"]) != (self.after and self.after["pcm_sha256"])

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "change": self.kind,
            "asset": self.asset,
            "variation": self.variation,
            "reasons": list(self.reasons),
            "audible": self.audible,
            "measured": {key: {"before": old, "after": new} for key, (old, new) in self.measured.items()},
            "before": _identity(self.before),
            "after": _identity(self.after),
        }

    def __str__(self) -> str:
        told = [*self.reasons, *(_figure(key, old, new) for key, (old, new) in self.measured.items())]
        name = f"{self.asset}_{self.variation:02d}"
        return f"{self.kind:<8} {name:<40} {'; '.join(told)}".rstrip()


def diff(store: Store, before: Version, after: Version, rejected: Set[str] = frozenset()) -> list[Change]:
    """Every master that differs, by asset and variation. ``rejected`` holds recipe digests, as reviews have them."""
    old, new = before.by_variation, after.by_variation
    places = sorted({*old, *new})
    changed = [place for place in places if place in old and place in new and old[place] is not new[place]]
    records = _records(store, ((old[place], new[place]) for place in changed))
    changes = [*_changes(places, old, new, records, rejected), *_gaps(before, after)]
    return sorted(changes, key=lambda change: (change.asset, change.variation))


def _gaps(before: Version, after: Version) -> Iterator[Change]:
    """What the manifest asked for and ``after`` lacks for another reason than ``before``, or no longer lacks."""
    known = {(gap["asset"], gap["variation"]): gap for gap in before.missing}
    for gap in after.missing:
        earlier = known.pop((gap["asset"], gap["variation"]), None)
        if earlier is None or (earlier["code"], earlier["reason"]) != (gap["code"], gap["reason"]):
            why = (f"{gap['code']}: {gap['reason']}",)
            yield Change("missing", gap["asset"], gap["variation"], why, {}, None, None)
    for asset, variation in known.keys() - after.by_variation.keys():
        yield Change("removed", asset, variation, ("it was missing",), {}, None, None)


def _changes(
    places: list[tuple[str, int]],
    old: Mapping[tuple[str, int], MasterRow],
    new: Mapping[tuple[str, int], MasterRow],
    records: Records,
    rejected: Set[str],
) -> Iterator[Change]:
    for place in places:
        change = compare(old.get(place), new.get(place), records, rejected)
        if change is not None:
            yield change


def _records(store: Store, pairs: Iterator[tuple[MasterRow, MasterRow]]) -> Records:
    digests = {row["master"] for pair in pairs for row in pair if pair[0]["master"] != pair[1]["master"]}
    return dict(store.get_records("masters", sorted(digests), MASTER_SCHEMA))  # type: ignore[arg-type]


def compare(
    before: MasterRow | None, after: MasterRow | None, records: Records, rejected: Set[str] = frozenset()
) -> Change | None:
    """How one variation differs between two versions; None when it does not."""
    row = after or before
    if row is None:
        return None
    place = (row["asset"], row["variation"])
    if before is None or after is None:
        return Change("added" if after else "removed", *place, (), {}, before, after)
    reasons = tuple(dict.fromkeys(_reasons(before, after, records, rejected)))
    measured = {key: (_value(before, key), _value(after, key)) for key in MEASURED}
    measured = {key: pair for key, pair in measured.items() if pair[0] != pair[1]}
    return Change("changed", *place, reasons, measured, before, after) if reasons or measured else None


def _reasons(before: MasterRow, after: MasterRow, records: Records, rejected: Set[str]) -> Iterator[str]:
    if before["master"] != after["master"]:
        yield from _master_reasons(before, after, records, rejected)
    for key, word in (("tags", "tags"), ("ucs", "UCS labels"), ("bpm", "bpm")):
        if before.get(key) != after.get(key):
            yield f"{word} changed: {_label(before.get(key))} -> {_label(after.get(key))}"
    if _signer(before) != _signer(after):
        yield f"signed by: {say(_signer(before))} -> {say(_signer(after))}"
    yield from _status_reasons(before, after)
    yield from _file_reasons(before, after)
    yield from _waiting_reasons(before, after)


def _master_reasons(
    before: MasterRow, after: MasterRow, records: Records, rejected: Set[str]
) -> Iterator[str]:
    found = list(_take_reasons(before, after, records, rejected))
    old, new = records.get(before["master"]), records.get(after["master"])
    if old and new:
        found.extend(
            spec_reasons(
                {**old["mastering"], **old["delivery"], **old.get("gates", {})},
                {**new["mastering"], **new["delivery"], **new.get("gates", {})},
            )
        )
    elif before["mastering"] != after["mastering"]:
        found.append("mastering changed")
    if not found and before["mastering"] != after["mastering"]:
        found.append("labels changed")
    if not found and before["gain_group"] != after["gain_group"]:
        found.append("shared gain: another variation changed")
    yield from found or ["mastered anew"]


def _take_reasons(before: MasterRow, after: MasterRow, records: Records, rejected: Set[str]) -> Iterator[str]:
    waiting = before.get("waiting")
    if waiting is not None and waiting["master"] == after["master"]:
        yield "approved in review: the waiting take took its place"
    if before["take"] != after["take"] and before["take"] in rejected:
        yield "rejected in review"
    if len(before["takes"]) != len(after["takes"]):
        yield f"candidates changed: {len(before['takes'])} -> {len(after['takes'])}"
    if before["take"] == after["take"]:
        return
    old, new = records.get(before["master"]), records.get(after["master"])
    if not old or not new:
        yield "prompt changed" if before["prompt"] != after["prompt"] else "recipe changed"
        return
    told = list(recipe_reasons(old["take"]["recipe"], Recipe.from_json(new["take"]["recipe"])))
    if not told and before["take"] not in rejected:
        told = ["seed changed"]
    yield from told


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
    kept = before["master"] == after["master"] and _signer(before) == _signer(after)
    if kept and before["files"] != after["files"]:
        yield "signed again"


def _waiting_reasons(before: MasterRow, after: MasterRow) -> Iterator[str]:
    old, new = before.get("waiting"), after.get("waiting")
    if new is not None and (old is None or old["master"] != new["master"]):
        yield f"a new take waits for review: {', '.join(new['reasons']) or 'made anew'}"
    elif old is not None and new is None and after["master"] != old["master"]:
        yield "nothing waits for review any more"


def _value(row: MasterRow, key: str) -> Any:
    return row.get(key)


def _signer(row: MasterRow) -> str | None:
    credentials = row.get("credentials")
    return credentials["signed_by"] if credentials else None


def _label(value: Any) -> str:
    return (
        say([f"{key} {item}" for key, item in value.items()] if isinstance(value, dict) else value) or "none"
    )


def _figure(key: str, old: Any, new: Any) -> str:
    word, unit = MEASURED[key]
    return f"{word} {say(old)} -> {say(new)}{unit}"


def _identity(row: MasterRow | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        key: row.get(key) for key in ("master", "take", "seed", "prompt", "model", "status", "pcm_sha256")
    }
