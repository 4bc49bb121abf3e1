"""From float samples to the integers of a file: rounding, dither and the hash of what comes out."""

from __future__ import annotations

import hashlib
import struct
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.audio.clip import Clip

Depth = Literal["16", "24", "float"]
"""Bits a sample: signed integers of 16 or 24, or IEEE float32."""

Integers = npt.NDArray[np.int32]


def _content_seed(clip: Clip) -> int:
    """A seed that depends on the samples alone, so that equal work dithers to equal bytes."""
    head = struct.pack("<II", clip.rate, clip.channels)
    return int.from_bytes(
        hashlib.blake2b(head + interleaved(clip).tobytes(), digest_size=8).digest(), "little"
    )


def interleaved(clip: Clip) -> npt.NDArray[np.float32]:
    """Samples as files hold them: little-endian float32 of shape [samples, channels], contiguous."""
    frames = np.empty((clip.length, clip.channels), "<f4")
    for place, channel in enumerate(clip.samples):
        frames[:, place] = channel
    return frames


def quantise(clip: Clip, bits: int) -> Integers:
    """Integer samples of shape [samples, channels] at ``bits`` (16 or 24), full scale at 2^(bits - 1).

    16 bit takes triangular (TPDF) dither of two least significant bits' width (Lipshitz, Wannamaker and
    Vanderkooy, "Quantization and Dither", JAES 40/5, 1992), seeded by the content. Exact silence stays exact
    silence. 24 bit is rounded without dither: its step is below any converter's noise. Samples beyond full
    scale are held at it.
    """
    scale = np.float32(1 << (bits - 1))
    values = np.clip(interleaved(clip), -1.0, 1.0) * scale
    if bits == 16:
        random = np.random.Generator(np.random.Philox(_content_seed(clip)))
        noise = random.random(values.shape, dtype=np.float32)
        noise -= random.random(values.shape, dtype=np.float32)
        noise[values == 0.0] = 0.0
        values += noise
    np.rint(values, out=values)
    return np.clip(values, -scale, scale - 1, out=values).astype("<i4")


def pcm_bytes(clip: Clip, depth: Depth) -> bytes:
    """Interleaved little-endian PCM of ``clip`` as a WAV file of ``depth`` holds it.

    "16" and "24" are signed integers (see `quantise`), "float" is IEEE float32, unclipped.
    """
    if depth == "float":
        return interleaved(clip).tobytes()
    if depth == "16":
        return quantise(clip, 16).astype("<i2").tobytes()
    wide = quantise(clip, 24).view(np.uint8).reshape(-1, 4)
    packed = np.empty((len(wide), 3), np.uint8)
    for place in range(3):
        packed[:, place] = wide[:, place]
    return packed.tobytes()


def pcm_sha256(clip: Clip, depth: Depth = "float") -> str:
    """SHA-256 in hex over what is heard and nothing else: rate, channels and interleaved PCM.

    The bytes hashed are ``cuesmith.pcm/1``, a line feed, the depth, a line feed, rate and channels as two
    little-endian uint32, then `pcm_bytes`. With the default depth this is a master's identity, since a master
    is float32 until it is encoded; with a delivery's depth it is the hash of that delivery's PCM.
    """
    head = f"cuesmith.pcm/1\n{depth}\n".encode() + struct.pack("<II", clip.rate, clip.channels)
    return hashlib.sha256(head + pcm_bytes(clip, depth)).hexdigest()
