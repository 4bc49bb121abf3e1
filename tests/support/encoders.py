"""The delivery formats that this machine can encode: all, or all but m4a without its extra."""

from __future__ import annotations

from pipeline.audio.decoders import ffmpeg_program
from pipeline.delivery import codecs
from pipeline.errors import MachineError
from pipeline.formats import FORMATS


def find_ffmpeg() -> str | None:
    """Path of ffmpeg; None if there is none."""
    try:
        return ffmpeg_program("the test")
    except MachineError:
        return None


HAS_M4A = codecs.AudioSegment is not None and find_ffmpeg() is not None
ENCODABLE = tuple(name for name, row in FORMATS.items() if HAS_M4A or not row.needs_ffmpeg)
