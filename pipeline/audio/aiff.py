"""AIFF, CAF and AU files: is everything there that the header states, and which channel is which."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pipeline.audio.clip import Clip, in_mask_order, stated_mask

_PLAIN_AIFC = (b"NONE", b"twos", b"sowt", b"in24", b"in32", b"fl32", b"FL32", b"fl64", b"FL64")
"""Uncompressed codings of AIFF-C."""
_STREAMED = 0x7F000000
"""Programs that stream AIFF write sizes from here on, or 0."""
_AU_UNKNOWN = 0xFFFFFFFF
_USE_DESCRIPTIONS, _USE_BITMAP = 0, 1 << 16
_LETTERS = {letter: 1 << bit for bit, letter in enumerate("LRCElrmnbst")}
"""Speakers by letter of `_LAYOUTS`, in the order of a mask's bits: left, right, centre, LFE, left and right surround
(l, r), left and right of centre (m, n), surround centre (b), a second pair behind or beside the listener (s, t)."""
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


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and stated size of each chunk of an AIFF or CAF file."""
    is_form = data[:4] == b"FORM"
    place, head, order = (12, 8, ">I") if is_form else (8, 12, ">q")
    while place + head <= len(data):
        name, (size,) = data[place : place + 4], struct.unpack_from(order, data, place + 4)
        if size < 0 or (is_form and name == b"SSND" and _is_streamed(size)):
            size = len(data) - place - head
        yield name, place + head, size
        place += head + size + (size % 2 if is_form else 0)


def _is_streamed(size: int) -> bool:
    """Whether ``size`` is a placeholder."""
    return not size or size >= _STREAMED


def chunked_problem(data: bytes) -> str | None:
    """What is missing in an AIFF, CAF or AU file; None for a complete one."""
    if data[:4] == b".snd" and len(data) >= 12:
        first, size = struct.unpack_from(">II", data, 4)
        return None if size == _AU_UNKNOWN else _cut_problem("data", size, max(0, len(data) - first))
    chunks = {}
    for name, first, size in _chunks(data):
        problem = _cut_problem(name.decode("latin-1").strip(), size, len(data) - first)
        if problem:
            return problem
        chunks[name] = first, size
    return _frames_problem(data, chunks) if data[:4] == b"FORM" else None


def _frames_problem(data: bytes, chunks: dict[bytes, tuple[int, int]]) -> str | None:
    """What is wrong if the number of frames in AIFF's ``COMM`` does not match the samples in ``SSND``."""
    if b"COMM" not in chunks or b"SSND" not in chunks:
        return None
    first, size = chunks[b"COMM"]
    if size < 18 or (size >= 22 and data[first + 18 : first + 22] not in _PLAIN_AIFC):
        return None
    channels, frames, bits = struct.unpack_from(">HIH", data, first)
    sound, size = chunks[b"SSND"]
    (sound_size,) = struct.unpack_from(">I", data, sound - 4)
    actual = max(0, size - 8)
    stated = frames * channels * -(-bits // 8)
    # A program that streams knows neither the size of the chunk nor the number of frames.
    if stated == actual or (_is_streamed(sound_size) and _is_streamed(stated)):
        return None
    return f"its header states {stated} bytes of samples, but it has {actual}"


def _cut_problem(name: str, size: int, actual: int) -> str | None:
    return f"its {name} chunk should have {size} bytes, but has {actual}" if actual < size else None


def with_caf_size(data: bytes) -> bytes:
    """A CAF file with the size of its samples in place of -1 (to the end of the file), which libsndfile cannot read."""
    for name, first, size in _chunks(data):
        if name == b"data" and data[first - 8 : first] == b"\xff" * 8:
            return data[: first - 8] + struct.pack(">q", size) + data[first:]
    return data


def with_stated_speakers(data: bytes, clip: Clip) -> Clip:
    """``clip`` as decoded from an AIFF or CAF file, with its channels in the order of their mask."""
    for name, first, size in _chunks(data):
        if name in (b"CHAN", b"chan") and size >= 12 and first + size <= len(data):
            return _with_layout(data[first : first + size], clip)
    return clip


def _with_layout(layout: bytes, clip: Clip) -> Clip:
    """``clip`` with the speakers of an ``AudioChannelLayout``: a tag, a bitmap, or a description of every channel."""
    tag, bitmap, count = struct.unpack_from(">III", layout)
    if tag == _USE_BITMAP:
        return Clip(clip.samples, clip.rate, stated_mask(bitmap, clip.channels))
    if tag == _USE_DESCRIPTIONS and len(layout) >= 12 + 20 * count:
        labels = [struct.unpack_from(">I", layout, 12 + 20 * place)[0] for place in range(count)]
        positions = [1 << (label - 1) if 1 <= label <= 18 else 0 for label in labels]
    else:
        positions = [_LETTERS[letter] for letter in _LAYOUTS.get(tag >> 16, "")]
    return in_mask_order(clip.samples, clip.rate, positions) if len(positions) == clip.channels else clip
