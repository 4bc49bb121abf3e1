"""Audio values, files and rates: everything that knows samples but no manifest."""

from pipeline.audio.clip import Clip, Samples
from pipeline.audio.dither import Depth, pcm_bytes, pcm_sha256
from pipeline.audio.rate import resample, resample_loop
from pipeline.audio.riff import Chunk, read_chunks
from pipeline.audio.wav import read, read_take, take_bytes, wav_bytes

__all__ = [
    "Chunk",
    "Clip",
    "Depth",
    "Samples",
    "pcm_bytes",
    "pcm_sha256",
    "read",
    "read_chunks",
    "read_take",
    "resample",
    "resample_loop",
    "take_bytes",
    "wav_bytes",
]
