"""AAC in m4a by pydub over ffmpeg, which libsndfile lacks: an optional extra, loaded only if it is there."""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.audio import Clip, pcm_bytes
from pipeline.errors import MachineError

try:
    from pydub import AudioSegment
except ImportError:
    AudioSegment = None

try:
    import imageio_ffmpeg
except ImportError:
    imageio_ffmpeg = None

BITRATE = "192k"
_REMEDY = "install the extra with: pip install 'cuesmith[m4a]'"


def _ffmpeg() -> str:
    """Path of ffmpeg: the one that the extra carries, else the system's."""
    found = imageio_ffmpeg.get_ffmpeg_exe() if imageio_ffmpeg is not None else shutil.which("ffmpeg")
    if found is None:
        raise MachineError(f"m4a needs ffmpeg and none was found; {_REMEDY}")
    return str(found)


def _segments() -> Any:
    """pydub's class, told where ffmpeg is. Raises `MachineError` when the extra is missing."""
    if AudioSegment is None:
        raise MachineError(f"m4a needs pydub and ffmpeg; {_REMEDY}")
    AudioSegment.converter = _ffmpeg()
    return AudioSegment


def m4a_bytes(clip: Clip) -> bytes:
    """``clip`` as AAC in an m4a file, without clock times. Raises `MachineError` without the extra."""
    segment = _segments()(pcm_bytes(clip, "16"), sample_width=2, frame_rate=clip.rate, channels=clip.channels)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.m4a"
        plain = ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"]
        segment.export(str(path), format="ipod", codec="aac", bitrate=BITRATE, parameters=plain).close()
        return path.read_bytes()


def m4a_clip(data: bytes) -> Clip:
    """What an m4a file decodes to, at 16 bit."""
    segment = _segments().from_file(io.BytesIO(data), format="m4a")
    frames = np.frombuffer(segment.raw_data, dtype="<i2").reshape(-1, segment.channels)
    return Clip(np.ascontiguousarray(frames.T.astype(np.float32) / 32768), int(segment.frame_rate))
