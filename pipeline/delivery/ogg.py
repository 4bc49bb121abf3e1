"""Ogg pages (RFC 3533): set a reproducible serial number, and the end of the sound.

libsndfile picks a random serial number, so the same sound would give different bytes. Here every page gets the serial
number that the caller derives from the sound, and a new checksum.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Sequence

from pipeline.audio.containers import page_checksum

_CAPTURE = b"OggS"
_HEADER = 27
_GRANULE = 6
_SERIAL = 14
_CHECKSUM = 22
_OPUS_HEAD = b"OpusHead"
_PRE_SKIP = 10
"""From the beginning of `_OPUS_HEAD`."""
_FULL_LACE = 255
"""A segment after which its packet goes on."""
_LAST_PAGE = 0x04
_HEAD_PAGES = 2
"""Of an Opus stream, before its sound: the identification header and the comments, each on a page by itself."""
_VORBIS_HEAD = b"\x01vorbis"
_BLOCK_SIZES = 28
"""From the beginning of `_VORBIS_HEAD`: the exponents of the long and the short block."""
_LONG_BLOCK = 0x02
"""In a packet of sound, whose mode libvorbis numbers 0 for short and 1 for long blocks."""
_PAGE_PACKETS = 50
"""A second: players seek by pages."""
_PAGE_SEGMENTS = 255
OPUS_PACKET = 960
"""Samples at 48 kHz in each packet that libsndfile writes: 20 ms."""


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
    """Recompute the checksum of the page of ``size`` bytes at ``place``."""
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


def _packets(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """The packets of the pages whose ``sizes`` lie one after another in ``data``."""
    packets, place, started = [], 0, b""
    for size in sizes:
        segments = data[place + _HEADER - 1]
        first = place + _HEADER + segments
        for lace in data[place + _HEADER : first]:
            started += data[first : first + lace]
            first += lace
            if lace < _FULL_LACE:
                packets.append(started)
                started = b""
        place += size
    return packets


def _laces(packet: bytes) -> bytes:
    """The sizes of a packet's segments."""
    full, rest = divmod(len(packet), _FULL_LACE)
    return bytes([_FULL_LACE]) * full + bytes([rest])


def _grouped(packets: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Packets by the page that each goes to: up to `_PAGE_PACKETS`, and no more segments than a page can list."""
    group: list[bytes] = []
    segments = 0
    for packet in packets:
        segments += len(_laces(packet))
        if group and (len(group) == _PAGE_PACKETS or segments > _PAGE_SEGMENTS):
            yield group
            group, segments = [], len(_laces(packet))
        group.append(packet)
    yield group


def _page(serial: bytes, number: int, granule: int, packets: Sequence[bytes], flags: int) -> bytes:
    """A page of whole ``packets`` in the stream ``serial``, which reaches sample ``granule``."""
    laces = b"".join(map(_laces, packets))
    head = struct.pack("<4sBBq4sIIB", _CAPTURE, 0, flags, granule, serial, number, 0, len(laces))
    page = bytearray(head + laces + b"".join(packets))
    _check(page, 0, len(page))
    return bytes(page)


def with_ends(data: bytes, before: int, samples: int) -> bytes:
    """An Opus stream of 20 ms packets that plays ``samples`` at 48 kHz after skipping ``before``.

    The pre-skip grows by ``before``, and the last page's granule position marks the end of the sound (RFC 7845, 4.2 and
    4.4). Packets after that end are dropped, because a decoder may trim less than one packet. ffmpeg loses the rest of
    the pre-skip in the packet that it trims, so the last packet must contain no skipped sample. Raises `ValueError` if
    it does, or if the stream is too short.
    """
    sizes = page_sizes(data)
    heads = sum(sizes[:_HEAD_PAGES])
    whole = bytearray(data[:heads])
    head = data.index(_OPUS_HEAD) + _PRE_SKIP
    pre_skip = struct.unpack_from("<H", data, head)[0] + before
    struct.pack_into("<H", whole, head, pre_skip)
    _check(whole, 0, sizes[0])
    end = pre_skip + samples
    count = -(-end // OPUS_PACKET)
    packets = _packets(data[heads:], sizes[_HEAD_PAGES:])[:count]
    if len(packets) < count or pre_skip > (count - 1) * OPUS_PACKET:
        raise ValueError(f"an Opus stream of {len(packets)} packets cannot play samples {pre_skip} to {end}")
    serial, done = data[_SERIAL : _SERIAL + 4], 0
    for number, group in enumerate(_grouped(packets), _HEAD_PAGES):
        done += len(group)
        ends = done == count
        granule = end if ends else done * OPUS_PACKET
        whole += _page(serial, number, granule, group, _LAST_PAGE if ends else 0)
    return bytes(whole)


def with_two_pages(data: bytes) -> bytes:
    """Put the last packet of a Vorbis stream with one page of sound on a page of its own; other streams are unchanged.

    ffmpeg does not trim the end on a stream's first page of sound. The page before the last needs its own granule
    position: the sum of its packets' samples, a quarter of each block and of the block before it (Vorbis I, 4.3.8).
    """
    sizes = page_sizes(data)
    place = len(data) - sizes[-1]
    packets = _packets(data[place:], sizes[-1:])
    granules = (sum(sizes[:number]) + _GRANULE for number in range(len(sizes)))
    end = struct.unpack_from("<q", data, place + _GRANULE)[0]
    if len(packets) < 2 or sum(struct.unpack_from("<q", data, one)[0] > 0 for one in granules) != 1:
        return data
    exponents = data[data.index(_VORBIS_HEAD) + _BLOCK_SIZES]
    blocks = [1 << (exponents >> 4 if packet[0] & _LONG_BLOCK else exponents & 15) for packet in packets]
    given = [(before + block) // 4 for before, block in itertools.pairwise(blocks)]
    until_last = sum(given[:-1])
    if not until_last < end <= until_last + given[-1]:
        return data
    serial, number = data[place + _SERIAL : place + _SERIAL + 4], len(sizes) - 1
    first = _page(serial, number, until_last, packets[:-1], 0)
    return data[:place] + first + _page(serial, number + 1, end, packets[-1:], _LAST_PAGE)
