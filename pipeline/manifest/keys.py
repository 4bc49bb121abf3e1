"""The keys of the manifest language, one row each.

A row says how a value is written, what the key stands for when nobody writes it, what a change of it makes again, and
how messages name it. Validation, the JSON Schema, the tables of docs/manifest.md, the specs of an asset and the reasons
of a plan all come from these rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache, cached_property
from typing import Any

from pipeline.manifest import values
from pipeline.manifest.spec import DeliverySpec, MasteringSpec, QualitySpec
from pipeline.manifest.structure import AnyReader, EngineKeys, EngineKeysSource, Group, Key, ListOf, MapOf
from pipeline.manifest.values import FLAG

_FADE = Group(
    "FadeKeys",
    "Fades at both ends. One duration sets both.",
    (
        Key("in", values.FADE, "Fade at the start.", "10ms", "0", "20ms", field="fade_in_s"),
        Key("out", values.FADE, "Fade at the end.", "250ms", "10ms", "1.5s", field="fade_out_s"),
        Key(
            "curve",
            values.FADE_CURVE,
            "Shape: `s_curve`, `linear`, `equal_power` or `exponential`.",
            "s_curve",
            field="fade_curve",
        ),
    ),
    merges=True,
    alone=values.FADE,
    alone_sets=("in", "out"),
)
_LOOP = Group(
    "LoopKeys",
    "A loop with an intro.",
    (
        Key(
            "intro",
            values.SPAN,
            "What plays once before the loop, in bars, beats or seconds; part of `duration`.",
            example="2 bars",
            field="intro_s",
            words="intro",
        ),
    ),
    alone=FLAG,
)
_QUALITY = Group(
    "QualityKeys",
    "Limits of the quality gates.",
    (
        Key(
            "gate",
            FLAG,
            "`false` publishes a master that fails; the record has its failures.",
            "true",
            example="false",
        ),
        Key(
            "silence",
            values.LOUDNESS,
            "The loudest 400 ms must reach this.",
            "-50 LUFS",
            "-60 LUFS",
            "-55 LUFS",
            field="silence_lufs",
        ),
        Key(
            "clipping",
            values.SHARE,
            "The largest share of samples in clipped peaks.",
            "0.001",
            example="0.01",
        ),
        Key("dc", values.SHARE, "The highest DC offset; full scale is 1.", "0.015", example="0.02"),
        Key(
            "noise",
            values.SHARE,
            "0 to 1: how much a sound may be noise of one colour.",
            "0.6",
            "0.85",
            "0.9",
        ),
        Key(
            "tail_noise",
            values.TAIL_NOISE,
            "How far hiss may rise after the sound has died away.",
            "12 dB",
            example="20 dB",
            field="tail_noise_db",
        ),
        Key(
            "seam",
            values.SEAM,
            "How far a loop may click or break at its seam, compared with the rest of the loop.",
            "1.2",
            example="2",
        ),
        Key(
            "duplicates",
            values.SIMILARITY,
            "0.5 to 1: how similar two variations may be.",
            "0.95",
            "0.996",
            "0.99",
        ),
    ),
    merges=True,
)
_UCS = Group(
    "UcsKeys",
    "Labels of the Universal Category System.",
    (
        Key(
            "category",
            values.CATEGORY,
            "CatID of the UCS list.",
            example="FOOTHmn",
            required=True,
            hint="category: such as FOOTHmn",
        ),
        Key("name", values.PIECE, "FXName, up to 25 characters.", example="Step Gravel"),
    ),
)

SETTINGS = (
    Key(
        "duration",
        values.DURATION,
        "Length of the sound; required here or in defaults. Music and loops have this length; an effect can end "
        "earlier.",
        example="40s",
        affects=("takes", "masters"),
        field="duration_s",
    ),
    Key(
        "bpm",
        values.TEMPO,
        "Tempo, 20 to 400; a loop with a tempo ends on a bar.",
        example="92",
        affects=("takes", "masters", "labels"),
    ),
    Key(
        "loop",
        _LOOP,
        "The end continues into the start without a gap; `{intro: 2 bars}` for [a loop with an intro](#loops).",
        "false",
        example="true",
        affects=("takes", "masters"),
    ),
    Key(
        "exact",
        FLAG,
        "The file has exactly the length `duration`, to the sample.",
        "false",
        example="true",
        affects=("masters",),
    ),
    Key(
        "tags",
        ListOf(values.TAG, 64),
        "Words to search for.",
        example=["forest", "calm"],
        affects=("labels",),
    ),
    Key(
        "variations",
        values.VARIATIONS,
        "Numbered alternates to make, 1 to 999: `_01`, `_02` and on.",
        "1",
        example="6",
    ),
    Key(
        "candidates",
        values.CANDIDATES,
        "Takes to make for each variation, 1 to 64; Cuesmith masters the best.",
        "1",
        example="3",
        affects=("takes",),
    ),
    Key(
        "model",
        values.MODEL,
        "A model of the engine.",
        example="facebook/musicgen-medium",
        affects=("takes",),
        shown="the engine's",
    ),
    Key(
        "license",
        values.LICENSE,
        "`commercial` refuses models whose licence forbids use in a sold game.",
        "any",
        example="commercial",
    ),
    Key(
        "loudness",
        values.LOUDNESS,
        "Loudness target of the master.",
        "-16 LUFS",
        "-18 LUFS",
        "-14 LUFS",
        ("masters",),
        "loudness_lufs",
    ),
    Key(
        "true_peak",
        values.TRUE_PEAK,
        "True-peak ceiling of the master.",
        "-1 dBTP",
        example="-1.5 dBTP",
        affects=("masters",),
        field="true_peak_dbtp",
    ),
    Key(
        "sample_rate",
        values.RATE,
        "Sample rate of the master.",
        "48 kHz",
        example="44.1 kHz",
        affects=("masters",),
        field="sample_rate_hz",
    ),
    Key("channels", values.CHANNELS, "1 is mono, 2 is stereo.", "2", "1", "2", ("masters",)),
    Key("width", values.WIDTH, "Stereo width, 0 (mono) to 2.", "1", example="0.6", affects=("masters",)),
    Key("trim", FLAG, "Cut silence before and after the sound.", "false", "true", "false", ("masters",)),
    Key(
        "fade",
        _FADE,
        "One duration for both ends, or `{in: ..., out: ..., curve: ...}`; up to 30 s.",
        example={"in": "20ms", "out": "1s"},
        affects=("masters",),
    ),
    Key(
        "quality",
        _QUALITY,
        "Limits of the quality gates.",
        example={"noise": "0.9"},
        affects=("masters",),
        shown="see [quality](#quality)",
    ),
    Key(
        "formats",
        ListOf(values.FORMAT, 6, 1, unique=True),
        f"Files to deliver: any of {', '.join(f'`{name}`' for name in values.FORMATS)}.",
        ["wav"],
        example=["wav", "ogg"],
        affects=("masters",),
    ),
    Key(
        "bit_depth",
        values.BIT_DEPTH,
        "Of wav and flac: `16`, `24` or `float` (float is wav only).",
        "24",
        example="16",
        affects=("masters",),
    ),
    Key(
        "credentials",
        values.CREDENTIALS,
        "[Content Credentials](credentials.md): `development` signs with your certificate, or with one made on "
        "this machine; `required` only with yours.",
        "none",
        example="development",
        affects=("signatures",),
    ),
    Key(
        "naming",
        values.NAMING,
        "[Names of files](#names-of-files): a template, or `ucs`.",
        "{id}_{variation}",
        example="ucs",
        affects=("catalog",),
    ),
)
"""Keys that an asset may write, and that defaults and profiles may write for a whole kind."""

_SEED = Key(
    "seed", values.SEED, "A seed for this asset.", example="7", affects=("takes",), shown="the manifest's"
)
OWN = (
    Key(
        "was",
        ListOf(values.ID, 16, 1, alone=True),
        "The id before a [rename](#renaming), or a list of earlier ids, the latest first.",
        example="sfx/door",
    ),
    _SEED,
    Key(
        "lock",
        FLAG,
        "Never replace the master that the catalog has.",
        "false",
        example="true",
        affects=("catalog",),
    ),
    Key(
        "ucs",
        _UCS,
        "Labels of the [Universal Category System](https://universalcategorysystem.com): `category`, `name`.",
        example={"category": "FOOTHmn"},
        affects=("masters", "labels"),
        words="UCS labels",
    ),
)
"""Keys of one asset, or of some combinations of its for_each."""

_PROMPT = Key(
    "prompt",
    values.PROMPT,
    "The sound in words, up to 2000 characters.",
    example="a heavy wooden door closes",
    affects=("takes",),
    hint="prompt: and the sound in words",
    required=True,
)
_PIECES = ListOf(values.PIECE, 10_000, 1)
_WHEN = Key(
    "when",
    MapOf(replace(_PIECES, alone=True), least=1),
    "Names of `for_each`, each with the value or the values for which this counts.",
    example={"surface": "gravel"},
    hint="when: and names of for_each, such as when: {surface: gravel}",
    required=True,
)
_CUESMITH = Key(
    "cuesmith",
    values.VERSION,
    "Version of the language: `1`.",
    example="1",
    hint="cuesmith: 1",
    required=True,
)
_PROJECT_SEED = replace(
    _SEED, text="The base of every sound's own seed; change it to generate everything again.", shown="`0`"
)
_ENGINE = Key(
    "engine", values.ENGINE, "The engine that generates.", "sketch", example="audiocraft", affects=("takes",)
)
_CHANNEL = Group(
    "ChannelKeys",
    "What the release gate allows on one channel.",
    (
        Key(
            "allow",
            ListOf(values.ALLOWED, 64, unique=True),
            "Reasons of the release gate that do not count.",
            example=["credentials"],
            hint="allow:",
            required=True,
        ),
    ),
)


@dataclass(frozen=True)
class Language:
    """The groups of the language, for a set of engines."""

    engines: Mapping[str, EngineKeys]
    """The keys that each engine brings."""

    @cached_property
    def engine_settings(self) -> tuple[Key, ...]:
        """Keys of engines that an asset, defaults and profiles may write."""
        return tuple(key for brought in self.engines.values() for key in brought.settings)

    @cached_property
    def engine_own(self) -> tuple[Key, ...]:
        """Keys of engines that only an asset may write."""
        return tuple(key for brought in self.engines.values() for key in brought.own)

    @cached_property
    def settings(self) -> tuple[Key, ...]:
        """Every key that defaults may write."""
        return (*SETTINGS, *self.engine_settings)

    @cached_property
    def merging(self) -> frozenset[str]:
        """Groups that layers and overrides merge key by key."""
        groups = (key for key in self.settings if isinstance(key.reader, Group) and key.reader.merges)
        return frozenset(key.name for key in groups)

    def defaults(self, kind: str) -> dict[str, Any]:
        """The settings of a kind if nobody writes any. Fades keep the cut ends of a sound from clicking."""
        values = {key.name: key.value_for(kind) for key in self.settings}
        return {"engine": _ENGINE.default, "model_folder": "", **values}

    @cached_property
    def _own(self) -> tuple[Key, ...]:
        return (*self.settings, *OWN, *self.engine_own)

    @cached_property
    def override(self) -> Group:
        """Other values for the combinations of for_each that ``when`` names."""
        text = "Other values for the combinations of for_each that `when` names."
        return Group("Override", text, (*self._own, _WHEN, replace(_PROMPT, required=False)))

    @cached_property
    def asset(self) -> Group:
        """One asset, or with for_each a family of them."""
        heads = (
            Key(
                "id",
                values.ID,
                "Name and place in the library: `music/forest/explore`.",
                example="sfx/door/wood",
                affects=("takes",),
                hint="id: such as sfx/door/wood",
                required=True,
            ),
            Key(
                "kind",
                values.KIND,
                "`music` or `sfx`.",
                example="sfx",
                affects=("takes",),
                hint="kind: music or kind: sfx",
                required=True,
            ),
            _PROMPT,
            Key(
                "for_each",
                MapOf(_PIECES, names=f"^{values.PLACEHOLDER}$"),
                "[Lists of values](#for_each): one asset for each combination.",
                example={"surface": ["gravel", "wood"]},
            ),
            Key(
                "overrides",
                ListOf(self.override, 10_000),
                "[Other values](#overrides) for some combinations of `for_each`.",
            ),
        )
        text = "One asset the game needs, or with for_each a family of them."
        return Group("Asset", text, (*heads, *self._own), alone=values.ASSET_FILE)

    @cached_property
    def kind(self) -> Group:
        """Settings of every asset of one kind."""
        return Group(
            "KindSettings", "Settings of every asset of one kind.", (*self.settings, _ENGINE), nullable=True
        )

    @cached_property
    def layer(self) -> Group:
        """Settings by kind: the defaults, or one profile."""
        keys = (
            _ENGINE,
            Key("music", self.kind, "Settings of every music asset."),
            Key("sfx", self.kind, "Settings of every sound effect."),
        )
        return Group("Layer", "Settings by kind: the defaults, or one profile.", keys, nullable=True)

    @cached_property
    def shared(self) -> Group:
        """A file that manifests include: what a studio's projects have in common."""
        keys = (
            _CUESMITH,
            _PROJECT_SEED,
            Key(
                "include",
                ListOf(values.INCLUDED, 64, nullable=True),
                "[Files with shared settings](#include).",
                example=["shared/defaults.yaml"],
            ),
            Key(
                "profiles",
                MapOf(self.layer, nullable=True),
                "[Named settings](#profiles), selected with `--profile`.",
                example={"prototype": {"engine": "sketch"}},
            ),
            Key(
                "defaults",
                self.layer,
                "[Settings](#defaults) for all assets of a kind.",
                example={"sfx": {"loudness": "-18 LUFS"}},
            ),
        )
        return Group("Shared", "A file that manifests include.", keys)

    @cached_property
    def asset_file(self) -> Group:
        """A file of assets that a manifest lists."""
        assets = Key(
            "assets",
            ListOf(self.asset, 10**6),
            "Assets of the manifest that lists this file.",
            hint=_ASSETS_HINT,
            required=True,
        )
        return Group("AssetFile", "A file of assets that a manifest lists.", (_CUESMITH, assets))

    @cached_property
    def manifest(self) -> Group:
        """A manifest: the project's name and the assets that its game needs."""
        keys = (
            Key(
                "project",
                values.NAME,
                "The project's name: letters, digits, `_`, `-`, `.`",
                example="emberfall",
                affects=("masters",),
                hint="project: and the project's name",
                required=True,
            ),
            Key(
                "promotion",
                MapOf(_CHANNEL, nullable=True),
                "Reasons of the release gate that a channel [allows](#promotion).",
                example={"playtest": {"allow": ["credentials"]}},
                affects=("catalog",),
            ),
            Key(
                "assets",
                ListOf(self.asset, 10**6),
                "The list of assets, and of [files](#assets-in-several-files) with more assets; `[]` for none.",
                hint=_ASSETS_HINT,
                required=True,
            ),
        )
        return Group(
            "Manifest",
            "A manifest: the project's name and the assets that its game needs.",
            (*self.shared.keys, *keys),
        )


