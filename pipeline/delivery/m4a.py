"""AAC in m4a by pydub and ffmpeg, because libsndfile has no AAC: an optional extra."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from pipeline.audio import Clip, pcm_bytes, read
from pipeline.audio.decoders import MOST_SAMPLES, REMEDY, decode_by_ffmpeg, ffmpeg_program
from pipeline.errors import MachineError

try:
    from pydub import AudioSegment
except ImportError:
    AudioSegment = None

BITRATE = "192k"


def _segments() -> Any:
    """pydub's class, with the path of ffmpeg set. Raises `MachineError` when the extra is missing."""
    if AudioSegment is None:
        raise MachineError(f"m4a needs pydub and ffmpeg; {REMEDY}")
    AudioSegment.converter = ffmpeg_program("m4a")
    return AudioSegment


def m4a_bytes(clip: Clip) -> bytes:
    """``clip`` as AAC in an m4a file, without clock times. Raises `MachineError` without the extra."""
    segment = _segments()(pcm_bytes(clip, "16"), sample_width=2, frame_rate=clip.rate, channels=clip.channels)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.m4a"
        plain = ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"]
        segment.export(str(path), format="ipod", codec="aac", bitrate=BITRATE, parameters=plain).close()
        return path.read_bytes()


def m4a_frames(data: bytes) -> Clip:
    """Decode all frames of an m4a to float32, with overshoots and the padding at the end.

    Raises `MachineError` without ffmpeg.
    """
    return read(decode_by_ffmpeg(ffmpeg_program("m4a"), data, "mov", 4 * MOST_SAMPLES)[0])
