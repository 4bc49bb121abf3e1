"""The keys of the manifest language, one row each.

A row says how a value is written, what the key stands for when nobody writes it, what a change of it makes again, and
how messages name it. Validation, the JSON Schema, the tables of docs/manifest.md, the specs of an asset and the reasons
of a plan all come from these rows.
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.formats import FORMATS
from pipeline.gates import GATES
from pipeline.manifest import values
from pipeline.manifest.structure import Group, Key, ListOf, MapOf, Reader
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


def _limit(name: str, reader: Reader, text: str, example: str) -> Key:
    """The key that sets the limit of a gate; the gate's own row has the default."""
    gate = next(gate for gate in GATES.values() if gate.key == name)
    music, sfx = (f"{gate.limits[kind]:g} {gate.unit}".strip() for kind in ("music", "sfx"))
    return Key(name, reader, text, music, None if sfx == music else sfx, example, field=gate.field or "")


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
        _limit("silence", values.LOUDNESS, "The loudest 400 ms must reach this.", "-55 LUFS"),
        _limit("clipping", values.SHARE, "The largest share of samples in clipped peaks.", "0.01"),
        _limit("dc", values.SHARE, "The highest DC offset; full scale is 1.", "0.02"),
        _limit("noise", values.SHARE, "0 to 1: how much a sound may be noise of one colour.", "0.9"),
        _limit(
            "tail_noise", values.TAIL_NOISE, "How far hiss may rise after the sound has died away.", "20 dB"
        ),
        _limit(
            "seam",
            values.SEAM,
            "How far a loop may click or break at its seam, compared with the rest of the loop.",
            "2",
        ),
        _limit("duplicates", values.SIMILARITY, "0.5 to 1: how similar two variations may be.", "0.99"),
    ),
    merges=True,
)
_SCORE = Group(
    "ScoreKeys",
    "A score of the takes.",
    (
        Key("choose", FLAG, "Master the candidate with the highest value.", "false", example="true"),
        Key("least", values.SCORE, "A take with a lower value fails.", example="0.2"),
        Key("most", values.SCORE, "A take with a higher value fails.", example="0.1"),
    ),
    nullable=True,
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
            required="category: such as FOOTHmn",
        ),
        Key("name", values.FX_TEMPLATE, "FXName, up to 25 characters.", example="Step Gravel"),
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
        "-23 LUFS",
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
        "limit",
        values.LIMIT,
        "How many decibels the limiter may take off peaks to reach the loudness target; more is denser.",
        "6 dB",
        "9 dB",
        "3 dB",
        ("masters",),
        "limit_db",
    ),
    Key(
        "gain",
        values.GAIN,
        "`shared`: one gain for all variations, which keeps their relative levels; `each`: every variation reaches "
        "the loudness target.",
        "shared",
        example="each",
        affects=("masters",),
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
        "scores",
        MapOf(_SCORE, nullable=True, names=f"^{values.SCORE_NAME}$"),
        "[Scores](quality.md#scores) of the takes by models: `clap`, `vocals`.",
        example={"clap": {"choose": "true"}},
        affects=("masters",),
    ),
    Key(
        "formats",
        ListOf(values.FORMAT, len(FORMATS), 1, unique=True),
        f"Files to deliver: any of {', '.join(f'`{name}`' for name in FORMATS)}.",
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
        "watermark",
        values.WATERMARK,
        "An inaudible [watermark](credentials.md#watermark) in the masters: `audioseal`, or `none`.",
        "none",
        example="audioseal",
        affects=("masters",),
    ),
    Key(
        "private_prompts",
        FLAG,
        "`true` keeps the prompt out of the [tags](formats.md#tags) of the files.",
        "false",
        example="true",
        affects=("masters",),
    ),
    Key(
        "naming",
        values.NAMING,
        "[Names of files](#names-of-files): a template, or `ucs`.",
        "{id}_{variation}",
        example="ucs",
        affects=("catalog",),
    ),
    Key(
        "priority",
        values.PRIORITY,
        "-1000 to 1000; a build makes assets with a higher priority first.",
        "0",
        example="10",
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

PROMPT = Key(
    "prompt",
    values.PROMPT,
    "The sound in words, up to 2000 characters.",
    example="a heavy wooden door closes",
    affects=("takes",),
    required="prompt: and the sound in words",
)
PIECES = ListOf(values.PIECE, 10_000, 1)
WHEN = Key(
    "when",
    MapOf(replace(PIECES, alone=True), least=1),
    "Names of `for_each`, each with the value or the values for which this counts.",
    example={"surface": "gravel"},
    required="when: and names of for_each, such as when: {surface: gravel}",
)
CUESMITH = Key(
    "cuesmith",
    values.VERSION,
    "Version of the language: `1`.",
    example="1",
    required="cuesmith: 1",
)
PROJECT_SEED = replace(
    _SEED, text="The base of every sound's own seed; change it to generate everything again.", shown="`0`"
)
ENGINE = Key(
    "engine", values.ENGINE, "The engine that generates.", "sketch", example="audiocraft", affects=("takes",)
)
ASSET_ENGINE = replace(
    ENGINE,
    text="The engine of this asset; a [profile](#profiles) that sets an engine for its kind wins.",
    default=None,
    shown="that of the kind",
)
CHANNEL = Group(
    "ChannelKeys",
    "What the release gate allows on one channel.",
    (
        Key(
            "allow",
            ListOf(values.ALLOWED, 64, unique=True),
            "Reasons of the release gate that do not count.",
            example=["credentials"],
            required="allow:",
        ),
    ),
)
_EXPORT_KEYS = (
    Key("format", values.FORMAT, "The format of the files.", example="ogg"),
    Key("sample_rate", values.RATE, "Their sample rate.", example="32 kHz", field="sample_rate_hz"),
    Key("channels", values.CHANNELS, "1 is mono, 2 is stereo.", example="1"),
    Key(
        "bit_rate",
        values.BIT_RATE,
        "The most that an ogg, opus or mp3 file uses on average.",
        example="96 kbps",
        field="bit_rate_kbps",
    ),
    Key("bit_depth", values.BIT_DEPTH, "Of wav and flac.", example="16"),
    Key(
        "true_peak",
        values.TRUE_PEAK,
        "True-peak ceiling of the decoded files. Default: that of the master.",
        example="-2 dBTP",
        field="true_peak_dbtp",
    ),
)
EXPORT_SETTINGS = Group("ExportSettings", "How a platform's files of one kind are encoded.", _EXPORT_KEYS)
EXPORT_PROFILE = Group(
    "ExportProfile",
    "How the files of one platform are encoded.",
    (
        *_EXPORT_KEYS,
        Key("music", EXPORT_SETTINGS, "Other settings for music.", example={"bit_rate": "96 kbps"}),
        Key("sfx", EXPORT_SETTINGS, "Other settings for sound effects.", example={"channels": "1"}),
        Key("size", values.FILE_SIZE, "The most that all sound files together need.", example="40 MB"),
    ),
)
ID = Key(
    "id",
    values.ID,
    "Name and place in the library: `music/forest/explore`.",
    example="sfx/door/wood",
    affects=("takes",),
    required="id: such as sfx/door/wood",
)
KIND = Key(
    "kind",
    values.KIND,
    "`music` or `sfx`.",
    example="sfx",
    affects=("takes",),
    required="kind: music or kind: sfx",
)
FOR_EACH = Key(
    "for_each",
    MapOf(PIECES, names=f"^{values.PLACEHOLDER}$"),
    "[Lists of values](#for_each): one asset for each combination.",
    example={"surface": ["gravel", "wood"]},
)
INCLUDE = Key(
    "include",
    ListOf(values.INCLUDED, 64, nullable=True),
    "[Files with shared settings](#include).",
    example=["shared/defaults.yaml"],
)
PROJECT = Key(
    "project",
    values.NAME,
    "The project's name: letters, digits, `_`, `-`, `.`",
    example="emberfall",
    affects=("masters",),
    required="project: and the project's name",
)
_REASON = Key(
    "reason",
    values.REASON,
    "Why, in words; errors and disclosures show it.",
    example="living artist",
    required="reason: and why",
)
_RULES = ListOf(
    Group(
        "PolicyRule",
        "Words and patterns that prompts should not contain.",
        (
            Key(
                "words",
                ListOf(values.POLICY_WORD, 10_000, 1, alone=True),
                "Words and names; case, accents and punctuation do not matter.",
                example=["Hans Zimmer"],
            ),
            Key(
                "patterns",
                ListOf(values.POLICY_PATTERN, 1_000, 1, alone=True),
                "Words in which `*` stands for any letters of one word.",
                example=["style of *"],
            ),
            _REASON,
        ),
    ),
    1_000,
    nullable=True,
)
POLICY = Key(
    "policy",
    Group(
        "PolicyKeys",
        "What prompts may not contain.",
        (
            Key("forbid", _RULES, "Rules that end a build with an error."),
            Key("warn", _RULES, "Rules that only warn."),
            Key(
                "exceptions",
                ListOf(
                    Group(
                        "PolicyException",
                        "Assets for which a person allows words of the rules.",
                        (
                            Key(
                                "words",
                                ListOf(values.POLICY_WORD, 1_000, 1, alone=True),
                                "Words or patterns as the rule has them.",
                                example=["didgeridoo"],
                                required="words: and words of a rule",
                            ),
                            Key(
                                "assets",
                                ListOf(values.POLICY_ASSET, 1_000, 1, alone=True),
                                "Ids of assets, or globs.",
                                example=["music/hub/*"],
                                required="assets: and ids or globs",
                            ),
                            Key(
                                "by",
                                values.PERSON,
                                "The name of the person who decided.",
                                example="Ada Lovelace",
                                required="by: and the name of the person who decided",
                            ),
                            _REASON,
                        ),
                    ),
                    1_000,
                    nullable=True,
                ),
                "Assets for which a person allows words of the rules; disclosed.",
            ),
        ),
        nullable=True,
    ),
    "[What prompts may not contain](#policy): rules with reasons, and exceptions.",
    example={"forbid": [{"words": ["Hans Zimmer"], "reason": "living artist"}]},
    affects=("catalog",),
)
PROMOTION = Key(
    "promotion",
    MapOf(CHANNEL, nullable=True),
    "Reasons of the release gate that a channel [allows](#promotion).",
    example={"playtest": {"allow": ["credentials"]}},
    affects=("catalog",),
)
DECLARATION = Key(
    "license",
    Group(
        "LicenseDeclaration",
        "What the studio declares about itself, for licences with conditions.",
        (
            Key(
                "commercial",
                FLAG,
                "`true` if the game is sold or earns money in another way.",
                example="true",
                required="commercial: true or commercial: false",
            ),
            Key(
                "revenue_below_usd",
                values.REVENUE,
                "The studio's yearly revenue is below this, in US dollars.",
                example="1000000",
            ),
        ),
    ),
    "What the studio [declares](#license) about itself; the release gate compares it with the licences of models.",
    example={"commercial": "true", "revenue_below_usd": "1000000"},
    affects=("catalog",),
)
EXPORTS = Key(
    "exports",
    MapOf(EXPORT_PROFILE, nullable=True),
    "[Export profiles](export.md#platform-profiles), selected with `cuesmith export --profile`.",
    example={"mobile": {"format": "ogg", "bit_rate": "96 kbps"}},
)
