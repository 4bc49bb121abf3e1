"""Moving channels by hand: promotion through the release gate, and rollback to an earlier version.

The gate lists every reason why a version is not ready to ship. A named person can override a reason and must say
why; the channel's history records it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, get_args

from pipeline.catalog.catalog import Catalog
from pipeline.catalog.channels import LATEST, Channel, ChannelMove, Override, earlier
from pipeline.catalog.integrity import channel_or_salvaged
from pipeline.catalog.library import forget_library, sync_latest
from pipeline.catalog.reviews import (
    MISSED,
    Reviews,
    ReviewState,
    comment_fault,
    name_fault,
    name_of,
    states_of,
)
from pipeline.catalog.rows import differing, say_difference
from pipeline.catalog.version import Version
from pipeline.credentials import DEVELOPMENT
from pipeline.errors import StoreError, UsageError, VerificationError
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


@dataclass(frozen=True)
class Verdict:
    """What the release gate said, and whether the channel moved."""

    refused: tuple[Refusal, ...]
    """Reasons that stand: the channel was not moved when there are any."""
    overridden: tuple[Refusal, ...]
    """Reasons that a person set aside."""
    channel: Channel | None
    """As it is now; None when it was never pointed anywhere."""
    moved: bool
    allowed: tuple[Refusal, ...] = ()
    """Reasons that the version's manifest allows on the channel."""


def promote(
    catalog: Catalog, number: int, name: str, *, at: str, by: str, overrides: Mapping[str, str] | None = None
) -> Verdict:
    """Point channel ``name`` to version ``number`` when nothing speaks against it.

    What the version's manifest allows on the channel does not count.

    ``overrides`` gives, for each reason's code to set aside, the word why; ``by`` answers for it. Every channel
    but ``latest`` has the gate. Raises `UsageError` for ``latest``, for a version without masters, for codes that
    there are not, and for an override without a word.
    """
    if name == LATEST:
        raise UsageError(
            "channel latest is moved by builds; choose another name, such as release, "
            "or go back with: cuesmith catalog rollback --channel latest"
        )
    overrides = overrides or {}
    _check(overrides, by)
    version = catalog.read(number)
    if not version.masters:
        raise UsageError(
            f"version {number} has no masters to ship; `cuesmith catalog versions` lists those that have"
        )
    with catalog.channels.held() as fence:
        before = catalog.channels.read(name)
        found = _found(catalog, version)
        rules = version.promotion.get(name, ())
        allowed = tuple(refusal for refusal in found if refusal.code in rules)
        found = [refusal for refusal in found if refusal.code not in rules]
        refused = tuple(refusal for refusal in found if refusal.code not in overrides)
        overridden = tuple(refusal for refusal in found if refusal.code in overrides)
        if refused or (before and before["version"] == number and not overridden):
            return Verdict(refused, overridden, before, False, allowed)
        move = ChannelMove(version=number, at=at, by=by, action="promote")
        if overridden:
            move["overrides"] = [
                Override(
                    reason=refusal.code, because=overrides[refusal.code], by=by, masters=len(refusal.masters)
                )
                for refusal in overridden
            ]
        if allowed:
            move["allowed"] = [refusal.code for refusal in allowed]
        move["files"] = catalog.files_of(number)
        return Verdict((), overridden, catalog.channels.point(name, move, fence), True, allowed)


def _found(catalog: Catalog, version: Version) -> list[Refusal]:
    """The gate's reasons, under the reviews as they are when it has looked at every file."""
    reviews = Reviews(catalog.store)
    state = reviews.state()
    while True:
        found = refusals(catalog.store, version, state)
        now = reviews.state()
        if now == state:
            return found
        state = now


def rollback(
    catalog: Catalog, name: str, *, at: str, by: str, to: int | None = None, because: str = ""
) -> Channel:
    """Point channel ``name`` back to ``to``, or to where it was before; ``latest`` takes the library with it.

    A damaged channel is made again on the way from what can be read of it. Raises `UsageError` where the channel was
    never there, and `VerificationError` where a file of that version is missing or damaged.
    """
    _check_texts(by, because)
    with catalog.channels.held() as fence:
        channel = channel_or_salvaged(catalog, name)
        if channel is None:
            known = ", ".join(catalog.channels.names()) or "none"
            raise UsageError(f"there is no channel {name!r}; there are: {known}")
        number = _target(channel, to, set(catalog.numbers()))
        version = catalog.read(number)
        catalog.check_rows(version)
        broken = [what for _, what in damage(catalog.store, version.masters)]
        if broken:
            raise VerificationError(
                f"version {number} is not whole: {broken[0]}"
                + (f" (and {len(broken) - 1} more)" if broken[1:] else "")
            )
        move = ChannelMove(version=number, at=at, by=by, action="rollback")
        if because:
            move["because"] = because
        move["files"] = catalog.files_of(number)
        channel = catalog.channels.write(name, [*channel["history"], move], fence)
    if name == LATEST:
        forget_library(catalog.store)
        sync_latest(catalog)
    return channel


def _check_texts(by: str, *because: str) -> None:
    """Raises `UsageError` for a name or a reason that cannot be kept."""
    faults = [
        ("--by", name_fault(by) if by else None),
        *(("--because", comment_fault(one)) for one in because),
    ]
    for option, fault in faults:
        if fault is not None:
            raise UsageError(f"{option}: {fault}")


def _check(overrides: Mapping[str, str], by: str) -> None:
    _check_texts(by, *overrides.values())
    for code, because in overrides.items():
        if code not in CODES:
            raise UsageError(f"--override {code!r} is none of {', '.join(CODES)}")
        if not because.strip():
            raise UsageError(f'--override {code} needs a word why: --because "..."')
    if overrides and not by.strip():
        raise UsageError("an override needs the name of who answers for it: --by NAME")


def _target(channel: Channel, to: int | None, versions: Set[int]) -> int:
    """The version to go back to, one of the ``versions`` that are there."""
    been = [number for number in earlier(channel["history"]) if number in versions]
    if to is None:
        if not been:
            raise UsageError(f"channel {channel['name']} was nowhere before version {channel['version']}")
        return been[-1]
    if to not in {move["version"] for move in channel["history"]}:
        name, on = channel["name"], "a build" if channel["name"] == LATEST else "`cuesmith promote`"
        raise UsageError(
            f"channel {name} never pointed to version {to}; "
            f"`cuesmith catalog channels {name}` shows where it was, and {on} moves it on"
        )
    if to not in versions:
        raise UsageError(f"version {to} was removed; `cuesmith catalog versions` lists those that are there")
    return to
