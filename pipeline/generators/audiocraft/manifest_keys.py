"""The manifest keys of the AudioCraft engine: how they are written, and the values that an asset has for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.generators.audiocraft.models import Input
from pipeline.generators.shared_keys import CONTINUE_FROM, EXTEND, FILE, FileKeys, take_key
from pipeline.manifest.problems import Fault, quote
from pipeline.manifest.spec import AssetSpec, AudioInput
from pipeline.manifest.structure import EngineKeys, Group, Key
from pipeline.manifest.values import AUDIO_FILE, DURATION, OneOf, Quantity

_TEMPERATURE = Quantity("a number", "a number such as 1.0", "0", "10", nullable=True)
_TOP_K = Quantity("a whole number", "a whole number such as 250", "0", "100000", whole=True, nullable=True)
_TOP_P = Quantity("a number", "a number such as 0.9", "0", "1", nullable=True)
_GUIDANCE = Quantity("a number", "a number such as 3.0", "0", "30", nullable=True)
_PLACE = replace(DURATION, low="0s")
_EXCERPT = Quantity(
    "a duration", "a duration such as 3s", "1.5s", "4.5s", {"ms": "0.001", "s": "1"}, unit=" s"
)
_CODEBOOKS = Quantity("a whole number", "a whole number such as 3", "1", "6", whole=True)
_TEXT_WEIGHT = Quantity("a number", "a number such as 5", "1", "9")
_DECODER = OneOf("a decoder", ("encodec", "mbd"))
_ROUNDING_S = 1e-6


@dataclass(frozen=True, slots=True)
class AudioCraftKeys:
    """The values of an asset's keys."""

    sampling: Mapping[str, float] = field(default_factory=dict)
    """How a language model's next token is drawn: ``temperature``, ``top_k``, ``top_p`` and ``cfg``, the coefficient of
    classifier-free guidance; one that is not here has the model's own default."""
    extend: bool = False
    """Whether a take may be longer than the model's window."""
    decoder: str = "encodec"
    """What turns a model's codes into audio: its own codec, or MultiBand Diffusion."""
    melody: AudioInput | None = None
    continue_from: AudioInput | None = None
    style: FileKeys | None = None

    @property
    def inputs(self) -> dict[Input, AudioInput]:
        """The audio files by key."""
        files: dict[Input, AudioInput | None] = {
            "melody": self.melody,
            "continue_from": self.continue_from,
            "style": self.style.file if self.style else None,
        }
        return {name: file for name, file in files.items() if file is not None}


def keys_of(asset: AssetSpec) -> AudioCraftKeys:
    """The values of an asset's keys; what is not written has its default."""
    written = asset.engine_keys
    own: dict[str, Any] = {name: written[name] for name in AudioCraftKeys.__slots__ if name in written}
    if "sampling" in own:
        own["sampling"] = {name: value for name, value in own["sampling"].items() if value is not None}
    if "style" in own:
        own["style"] = _style(**own["style"])
    return AudioCraftKeys(**own)


def _style(
    file: AudioInput,
    at: float | None = None,
    excerpt: float = 3.0,
    codebooks: int = 3,
    text: float = 5.0,
) -> FileKeys:
    settings = {"style_excerpt_s": excerpt, "style_codebooks": codebooks, "cfg_text": text}
    return FileKeys(file, settings if at is None else settings | {"style_at_s": at})


def _check_excerpt(name: str, style: Mapping[str, Any], seconds: float) -> None:
    """Raise `Fault` if the file ``name`` is too short for the excerpt."""
    start, excerpt = style.get("at"), style.get("excerpt", 3.0)
    if (start or 0.0) + excerpt > seconds + _ROUNDING_S:
        where = "" if start is None else f" at {start:g} s"
        what = f"file {quote(name)} lasts {seconds:.4g} s, too short for an excerpt of {excerpt:g} s{where}"
        raise Fault(what, "give a longer file, a shorter excerpt or another place (at)")


_SAMPLING = Group(
    "SamplingKeys",
    "How a language model draws its next token. An empty value selects the model's own default.",
    tuple(
        Key(name, values, text, example=example)
        for name, values, text, example in (
            ("temperature", _TEMPERATURE, "0 to 10; at 0 always the most likely token.", "0.9"),
            ("top_k", _TOP_K, "Draw from this many most likely tokens, up to 100000; 0 for all.", "250"),
            (
                "top_p",
                _TOP_P,
                "Draw from the likeliest tokens of this summed probability, up to 1; 0 for all.",
                "0.9",
            ),
            ("cfg", _GUIDANCE, "Classifier-free guidance, 0 to 30: how closely to follow the prompt.", "3.5"),
        )
    ),
    merges=True,
)
_STYLE = Group(
    "StyleKeys",
    "Music whose style is followed. A path alone is enough.",
    (
        FILE,
        Key(
            "at",
            _PLACE,
            "Start of the excerpt in the file.",
            example="4s",
            shown="chosen by the take's seed",
            field="style_at_s",
            words="style place",
        ),
        Key(
            "excerpt",
            _EXCERPT,
            "Length of the excerpt, 1.5 s to 4.5 s.",
            "3s",
            example="2s",
            field="style_excerpt_s",
        ),
        Key(
            "codebooks",
            _CODEBOOKS,
            "1 to 6: higher values follow the excerpt more closely.",
            "3",
            example="2",
            field="style_codebooks",
        ),
        Key(
            "text",
            _TEXT_WEIGHT,
            "1 to 9: weight of the prompt against the style; 1 for equal weight.",
            "5",
            example="3",
            field="cfg_text",
            words="style text",
        ),
    ),
    alone=AUDIO_FILE,
    alone_sets=("file",),
    check=_check_excerpt,
)
_SETTINGS = (
    take_key(
        "sampling",
        _SAMPLING,
        "How the model draws: `temperature`, `top_k`, `top_p`, `cfg`.",
        {"temperature": "0.9"},
        shown="the model's",
    ),
    EXTEND,
    Key(
        "decoder",
        _DECODER,
        "What turns a model's codes into audio: `encodec`, its own codec, or `mbd`, "
        "[MultiBand Diffusion](audiocraft.md#codes-and-decoders).",
        "encodec",
        example="mbd",
        affects=("decoding",),
    ),
)
_OWN = (
    take_key("melody", AUDIO_FILE, "An audio file whose melody the music follows.", "audio/theme.wav"),
    CONTINUE_FROM,
    take_key("style", _STYLE, "An audio file whose [style](#style) the music follows.", "audio/theme.wav"),
)

KEYS = EngineKeys(_SETTINGS, _OWN)
