"""Ogg pages (RFC 3533): whether all of a stream is there, and which channel is which."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.audio.clip import Clip
from pipeline.audio.speakers import guessed_mask, in_mask_order, xiph_order

_CAPTURE = b"OggS"
_HEADER = 27
_CHECKSUM = 22
_FIRST, _LAST = 2, 4
"""Flags of a stream's first and last page."""
_OPUS_HEAD = b"OpusHead"
_OPUS_FAMILY = 18
"""From the beginning of `_OPUS_HEAD`: the channel mapping family."""
_SURROUND_FAMILY = 1
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def page_checksum(page: bytes) -> int:
    """Ogg's CRC-32 of a page whose checksum field is zero: polynomial 0x04C11DB7, no reflection, no inversion.

    zlib's CRC is the same polynomial reflected and inverted, so the bits of every byte are reversed going in
    and those of the result coming out.
    """
    reflected = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(reflected.to_bytes(4, "little").translate(_REVERSED), "big")


@dataclass(frozen=True, slots=True)
class _Page:
    place: int
    size: int
    flags: int
    serial: int
    sequence: int


def _pages(data: bytes) -> Iterator[_Page]:
    """Whole pages from the start of ``data`` on, up to the first byte that begins none."""
    place = 0
    while data[place : place + 4] == _CAPTURE and place + _HEADER <= len(data):
        flags, _, serial, sequence, _, segments = struct.unpack_from("<xBqIIIB", data, place + 4)
        lacing = data[place + _HEADER : place + _HEADER + segments]
        size = _HEADER + segments + sum(lacing)
        if len(lacing) < segments or place + size > len(data):
            return
        yield _Page(place, size, flags, serial, sequence)
        place += size


def _is_intact(data: bytes, page: _Page) -> bool:
    whole = bytearray(data[page.place : page.place + page.size])
    stated = int.from_bytes(whole[_CHECKSUM : _CHECKSUM + 4], "little")
    struct.pack_into("<I", whole, _CHECKSUM, 0)
    return page_checksum(bytes(whole)) == stated


def ogg_problem(data: bytes) -> str | None:
    """What is missing of an Ogg file or damaged in it; None for a whole one."""
    expected: dict[int, int] = {}
    open_streams: set[int] = set()
    end = 0
    for page in _pages(data):
        if not _is_intact(data, page):
            return f"its page at byte {page.place} is damaged"
        if page.flags & _FIRST:
            expected[page.serial] = page.sequence
            open_streams.add(page.serial)
        if expected.get(page.serial) != page.sequence:
            return f"pages before byte {page.place} are missing"
        expected[page.serial] = page.sequence + 1
        if page.flags & _LAST:
            open_streams.discard(page.serial)
        end = page.place + page.size
    if open_streams:
        return "its end is missing" if end == len(data) else f"its page at byte {end} is cut or damaged"
    return None


def with_ogg_speakers(data: bytes, clip: Clip) -> Clip:
    """``clip`` as decoded from ``data``, its channels brought into the order of their mask."""
    head = data[:4096].find(_OPUS_HEAD)
    family = data[head + _OPUS_FAMILY : head + _OPUS_FAMILY + 1]
    if head >= 0 and family and family[0] > _SURROUND_FAMILY:
        return Clip(clip.samples, clip.rate, guessed_mask(clip.channels))
    positions = xiph_order(clip.channels)
    return in_mask_order(clip.samples, clip.rate, positions) if positions else clip
