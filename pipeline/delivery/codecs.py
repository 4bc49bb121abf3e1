"""Encoding by libsndfile (flac, ogg, opus, mp3) and ffmpeg (m4a); the same sound gives the same bytes.

libsndfile has no AAC, so m4a needs pydub and ffmpeg, which are an optional extra.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import numpy.typing as npt
import soundfile

from pipeline.audio import Clip, Depth, pcm_bytes, read
from pipeline.audio.decoders import MOST_SAMPLES, REMEDY, decode_by_ffmpeg, ffmpeg_program
from pipeline.audio.dither import interleaved, quantise
from pipeline.errors import MachineError

try:
    from pydub import AudioSegment
except ImportError:
    AudioSegment = None

_BLOCK_S = 1.0
_AAC_BITRATE = "192k"


Coding = dict[str, Any]
"""libsndfile's settings of a format."""

VORBIS = Coding(format="OGG", subtype="VORBIS", compression_level=0.4)
"""Quality 6 of -1 to 10: about 192 kbit/s for stereo music."""
OPUS = Coding(format="OGG", subtype="OPUS", compression_level=0.64)
"""About 96 kbit/s a channel. Players decode all Opus at 48 kHz (RFC 7845): at another rate, peaks and loop points would
differ from the decoded file."""
OPUS_AHEAD = 312
"""Look-ahead of Opus in samples at 48 kHz; libsndfile does not write it at the end of a file."""
OPUS_SETTLED = 9600
"""Samples at 48 kHz until the coder's filters settle: its high-pass at 3 Hz takes the longest."""
MP3 = Coding(format="MP3", subtype="MPEG_LAYER_III", compression_level=0.2, bitrate_mode="VARIABLE")
"""LAME's V2: about 190 kbit/s for stereo music."""


def _write(frames: npt.NDArray[Any], rate: int, coding: Coding) -> bytes:
    """Frames of shape [samples, channels] as a file; written in blocks, because Vorbis puts each write on its stack."""
    out = io.BytesIO()
    block = max(1, round(_BLOCK_S * rate))
    with soundfile.SoundFile(out, "w", rate, frames.shape[1], **coding) as file:
        for start in range(0, len(frames), block):
            file.write(frames[start : start + block])
    return out.getvalue()


def flac_bytes(clip: Clip, depth: Depth) -> bytes:
    """Lossless FLAC of 16 or 24 bit; FLAC does not support "float", which becomes 24."""
    bits = 16 if depth == "16" else 24
    frames = quantise(clip, bits) << (32 - bits)
    return _write(frames, clip.rate, Coding(format="FLAC", subtype=f"PCM_{bits}"))


def lossy_bytes(clip: Clip, coding: Coding) -> bytes:
    """``clip`` encoded from float samples, at a rate that the format supports."""
    return _write(interleaved(clip), clip.rate, coding)


def m4a_bytes(clip: Clip) -> bytes:
    """``clip`` as AAC in an m4a file, without clock times. Raises `MachineError` without the extra."""
    if AudioSegment is None:
        raise MachineError(f"m4a needs pydub and ffmpeg; {REMEDY}")
    AudioSegment.converter = ffmpeg_program("m4a")
    segment = AudioSegment(
        pcm_bytes(clip, "16"), sample_width=2, frame_rate=clip.rate, channels=clip.channels
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.m4a"
        plain = ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"]
        segment.export(str(path), format="ipod", codec="aac", bitrate=_AAC_BITRATE, parameters=plain).close()
        return path.read_bytes()


def m4a_frames(data: bytes) -> Clip:
    """Decode all frames of an m4a to float32, with overshoots and the padding at the end.

    Raises `MachineError` without ffmpeg.
    """
    return read(decode_by_ffmpeg(ffmpeg_program("m4a"), data, "mov", 4 * MOST_SAMPLES)[0])
