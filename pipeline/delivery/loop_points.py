"""Loop points in the form that each player reads: smpl and cue in WAV, comments in Ogg and FLAC."""

from __future__ import annotations

import struct

from pipeline.audio import Chunk

_MIDI_MIDDLE_C = 60
_FORWARD = 0
_FOR_EVER = 0
_CUE = 1
"""Number of the cue point at the loop's start."""


def smpl_chunk(rate: int, start: int, end: int) -> Chunk:
    """The sampler chunk with one endless forward loop over samples ``start`` to ``end`` (exclusive).

    The chunk's own end is inclusive ("Multimedia Programming Interface and Data Specifications 1.0", 1991):
    the last sample played, one before ``end``.
    """
    period_ns = round(1e9 / rate)
    head = struct.pack("<9I", 0, 0, period_ns, _MIDI_MIDDLE_C, 0, 0, 0, 1, 0)
    return Chunk("smpl", head + struct.pack("<6I", _CUE, _FORWARD, start, end - 1, 0, _FOR_EVER))


def cue_chunk(start: int) -> Chunk:
    """The cue point that the sampler chunk's loop refers to, at sample ``start``."""
    return Chunk("cue ", struct.pack("<3I4s3I", 1, _CUE, start, b"data", 0, 0, start))


def loop_comments(start: int, end: int) -> list[tuple[str, str]]:
    """Vorbis comments in decimal samples; ``end`` is exclusive. RPG Maker and similar players look for these names."""
    return [("LOOPSTART", str(start)), ("LOOPLENGTH", str(end - start))]
