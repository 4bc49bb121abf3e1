"""What a version contains and what made it, from the catalog alone: the source of every number of a disclosure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from pipeline.catalog import Catalog, Version
from pipeline.credentials import DEVELOPMENT
from pipeline.errors import VerificationError
from pipeline.formats import SIDECAR
from pipeline.licenses import ModelLicense, conditions_of
from pipeline.manifest.policy import Policy, PolicyException
from pipeline.provenance import MasterRecord, MasterRow, disclosure, master_records, signer_of

_MODEL_FIELDS = ("engine", "model", "revision", "license", "commercial", "neural", "placeholder")
"""Of rows, and of `ModelUse`: what makes two models the same."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of something a version has."""

    sounds: int
    """Masters."""
    files: int
    """Delivered sound files."""
    seconds: float
    """Duration of all its masters together."""


@dataclass(frozen=True, slots=True)
class ModelUse:
    """One model and what it made."""

    engine: str
    model: str
    revision: str
    license: str
    conditions: str
    commercial: bool
    """Whether the licence allows the output in a game that is sold."""
    neural: bool
    placeholder: bool
    amount: Amount
    kinds: tuple[str, ...]
    """Of ``music`` and ``sfx``."""


@dataclass(frozen=True, slots=True)
class WatermarkUse:
    """One watermark and how many sounds carry it."""

    name: str
    model: str
    revision: str
    license: str
    conditions: str
    sounds: int
    found: int
    """Of them, those in which the detector found it in every delivered file."""


@dataclass(frozen=True, slots=True)
class GateDecision:
    """A reason of the release gate that a person overrode or that the manifest allows, on one channel."""

    channel: str
    reason: str
    by: str
    at: str
    because: str
    sounds: int | None
    """Masters that it concerned; None for a reason that the manifest allows."""


@dataclass(frozen=True, slots=True)
class AllowedWords(PolicyException):
    """An exception of the prompt policy, and how many sounds need it."""

    sounds: int
    """Masters whose prompts contain the words."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """The facts of one version for its disclosure. It contains no prompt."""

    project: str
    version: int
    created: str
    """UTC, ISO 8601."""
    run: str
    profile: str | None
    manifest: str
    manifest_sha256: str
    channels: tuple[str, ...]
    """Channels that point to the version now."""
    total: Amount
    generated: Amount
    """Made by trained models."""
    procedural: Amount
    signed: int
    """Sounds with Content Credentials under the project's own certificate."""
    signed_for_development: int
    unsigned: int
    watermarks: tuple[WatermarkUse, ...]
    unmarked: int
    """Sounds without a watermark."""
    models: tuple[ModelUse, ...]
    decisions: tuple[GateDecision, ...]
    exceptions: tuple[AllowedWords, ...]
    rules: int
    """Words and patterns of the prompt policy."""
    software: Mapping[str, tuple[str, ...]]
    """Package to the versions that made the sounds."""
    commits: tuple[str, ...]
    """Commits of the manifest's repository at which the sounds were made."""


def take_inventory(catalog: Catalog, version: Version) -> Inventory:
    """Count what ``version`` contains.

    Raises `VerificationError` if a record is missing or damaged.
    """
    rows = version.masters
    records = _records(catalog, rows)
    signers = [signer_of(row) for row in rows]
    development = signers.count(DEVELOPMENT)
    unsigned = signers.count(None)
    watermarks = tuple(_watermarks(rows, records))
    channels = [entry for name in catalog.channels.names() if (entry := catalog.channel(name))]
    moves = [(entry["name"], move) for entry in channels for move in entry["history"]]
    policy = Policy.from_json(version.policy)
    return Inventory(
        project=version.project,
        version=version.number,
        created=version.created,
        run=version.run,
        profile=version.manifest["profile"],
        manifest=version.manifest["file"],
        manifest_sha256=version.manifest["sha256"],
        channels=tuple(entry["name"] for entry in channels if entry["version"] == version.number),
        total=_amount(rows),
        generated=_amount(row for row in rows if row["neural"]),
        procedural=_amount(row for row in rows if not row["neural"]),
        signed=len(rows) - development - unsigned,
        signed_for_development=development,
        unsigned=unsigned,
        watermarks=watermarks,
        unmarked=len(rows) - sum(use.sounds for use in watermarks),
        models=tuple(_models(rows, records)),
        decisions=tuple(
            decision
            for channel, move in moves
            if move["version"] == version.number
            for decision in _decisions(channel, move)
        ),
        exceptions=tuple(_exceptions(policy, rows)),
        rules=len(policy.rules),
        software=_software(records.values()),
        commits=tuple(sorted({git for record in records.values() if (git := record["manifest"]["git"])})),
    )


