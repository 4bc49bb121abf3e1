"""The stored shapes: take records, master records, and the row that a catalog keeps of each master.

They are JSON objects as on disk, typed but never copied into classes: a catalog of 100,000 masters is
read in one pass. Every record names its schema and version in ``schema``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NotRequired, TypedDict

from pipeline.generators.protocol import ModelInfo
from pipeline.licenses import ModelLicense
from pipeline.manifest.spec import Project, SourceRef
from pipeline.store import ObjectJson, Store
from pipeline.watermarks import FoundJson, WatermarkJson

TAKE_SCHEMA = "cuesmith.take/1"
MASTER_SCHEMA = "cuesmith.master/1"
_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"

Status = Literal["current", "locked", "stale", "waiting", "quarantined"]
MissingCode = Literal["missing", "quarantined", "failed"]


class MadeFacts(TypedDict):
    """When and by which run something was made. Dates are stored here and never in a rendition."""

    at: str
    """UTC, ISO 8601."""
    seconds: float
    run: str
    prefect_run: str | None
    device: str
    software: dict[str, str]


class TermsJson(TypedDict):
    """The conditions of a licence: see `LicenseTerms`."""

    source: str
    read: str
    revenue_below_usd: NotRequired[int]
    attribution: NotRequired[str]
    registration: NotRequired[str]


class ModelFacts(TypedDict):
    """What made the raw audio, and what its weights allow."""

    engine: str
    id: str
    revision: str
    license: str
    commercial: bool
    neural: bool
    placeholder: bool
    terms: NotRequired[TermsJson]
    """Only where the engine states them."""


class TakeRecord(TypedDict):
    """``takes/<recipe digest>.json``: what a recipe gave. Written after its objects are durable."""

    schema: str
    digest: str
    recipe: dict[str, Any]
    object: ObjectJson
    sample_rate_hz: int
    channels: int
    samples: int
    loop: list[int] | None
    attachments: dict[str, ObjectJson]
    inputs: list[ObjectJson]
    """Conditioning audio, stored so that the take can be made again."""
    notes: dict[str, Any]
    ignored: list[str]
    model: ModelFacts
    made: MadeFacts


class RenditionJson(TypedDict):
    """A master encoded for delivery."""

    format: str
    object: ObjectJson
    lowered_db: float
    """How much a lossy encode was lowered so that its decoded peak stays below the ceiling."""
    decoded_true_peak_dbtp: float | None
    """Of the decoded audio of a lossy file."""
    watermark: NotRequired[FoundJson]
    """Whether the mark survived, where the master has one: looked for in the decoded file."""


class ManifestFacts(TypedDict):
    """Where an asset was written when its master was made."""

    file: str
    line: int
    sha256: str
    project: str
    profile: str | None
    git: str | None
    """Commit of the manifest's repository, with ``+changes`` where the tree had any; None outside git."""


class MasterRecord(TypedDict):
    """``masters/<master digest>.json``: the result of takes and a mastering spec, with every measurement."""

    schema: str
    digest: str
    asset: str
    variation: int
    kind: str
    take: TakeRecord
    """The complete record of the chosen take, so that the master's record needs no other file."""
    candidates: list[dict[str, Any]]
    """Every candidate's recipe digest with its quality score; the first is the chosen one."""
    group: list[str]
    """Recipe digests of all takes that share this master's gain."""
    gain_group: str
    """Identity of the shared gain; see `MasterRow`."""
    anchors: list[str]
    """Digests of approved or locked siblings whose gain this master took; empty when the group has its own gain."""
    mastering: dict[str, Any]
    delivery: dict[str, Any]
    chain: list[dict[str, Any]]
    """Mastering steps in order, each with what it measured and did."""
    chain_version: str
    """Version of the mastering chain that made it."""
    loudness: dict[str, Any]
    """``method`` and ``target`` (LUFS, or dBTP for method ``peak``), what was ``reached``, the ``gain_db`` that the
    asset's variations share, how much the limiter took, and why it is off target where it is."""
    measurements: dict[str, Any]
    gates: dict[str, Any]
    """The limits of the quality gates when it was made."""
    scores: NotRequired[list[dict[str, Any]]]
    """The scores that the manifest asks for, with their limits; each of `candidates` has its values. Only where there
    are any."""
    watermark: NotRequired[WatermarkJson]
    """Only where the manifest asks for one."""
    quality: dict[str, Any]
    """``score``, ``failures``, and whether the master is ``quarantined`` (stored for review, never published), with the
    ``reason``."""
    loop: list[int] | None
    """Start and end (exclusive) in samples of the master."""
    pcm_sha256: str
    renditions: list[RenditionJson]
    manifest: ManifestFacts
    disclosure: dict[str, str]
    made: MadeFacts


def failures_of(records: Iterable[MasterRecord]) -> Iterator[tuple[str, float]]:
    """Every failed gate of ``records``: its name and the measured value."""
    for record in records:
        for failure in record["quality"]["failures"]:
            yield failure["name"], failure["measured"]


class CredentialsJson(TypedDict):
    """The Content Credentials of one master's files."""

    signed_by: str | None
    """SHA-256 of the signing certificate, or ``development``; None where nothing could be signed."""
    reason: str | None
    """Why nothing was signed."""
    unsigned: dict[str, ObjectJson]
    """Library path to the rendition before it was signed: the same bytes for the same work."""


