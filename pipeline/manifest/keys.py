"""The manifest language: frozen pydantic models, one field a key, from which the JSON Schema is made.

A field's type says how its text is read (`values`). Which keys were written is in ``model_fields_set``; what
was not written is worked out in `settings`, never here.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)

from pipeline.manifest import values

Seconds = Annotated[
    float | None, PlainValidator(values.DURATION.read), WithJsonSchema(values.DURATION.schema())
]
FadeSeconds = Annotated[float | None, PlainValidator(values.FADE.read), WithJsonSchema(values.FADE.schema())]
Loudness = Annotated[
    float | None, PlainValidator(values.LOUDNESS.read), WithJsonSchema(values.LOUDNESS.schema())
]
TruePeak = Annotated[
    float | None, PlainValidator(values.TRUE_PEAK.read), WithJsonSchema(values.TRUE_PEAK.schema())
]
Rate = Annotated[int | None, PlainValidator(values.read_rate), WithJsonSchema(values.rate_schema())]
Channels = Annotated[
    int | None, PlainValidator(values.CHANNELS.read), WithJsonSchema(values.CHANNELS.schema())
]
Tempo = Annotated[
    float | None, PlainValidator(values.TEMPO.read_or_none), WithJsonSchema(values.TEMPO.schema(True))
]
Variations = Annotated[
    int | None, PlainValidator(values.VARIATIONS.read), WithJsonSchema(values.VARIATIONS.schema())
]
Candidates = Annotated[
    int | None, PlainValidator(values.CANDIDATES.read), WithJsonSchema(values.CANDIDATES.schema())
]
Seed = Annotated[int | None, PlainValidator(values.SEED.read), WithJsonSchema(values.SEED.schema())]
Flag = Annotated[bool | None, PlainValidator(values.read_flag), WithJsonSchema(values.flag_schema())]
Kind = Annotated[str, PlainValidator(values.KIND.read), WithJsonSchema(values.KIND.schema())]
License = Annotated[str | None, PlainValidator(values.LICENSE.read), WithJsonSchema(values.LICENSE.schema())]
Credentials = Annotated[
    str | None, PlainValidator(values.CREDENTIALS.read), WithJsonSchema(values.CREDENTIALS.schema())
]
Format = Annotated[str, PlainValidator(values.FORMAT.read), WithJsonSchema(values.FORMAT.schema())]
BitDepth = Annotated[
    str | None, PlainValidator(values.BIT_DEPTH.read), WithJsonSchema(values.BIT_DEPTH.schema())
]
Allowed = Annotated[str, PlainValidator(values.ALLOWED.read), WithJsonSchema(values.ALLOWED.schema())]
Decoder = Annotated[str | None, PlainValidator(values.DECODER.read), WithJsonSchema(values.DECODER.schema())]
Temperature = Annotated[
    float | None,
    PlainValidator(values.TEMPERATURE.read_or_none),
    WithJsonSchema(values.TEMPERATURE.schema(True)),
]
TopK = Annotated[
    int | None, PlainValidator(values.TOP_K.read_or_none), WithJsonSchema(values.TOP_K.schema(True))
]
TopP = Annotated[
    float | None, PlainValidator(values.TOP_P.read_or_none), WithJsonSchema(values.TOP_P.schema(True))
]
Guidance = Annotated[
    float | None, PlainValidator(values.GUIDANCE.read_or_none), WithJsonSchema(values.GUIDANCE.schema(True))
]
Place = Annotated[float | None, PlainValidator(values.PLACE.read), WithJsonSchema(values.PLACE.schema())]
Excerpt = Annotated[
    float | None, PlainValidator(values.EXCERPT.read), WithJsonSchema(values.EXCERPT.schema())
]
Codebooks = Annotated[
    int | None, PlainValidator(values.CODEBOOKS.read), WithJsonSchema(values.CODEBOOKS.schema())
]
TextPush = Annotated[
    float | None, PlainValidator(values.TEXT_PUSH.read), WithJsonSchema(values.TEXT_PUSH.schema())
]
Share = Annotated[float | None, PlainValidator(values.SHARE.read), WithJsonSchema(values.SHARE.schema())]
Width = Annotated[float | None, PlainValidator(values.WIDTH.read), WithJsonSchema(values.WIDTH.schema())]
FadeCurve = Annotated[
    str | None, PlainValidator(values.FADE_CURVE.read), WithJsonSchema(values.FADE_CURVE.schema())
]
Span = Annotated[float | None, PlainValidator(values.read_span), WithJsonSchema(values.span_schema())]
TailNoise = Annotated[
    float | None, PlainValidator(values.TAIL_NOISE.read), WithJsonSchema(values.TAIL_NOISE.schema())
]
Seam = Annotated[float | None, PlainValidator(values.SEAM.read), WithJsonSchema(values.SEAM.schema())]
Similarity = Annotated[
    float | None, PlainValidator(values.SIMILARITY.read), WithJsonSchema(values.SIMILARITY.schema())
]
Prompt = Annotated[str, PlainValidator(values.PROMPT.read), WithJsonSchema(values.PROMPT.schema())]
Tag = Annotated[str, PlainValidator(values.TAG.read), WithJsonSchema(values.TAG.schema())]
Naming = Annotated[str | None, PlainValidator(values.NAMING.read), WithJsonSchema(values.NAMING.schema())]
Piece = Annotated[str, PlainValidator(values.PIECE.read), WithJsonSchema(values.PIECE.schema())]
Id = Annotated[str, PlainValidator(values.ID.read), WithJsonSchema(values.ID.schema())]
Name = Annotated[str, PlainValidator(values.NAME.read), WithJsonSchema(values.NAME.schema())]
Path = Annotated[str, PlainValidator(values.PATH.read), WithJsonSchema(values.PATH.schema())]
Included = Annotated[str, PlainValidator(values.INCLUDED.read), WithJsonSchema(values.INCLUDED.schema())]
AssetFilePath = Annotated[
    str, PlainValidator(values.ASSET_FILE.read), WithJsonSchema(values.ASSET_FILE.schema())
]
AudioPath = Annotated[str | None, PlainValidator(values.PATH.read), WithJsonSchema(values.PATH.schema())]
Model = Annotated[
    str | None, PlainValidator(values.MODEL.read_or_none), WithJsonSchema(values.MODEL.schema(True))
]
Engine = Annotated[str | None, PlainValidator(values.ENGINE.read), WithJsonSchema(values.ENGINE.schema())]
Category = Annotated[str, PlainValidator(values.CATEGORY.read), WithJsonSchema(values.CATEGORY.schema())]
FxName = Annotated[str | None, PlainValidator(values.PIECE.read), WithJsonSchema(values.PIECE.schema())]
Version = Annotated[int, PlainValidator(values.read_version), WithJsonSchema(values.version_schema())]


def _mapping_if_null(value: Any) -> Any:
    return {} if value is None else value


def _list_if_null(value: Any) -> Any:
    return [] if value is None else value


def _one_alone(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _file_alone(value: Any) -> Any:
    return {"file": value} if isinstance(value, str) else value


def _both_ends(value: Any) -> Any:
    return {"in": value, "out": value} if isinstance(value, str) else value


def _flag_or_keys(value: Any, read_keys: ValidatorFunctionWrapHandler) -> Any:
    return read_keys(value) if isinstance(value, dict) else values.read_flag(value)


class Language(BaseModel):
    """What every part of the language shares: unknown keys are refused, nothing changes once read."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class SamplingKeys(Language):
    """How a language model draws its next token. An empty value leaves the model's own default."""

    temperature: Temperature = Field(
        default=None, description="Above 1 more surprise, below 1 less; 0 takes the likeliest token."
    )
    top_k: TopK = Field(default=None, description="Draw from this many most likely tokens; 0 for all.")
    top_p: TopP = Field(
        None, description="Draw from the likeliest tokens of this summed probability; 0 for all."
    )
    cfg: Guidance = Field(
        default=None, description="Classifier-free guidance: how closely to follow the prompt."
    )


