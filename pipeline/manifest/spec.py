"""A manifest with defaults, profiles and templates applied: one frozen value for each asset."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from pipeline.errors import Problem
from pipeline.licenses import LicenseDeclaration

Kind = Literal["music", "sfx"]
LicensePolicy = Literal["any", "commercial"]
BitDepth = Literal["16", "24", "float"]
FadeCurve = Literal["s_curve", "linear", "equal_power", "exponential"]
GainPolicy = Literal["shared", "each"]
CredentialsPolicy = Literal["none", "development", "required"]


class GateReason(StrEnum):
    """Reasons why the release gate refuses a version: see `pipeline.release`."""

    NON_COMMERCIAL = "non-commercial"
    PLACEHOLDER = "placeholder"
    UNAPPROVED = "unapproved"
    REJECTED = "rejected"
    POLICY = "policy"
    QUALITY_GATE = "quality-gate"
    LOUDNESS = "loudness"
    CREDENTIALS = "credentials"
    VERIFICATION = "verification"
    STALE = "stale"
    MISSING = "missing"
    QUARANTINED = "quarantined"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SourceRef:
    """Where an asset is written: ``file`` relative to the manifest's folder (with ``/``), ``line`` from 1."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class AudioInput:
    """An audio file that conditions a generation, known by the SHA-256 of its bytes."""

    name: str
    """The path as the manifest writes it, relative to the manifest's folder."""
    path: str
    """Its path on this machine; never part of a digest."""
    sha256: str


@dataclass(frozen=True, slots=True)
class MasteringSpec:
    """Everything that determines a master besides its takes. Its digest is its identity."""

    loudness_lufs: float
    true_peak_dbtp: float
    sample_rate_hz: int
    channels: int
    duration_s: float
    """Music and loops are cut to this; a sound effect may end earlier, never later."""
    loop: bool
    bpm: float | None
    """Beats a minute, for loops that end on a bar; None for free time."""
    trim: bool
    fade_in_s: float
    fade_out_s: float
    fade_curve: FadeCurve = "s_curve"
    intro_s: float = 0.0
    """Of a loop: what plays once before it, counted in ``duration_s``."""
    exact: bool = False
    """The master lasts ``duration_s`` to the sample."""
    width: float = 1.0
    """Of two channels: gain of the side (left less right) against the middle; 0 is mono in both."""
    limit_db: float = 6.0
    """Largest gain reduction of the limiter that the loudness target may cost, about."""
    gain: GainPolicy = "shared"
    """Whether the variations share one gain, or each has its own."""
    watermark: str = "none"
    """Name of the watermark of `pipeline.watermarks` that its masters carry, or ``none``."""


NOT_IN_DIGESTS: Mapping[str, object] = MappingProxyType(
    {"limit_db": 6.0, "gain": "shared", "watermark": "none"}
)
"""Fields of `MasteringSpec` with the values that digests leave out, because masters were made under them before these
fields existed."""


@dataclass(frozen=True, slots=True)
class QualitySpec:
    """Limits of the quality gates, see docs/quality.md."""

    gate: bool = True
    """Whether a master that fails is quarantined; if not, its failures are only recorded."""
    silence_lufs: float = -60.0
    """Loudest 400 ms must reach this."""
    clipping: float = 0.001
    """Share of samples in flat peaks."""
    dc: float = 0.015
    noise: float = 0.85
    """Whiteness times steadiness, 0 to 1."""
    tail_noise_db: float = 12.0
    seam: float = 1.2
    """Click of a loop over its own sharpest moments."""
    duplicates: float = 0.996
    """Likeness to another variation, 0.5 to 1."""


@dataclass(frozen=True, slots=True)
class ScoreSpec:
    """A score of `pipeline.scores` that the takes of an asset get."""

    name: str
    choose: bool = False
    """Whether the candidate with the highest value is mastered."""
    least: float | None = None
    """A take below this fails the quality gate."""
    most: float | None = None
    """A take above this fails the quality gate."""

    def to_json(self) -> dict[str, Any]:
        """What is set, as a JSON object."""
        return {
            name: value for name, value in asdict(self).items() if value is not None and value is not False
        }


@dataclass(frozen=True, slots=True)
class DeliverySpec:
    """Which renditions of a master are made."""

    formats: tuple[str, ...]
    bit_depth: BitDepth


@dataclass(frozen=True, slots=True)
class Ucs:
    """Universal Category System labels (https://universalcategorysystem.com)."""

    category: str
    """CatID, case-exact, such as ``FOOTHmn``."""
    name: str | None = None
    """FXName, at most 25 characters."""


