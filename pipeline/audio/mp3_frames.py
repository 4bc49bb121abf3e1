"""MPEG audio frames: whether all of an MP3 file is there.

Each frame begins with 11 set bits and says its own length (ISO 11172-3, 2.4.1; ISO 13818-3). Encoders put a
first frame ``Xing`` or ``Info`` before the sound, with the number of frames and bytes.
"""

from __future__ import annotations

import struct

from pipeline.audio.tags import id3_size

_BITRATES = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""kbit/s by MPEG version (2 for 2.5 too) and layer; indices 1 to 14."""
_RATES = (44_100, 48_000, 32_000)
_HAS_FRAMES, _HAS_BYTES = 1, 2
_TRAILERS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3", b"3DI")


def _frame_size(head: bytes) -> int:
    """Bytes of the frame that begins with ``head``; 0 where none begins or where its length is free."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    bitrate, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 4 or bitrate in (0, 15) or rate == 3:
        return 0
    generation = 1 if version == 3 else 2
    hertz = _RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    bits = _BITRATES[generation, layer][bitrate - 1] * 1000
    if layer == 1:
        return (12 * bits // hertz + padding) * 4
    samples = 72 if layer == 3 and generation == 2 else 144
    return samples * bits // hertz + padding


def _stated(frame: bytes) -> tuple[int, int] | None:
    """Frames of sound, and bytes with this frame, as a ``Xing`` or ``Info`` frame states them (0: not stated)."""
    place = max(frame.find(b"Xing", 0, 64), frame.find(b"Info", 0, 64))
    if place < 0 or len(frame) < place + 16:
        return None
    flags, first, second = struct.unpack_from(">III", frame, place + 4)
    frames = first if flags & _HAS_FRAMES else 0
    size = (second if frames else first) if flags & _HAS_BYTES else 0
    return frames, size


def mp3_problem(data: bytes) -> str | None:
    """What is missing of an MPEG audio file or damaged in it; None for a whole one."""
    place = first = id3_size(data)
    frames = 0
    stated: tuple[int, int] | None = None
    while (size := _frame_size(data[place : place + 4])) and place + size <= len(data):
        if not frames:
            stated = _stated(data[place : place + size])
        frames += 1
        place += size
    if not frames:
        return None
    rest = data[place:]
    promised = stated[0] if stated else 0
    if promised > frames - 1 or (stated and stated[1] > len(data) - first):
        return f"its header promises {promised} frames and {frames - 1} are there in a row"
    if rest.startswith(_TRAILERS) or not rest.strip(b"\0"):
        return None
    if size or len(rest) < 4:
        return "its last frame is cut"
    return f"what follows byte {place} is no MP3 frame" if not promised else None