class FadeKeys(Language):
    """Fades at both ends. One duration sets both."""

    in_: FadeSeconds = Field(default=None, alias="in", description="Fade at the start, such as 20ms.")
    out: FadeSeconds = Field(default=None, description="Fade at the end, such as 1.5s.")
    curve: FadeCurve = Field(default=None, description="s_curve, linear, equal_power or exponential.")


class LoopKeys(Language):
    """A loop with something before it."""

    intro: Span = Field(
        default=None, description="What plays once before the loop: 2 bars, 6 beats or 4s; part of duration."
    )


class QualityKeys(Language):
    """Where the quality gates close."""

    gate: Flag = Field(default=None, description="false: failures are recorded, and the master is kept.")
    silence: Loudness = Field(
        default=None, description="Its loudest 400 ms must reach this, such as -60 LUFS."
    )
    clipping: Share = Field(default=None, description="Share of samples that may stand in peaks cut flat.")
    dc: Share = Field(default=None, description="How far the waveform may stand off zero; full scale is 1.")
    noise: Share = Field(
        default=None, description="From 0 to 1: how much it may be nothing but steady noise."
    )
    tail_noise: TailNoise = Field(
        default=None, description="How far hiss may rise at the end, such as 12 dB."
    )
    seam: Seam = Field(default=None, description="How far a loop's seam may click out of the loop itself.")
    duplicates: Similarity = Field(
        default=None, description="From 0.5 to 1: how alike an asset's variations may sound."
    )


