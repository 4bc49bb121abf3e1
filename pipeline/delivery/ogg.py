"""Ogg streams (RFC 3533) with a reproducible serial number and an exact end, by mutagen's pages.

libsndfile picks a random serial number, so the same sound would give different bytes. Here every page gets the serial
number that the caller derives from the sound.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mutagen.ogg import OggPage

from pipeline.audio.containers import ogg_pages

_PRE_SKIP = 10
"""First byte of the pre-skip in the identification header of Opus."""
_HEAD_PAGES = 2
"""Pages of an Opus stream before its sound: the identification header and the comments."""
_BLOCK_SIZES = 28
"""In the identification header of Vorbis: the exponents of the long and the short block."""
_LONG_BLOCK = 0x02
"""Bit of a Vorbis packet's first byte: libvorbis numbers the mode of short blocks 0 and that of long blocks 1."""
_PAGE_PACKETS = 50
"""One second of Opus: players seek by pages."""
_PAGE_SEGMENTS = 255
_FULL_SEGMENT = 255
"""Bytes of a segment after which its packet continues."""
OPUS_PACKET = 960
"""Samples at 48 kHz in each packet that libsndfile writes: 20 ms."""


def _page_bytes(pages: Iterable[Any]) -> bytes:
    return b"".join(page.write() for page in pages)


def _new_page(like: Any, number: int, granule: int, packets: list[bytes], *, is_last: bool = False) -> Any:
    """Page ``number`` of the stream of ``like``, with whole ``packets`` up to sample ``granule``."""
    page = OggPage()
    page.serial, page.sequence, page.position = like.serial, number, granule
    page.packets, page.last = packets, is_last
    return page


def with_serial(data: bytes, serial: int) -> bytes:
    """A single Ogg stream with ``serial`` (uint32) on every page."""
    pages = list(ogg_pages(data))
    for page in pages:
        page.serial = serial
    return _page_bytes(pages)


def _grouped(packets: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Packets by page: at most `_PAGE_PACKETS`, and no more segments than a page can list."""
    group: list[bytes] = []
    segments = 0
    for packet in packets:
        size = len(packet) // _FULL_SEGMENT + 1
        if group and (len(group) == _PAGE_PACKETS or segments + size > _PAGE_SEGMENTS):
            yield group
            group, segments = [], 0
        group.append(packet)
        segments += size
    yield group


def with_ends(data: bytes, before: int, samples: int) -> bytes:
    """An Opus stream of 20 ms packets that plays ``samples`` at 48 kHz after skipping ``before``.

    The pre-skip grows by ``before``, and the last page's granule position marks the end of the sound (RFC 7845, 4.2 and
    4.4). Packets after that end are dropped, because a decoder may trim less than one packet. ffmpeg loses the rest of
    the pre-skip in the packet that it trims, so the last packet must contain no skipped sample. Raises `ValueError` if
    it does, or if the stream is too short.
    """
    pages = list(ogg_pages(data))
    heads = pages[:_HEAD_PAGES]
    identification = bytearray(heads[0].packets[0])
    pre_skip = struct.unpack_from("<H", identification, _PRE_SKIP)[0] + before
    struct.pack_into("<H", identification, _PRE_SKIP, pre_skip)
    heads[0].packets = [bytes(identification)]
    end = pre_skip + samples
    count = -(-end // OPUS_PACKET)
    packets = OggPage.to_packets(pages[_HEAD_PAGES:])[:count]
    if len(packets) < count or pre_skip > (count - 1) * OPUS_PACKET:
        raise ValueError(f"an Opus stream of {len(packets)} packets cannot play samples {pre_skip} to {end}")
    sound, done = [], 0
    for number, group in enumerate(_grouped(packets), _HEAD_PAGES):
        done += len(group)
        is_last = done == count
        granule = end if is_last else done * OPUS_PACKET
        sound.append(_new_page(heads[0], number, granule, group, is_last=is_last))
    return _page_bytes(heads + sound)


def with_two_pages(data: bytes) -> bytes:
    """Put the last packet of a Vorbis stream with one page of sound on a page of its own; other streams are unchanged.

    ffmpeg does not trim the end on a stream's first page of sound. The page before the last needs its own granule
    position: the sum of its packets' samples, a quarter of each block and of the block before it (Vorbis I, 4.3.8).
    """
    pages = list(ogg_pages(data))
    heads, sound = pages[:-1], pages[-1]
    packets, end, number = sound.packets, sound.position, sound.sequence
    if len(packets) < 2 or sum(page.position > 0 for page in pages) != 1:
        return data
    exponents = heads[0].packets[0][_BLOCK_SIZES]
    blocks = [1 << (exponents >> 4 if packet[0] & _LONG_BLOCK else exponents & 15) for packet in packets]
    lengths = [(before + block) // 4 for before, block in itertools.pairwise(blocks)]
    until_last = sum(lengths[:-1])
    if not until_last < end <= until_last + lengths[-1]:
        return data
    first = _new_page(sound, number, until_last, packets[:-1])
    last = _new_page(sound, number + 1, end, packets[-1:], is_last=True)
    return _page_bytes([*heads, first, last])