_ASSETS_HINT = "assets: and a list of assets, or assets: [] for none"


@cache
def language(engine_keys: EngineKeysSource) -> Language:
    """The language with the keys of these engines."""
    return Language(engine_keys())


def flattened(keys: tuple[Key, ...], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Key]]:
    """Every key with its path, those of inner groups too."""
    for key in keys:
        yield (*path, key.name), key
        if isinstance(key.reader, Group):
            yield from flattened(key.reader.keys, (*path, key.name))


@cache
def spec_keys(spec: type) -> dict[str, tuple[tuple[str, ...], Key]]:
    """The fields of a spec, each with the key that sets it."""
    known = {field.name for field in fields(spec)}
    rows = ((key.field or key.name, path, key) for path, key in flattened(SETTINGS))
    return {name: (path, key) for name, path, key in rows if name in known}


@cache
def reason_words() -> Mapping[str, tuple[str, str]]:
    """How a reason names each field of the specs, and the unit of its values."""
    rows = (row for spec in (MasteringSpec, DeliverySpec, QualitySpec) for row in spec_keys(spec).items())
    return {field: (words_of(path, key), unit_of(key.reader)) for field, (path, key) in rows}


@cache
def label_words() -> Mapping[str, str]:
    """How a reason names each label of a row."""
    return {key.name: words_of((key.name,), key) for key in (*SETTINGS, *OWN) if "labels" in key.affects}


def words_of(path: tuple[str, ...], key: Key) -> str:
    """How a reason names a key."""
    return key.words or " ".join(path).replace("_", " ")


def unit_of(reader: AnyReader) -> str:
    """What a reason writes after a value."""
    unit: Any = getattr(reader, "unit", "")
    return str(unit)
