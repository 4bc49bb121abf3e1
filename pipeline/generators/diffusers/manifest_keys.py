"""The manifest keys of the diffusers engine: how they are written, and the values that an asset has for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pipeline.generators.shared_keys import CONTINUE_FROM, EXTEND, FILE, FileKeys, take_key
from pipeline.manifest.problems import Fault, quote
from pipeline.manifest.spec import AssetSpec, AudioInput
from pipeline.manifest.structure import EngineKeys, Group, Key, ListOf
from pipeline.manifest.values import AUDIO_FILE, DURATION, OneOf, Quantity, Text

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
_PLACE = replace(DURATION, low="0s")
_TRACK_NAMES = (
    "vocals",
    "backing_vocals",
    "drums",
    "percussion",
    "bass",
    "guitar",
    "keyboard",
    "strings",
    "synth",
    "brass",
    "woodwinds",
    "fx",
)
"""The tracks that ACE-Step's base model knows, by its authors' names."""
_TRACK = OneOf("a track", _TRACK_NAMES)
_ROUNDING_S = 1e-6

Task = Literal["repaint", "extract", "lego", "complete"]
TASKS: tuple[Task, ...] = ("repaint", "extract", "lego", "complete")
"""The keys by which a model edits a file."""


class Lines(Text):
    """Text of several lines."""

    def check(self, text: str) -> str:
        """``text`` without blank ends if every line of it is valid. Raises `Fault`."""
        text = text.strip()
        for line in filter(None, map(str.strip, text.splitlines())):
            super().check(line)
        if not text or (self.limit and len(text) > self.limit):
            raise Fault(f"has {len(text)} characters", f"write 1 to {self.limit} characters")
        return text


_LYRICS = Lines("lyrics", "lyrics", 4000)


@dataclass(frozen=True, slots=True)
class DiffusersKeys:
    """The values of an asset's keys; None selects the model's own default."""

    edits: Mapping[Task, FileKeys]
    """The edits of files that are asked for; a valid asset has at most one."""
    steps: int | None = None
    guidance: float | None = None
    negative: str | None = None
    key: str | None = None
    time_signature: str | None = None
    language: str = "en"
    lyrics: str | None = None
    extend: bool = False
    """Whether a take may be longer than one pass of the model."""
    start_from: FileKeys | None = None
    continue_from: AudioInput | None = None

    @property
    def inputs(self) -> dict[str, AudioInput]:
        """The audio files by key."""
        files: dict[str, AudioInput] = {}
        if self.start_from is not None:
            files["start_from"] = self.start_from.file
        if self.continue_from is not None:
            files["continue_from"] = self.continue_from
        return files | {task: edit.file for task, edit in self.edits.items()}


def keys_of(asset: AssetSpec) -> DiffusersKeys:
    """The values of an asset's keys; what is not written has its default."""
    written = asset.engine_keys
    own: dict[str, Any] = {name: written[name] for name in DiffusersKeys.__slots__ if name in written}
    if "start_from" in own:
        start = own["start_from"]
        own["start_from"] = FileKeys(start["file"], {"strength": start.get("strength", STRENGTH)})
    edits = {task: _edit(written[task]) for task in TASKS if task in written}
    return DiffusersKeys(edits, **own)


def _edit(values: Mapping[str, Any]) -> FileKeys:
    """A file that a model edits: the part that it generates again, or the tracks that it takes out or adds."""
    if "from" in values:
        return FileKeys(values["file"], {"from_s": values["from"], "to_s": values["to"]})
    tracks = values["tracks"] if "tracks" in values else (values["track"],)
    return FileKeys(values["file"], {"tracks": ", ".join(tracks)})


