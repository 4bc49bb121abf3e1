"""The models of the engine: what each makes, what it can do, and the licence of its weights. Light: no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pipeline.generators.protocol import UNFETCHED, ModelInfo
from pipeline.licenses import LicenseTerms
from pipeline.manifest.spec import Kind

Family = Literal["stable-audio-open", "stable-audio-3", "ace-step"]
Ability = Literal[
    "negative", "guidance", "key", "time_signature", "lyrics", "start_from", "inpaint", "tracks"
]
"""What some models can do: follow a key of the manifest, generate a part of a sound again (inpaint), or edit tracks."""


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
        """Whether it can generate a part of a sound again: for loops, ``continue_from``, ``repaint`` and ``extend``."""
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


BASE_GUIDANCE = 7.0
"""Of models that are not distilled: Stable Audio Open's published value, and the pipelines' default."""


@dataclass(frozen=True, slots=True)
class FamilyFacts:
    """What the models of a family have in common."""

    classes: tuple[str, ...]
    """Its pipelines, as ``model_index.json`` names them; the first makes sound from text."""
    kinds: frozenset[Kind]
    sample_rate_hz: int
    shortest_s: float
    longest_s: float
    """Of the largest model."""
    steps: tuple[int, int]
    """Denoising steps of a distilled model and of a base model."""
    abilities: frozenset[Ability]
    base_abilities: frozenset[Ability]
    """What a model can do besides if it is not distilled."""
    license: str
    latents_a_second: float


FAMILIES: Mapping[Family, FamilyFacts] = {
    "stable-audio-open": FamilyFacts(
        classes=("StableAudioPipeline",),
        kinds=frozenset({"music", "sfx"}),
        sample_rate_hz=44_100,
        shortest_s=0.0,
        longest_s=47.55,
        steps=(100, 100),
        abilities=frozenset({"start_from"}),
        base_abilities=frozenset({"negative", "guidance"}),
        license=STABILITY.name,
        latents_a_second=21.5,
    ),
    "stable-audio-3": FamilyFacts(
        classes=tuple(f"StableAudio3{kind}Pipeline" for kind in ("", "AudioToAudio", "Inpaint")),
        kinds=frozenset({"music", "sfx"}),
        sample_rate_hz=44_100,
        shortest_s=0.0,
        longest_s=380.0,
        steps=(8, 100),
        abilities=frozenset({"start_from", "inpaint"}),
        base_abilities=frozenset({"negative", "guidance"}),
        license=STABILITY.name,
        latents_a_second=10.8,
    ),
    "ace-step": FamilyFacts(
        classes=("AceStepPipeline",),
        kinds=frozenset({"music"}),
        sample_rate_hz=48_000,
        shortest_s=10.0,
        longest_s=600.0,
        steps=(8, 50),
        abilities=frozenset({"key", "time_signature", "lyrics", "start_from", "inpaint"}),
        base_abilities=frozenset({"guidance", "tracks"}),
        license=MIT.name,
        latents_a_second=25.0,
    ),
}
CLASSES: Mapping[str, Family] = {name: family for family, facts in FAMILIES.items() for name in facts.classes}


def model_of(family: Family, name: str, parameters: float, *, distilled: bool) -> Model:
    """A model with what all of ``family`` have in common."""
    facts = FAMILIES[family]
    return Model(
        id=name,
        family=family,
        kinds=facts.kinds,
        sample_rate_hz=facts.sample_rate_hz,
        channels=2,
        shortest_s=facts.shortest_s,
        longest_s=facts.longest_s,
        steps=facts.steps[0 if distilled else 1],
        guidance=None if distilled else BASE_GUIDANCE,
        abilities=facts.abilities if distilled else facts.abilities | facts.base_abilities,
        parameters=parameters,
        license=facts.license,
    )


def _stable_audio_3(size: str, parameters: float) -> Iterable[Model]:
    """The distilled model, and the base model that it comes from."""
    for suffix in ("", "-base"):
        name = f"stabilityai/stable-audio-3-{size}{suffix}"
        yield model_of("stable-audio-3", name, parameters, distilled=not suffix)


def _small(kind: Kind) -> Iterable[Model]:
    for model in _stable_audio_3(f"small-{kind}", 0.43):
        yield replace(model, kinds=frozenset({kind}), longest_s=120.0)


PUBLISHED = (
    model_of("stable-audio-open", "stabilityai/stable-audio-open-1.0", 1.06, distilled=False),
    *_small("music"),
    *_small("sfx"),
    *_stable_audio_3("medium", 1.4),
    model_of("ace-step", "ACE-Step/acestep-v15-xl-turbo-diffusers", 5.0, distilled=True),
    model_of("ace-step", "ACE-Step/acestep-v15-xl-base-diffusers", 5.0, distilled=False),
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
