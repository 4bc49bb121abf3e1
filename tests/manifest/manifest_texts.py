"""What the tests of the manifest room have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.audio import Clip, wav_bytes
from pipeline.manifest import Project

HEAD = "cuesmith: 1\nproject: game\n"
"""Two lines; what a test writes after them begins on line 3."""

Load = Callable[..., Project]
"""Text to a project."""
Complain = Callable[..., list[str]]
"""Text to the messages that it gives, one string a problem."""


def write_sound(path: Path, seconds: float = 1.0, level: float = 0.25, rate: int = 8000) -> bytes:
    """Write a steady sound as 16 bit WAV; returns the file's bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = wav_bytes(Clip(np.full((1, round(seconds * rate)), level, np.float32), rate), "16")
    path.write_bytes(data)
    return data
