"""Matroska and WebM (RFC 9559): how long the sound is by the segment's header."""

from __future__ import annotations

import math
import struct

_INFO, _SCALE, _DURATION = b"\x15\x49\xa9\x66", b"\x2a\xd7\xb1", b"\x44\x89"
_HEAD = 1 << 16
"""Bytes in which the header is looked for."""
_USUAL_SCALE_NS = 1_000_000
_LARGEST_INFO = 4096


def matroska_seconds(data: bytes) -> float | None:
    """Seconds that the header promises; None where it names no duration, as in a streamed file."""
    place = data.find(_INFO, 0, _HEAD)
    if place < 0:
        return None
    info = data[place : place + _LARGEST_INFO]
    scale = _unsigned(info, _SCALE) or _USUAL_SCALE_NS
    at = info.find(_DURATION)
    size = info[at + 2] & 0x7F if at >= 0 and at + 2 < len(info) else 0
    if size not in (4, 8) or at + 3 + size > len(info):
        return None
    (units,) = struct.unpack_from(">f" if size == 4 else ">d", info, at + 3)
    return units * scale / 1e9 if math.isfinite(units) and units > 0 else None


def _unsigned(info: bytes, name: bytes) -> int | None:
    at = info.find(name)
    if at < 0 or at + len(name) >= len(info):
        return None
    size = info[at + len(name)] & 0x7F
    begin = at + len(name) + 1
    return int.from_bytes(info[begin : begin + size]) if size <= 8 else None
