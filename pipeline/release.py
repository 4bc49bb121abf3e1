"""Moving channels by hand: promotion through the release gate, and rollback to an earlier version.

The gate lists every reason why a version is not ready to ship. A named person can override a reason and must say
why; the channel's history records it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from pipeline.catalog import (
    LATEST,
    REMEDIES,
    Catalog,
    Channel,
    ChannelMove,
    Override,
    Reviews,
    ReviewState,
    Version,
    states_of,
)
from pipeline.catalog.channels import earlier_versions
from pipeline.catalog.integrity import channel_or_recovered
from pipeline.catalog.rows import differing, say_difference
from pipeline.credentials import DEVELOPMENT
from pipeline.errors import StoreError, UsageError, VerificationError
from pipeline.export import export_latest
from pipeline.licenses import LicenseDeclaration, ModelLicense
from pipeline.manifest.policy import Finding, Level, Policy
from pipeline.manifest.spec import GateReason
from pipeline.provenance import MasterRecord, MasterRow, master_records, name_of
from pipeline.store import ObjectRef, Store
from pipeline.texts import comment_fault, name_fault

_WORDS: Mapping[GateReason, str] = {
    GateReason.NON_COMMERCIAL: (
        "the license of the weights does not allow this release; use another model, "
        "or declare what applies to your studio: license in the manifest"
    ),
    GateReason.PLACEHOLDER: "made by a placeholder engine; build them with the final engine",
    GateReason.UNAPPROVED: "nobody approved them; review them: cuesmith review approve",
    GateReason.REJECTED: "rejected in review, or to be re-rolled; build again, then review the new takes",
    GateReason.POLICY: "the policy forbids words of the prompt; change the prompt, or add an exception, then build",
    GateReason.QUALITY_GATE: "failed a quality gate; reject them or change the recipe, then build again",
    GateReason.LOUDNESS: "missed their loudness target; lower loudness or raise true_peak, then build again",
    GateReason.CREDENTIALS: "not signed with your own Content Credentials; set credentials: required in the manifest",
    GateReason.VERIFICATION: "a file or its record is missing, damaged or edited; cuesmith verify --repair, then build",
    GateReason.STALE: "from an earlier version, because the new master failed; build again",
    GateReason.MISSING: "in the manifest, but not built yet; build without --only",
    GateReason.QUARANTINED: "in the manifest, but failed a quality gate; for remedies, run cuesmith catalog quarantine",
    GateReason.FAILED: "in the manifest, but the build could not make them; build again",
}


@dataclass(frozen=True)
class Refusal:
    """One reason why a version may not ship, with the masters that it concerns."""

    code: GateReason
    what: str
    """In words, with the remedy."""
    masters: tuple[tuple[str, str], ...]
    """Each master's name and its details, which may be empty."""

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        masters = [{"master": name, "particular": details} for name, details in self.masters]
        return {"code": self.code, "what": self.what, "masters": masters}


def refusals(store: Store, version: Version, reviews: ReviewState) -> list[Refusal]:
    """Every reason why ``version`` may not ship, in the order of `GateReason`; empty if it may.

    Hashes every delivered file of the version.
    """
    concerned: dict[GateReason, list[tuple[str, str]]] = {}
    records = master_records(store, (row["master"] for row in version.masters))
    policy = Policy.from_json(version.policy)
    for row in version.masters:
        for finding in _policy_findings(policy, row, "forbid"):
            concerned.setdefault(GateReason.POLICY, []).append((name_of(row), finding.what))
        for code, details in _row_reasons(store, row, records.get(row["master"]), reviews, version.license):
            concerned.setdefault(code, []).append((name_of(row), details))
    for gap in version.missing:
        concerned.setdefault(GateReason(gap["code"]), []).append((name_of(gap), gap["reason"]))
    return [Refusal(code, _WORDS[code], tuple(concerned[code])) for code in GateReason if code in concerned]


def licenses(store: Store, version: Version) -> dict[ModelLicense, int]:
    """The licence of each model that made a master of ``version``, sorted by model, and how many it made."""
    records = master_records(store, (row["master"] for row in version.masters))
    counts = Counter(_license_of(row, records.get(row["master"])) for row in version.masters)
    return {found: counts[found] for found in sorted(counts, key=lambda one: (one.engine, one.model))}


