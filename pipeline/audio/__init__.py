"""Audio values, files and rates: everything that knows samples but no manifest."""

from pipeline.audio.clip import Clip, Loop, Samples
from pipeline.audio.dither import Depth, pcm_bytes, pcm_sha256
from pipeline.audio.rate import resample, resample_loop
from pipeline.audio.reading import Sound, read, read_sound, read_take
from pipeline.audio.wav_writer import Chunk, read_chunks, take_bytes, wav_bytes

__all__ = [
    "Chunk",
    "Clip",
    "Depth",
    "Loop",
    "Samples",
    "Sound",
    "pcm_bytes",
    "pcm_sha256",
    "read",
    "read_chunks",
    "read_sound",
    "read_take",
    "resample",
    "resample_loop",
    "take_bytes",
    "wav_bytes",
]