class UcsKeys(Language):
    """Universal Category System labels."""

    category: Category = Field(description="CatID of the UCS list, such as FOOTHmn.")
    name: FxName = Field(default=None, description="FXName, at most 25 characters.")


class StyleKeys(Language):
    """Music whose style is followed. A path alone leaves the rest as it is."""

    file: Path = Field(description="Audio file whose style the music follows.")
    at: Place = Field(
        default=None,
        description="Where in the file the excerpt begins; left out, the take's seed finds a place.",
    )
    excerpt: Excerpt = Field(default=None, description="How much of the file is heard: 1.5s to 4.5s.")
    codebooks: Codebooks = Field(
        default=None, description="From 1 to 6: how closely the excerpt is followed."
    )
    text: TextPush = Field(
        default=None, description="From 1 to 9: how much more the prompt counts than the style; 1 for alike."
    )


Tags = Annotated[tuple[Tag, ...], Field(max_length=64), BeforeValidator(values.at_most(64))]
Formats = Annotated[
    tuple[Format, ...],
    Field(min_length=1, max_length=6, json_schema_extra={"uniqueItems": True}),
    BeforeValidator(values.at_most(6)),
]
_Ids = Annotated[tuple[Id, ...], Field(min_length=1, max_length=16), BeforeValidator(values.at_most(16))]
Was = Annotated[
    _Ids,
    BeforeValidator(_one_alone),
    BeforeValidator(values.refuse_null, json_schema_input_type=Id | _Ids),
]
Pieces = Annotated[
    tuple[Piece, ...], Field(min_length=1, max_length=10_000), BeforeValidator(values.at_most(10_000))
]
When = Annotated[Pieces, BeforeValidator(_one_alone, json_schema_input_type=Piece | Pieces)]
_Includes = Annotated[tuple[Included, ...], Field(max_length=64), BeforeValidator(values.at_most(64))]
Paths = Annotated[_Includes, BeforeValidator(_list_if_null, json_schema_input_type=_Includes | None)]
Sampling = Annotated[
    SamplingKeys | None, BeforeValidator(values.refuse_null, json_schema_input_type=SamplingKeys)
]
Quality = Annotated[
    QualityKeys | None, BeforeValidator(values.refuse_null, json_schema_input_type=QualityKeys)
]
Fade = Annotated[
    FadeKeys | None,
    BeforeValidator(values.refuse_null),
    BeforeValidator(_both_ends, json_schema_input_type=FadeSeconds | FadeKeys),
]