def policy_warnings(version: Version) -> list[str]:
    """What the prompt policy of a version warns of, one line for each master and rule."""
    policy = Policy.from_json(version.policy)
    return [
        f"{name_of(row)}: {finding.what}"
        for row in version.masters
        for finding in _policy_findings(policy, row, "warn")
    ]


def _policy_findings(policy: Policy, row: MasterRow, level: Level) -> Iterator[Finding]:
    for finding in policy.findings(row["asset"], row["prompt"]):
        if finding.rule.level == level and finding.exception is None:
            yield finding


def damage(store: Store, rows: Sequence[MasterRow]) -> Iterator[tuple[MasterRow, str]]:
    """Every row with a delivered file that is missing or damaged, and the error."""
    for row in rows:
        for path, item in row["files"].items():
            try:
                store.get(ObjectRef.from_json(item))
            except (StoreError, VerificationError) as error:
                yield row, f"{path}: {error}"


def _row_reasons(
    store: Store,
    row: MasterRow,
    record: MasterRecord | None,
    reviews: ReviewState,
    declared: LicenseDeclaration | None,
) -> Iterator[tuple[GateReason, str]]:
    states = states_of(row, reviews)
    if (refused := _license_of(row, record).refusal(declared)) is not None:
        yield GateReason.NON_COMMERCIAL, f"{row['model']}: {refused}"
    if "placeholder" in states:
        yield GateReason.PLACEHOLDER, row["engine"]
    if "rejected" in states:
        yield GateReason.REJECTED, ""
    elif "re-roll" in states:
        yield GateReason.REJECTED, "another take was requested"
    elif "approved" not in states:
        yield GateReason.UNAPPROVED, ""
    if record is None:
        yield GateReason.VERIFICATION, f"masters/{row['master']}.json is missing"
    else:
        yield from _record_reasons(row, record)
    credentials = row.get("credentials")
    if credentials is None or credentials["signed_by"] is None:
        yield GateReason.CREDENTIALS, (credentials and credentials["reason"]) or ""
    elif credentials["signed_by"] == DEVELOPMENT:
        yield GateReason.CREDENTIALS, "signed with a development certificate"
    for _, what in damage(store, [row]):
        yield GateReason.VERIFICATION, what
    if row["status"] == "stale":
        yield GateReason.STALE, row.get("reason", "")


def _license_of(row: MasterRow, record: MasterRecord | None) -> ModelLicense:
    """The licence in the row, with its terms from the record; the gate compares all other facts of the two."""
    facts = {"terms": None} if record is None else record["take"]["model"]
    return ModelLicense.from_facts(
        {**facts, "id": row["model"], **{key: row[key] for key in ("engine", "license", "commercial")}}
    )


def _record_reasons(row: MasterRow, record: MasterRecord) -> Iterator[tuple[GateReason, str]]:
    if differences := differing(row, record):
        yield GateReason.VERIFICATION, say_difference(row, differences)
    for failure in record["quality"]["failures"]:
        yield GateReason.QUALITY_GATE, f"{failure['name']}: {failure['what']}"
    loudness = record["loudness"]
    if loudness.get("deviation") in REMEDIES:
        unit = "dBTP" if loudness["method"] == "peak" else "LUFS"
        reached, target = loudness["reached"], loudness["target"]
        yield GateReason.LOUDNESS, f"{reached:.1f} {unit}, target {target:.1f}: {loudness['deviation']}"


@dataclass(frozen=True)
class PromotionResult:
    """The result of a promotion: what the release gate found, and whether the channel moved."""

    refused: tuple[Refusal, ...]
    """Reasons that keep the channel from moving."""
    overridden: tuple[Refusal, ...]
    """Reasons that a person overrode."""
    channel: Channel | None
    """The present state; None if there is no such channel."""
    moved: bool
    allowed: tuple[Refusal, ...] = ()
    """Reasons that the version's manifest allows on the channel."""
    warnings: tuple[str, ...] = ()
    """What the prompt policy warns of."""


