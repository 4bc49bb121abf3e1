"""WAV files as Cuesmith writes them.

Writing is ours so that equal samples give equal bytes: libsndfile adds a PEAK chunk that holds the clock.
A raw take is stored as float32 WAV, which keeps every sample as it came, beyond full scale too.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from pipeline.audio.clip import Clip
from pipeline.audio.dither import Depth, pcm_bytes
from pipeline.audio.riff import IEEE_FLOAT, PCM, Chunk, format_chunk, riff_bytes

_BITS: dict[Depth, int] = {"16": 16, "24": 24, "float": 32}


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


def take_bytes(clip: Clip) -> bytes:
    """A raw take as it is stored: float32 WAV, lossless whatever its peak; `pipeline.audio.read_take` gives it back."""
    return wav_bytes(clip, "float")