Loop = Annotated[LoopKeys | None, WrapValidator(_flag_or_keys, json_schema_input_type=Flag | LoopKeys)]
"""A flag stays one when it is read."""


Style = Annotated[
    StyleKeys | None,
    BeforeValidator(values.refuse_null),
    BeforeValidator(_file_alone, json_schema_input_type=Path | StyleKeys),
]


class Settings(Language):
    """Keys that an asset may write, and that defaults and profiles may write for a whole kind."""

    duration: Seconds = Field(
        default=None, description="Length: 40s, 1.5 s, 600ms, 2min, 1:30 or plain seconds."
    )
    bpm: Tempo = Field(
        default=None, description="Tempo in beats a minute. A loop with a tempo ends on a bar."
    )
    loop: Loop = Field(
        default=None,
        description="Whether the end runs back into the start without a seam, or {intro: 2 bars}.",
    )
    exact: Flag = Field(default=None, description="Whether the file lasts duration to the sample.")
    tags: Tags = Field(default=(), description="Words to find the asset by.")
    variations: Variations = Field(default=None, description="Numbered alternates to make: _01, _02 and on.")
    candidates: Candidates = Field(
        default=None, description="Takes to make for each variation; the best is kept."
    )
    sampling: Sampling = Field(
        default=None, description="How the model draws; what is left out is the model's own."
    )
    extend: Flag = Field(default=None, description="May be generated beyond the model's window.")
    decoder: Decoder = Field(
        default=None,
        description="How a model's codes become audio: encodec, its own codec, or mbd, MultiBand Diffusion.",
    )
    model: Model = Field(
        default=None, description="Model of the engine; left out, the engine's own for the kind."
    )
    license: License = Field(
        default=None, description="commercial refuses models whose licence forbids a sold game."
    )
    fade: Fade = Field(default=None, description="One duration for both ends, or {in: 20ms, out: 1s}.")
    trim: Flag = Field(default=None, description="Whether silence before and after the sound is cut.")
    quality: Quality = Field(default=None, description="Where the quality gates close, such as {noise: 0.9}.")
    loudness: Loudness = Field(default=None, description="Target loudness, such as -16 LUFS.")
    true_peak: TruePeak = Field(default=None, description="Highest true peak, such as -1 dBTP.")
    sample_rate: Rate = Field(
        default=None, description="Sample rate of the master: 48000, 48 kHz or 44.1 kHz."
    )
    channels: Channels = Field(default=None, description="1 for mono, 2 for stereo.")
    width: Width = Field(
        default=None, description="Of stereo: 0 puts all in the middle, 1 leaves it, up to 2 widens."
    )
    formats: Formats = Field(default=(), description="Files to deliver.")
    bit_depth: BitDepth = Field(
        default=None, description="Of wav and flac: 16, 24 or float (float is wav only)."
    )
    credentials: Credentials = Field(
        default=None, description="Content Credentials: none, development or required."
    )
    naming: Naming = Field(
        default=None, description="File names: {id}_{variation}, another template, or ucs."
    )


class KindSettings(Settings):
    """Settings of every asset of one kind."""

    engine: Engine = Field(default=None, description="Engine for this kind.")


KindLayer = Annotated[
    KindSettings, BeforeValidator(_mapping_if_null, json_schema_input_type=KindSettings | None)
]


class Layer(Language):
    """Settings by kind: the defaults, or one profile."""

    engine: Engine = Field(default=None, description="Engine for both kinds, such as sketch or audiocraft.")
    music: KindLayer = Field(default_factory=KindSettings, description="Settings of every music asset.")
    sfx: KindLayer = Field(default_factory=KindSettings, description="Settings of every sound effect.")


SomeLayer = Annotated[Layer, BeforeValidator(_mapping_if_null, json_schema_input_type=Layer | None)]
Profiles = Annotated[
    dict[str, SomeLayer],
    BeforeValidator(_mapping_if_null, json_schema_input_type=dict[str, SomeLayer] | None),
]