class MasterRow(TypedDict):
    """One master in a catalog version."""

    asset: str
    variation: int
    kind: str
    tags: list[str]
    prompt: str
    engine: str
    model: str
    revision: str
    license: str
    commercial: bool
    neural: bool
    placeholder: bool
    seed: int
    seconds: float
    """Duration of the master."""
    sample_rate_hz: int
    channels: int
    loop: list[int] | None
    bpm: float | None
    loudness_method: str
    """``integrated``, ``momentary`` or ``peak``: how the loudness below was measured."""
    loudness_lufs: float | None
    """Measured with the method; integrated for method ``peak``."""
    target_lufs: float
    deviation: NotRequired[str]
    """Why it is off its target, where it is."""
    true_peak_dbtp: float | None
    quality: float | None
    take: str
    """Recipe digest of the chosen take."""
    takes: dict[str, str]
    """Recipe digest to SHA-256 of the take's object, for every candidate."""
    master: str
    """Digest of (takes, mastering, delivery): `masters/<digest>.json` holds the complete provenance."""
    mastering: str
    """Digest of the mastering and delivery specs alone."""
    gain_group: str
    """Identity of the gain that the asset's masters share: a digest of the takes that gave it, kept by masters that
    took it over later."""
    pcm_sha256: str
    files: dict[str, ObjectJson]
    """Library path to object. For signed masters the signed files, and a file ``<path>.c2pa`` beside each that cannot
    contain its credentials."""
    credentials: NotRequired[CredentialsJson]
    """Only where the manifest asks for them."""
    watermark: NotRequired[WatermarkJson]
    """Only where the master carries one."""
    watermark_lost: NotRequired[list[str]]
    """The delivered formats in whose files it was not found again, where there are any."""
    origin: NotRequired[str]
    """The first id of the asset, where it has another one now; exports make their ids from it."""
    status: Status
    """``stale``: kept from an earlier version because the new one could not be made. ``waiting``: only in ``waiting``;
    ``quarantined``: only in the quarantine."""
    reason: NotRequired[str]
    """Why a row is locked, stale or quarantined."""
    waiting: NotRequired[WaitingRow]
    """The master that the manifest asks for now, while an approved one stays until a person decides."""
    ucs: dict[str, str] | None
    source: str
    """``file:line`` of the manifest; not compared between versions."""


class WaitingRow(MasterRow):
    """A master that waits for review beside an approved one: its row once it is approved."""

    reasons: list[str]
    """How it differs from the approved one, in words."""


class MissingRow(TypedDict):
    """A variation in the manifest for which a version has no master."""

    asset: str
    variation: int
    kind: str
    tags: list[str]
    code: MissingCode
    """``quarantined``: its master failed a quality gate; ``failed``: it could not be made; ``missing``: no build of
    it has finished yet."""
    reason: str
    master: NotRequired[str]
    """Digest of the quarantined master."""


def take_record(store: Store, digest: str) -> TakeRecord | None:
    """The record of one take; None if there is none. Raises as `Store.get_record`."""
    return store.get_record("takes", digest, TAKE_SCHEMA, TakeRecord)  # type: ignore[return-value]


def master_record(store: Store, digest: str) -> MasterRecord | None:
    """The record of one master; None if there is none. Raises as `Store.get_record`."""
    return store.get_record("masters", digest, MASTER_SCHEMA, MasterRecord)  # type: ignore[return-value]


def master_records(store: Store, digests: Iterable[str]) -> dict[str, MasterRecord]:
    """The record of each master that has one, by digest. Raises as `Store.get_record`."""
    return dict(store.get_records("masters", digests, MASTER_SCHEMA, MasterRecord))  # type: ignore[arg-type]


def manifest_facts(project: Project, source: SourceRef, git: str | None) -> ManifestFacts:
    """Where an asset of ``project`` is written; ``git`` is the commit."""
    return ManifestFacts(
        file=source.file,
        line=source.line,
        sha256=project.sha256,
        project=project.name,
        profile=project.profile,
        git=git,
    )


def model_facts(engine: str, model: ModelInfo) -> ModelFacts:
    """What records say of the model that made a take."""
    facts = ModelFacts(
        engine=engine,
        id=model.id,
        revision=model.revision,
        license=model.license,
        commercial=model.commercial,
        neural=model.neural,
        placeholder=model.placeholder,
    )
    if model.terms is not None:
        facts["terms"] = TermsJson(**model.terms.to_json())  # type: ignore[typeddict-item]
    return facts


def model_license(engine: str, model: ModelInfo) -> ModelLicense:
    """The licence of the model, with its terms."""
    return ModelLicense(engine, model.id, model.license, model.commercial, model.terms)


def disclosure(*, neural: bool, engine: str, model: str) -> dict[str, str]:
    """The disclosure of one master: a short ``label``, a sentence, and the IPTC digital source type.

    Source of the types: IPTC NewsCodes, Digital Source Type.
    """
    if neural:
        return {
            "label": "AI-generated",
            "statement": f"Generated by the trained model {model} ({engine}).",
            "digital_source_type": _IPTC + "trainedAlgorithmicMedia",
        }
    return {
        "label": "procedural",
        "statement": f"Synthesised by the procedural engine {engine}; no trained model was used.",
        "digital_source_type": _IPTC + "algorithmicMedia",
    }


def signer_of(row: MasterRow) -> str | None:
    """SHA-256 of the certificate that signed a row's files, or ``development``; None if they are not signed."""
    return row["credentials"]["signed_by"] if "credentials" in row else None


def place_of(row: MasterRow | MissingRow) -> tuple[str, int]:
    """A row's asset id and variation."""
    return row["asset"], row["variation"]


def name_of(row: MasterRow | MissingRow) -> str:
    """A master's name: ``music/forest/explore_01``."""
    return master_name(row["asset"], row["variation"])


def master_name(asset: str, variation: int) -> str:
    """A master's name: the asset's id and the variation with at least two digits."""
    return f"{asset}_{variation:02d}"
