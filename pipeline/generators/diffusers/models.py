"""The models of the engine: what each makes, what it can do, and the licence of its weights. Light: no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.generators.protocol import ModelInfo
from pipeline.licenses import LicenseTerms
from pipeline.manifest.spec import Kind

Family = Literal["stable-audio-open", "stable-audio-3", "ace-step"]
Ability = Literal[
    "negative", "guidance", "key", "time_signature", "lyrics", "start_from", "inpaint", "tracks"
]
"""What some models can do: follow a key of the manifest, make a part of a sound anew (inpaint), or edit tracks."""


@dataclass(frozen=True, slots=True)
class License:
    """A licence of weights."""

    name: str
    """SPDX identifier, or a plain name if there is none."""
    commercial: bool
    """Whether it allows the output in a game that is sold, perhaps under the conditions in ``terms``."""
    terms: LicenseTerms | None = None


STABILITY = License(
    "Stability AI Community License",
    commercial=True,
    terms=LicenseTerms(
        source="https://stability.ai/license",
        read="2026-11-28",
        revenue_below_usd=1_000_000,
        attribution="Powered by Stability AI",
        registration="https://stability.ai/community-license",
    ),
)
MIT = License(
    "MIT",
    commercial=True,
    terms=LicenseTerms(source="https://huggingface.co/ACE-Step/Ace-Step1.5", read="2026-11-28"),
)
UNKNOWN = License("unknown", commercial=False)
LICENSES: Mapping[str, License] = {one.name: one for one in (STABILITY, MIT, UNKNOWN)}
"""By the name in `Model.license`."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model, as far as an asset's requirements need it."""

    id: str
    family: Family
    kinds: frozenset[Kind]
    sample_rate_hz: int
    channels: int
    shortest_s: float
    longest_s: float
    """Longest audio of one pass, in seconds."""
    steps: int
    """Denoising steps, if the manifest names none."""
    guidance: float | None
    """Classifier-free guidance, if the manifest names none; None if the model has none."""
    abilities: frozenset[Ability]
    parameters: float
    """Weights of the transformer, in billions; for estimates."""
    license: str
    """A name of `LICENSES`."""
    revision: str | None = None
    """Commit of the published repository, or ``sha256:...`` of a local folder; None until it is fetched."""

    @property
    def can_inpaint(self) -> bool:
        """Whether it can make a part of a sound anew: for loops, ``continue_from``, ``repaint`` and ``extend``."""
        return "inpaint" in self.abilities

    def info(self, revision: str | None) -> ModelInfo:
        """The facts that a person needs before they ship its output."""
        return ModelInfo(
            id=self.id,
            revision=revision or UNFETCHED,
            license=self.license,
            commercial=LICENSES[self.license].commercial,
            sample_rate_hz=self.sample_rate_hz,
            channels=self.channels,
            neural=True,
            placeholder=False,
            published=self.id in BY_ID,
            terms=LICENSES[self.license].terms,
        )

    def to_json(self) -> dict[str, Any]:
        """JSON values; `from_json` reads them back."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return values | {"kinds": sorted(self.kinds), "abilities": sorted(self.abilities)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Model:
        """The model of `to_json`'s values."""
        sets = {name: frozenset(values[name]) for name in ("kinds", "abilities")}
        return cls(**{**values, **sets})


UNFETCHED = "unfetched"
"""In place of the revision of a published model that was not fetched on this machine yet."""

_BOTH: frozenset[Kind] = frozenset({"music", "sfx"})
_MUSIC: frozenset[Kind] = frozenset({"music"})
_SFX: frozenset[Kind] = frozenset({"sfx"})
BASE_GUIDANCE = 7.0
"""Of models that are not distilled: Stable Audio Open's published value, and the pipelines' default."""
_ABILITIES: Mapping[Family, frozenset[Ability]] = {
    "stable-audio-open": frozenset({"start_from"}),
    "stable-audio-3": frozenset({"start_from", "inpaint"}),
    "ace-step": frozenset({"key", "time_signature", "lyrics", "start_from", "inpaint"}),
}
_BASE_ABILITIES: Mapping[Family, frozenset[Ability]] = {
    "stable-audio-open": frozenset({"negative", "guidance"}),
    "stable-audio-3": frozenset({"negative", "guidance"}),
    "ace-step": frozenset({"guidance", "tracks"}),
}
"""What a model can do besides if it is not distilled."""


def abilities_of(family: Family, *, distilled: bool) -> frozenset[Ability]:
    """What a model of ``family`` can do."""
    return _ABILITIES[family] if distilled else _ABILITIES[family] | _BASE_ABILITIES[family]


def _stable_audio_3(
    name: str, kinds: frozenset[Kind], longest_s: float, parameters: float
) -> Iterable[Model]:
    """The distilled model, and the base model that it comes from."""
    for suffix, steps, guidance in (("", 8, None), ("-base", 100, BASE_GUIDANCE)):
        yield Model(
            id=f"stabilityai/stable-audio-3-{name}{suffix}",
            family="stable-audio-3",
            kinds=kinds,
            sample_rate_hz=44_100,
            channels=2,
            shortest_s=0.0,
            longest_s=longest_s,
            steps=steps,
            guidance=guidance,
            abilities=abilities_of("stable-audio-3", distilled=guidance is None),
            parameters=parameters,
            license=STABILITY.name,
        )


def _ace_step(name: str, steps: int, guidance: float | None) -> Model:
    return Model(
        id=f"ACE-Step/acestep-v15-{name}-diffusers",
        family="ace-step",
        kinds=_MUSIC,
        sample_rate_hz=48_000,
        channels=2,
        shortest_s=10.0,
        longest_s=600.0,
        steps=steps,
        guidance=guidance,
        abilities=abilities_of("ace-step", distilled=guidance is None),
        parameters=5.0,
        license=MIT.name,
    )


PUBLISHED = (
    Model(
        id="stabilityai/stable-audio-open-1.0",
        family="stable-audio-open",
        kinds=_BOTH,
        sample_rate_hz=44_100,
        channels=2,
        shortest_s=0.0,
        longest_s=47.55,
        steps=100,
        guidance=BASE_GUIDANCE,
        abilities=abilities_of("stable-audio-open", distilled=False),
        parameters=1.06,
        license=STABILITY.name,
    ),
    *_stable_audio_3("small-music", _MUSIC, 120.0, 0.43),
    *_stable_audio_3("small-sfx", _SFX, 120.0, 0.43),
    *_stable_audio_3("medium", _BOTH, 380.0, 1.4),
    _ace_step("xl-turbo", 8, None),
    _ace_step("xl-base", 50, BASE_GUIDANCE),
)
"""No commits: these repositories do not show them without an account, so the first fetch on a machine pins them."""

BY_ID = {model.id: model for model in PUBLISHED}

DEFAULTS: Mapping[Kind, str] = {
    "music": "ACE-Step/acestep-v15-xl-turbo-diffusers",
    "sfx": "stabilityai/stable-audio-open-1.0",
}
_SHORT = {model.id.partition("/")[2]: model.id for model in PUBLISHED}


def full_id(name: str) -> str:
    """The id of a published model, whose owner may be omitted; any other name as it is.

    >>> full_id("stable-audio-open-1.0"), full_id("local/ours")
    ('stabilityai/stable-audio-open-1.0', 'local/ours')
    """
    return _SHORT.get(name, name)


def names(models: Iterable[Model]) -> str:
    """The models' ids as a list in a sentence."""
    return ", ".join(model.id for model in models)