def _check_part(name: str, part: Mapping[str, Any], seconds: float) -> None:
    """Raise `Fault` if the part is not in the file ``name``."""
    begin, end = part["from"], part["to"]
    if begin >= end:
        raise Fault(f"the part from {begin:g} s to {end:g} s is empty", "give a later end (to)")
    if end > seconds + _ROUNDING_S:
        what = f"file {quote(name)} lasts {seconds:.4g} s, and the part ends at {end:g} s"
        raise Fault(what, "give an earlier end (to), or a longer file")


_REPAINT = Group(
    "RepaintKeys",
    "A part of an audio file that is generated again.",
    (
        FILE,
        *(
            Key(
                name,
                _PLACE,
                f"{end.capitalize()} of the part.",
                example=example,
                required=f"{name}: and a time such as {example}",
                field=f"{name}_s",
                words=f"{end} of the repainted part",
            )
            for name, end, example in (("from", "start", "4s"), ("to", "end", "8s"))
        ),
    ),
    check=_check_part,
)
_ONE_TRACK = Group(
    "TrackKeys",
    "An audio file, and one track of it.",
    (
        FILE,
        Key(
            "track",
            _TRACK,
            f"{', '.join(f'`{name}`' for name in _TRACK_NAMES[:-1])} or `{_TRACK_NAMES[-1]}`.",
            example="drums",
            required="track: and a track such as drums",
            field="tracks",
            words="track",
        ),
    ),
)
_TRACKS = Group(
    "TracksKeys",
    "An audio file, and the tracks that it lacks.",
    (
        FILE,
        Key(
            "tracks",
            ListOf(_TRACK, most=12, least=1, unique=True),
            "Tracks such as `[drums, bass]`, of those that `lego` knows.",
            example=["drums", "bass"],
            required="tracks: and a list such as [drums, bass]",
            words="tracks",
        ),
    ),
)
_START = Group(
    "StartKeys",
    "A sound that generation starts from. A path alone is enough.",
    (
        FILE,
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
    take_key(
        "steps",
        _STEPS,
        "Denoising steps, 1 to 500: more take longer and often sound better.",
        "50",
        shown="the model's",
    ),
    take_key(
        "guidance",
        _GUIDANCE,
        "Classifier-free guidance, 1 to 30: how closely to follow the prompt.",
        "7",
        shown="the model's",
    ),
    take_key("negative", _NEGATIVE, "What the sound must not have, in words.", "low quality, hiss"),
    take_key("key", _KEY, "The musical key.", "A minor", shown="chosen by the model"),
    take_key("time_signature", _METERS, "`2/4`, `3/4`, `4/4` or `6/8`.", "3/4", shown="chosen by the model"),
    take_key("language", _LANGUAGE, "The language of `lyrics`, as its code.", "ja", "en"),
    EXTEND,
)
_OWN = (
    take_key(
        "lyrics",
        _LYRICS,
        "The words that are sung, with marks such as `[verse]` and `[chorus]`.",
        "[verse] Light the fires",
        shown="instrumental",
    ),
    take_key(
        "start_from", _START, "An audio file that [generation starts from](#start_from).", "audio/theme.wav"
    ),
    CONTINUE_FROM,
    take_key(
        "repaint",
        _REPAINT,
        "A part of an audio file that is [generated again](#repaint); the rest stays as it is.",
        {"file": "audio/theme.wav", "from": "4s", "to": "8s"},
    ),
    take_key(
        "extract",
        _ONE_TRACK,
        "A track that is [taken out](#extract-lego-and-complete) of an audio file.",
        {"file": "audio/theme.wav", "track": "drums"},
    ),
    take_key(
        "lego",
        _ONE_TRACK,
        "A track that is [made to go with](#extract-lego-and-complete) an audio file.",
        {"file": "audio/theme.wav", "track": "bass"},
    ),
    take_key(
        "complete",
        _TRACKS,
        "An audio file that is [completed](#extract-lego-and-complete) with further tracks.",
        {"file": "audio/voice.wav", "tracks": ["drums", "bass"]},
    ),
)

KEYS = EngineKeys(_SETTINGS, _OWN)
