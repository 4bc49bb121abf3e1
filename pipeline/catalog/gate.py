"""The release gate: every reason why a version is not ready for a channel that people ship from.

A reason can be set aside by a named person with a word why; the channel's history keeps that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pipeline.catalog.matching import differing, say_difference
from pipeline.catalog.reviews import ReviewState
from pipeline.catalog.standing import name_of, states_of
from pipeline.catalog.targets import MISSED
from pipeline.catalog.version import Version
from pipeline.credentials import DEVELOPMENT
from pipeline.errors import StoreError, VerificationError
from pipeline.manifest.spec import GateReason
from pipeline.provenance import MASTER_SCHEMA, MasterRecord, MasterRow
from pipeline.store import ObjectRef, Store

Code = GateReason
CODES: tuple[Code, ...] = get_args(Code)

_WORDS: Mapping[Code, str] = {
    "non-commercial": "made with weights that may not be used commercially; use another model",
    "placeholder": "made by a placeholder engine; build them with the engine that is to ship",
    "unapproved": "nobody approved them; cuesmith review approve",
    "rejected": "rejected in review; build again, then review the new takes",
    "quality-gate": "a quality gate closed; reject them, or change the recipe, and build again",
    "loudness": "missed their loudness target; lower loudness or raise true_peak in the manifest, and build again",
    "credentials": "without Content Credentials of your own; write credentials: required in the manifest",
    "verification": "a file or its record is missing, damaged or edited; cuesmith verify --repair, then build again",
    "stale": "kept from an earlier version because making the new one failed; build again",
    "missing": "the manifest asks for them, and no build has made them; build without --only",
    "quarantined": "the manifest asks for them, and a quality gate closed; cuesmith catalog quarantine says what helps",
    "failed": "the manifest asks for them, and they could not be made; build again",
}


@dataclass(frozen=True)
class Refusal:
    """One reason, with the masters that it concerns."""

    code: Code
    what: str
    """In words, with the remedy."""
    masters: tuple[tuple[str, str], ...]
    """Each master's name and, where there is more to say, the particular."""

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        masters = [{"master": name, "particular": particular} for name, particular in self.masters]
        return {"code": self.code, "what": self.what, "masters": masters}


def refusals(store: Store, version: Version, reviews: ReviewState) -> list[Refusal]:
    """Every reason against ``version``, in the order of `CODES`; empty when it may ship.

    Hashes every file that the version delivers.
    """
    found: dict[Code, list[tuple[str, str]]] = {}
    digests = [row["master"] for row in version.masters]
    records: Any = dict(store.get_records("masters", digests, MASTER_SCHEMA, MasterRecord))
    for row in version.masters:
        for code, particular in _against(store, row, records.get(row["master"]), reviews):
            found.setdefault(code, []).append((name_of(row), particular))
    for gap in version.missing:
        found.setdefault(gap["code"], []).append((name_of(gap), gap["reason"]))
    return [Refusal(code, _WORDS[code], tuple(found[code])) for code in CODES if code in found]


def damage(store: Store, rows: Sequence[MasterRow]) -> Iterator[tuple[MasterRow, str]]:
    """Every row with a delivered file that is missing or not what its hash says, and which it is."""
    for row in rows:
        for path, item in row["files"].items():
            try:
                store.get(ObjectRef(item["sha256"], item["suffix"], item["size"]))
            except (StoreError, VerificationError) as error:
                yield row, f"{path}: {error}"


def _against(
    store: Store, row: MasterRow, record: MasterRecord | None, reviews: ReviewState
) -> Iterator[tuple[Code, str]]:
    states = states_of(row, reviews)
    if "non-commercial" in states:
        yield "non-commercial", f"{row['model']}: {row['license']}"
    if "placeholder" in states:
        yield "placeholder", row["engine"]
    if "rejected" in states:
        yield "rejected", ""
    elif "approved" not in states:
        yield "unapproved", ""
    if record is None:
        yield "verification", f"masters/{row['master']}.json is missing"
    else:
        yield from _against_record(row, record)
    told = row.get("credentials")
    if told is None or told["signed_by"] is None:
        yield "credentials", (told and told["reason"]) or ""
    elif told["signed_by"] == DEVELOPMENT:
        yield "credentials", "signed with a development certificate"
    for _, what in damage(store, [row]):
        yield "verification", what
    if row["status"] == "stale":
        yield "stale", row.get("reason", "")


def _against_record(row: MasterRow, record: MasterRecord) -> Iterator[tuple[Code, str]]:
    if found := differing(row, record):
        yield "verification", say_difference(row, found)
    for failure in record["quality"]["failures"]:
        yield "quality-gate", f"{failure['name']}: {failure['what']}"
    loudness = record["loudness"]
    if loudness.get("deviation") in MISSED:
        unit = "dBTP" if loudness["method"] == "peak" else "LUFS"
        reached, target = loudness["reached"], loudness["target"]
        yield "loudness", f"{reached:.1f} {unit}, target {target:.1f}: {loudness['deviation']}"