@dataclass(frozen=True, slots=True)
class AssetSpec:
    """One asset the game needs, fully resolved: nothing in it depends on the order of the manifest."""

    id: str
    kind: Kind
    prompt: str
    duration_s: float
    variations: int
    candidates: int
    """Takes made for each variation; the best by quality score is mastered."""
    seed: int
    """The manifest's or the asset's seed; a variation's own seed is derived from it."""
    bpm: float | None
    loop: bool
    tags: tuple[str, ...]
    lock: bool
    """Never replace the master that the catalog has."""
    license: LicensePolicy
    engine: str
    model: str | None
    """None: the engine's default for the kind."""
    ucs: Ucs | None
    mastering: MasteringSpec
    delivery: DeliverySpec
    source: SourceRef
    quality: QualitySpec = QualitySpec()
    credentials: CredentialsPolicy = "none"
    """Who may sign the renditions: nobody; this machine's development certificate where none is configured;
    only a configured certificate. Signing comes after mastering and is no part of a master's identity."""
    naming: str | None = None
    """Name of its files in the library with ``{variation}`` to be filled in; None for ``<id>_{variation}``."""
    engine_keys: Mapping[str, Any] = field(default_factory=dict)
    """Keys of engines that differ from their defaults, by name; a group is a mapping, an audio file an `AudioInput`."""
    was: tuple[str, ...] = ()
    """Its earlier ids, the latest first."""
    private_prompts: bool = False
    """Whether the files contain no prompt."""
    model_folder: str = ""
    """Folder of the file that names ``model``, where a relative path to a checkpoint starts; never part of any
    digest. Empty for the working directory."""
    priority: int = 0
    """A build makes assets with a higher priority first; never part of any digest."""
    scores: tuple[ScoreSpec, ...] = ()
    """Scores of its takes, sorted by name."""

    @property
    def watermark(self) -> str | None:
        """Name of the watermark of its masters; None for none."""
        return None if self.mastering.watermark == "none" else self.mastering.watermark

    @property
    def audio(self) -> tuple[AudioInput, ...]:
        """The audio files that its keys name."""
        values = (
            inner
            for value in self.engine_keys.values()
            for inner in (value.values() if isinstance(value, Mapping) else (value,))
        )
        return tuple(value for value in values if isinstance(value, AudioInput))

    @property
    def origin(self) -> str:
        """The id that its seeds and its masters' identity come from: the first that it ever had."""
        return self.was[-1] if self.was else self.id


class ManifestText(NamedTuple):
    """The bytes of a manifest, or of a file that it includes."""

    name: str
    """Its path from the manifest's folder, with ``/``."""
    data: bytes


def sha256_of(texts: Iterable[ManifestText]) -> str:
    """The SHA-256 of a project: over the name, the length and the bytes of its files, in the order of their reading."""
    sha256 = hashlib.sha256()
    for name, data in texts:
        sha256.update(f"{name}\n{len(data)}\n".encode("utf-8", "surrogateescape") + data)
    return sha256.hexdigest()


@dataclass(frozen=True, slots=True)
class Project:
    """A manifest, loaded for one profile: its assets sorted by id."""

    name: str
    file: str
    """The manifest's path as it was given."""
    profile: str | None
    """The profile that was loaded."""
    sha256: str
    """Over the bytes of the manifest and of every file that it includes."""
    assets: tuple[AssetSpec, ...]
    warnings: tuple[Problem, ...] = ()
    """Valid things that are perhaps mistakes."""
    promotion: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Channel to the reasons of the release gate that it allows, sorted."""
    license: LicenseDeclaration | None = None
    """What the studio declares about itself; None if nothing. Never part of a digest."""
    policy: Mapping[str, Any] = field(default_factory=dict)
    """The prompt policy of all its files as JSON, for `pipeline.manifest.policy.Policy`; empty without one."""


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """How an export profile encodes the sounds of one kind; None keeps what the master has."""

    format: str | None = None
    sample_rate_hz: int | None = None
    channels: int | None = None
    bit_rate_kbps: float | None = None
    """The most that a file may use on average, its headers not counted."""
    bit_depth: BitDepth | None = None
    true_peak_dbtp: float | None = None


@dataclass(frozen=True, slots=True)
class ExportProfile:
    """Settings of exports for one platform."""

    name: str
    settings: Mapping[str, ExportSettings]
    """By kind."""
    size_bytes: int | None
    """The most that all sound files together may need."""
