"""The delivery formats that this machine can encode: all, or all but m4a without its extra."""

from __future__ import annotations

from pipeline.audio.decoders import find_ffmpeg
from pipeline.delivery import codecs
from pipeline.formats import FORMATS

HAS_M4A = codecs.AudioSegment is not None and find_ffmpeg() is not None
ENCODABLE = tuple(name for name, row in FORMATS.items() if HAS_M4A or not row.needs_ffmpeg)
