"""The manifest keys of the diffusers engine: how they are written, and the values that an asset has for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.generators.shared_keys import CONTINUE_FROM, EXTEND
from pipeline.manifest.problems import Fault
from pipeline.manifest.spec import AssetSpec, AudioInput
from pipeline.manifest.structure import EngineKeys, Group, Key
from pipeline.manifest.values import AUDIO_FILE, OneOf, Quantity, Text

STRENGTH = 0.7
"""How far a sound moves away from the file that it starts from, if the manifest does not say."""
_STEPS = Quantity("a whole number", "a whole number such as 50", "1", "500", whole=True, nullable=True)
_GUIDANCE = Quantity("a number", "a number such as 7", "1", "30", nullable=True)
_STRENGTH = Quantity("a strength", "a strength such as 0.7", "0.01", "1")
_NEGATIVE = Text(
    "a text", "what the sound must not have, such as low quality, hiss", 2000, fold=True, nullable=True
)
_KEY = Text(
    "a musical key",
    "a key such as A minor",
    40,
    pattern="[A-G][#b]? (major|minor)",
    remedy="write a key such as A minor, C major or F# minor",
    nullable=True,
)
_LANGUAGE = Text(
    "a language",
    "a language such as en",
    40,
    pattern="[a-z]{2,3}",
    remedy="write a code such as en, ja or de",
)
_METERS = OneOf("a time signature", ("2/4", "3/4", "4/4", "6/8"))


class Lines(Text):
    """Text of several lines."""

    def check(self, text: str) -> str:
        """``text`` without blank ends if every line of it is valid. Raises `Fault`."""
        text = text.strip()
        for line in filter(None, map(str.strip, text.splitlines())):
            super().check(line)
        if not text or len(text) > self.limit:
            raise Fault(f"has {len(text)} characters", f"write 1 to {self.limit} characters")
        return text


_LYRICS = Lines("lyrics", "lyrics", 4000)


@dataclass(frozen=True, slots=True)
class StartKeys:
    """A sound that generation starts from."""

    file: AudioInput
    strength: float = STRENGTH


@dataclass(frozen=True, slots=True)
class DiffusersKeys:
    """The values of an asset's keys; None selects the model's own default."""

    steps: int | None = None
    guidance: float | None = None
    negative: str | None = None
    key: str | None = None
    time_signature: str | None = None
    language: str = "en"
    lyrics: str | None = None
    extend: bool = False
    """Whether a take may be longer than one pass of the model."""
    start_from: StartKeys | None = None
    continue_from: AudioInput | None = None

    @property
    def inputs(self) -> dict[str, AudioInput]:
        """The audio files by key."""
        start = self.start_from.file if self.start_from else None
        files = {"start_from": start, "continue_from": self.continue_from}
        return {name: file for name, file in files.items() if file is not None}


def keys_of(asset: AssetSpec) -> DiffusersKeys:
    """The values of an asset's keys; what is not written has its default."""
    own: dict[str, Any] = {
        name: asset.engine_keys[name] for name in DiffusersKeys.__slots__ if name in asset.engine_keys
    }
    if "start_from" in own:
        own["start_from"] = StartKeys(**own["start_from"])
    return DiffusersKeys(**own)


_START = Group(
    "StartKeys",
    "A sound that generation starts from. A path alone is enough.",
    (
        Key(
            "file",
            AUDIO_FILE,
            "The audio file.",
            example="audio/theme.wav",
            required=True,
            hint="file: and a path such as audio/theme.wav",
        ),
        Key(
            "strength",
            _STRENGTH,
            "0.01 to 1: how far the sound moves away from the file; at 1 nothing of it is left.",
            f"{STRENGTH}",
            example="0.4",
            words="start strength",
            field="strength",
        ),
    ),
    alone=AUDIO_FILE,
    alone_sets=("file",),
)
_SETTINGS = (
    Key(
        "steps",
        _STEPS,
        "Denoising steps, 1 to 500: more take longer and often sound better.",
        example="50",
        affects=("takes",),
        shown="the model's",
    ),
    Key(
        "guidance",
        _GUIDANCE,
        "Classifier-free guidance, 1 to 30: how closely to follow the prompt.",
        example="7",
        affects=("takes",),
        shown="the model's",
    ),
    Key(
        "negative",
        _NEGATIVE,
        "What the sound must not have, in words.",
        example="low quality, hiss",
        affects=("takes",),
    ),
    Key(
        "key",
        _KEY,
        "The musical key.",
        example="A minor",
        affects=("takes",),
        shown="chosen by the model",
    ),
    Key(
        "time_signature",
        _METERS,
        "`2/4`, `3/4`, `4/4` or `6/8`.",
        example="3/4",
        affects=("takes",),
        shown="chosen by the model",
    ),
    Key(
        "language",
        _LANGUAGE,
        "The language of `lyrics`, as its code.",
        "en",
        example="ja",
        affects=("takes",),
    ),
    EXTEND,
)
_OWN = (
    Key(
        "lyrics",
        _LYRICS,
        "The words that are sung, with marks such as `[verse]` and `[chorus]`.",
        example="[verse] Light the fires",
        affects=("takes",),
        shown="instrumental",
    ),
    Key(
        "start_from",
        _START,
        "An audio file that [generation starts from](#start_from).",
        example="audio/theme.wav",
        affects=("takes",),
    ),
    CONTINUE_FROM,
)

KEYS = EngineKeys(_SETTINGS, _OWN)
