"""AIFF, CAF and AU: whether all that the header promises is there, and which channel is which."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pipeline.audio.clip import (
    BC,
    BL,
    BR,
    FC,
    FL,
    FLC,
    FR,
    FRC,
    LFE,
    SL,
    SR,
    Clip,
    in_mask_order,
    stated_mask,
)

_PLAIN_AIFC = (b"NONE", b"twos", b"sowt", b"in24", b"in32", b"fl32", b"FL32", b"fl64", b"FL64")
"""Codings of AIFF-C that do not compress."""
_STREAMED = 0x7F000000
"""Sizes from here on are written by programs that stream AIFF; so is 0."""
_AU_UNKNOWN = 0xFFFFFFFF
_USE_DESCRIPTIONS, _USE_BITMAP = 0, 1 << 16
_LETTERS = {
    "L": FL,
    "R": FR,
    "C": FC,
    "E": LFE,
    "l": BL,
    "r": BR,
    "s": SL,
    "t": SR,
    "b": BC,
    "m": FLC,
    "n": FRC,
}
"""Letters of `_LAYOUTS`: left, right, centre, LFE, left and right surround (l, r), left and right of a second
pair behind the listener or beside (s, t), surround centre (b), left and right of centre (m, n)."""
_LAYOUTS = {
    100: "C",
    101: "LR",
    108: "LRlr",
    113: "LRC",
    114: "CLR",
    115: "LRCb",
    116: "CLRb",
    117: "LRClr",
    118: "LRlrC",
    119: "LCRlr",
    120: "CLRlr",
    121: "LRCElr",
    122: "LRlrCE",
    123: "LCRlrE",
    124: "CLRlrE",
    125: "LRCElrb",
    126: "LRCElrmn",
    127: "CmnLRlrE",
    128: "LRCElrst",
    129: "LRlrCEmn",
    131: "LRb",
    132: "LRlr",
    133: "LRE",
    134: "LREb",
    135: "LRElr",
    136: "LRCE",
    137: "LRCEb",
    138: "LRlrE",
    139: "LRlrCb",
    140: "LRlrCst",
    141: "CLRlrb",
    142: "CLRlrbE",
    143: "CLRlrst",
    144: "CLRlrstb",
    148: "LRlrCmn",
}
"""Channels by the number of an ``AudioChannelLayoutTag`` (Apple, CoreAudioTypes.h)."""


def _form_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and stated size of each chunk of an IFF file."""
    place = 12
    while place + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, place + 4)
        if data[place : place + 4] == b"SSND" and (not size or size >= _STREAMED):
            size = len(data) - place - 8
        yield data[place : place + 4], place + 8, size
        place += 8 + size + size % 2


def _caf_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and stated size of each chunk of a CAF file."""
    place = 8
    while place + 12 <= len(data):
        (size,) = struct.unpack_from(">q", data, place + 4)
        if size < 0:
            size = len(data) - place - 12
        yield data[place : place + 4], place + 12, size
        place += 12 + size


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    return _form_chunks(data) if data[:4] == b"FORM" else _caf_chunks(data)


def chunked_problem(data: bytes) -> str | None:
    """What is missing of an AIFF, CAF or AU file; None for a whole one."""
    if data[:4] == b".snd" and len(data) >= 12:
        first, size = struct.unpack_from(">II", data, 4)
        there = max(0, len(data) - first)
        return None if size == _AU_UNKNOWN else _short("data", size, there)
    places = {}
    for name, first, size in _chunks(data):
        problem = _short(name.decode("latin-1").strip(), size, len(data) - first)
        if problem:
            return problem
        places[name] = first, size
    return _uneven(data, places) if data[:4] == b"FORM" else None


def _uneven(data: bytes, places: dict[bytes, tuple[int, int]]) -> str | None:
    """What is wrong where the number of frames in AIFF's ``COMM`` is not that of the samples in ``SSND``."""
    if b"COMM" not in places or b"SSND" not in places:
        return None
    first, size = places[b"COMM"]
    if size < 18 or (size >= 22 and data[first + 18 : first + 22] not in _PLAIN_AIFC):
        return None
    channels, frames, bits = struct.unpack_from(">HIH", data, first)
    sound, size = places[b"SSND"]
    (stated,) = struct.unpack_from(">I", data, sound - 4)
    there = max(0, size - 8)
    wanted = frames * channels * -(-bits // 8)
    # A program that streams leaves both open: the size of the chunk and the number of frames.
    streamed = (not stated or stated >= _STREAMED) and (not wanted or wanted >= _STREAMED)
    return (
        None
        if streamed or wanted == there
        else f"its header promises {wanted} bytes of samples and {there} are there"
    )


def _short(name: str, size: int, there: int) -> str | None:
    return f"its {name} part should hold {size} bytes and holds {there}" if there < size else None


def with_caf_size(data: bytes) -> bytes:
    """A CAF file whose samples go to its end (size -1) with their size, which libsndfile needs."""
    for name, first, size in _caf_chunks(data):
        if name == b"data" and data[first - 8 : first] == b"\xff" * 8:
            return data[: first - 8] + struct.pack(">q", size) + data[first:]
    return data


def with_stated_speakers(data: bytes, clip: Clip) -> Clip:
    """``clip`` as decoded from an AIFF or CAF file, its channels brought into the order of their mask."""
    for name, first, size in _chunks(data):
        if name in (b"CHAN", b"chan") and size >= 12 and first + size <= len(data):
            return _with_layout(data[first : first + size], clip)
    return clip


def _with_layout(layout: bytes, clip: Clip) -> Clip:
    """``clip`` by an ``AudioChannelLayout``: a tag, a bitmap, or a description of every channel."""
    tag, bitmap, count = struct.unpack_from(">III", layout)
    if tag == _USE_BITMAP:
        return Clip(clip.samples, clip.rate, stated_mask(bitmap, clip.channels))
    if tag == _USE_DESCRIPTIONS and len(layout) >= 12 + 20 * count:
        labels = [struct.unpack_from(">I", layout, 12 + 20 * place)[0] for place in range(count)]
        positions = [1 << (label - 1) if 1 <= label <= 18 else 0 for label in labels]
    else:
        positions = [_LETTERS[letter] for letter in _LAYOUTS.get(tag >> 16, "")]
    return in_mask_order(clip.samples, clip.rate, positions) if len(positions) == clip.channels else clip