_Allowed = Annotated[
    tuple[Allowed, ...],
    Field(max_length=64, json_schema_extra={"uniqueItems": True}),
    BeforeValidator(values.at_most(64)),
]


class ChannelKeys(Language):
    """What the release gate lets pass on one channel."""

    allow: _Allowed = Field(description="Reasons of the release gate that do not count, such as credentials.")


Promotion = Annotated[
    dict[str, ChannelKeys],
    BeforeValidator(_mapping_if_null, json_schema_input_type=dict[str, ChannelKeys] | None),
]


class OwnSettings(Settings):
    """Keys of one asset, or of some combinations of its for_each."""

    was: Was = Field(
        default=(),
        description="Earlier id of a renamed asset, whose sound it keeps; of several the latest first.",
    )
    seed: Seed = Field(default=None, description="In place of the manifest's seed.")
    melody: AudioPath = Field(default=None, description="Audio file whose melody the music follows.")
    continue_from: AudioPath = Field(default=None, description="Audio file that the music carries on.")
    style: Style = Field(
        default=None, description="Audio file whose style the music follows, or {file: ..., excerpt: 3s}."
    )
    lock: Flag = Field(default=None, description="Never replace the master that the catalog has.")
    ucs: Annotated[UcsKeys | None, BeforeValidator(values.refuse_null, json_schema_input_type=UcsKeys)] = (
        Field(default=None, description="UCS labels.")
    )


class Override(OwnSettings):
    """Other values for the combinations of for_each that when names."""

    when: Annotated[dict[str, When], Field(min_length=1)] = Field(
        description="Names of for_each, each with the value or the values for which this counts."
    )
    prompt: Annotated[
        str | None, PlainValidator(values.PROMPT.read), WithJsonSchema(values.PROMPT.schema())
    ] = Field(default=None, description="The sound in words.")


_Overrides = Annotated[
    tuple[Override, ...], Field(max_length=10_000), BeforeValidator(values.at_most(10_000))
]
Overrides = Annotated[_Overrides, BeforeValidator(values.refuse_null, json_schema_input_type=_Overrides)]


class Asset(OwnSettings):
    """One asset the game needs, or with for_each a family of them."""

    id: Id = Field(description="Name and place in the library, such as music/forest/explore.")
    kind: Kind = Field(description="music or sfx.")
    prompt: Prompt = Field(description="The sound in words.")
    for_each: Annotated[dict[str, Pieces], BeforeValidator(values.refuse_null)] = Field(
        default_factory=dict,
        json_schema_extra={"propertyNames": {"pattern": f"^{values.PLACEHOLDER}$"}},
        description="Lists of values; the entry stands for every combination, with {name} filled in.",
    )
    overrides: Overrides = Field(
        default=(), description="Other values for some combinations of for_each; the last one counts."
    )


class Shared(Language):
    """A file that manifests include: what a studio's projects have in common."""

    cuesmith: Version = Field(description="Version of the manifest language: 1.")
    seed: Seed = Field(default=None, description="Seed from which every variation's seed is derived.")
    include: Paths = Field(
        default=(), description="Files whose defaults and profiles come before this file's."
    )
    profiles: Profiles = Field(default={}, description="Named settings to choose with --profile.")
    defaults: SomeLayer = Field(default_factory=Layer, description="Settings of every asset of a kind.")


class AssetFile(Language):
    """A file of assets that a manifest lists."""

    cuesmith: Version = Field(description="Version of the manifest language: 1.")
    assets: tuple[Asset, ...] = Field(description="Assets of the manifest that lists this file.")


class Manifest(Shared):
    """A manifest: the project's name and the assets that its game needs."""

    project: Name = Field(description="Name of the project.")
    assets: tuple[Asset | AssetFilePath, ...] = Field(
        description="What the game needs: assets, and paths of files that hold more, such as music.yaml."
    )
    promotion: Promotion = Field(
        default={},
        description="Channels whose release gate allows more, such as {playtest: {allow: [credentials]}}.",
    )
