"""Manifest keys that several engines understand; each engine lists those that it has among its own."""

from __future__ import annotations

from pipeline.manifest.structure import Key
from pipeline.manifest.values import AUDIO_FILE, FLAG

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
    required=True,
    hint="file: and a path such as audio/theme.wav",
)
"""In groups."""
CONTINUE_FROM = Key(
    "continue_from",
    AUDIO_FILE,
    "An audio file that the sound continues.",
    example="audio/theme.wav",
    affects=("takes",),
)