def promote(
    catalog: Catalog, number: int, name: str, *, at: str, by: str, overrides: Mapping[str, str] | None = None
) -> PromotionResult:
    """Point channel ``name`` to version ``number`` if the release gate finds no reason against it.

    Reasons that the version's manifest allows on the channel do not count. ``overrides`` has the explanation of ``by``
    for each code that ``by`` overrides. Raises `UsageError` for channel ``latest``, which has no gate, for a version
    without masters, for unknown codes, and for an override without explanation.
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
            f"version {number} has no masters; `cuesmith catalog versions` lists versions with masters"
        )
    with catalog.channels.lock() as fence:
        before = catalog.channels.read(name)
        every = _refusals_now(catalog, version)
        rules = version.promotion.get(name, ())
        allowed = tuple(refusal for refusal in every if refusal.code in rules)
        counting = [refusal for refusal in every if refusal.code not in rules]
        refused = tuple(refusal for refusal in counting if refusal.code not in overrides)
        overridden = tuple(refusal for refusal in counting if refusal.code in overrides)
        warnings = tuple(policy_warnings(version))
        if refused or (before and before["version"] == number and not overridden):
            return PromotionResult(refused, overridden, before, False, allowed, warnings)
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
        channel = catalog.channels.point(name, move, fence)
        return PromotionResult((), overridden, channel, True, allowed, warnings)


def _refusals_now(catalog: Catalog, version: Version) -> list[Refusal]:
    """The gate's reasons with the reviews at the end of the check, which hashes every file and so takes time."""
    reviews = Reviews(catalog.store)
    state = reviews.state()
    while True:
        current = refusals(catalog.store, version, state)
        before, state = state, reviews.state()
        if state == before:
            return current


def rollback(
    catalog: Catalog, name: str, *, at: str, by: str, to: int | None = None, because: str = ""
) -> Channel:
    """Point channel ``name`` back to version ``to``, or to the version before; ``latest`` updates the library too.

    A damaged channel is recovered from its readable moves. Raises `UsageError` if the channel never pointed to ``to``,
    and `VerificationError` if a file of that version is missing or damaged.
    """
    _check_texts(by, because)
    with catalog.channels.lock() as fence:
        channel = channel_or_recovered(catalog, name)
        if channel is None:
            names = ", ".join(catalog.channels.names()) or "none"
            raise UsageError(f"unknown channel {name!r}; existing channels: {names}")
        number = _target(channel, to, set(catalog.numbers()))
        version = catalog.read(number)
        errors = [error for _, error in damage(catalog.store, version.masters)]
        if errors:
            more = f" (and {len(errors) - 1} more)" if errors[1:] else ""
            raise VerificationError(f"version {number} is incomplete or damaged: {errors[0]}{more}")
        move = ChannelMove(version=number, at=at, by=by, action="rollback")
        if because:
            move["because"] = because
        move["files"] = catalog.files_of(number)
        channel = catalog.channels.write(name, [*channel["history"], move], fence)
    if name == LATEST:
        export_latest(catalog, recheck=True)
    return channel


def _check_texts(by: str, *because: str) -> None:
    """Raises `UsageError` for a name or an explanation that is not valid."""
    for option, fault in (
        ("--by", by and name_fault(by)),
        *(("--because", comment_fault(text)) for text in because),
    ):
        if fault:
            raise UsageError(f"{option}: {fault}")


def _check(overrides: Mapping[str, str], by: str) -> None:
    _check_texts(by, *overrides.values())
    for code, because in overrides.items():
        if code not in list(GateReason):
            raise UsageError(f"--override {code!r} is unknown; choose from {', '.join(GateReason)}")
        if not because.strip():
            raise UsageError(f'--override {code} needs an explanation: --because "..."')
    if overrides and not by.strip():
        raise UsageError("an override needs the name of the person responsible: --by NAME")


def _target(channel: Channel, to: int | None, versions: Set[int]) -> int:
    """The version to go back to, one of ``versions``."""
    earlier = [number for number in earlier_versions(channel["history"]) if number in versions]
    if to is None:
        if not earlier:
            raise UsageError(f"channel {channel['name']} has no version before version {channel['version']}")
        return earlier[-1]
    if to not in {move["version"] for move in channel["history"]}:
        name = channel["name"]
        on = "a build" if name == LATEST else "`cuesmith promote`"
        raise UsageError(
            f"channel {name} never pointed to version {to}; "
            f"`cuesmith catalog channels {name}` shows its history; to point it to another version, use {on}"
        )
    if to not in versions:
        raise UsageError(f"version {to} was removed; `cuesmith catalog versions` lists all versions")
    return to