def statement_of(row: MasterRow) -> Mapping[str, str]:
    """How a row's sound was made: label, sentence and IPTC digital source type."""
    return disclosure(neural=row["neural"], engine=row["engine"], model=row["model"])


def _records(catalog: Catalog, rows: Sequence[MasterRow]) -> Mapping[str, MasterRecord]:
    digests = [row["master"] for row in rows]
    records = master_records(catalog.store, digests)
    for digest in digests:
        if digest not in records:
            raise VerificationError(
                f"masters/{digest}.json is missing; repair it: cuesmith verify --repair, then build again"
            )
    return records


def sound_files(row: MasterRow) -> dict[str, str]:
    """Library path to SHA-256 of each delivered sound, without files of credentials beside them."""
    return {path: item["sha256"] for path, item in row["files"].items() if item["suffix"] != SIDECAR}


def _amount(rows: Iterable[MasterRow]) -> Amount:
    listed = list(rows)
    files = sum(len(sound_files(row)) for row in listed)
    return Amount(len(listed), files, round(sum(row["seconds"] for row in listed), 3))


def stated_conditions(license: ModelLicense) -> str:
    """What a licence asks for: the terms that the engine stated for the model, else what the table of licences says."""
    terms = license.terms
    if terms is None:
        return conditions_of(license.license)
    limit = terms.revenue_below_usd
    parts = [f"commercial use only below USD {limit:,} of yearly revenue"] if limit else []
    return "; ".join([*parts, *license.duties, f"terms: {terms.source}, read on {terms.read}"])


def _models(rows: Iterable[MasterRow], records: Mapping[str, MasterRecord]) -> Iterable[ModelUse]:
    fields = itemgetter(*_MODEL_FIELDS)
    for key, group in groupby(sorted(rows, key=fields), fields):
        used, model = list(group), dict(zip(_MODEL_FIELDS, key, strict=True))
        facts = {**records[used[0]["master"]]["take"]["model"], "license": model["license"]}
        yield ModelUse(
            **model,
            conditions=stated_conditions(ModelLicense.from_facts(facts)),
            amount=_amount(used),
            kinds=tuple(sorted({row["kind"] for row in used})),
        )


def _watermarks(rows: Iterable[MasterRow], records: Mapping[str, MasterRecord]) -> Iterable[WatermarkUse]:
    used: dict[tuple[Any, ...], list[bool]] = {}
    for row in rows:
        if "watermark" in row:
            files = records[row["master"]]["renditions"]
            found = all("watermark" in file and file["watermark"]["found"] for file in files)
            key = itemgetter("name", "model", "revision", "license")(row["watermark"])
            used.setdefault(key, []).append(found)
    for (name, model, revision, license), found_each in sorted(used.items()):
        conditions, count = conditions_of(license), len(found_each)
        yield WatermarkUse(name, model, revision, license, conditions, count, sum(found_each))


def _decisions(channel: str, move: Any) -> Iterable[GateDecision]:
    for item in move.get("overrides", ()):
        yield GateDecision(channel, item["reason"], item["by"], move["at"], item["because"], item["masters"])
    for reason in move.get("allowed", ()):
        yield GateDecision(channel, reason, move["by"], move["at"], "allowed by the manifest", None)


def _exceptions(policy: Policy, rows: Sequence[MasterRow]) -> Iterable[AllowedWords]:
    used = Counter(
        exception
        for row in rows
        for exception in {finding.exception for finding in policy.findings(row["asset"], row["prompt"])}
    )
    for item in policy.exceptions:
        yield AllowedWords(item.words, item.assets, item.by, item.reason, used[item])


def _software(records: Iterable[MasterRecord]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for record in records:
        for made in (record["made"], record["take"]["made"]):
            for name, version in made["software"].items():
                found.setdefault(name, set()).add(version)
    return {name: tuple(sorted(versions)) for name, versions in sorted(found.items())}
