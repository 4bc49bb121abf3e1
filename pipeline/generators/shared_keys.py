"""Manifest keys that several engines understand, and rows of an engine's own; each engine lists those that it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.manifest.spec import AudioInput
from pipeline.manifest.structure import AnyReader, Key
from pipeline.manifest.values import AUDIO_FILE, FLAG


@dataclass(frozen=True, slots=True)
class FileKeys:
    """The value of a key with an audio file and how to use it."""

    file: AudioInput
    settings: Mapping[str, Any]
    """How to use it, as a recipe has it."""


def take_key(
    name: str, reader: AnyReader, text: str, example: Any, default: str | None = None, shown: str = ""
) -> Key:
    """A key that decides what the model makes."""
    return Key(name, reader, text, default, example=example, affects=("takes",), shown=shown)


EXTEND = Key(
    "extend",
    FLAG,
    "Allows a `duration` longer than the model's window.",
    "false",
    example="true",
)
FILE = Key(
    "file",
    AUDIO_FILE,
    "The audio file.",
    example="audio/theme.wav",
    required="file: and a path such as audio/theme.wav",
)
"""In groups."""
CONTINUE_FROM = take_key(
    "continue_from", AUDIO_FILE, "An audio file that the sound continues.", "audio/theme.wav"
)
