"""AAC in m4a by pydub over ffmpeg, which libsndfile lacks: an optional extra, loaded only if it is there."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

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


def m4a_bytes(clip: Clip) -> bytes:
    """``clip`` as AAC in an m4a file, without clock times. Raises `MachineError` without the extra."""
    if AudioSegment is None:
        raise MachineError(f"m4a needs pydub and ffmpeg; {_REMEDY}")
    converter = _ffmpeg()
    segment: Any = AudioSegment(
        pcm_bytes(clip, "16"), sample_width=2, frame_rate=clip.rate, channels=clip.channels
    )
    AudioSegment.converter = converter
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.m4a"
        plain = ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"]
        segment.export(str(path), format="ipod", codec="aac", bitrate=BITRATE, parameters=plain).close()
        return path.read_bytes()
