"""Float samples as the integers of a file: rounding, dither and the hash of the result."""

from __future__ import annotations

import hashlib
import struct
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.audio.clip import Clip

Depth = Literal["16", "24", "float"]
"""Bits a sample: signed integers of 16 or 24, or IEEE float32."""

_PART = 262_144
"""Samples of all channels that are converted at a time."""

Integers = npt.NDArray[np.int32]


def interleaved(clip: Clip) -> npt.NDArray[np.float32]:
    """Samples as files hold them: little-endian float32 of shape [samples, channels]."""
    frames = np.empty(clip.samples.shape[::-1], "<f4")
    for place, channel in enumerate(clip.samples):
        frames[:, place] = channel
    return frames


def _dither(clip: Clip, frames: npt.NDArray[np.float32]) -> None:
    """Add triangular noise two steps wide; exact silence stays exact silence. Equal sounds get equal dither."""
    head = struct.pack("<II", clip.rate, clip.channels)
    content = hashlib.blake2b(head + interleaved(clip).tobytes(), digest_size=8).digest()
    random = np.random.Generator(np.random.Philox(int.from_bytes(content, "little")))
    noise = random.random(frames.shape, dtype=np.float32)
    noise -= random.random(frames.shape, dtype=np.float32)
    noise[frames == 0.0] = 0.0
    frames += noise


def quantise(clip: Clip, bits: int) -> Integers:
    """Integer samples of shape [samples, channels] at ``bits`` (16 or 24), full scale at 2^(bits - 1).

    16 bit gets triangular (TPDF) dither two least significant bits wide (Lipshitz, Wannamaker and Vanderkooy,
    "Quantization and Dither", JAES 40/5, 1992), with a seed from the samples. Exact silence stays exact silence. 24 bit
    is rounded without dither: its step is below any converter's noise. Samples beyond full scale are clipped.
    """
    values = interleaved(clip)
    scale = np.float32(1 << (bits - 1))
    np.clip(values, -1.0, 1.0, out=values)
    values *= scale
    if bits == 16:
        _dither(clip, values)
    np.rint(values, out=values)
    return np.clip(values, -scale, scale - 1, out=values).astype("<i4")


def _pcm24(clip: Clip) -> memoryview:
    """Interleaved 24 bit samples, made in parts, so that a long sound needs little more memory than its bytes.

    Four-byte integers are written three bytes apart, so that each overwrites the highest byte of the one before.
    """
    packed = np.empty(3 * clip.samples.size + 1, np.uint8)
    places = np.ndarray((clip.samples.size,), "<i4", packed.data, 0, (3,))
    step = max(1, _PART // clip.channels)
    for start in range(0, clip.length, step):
        part = Clip(clip.samples[:, start : start + step], clip.rate)
        flat = quantise(part, 24).reshape(-1)
        first = start * clip.channels
        places[first : first + len(flat)] = flat
    return packed[:-1].data


def pcm_bytes(clip: Clip, depth: Depth) -> bytes | memoryview:
    """Interleaved little-endian PCM of ``clip`` as a WAV file of ``depth`` holds it.

    "16" and "24" are signed integers (see `quantise`), "float" is IEEE float32, unclipped.
    """
    if depth == "float":
        return interleaved(clip).tobytes()
    if depth == "16":
        return quantise(clip, 16).astype("<i2").tobytes()
    return _pcm24(clip)


def pcm_sha256(clip: Clip, depth: Depth = "float") -> str:
    """SHA-256 in hex over the sound and nothing else: rate, channels and interleaved PCM.

    The hashed bytes are ``cuesmith.pcm/1``, a line feed, the depth, a line feed, rate and channels as two little-endian
    uint32, then `pcm_bytes`. With the default depth this is a master's identity, because a master is float32 until it
    is encoded; with a delivery's depth it is the hash of that delivery's PCM.
    """
    digest = hashlib.sha256(f"cuesmith.pcm/1\n{depth}\n".encode())
    digest.update(struct.pack("<II", clip.rate, clip.channels))
    digest.update(pcm_bytes(clip, depth))
    return digest.hexdigest()
