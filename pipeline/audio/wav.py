"""Sound files: WAV written by our own hand, every format that libsndfile knows read.

Writing is ours so that equal samples give equal bytes: libsndfile adds a PEAK chunk that holds the clock.
A raw take is stored as float32 WAV, which keeps every sample as it came, beyond full scale too.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import soundfile

from pipeline.audio.clip import Clip, Samples
from pipeline.audio.dither import Depth, pcm_bytes
from pipeline.audio.riff import IEEE_FLOAT, PCM, Chunk, find_chunks, format_chunk, riff_bytes
from pipeline.errors import CuesmithError, UsageError

_BITS: dict[Depth, int] = {"16": 16, "24": 24, "float": 32}
_PLAIN = {(PCM, 16): "<i2", (IEEE_FLOAT, 32): "<f4"}
"""Numpy's types of what is read without libsndfile, by format tag and bits."""


def wav_bytes(clip: Clip, depth: Depth = "24", chunks: Sequence[Chunk] = ()) -> bytes:
    """``clip`` as a WAV file of ``depth``, with ``chunks`` between the format and the samples.

    Holds no clock time: equal arguments give equal bytes on every machine.
    """
    bits = _BITS[depth]
    tag = IEEE_FLOAT if depth == "float" else PCM
    head = [format_chunk(tag, clip.channels, clip.rate, bits)]
    if tag == IEEE_FLOAT:
        head.append(Chunk("fact", struct.pack("<I", clip.length)))
    return riff_bytes([*head, *chunks, Chunk("data", pcm_bytes(clip, depth))])


def _plain(data: bytes) -> Clip | None:
    """The sound of a WAV of 16 bit integers or float32; None for anything else, broken files too.

    Most of what a build reads is one of these, and opening libsndfile costs more than reading a short one.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    try:
        chunks = {name: (first, size) for name, first, size in find_chunks(data)}
        tag, channels, rate, _, frame, bits = struct.unpack_from("<HHIIHH", data, chunks["fmt "][0])
        if (tag, bits) not in _PLAIN or not channels or frame != channels * bits // 8:
            return None
        first, size = chunks["data"]
        values = np.frombuffer(data, _PLAIN[tag, bits], size * 8 // bits, first).reshape(-1, channels)
    except (CuesmithError, KeyError, ValueError, struct.error):
        return None
    samples = _halves(values) if (tag, channels) == (PCM, 2) else np.array(values.T, np.float32, order="C")
    if tag == PCM:
        samples *= np.float32(1 / 32768)
    return Clip(samples, rate) if rate else None


def _halves(pairs: npt.NDArray[np.int16]) -> Samples:
    """Both channels of 16 bit stereo: a pair is the two halves of one integer, which come apart without a stride,
    in half the time."""
    both = pairs.reshape(-1).view("<i4")
    samples = np.empty((2, len(both)), np.float32)
    samples[0] = np.left_shift(both, 16)
    samples[1] = np.bitwise_and(both, -65536)
    samples *= np.float32(1 / 65536)
    return samples


class _Bytes(io.BytesIO):
    """A file in memory that a broken file may send to a place before its start without a traceback on stderr."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return super().seek(max(0, offset) if whence == io.SEEK_SET else offset, whence)


def decode(data: bytes, name: str) -> Clip:
    """The sound of a file's bytes. Raises `UsageError` with ``name`` and libsndfile's reason."""
    try:
        found = _plain(data)
        if found is not None:
            return found
        samples, rate = soundfile.read(_Bytes(data), dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        why = str(getattr(error, "error_string", error)).rstrip(".")
        raise UsageError(
            f"{name} cannot be read as audio: {why}; give a wav, flac, ogg, opus or mp3 that is whole"
        ) from error
    return Clip(np.ascontiguousarray(samples.T), int(rate))


def take_bytes(clip: Clip) -> bytes:
    """A raw take as it is stored: float32 WAV, lossless whatever its peak; `read_take` gives it back."""
    return wav_bytes(clip, "float")


def read_take(data: bytes) -> Clip:
    """The take of `take_bytes`, bit for bit."""
    return decode(data, "the take")
