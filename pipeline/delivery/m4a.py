"""AAC in m4a by pydub over ffmpeg, which libsndfile lacks: an optional extra, loaded only if it is there."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from pipeline.audio import Clip, pcm_bytes, read
from pipeline.errors import MachineError, UsageError

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


def m4a_clip(source: bytes | Path) -> Clip:
    """What an m4a (or other AAC) file decodes to, float32 with its overshoots.

    By ffmpeg alone: pydub would need ffprobe, which the extra does not carry. Raises `MachineError` without
    ffmpeg, `UsageError` for what ffmpeg cannot read.
    """
    with tempfile.TemporaryDirectory() as folder:
        encoded, decoded = Path(folder) / "sound.m4a", Path(folder) / "sound.wav"
        if isinstance(source, bytes):
            encoded.write_bytes(source)
        else:
            encoded = source.absolute()
        asked = ["-nostdin", "-v", "error", "-i", str(encoded), "-map", "0:a:0", "-c:a", "pcm_f32le"]
        done = subprocess.run([_ffmpeg(), *asked, str(decoded)], capture_output=True, check=False)
        if done.returncode:
            name = "the sound" if isinstance(source, bytes) else str(source)
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["it gave no reason"]
            raise UsageError(f"{name} cannot be read as audio: ffmpeg says {said[-1]}; give another file")
        return read(decoded)
