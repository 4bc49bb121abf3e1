"""Ogg pages (RFC 3533): the stream's serial number made a function of what it holds, and an Opus stream's
ends.

libsndfile draws the serial at random, so equal work would give unequal bytes. Here every page gets the
serial that the caller derives from the sound, and its checksum anew.
"""

from __future__ import annotations

import struct

from pipeline.audio.ogg_pages import page_checksum

_CAPTURE = b"OggS"
_HEADER = 27
_GRANULE = 6
_SERIAL = 14
_CHECKSUM = 22
_OPUS_HEAD = b"OpusHead"
_PRE_SKIP = 10
"""From the beginning of `_OPUS_HEAD`."""


def page_sizes(data: bytes) -> list[int]:
    """Sizes in bytes of the pages that ``data`` consists of. Raises `ValueError` where it is not Ogg."""
    sizes, place = [], 0
    while place < len(data):
        segments = data[place + 26 : place + _HEADER]
        if data[place : place + 4] != _CAPTURE or not segments:
            raise ValueError(f"no Ogg page at byte {place}")
        lacing = data[place + _HEADER : place + _HEADER + segments[0]]
        sizes.append(_HEADER + segments[0] + sum(lacing))
        place += sizes[-1]
    return sizes


def _check(whole: bytearray, place: int, size: int) -> None:
    """Write the checksum of the page of ``size`` bytes at ``place`` anew."""
    struct.pack_into("<I", whole, place + _CHECKSUM, 0)
    struct.pack_into("<I", whole, place + _CHECKSUM, page_checksum(bytes(whole[place : place + size])))


def with_serial(data: bytes, serial: int) -> bytes:
    """A single Ogg stream with ``serial`` (uint32) on every page."""
    whole = bytearray(data)
    place = 0
    for size in page_sizes(data):
        struct.pack_into("<I", whole, place + _SERIAL, serial)
        _check(whole, place, size)
        place += size
    return bytes(whole)


def with_ends(data: bytes, before: int, samples: int) -> bytes:
    """An Opus stream of which ``samples`` at 48 kHz are played, after ``before``, and whose end is within its last
    packet: so many more are skipped at the start, and the last page's granule position is where the sound ends (RFC
    7845, 4.2 and 4.4)."""
    whole = bytearray(data)
    head = data.index(_OPUS_HEAD) + _PRE_SKIP
    pre_skip = struct.unpack_from("<H", data, head)[0] + before
    struct.pack_into("<H", whole, head, pre_skip)
    first, *_, last = page_sizes(data)
    struct.pack_into("<q", whole, len(data) - last + _GRANULE, pre_skip + samples)
    _check(whole, 0, first)
    _check(whole, len(data) - last, last)
    return bytes(whole)
