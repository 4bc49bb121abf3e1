"""MP3, Ogg, MP4 and Matroska files: is everything there, how long is the sound, which channel is which.

A decoder reads a cut file without a complaint, so these checks read the containers themselves.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.audio.clip import Clip, guessed_mask, in_mask_order, xiph_order

_ID3_HEADER = 10
_ID3_FOOTER = 0x10


def id3_size(data: bytes) -> int:
    """Bytes of the ID3v2 tags that ``data`` begins with; 0 where there are none."""
    place = 0
    while data[place : place + 3] == b"ID3" and len(data) >= place + _ID3_HEADER:
        size = 0
        for byte in data[place + 6 : place + 10]:
            size = size << 7 | byte & 0x7F
        footer = _ID3_HEADER if data[place + 5] & _ID3_FOOTER else 0
        place += _ID3_HEADER + size + footer
    return min(place, len(data))


_MP3_BITRATES = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""kbit/s by MPEG version (2 for 2.5 too) and layer; indices 1 to 14."""
_MP3_RATES = (44_100, 48_000, 32_000)
_HAS_FRAMES, _HAS_BYTES = 1, 2
_MP3_TRAILERS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3", b"3DI")


def _mp3_frame_size(head: bytes) -> int:
    """Bytes of the frame that begins with ``head``; 0 where none begins or where its length is free."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    bitrate, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 4 or bitrate in (0, 15) or rate == 3:
        return 0
    generation = 1 if version == 3 else 2
    hertz = _MP3_RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    bits = _MP3_BITRATES[generation, layer][bitrate - 1] * 1000
    if layer == 1:
        return (12 * bits // hertz + padding) * 4
    samples = 72 if layer == 3 and generation == 2 else 144
    return samples * bits // hertz + padding


def _xing(frame: bytes) -> tuple[int, int] | None:
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
    while (size := _mp3_frame_size(data[place : place + 4])) and place + size <= len(data):
        if not frames:
            stated = _xing(data[place : place + size])
        frames += 1
        place += size
    if not frames:
        return None
    rest = data[place:]
    promised = stated[0] if stated else 0
    if promised > frames - 1 or (stated and stated[1] > len(data) - first):
        return f"its header promises {promised} frames and {frames - 1} are there in a row"
    if rest.startswith(_MP3_TRAILERS) or not rest.strip(b"\0"):
        return None
    if size or len(rest) < 4:
        return "its last frame is cut"
    return f"what follows byte {place} is no MP3 frame" if not promised else None


_PAGE_START = b"OggS"
_PAGE_HEADER = 27
_PAGE_CHECKSUM = 22
_FIRST_PAGE, _LAST_PAGE = 2, 4
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
class _OggPage:
    place: int
    size: int
    flags: int
    serial: int
    sequence: int


def _ogg_pages(data: bytes) -> Iterator[_OggPage]:
    """Whole pages from the start of ``data`` on, up to the first byte that begins none."""
    place = 0
    while data[place : place + 4] == _PAGE_START and place + _PAGE_HEADER <= len(data):
        flags, _, serial, sequence, _, segments = struct.unpack_from("<xBqIIIB", data, place + 4)
        lacing = data[place + _PAGE_HEADER : place + _PAGE_HEADER + segments]
        size = _PAGE_HEADER + segments + sum(lacing)
        if len(lacing) < segments or place + size > len(data):
            return
        yield _OggPage(place, size, flags, serial, sequence)
        place += size


def _is_intact(data: bytes, page: _OggPage) -> bool:
    whole = bytearray(data[page.place : page.place + page.size])
    stated = int.from_bytes(whole[_PAGE_CHECKSUM : _PAGE_CHECKSUM + 4], "little")
    struct.pack_into("<I", whole, _PAGE_CHECKSUM, 0)
    return page_checksum(bytes(whole)) == stated


def ogg_problem(data: bytes) -> str | None:
    """What is missing of an Ogg file or damaged in it; None for a whole one."""
    expected: dict[int, int] = {}
    open_streams: set[int] = set()
    end = 0
    for page in _ogg_pages(data):
        if not _is_intact(data, page):
            return f"its page at byte {page.place} is damaged"
        if page.flags & _FIRST_PAGE:
            expected[page.serial] = page.sequence
            open_streams.add(page.serial)
        if expected.get(page.serial) != page.sequence:
            return f"pages before byte {page.place} are missing"
        expected[page.serial] = page.sequence + 1
        if page.flags & _LAST_PAGE:
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


Box = tuple[bytes, int, int]
"""Name, first byte and end of a box's payload; the end may lie behind the end of a cut file."""

FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


def _boxes(data: bytes, place: int, end: int) -> Iterator[Box]:
    while place + 8 <= min(end, len(data)):
        size, name = struct.unpack_from(">I4s", data, place)
        head = 8
        if size == 1 and place + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, place + 8)
            head = 16
        stop = place + size if size else end
        if stop < place + head:
            return
        yield name, place + head, stop
        place = stop


def _find_box(data: bytes, box: Box | None, *path: bytes) -> Box | None:
    """The box at ``path`` within ``box``."""
    for wanted in path:
        if box is None:
            return None
        box = next((one for one in _boxes(data, box[1], box[2]) if one[0] == wanted), None)
    return box


def iso_problem(data: bytes) -> str | None:
    """What is missing of the file; None for a whole one."""
    for name, first, end in _boxes(data, 0, len(data)):
        if end > len(data):
            shown = name.decode("latin-1")
            return f"its {shown} box should hold {end - first} bytes and holds {len(data) - first}"
    return None


def iso_length(data: bytes, rate: int) -> int | None:
    """Samples at ``rate`` that are heard of the first sound; None where the file does not say it."""
    try:
        return _iso_length(data, rate)
    except (struct.error, ZeroDivisionError):
        return None


def _iso_length(data: bytes, rate: int) -> int | None:
    file: Box = (b"", 0, len(data))
    movie = _find_box(data, file, b"moov")
    track = _sound_track(data, movie)
    table = _find_box(data, track, b"mdia", b"minf", b"stbl", b"stts")
    if table is None:
        return None
    scale = _timescale(data, _find_box(data, track, b"mdia", b"mdhd"))
    total = _iso_duration(data, table)
    edits = _iso_edits(data, _find_box(data, track, b"edts", b"elst"))
    if not total or not scale or len(edits) != 1:
        return None
    [(duration, start)] = edits
    tick = scale / _timescale(data, _find_box(data, movie, b"mvhd"))
    heard = total - start
    if duration and heard > (duration + 1) * tick:
        heard = round(duration * tick)
    return round(heard * rate / scale)


def _sound_track(data: bytes, movie: Box | None) -> Box | None:
    if movie is None:
        return None
    for box in _boxes(data, movie[1], movie[2]):
        handler = _find_box(data, box, b"mdia", b"hdlr") if box[0] == b"trak" else None
        if handler is not None and data[handler[1] + 8 : handler[1] + 12] == b"soun":
            return box
    return None


def _timescale(data: bytes, header: Box | None) -> int:
    """Units a second of an ``mvhd`` or ``mdhd`` box."""
    if header is None:
        return 0
    return int(struct.unpack_from(">I", data, header[1] + (20 if data[header[1]] == 1 else 12))[0])


def _iso_duration(data: bytes, table: Box) -> int:
    """Units of time that the frames of an ``stts`` box last."""
    (count,) = struct.unpack_from(">I", data, table[1] + 4)
    count = min(count, (table[2] - table[1] - 8) // 8)
    pairs = struct.unpack_from(f">{2 * count}I", data, table[1] + 8)
    return sum(number * length for number, length in zip(pairs[::2], pairs[1::2], strict=True))


def _iso_edits(data: bytes, box: Box | None) -> list[tuple[int, int]]:
    """Duration (in the movie's units) and start (in the track's) of each edit that holds sound."""
    if box is None:
        return []
    wide = data[box[1]] == 1
    entry = struct.Struct(">QqI" if wide else ">IiI")
    (count,) = struct.unpack_from(">I", data, box[1] + 4)
    count = min(count, (box[2] - box[1] - 8) // entry.size)
    entries = [entry.unpack_from(data, box[1] + 8 + entry.size * place) for place in range(count)]
    return [(duration, start) for duration, start, _ in entries if start >= 0]


_MKV_INFO, _MKV_SCALE, _MKV_DURATION = b"\x15\x49\xa9\x66", b"\x2a\xd7\xb1", b"\x44\x89"
_MKV_HEAD = 1 << 16
"""Bytes in which the header is looked for."""
_MKV_USUAL_SCALE_NS = 1_000_000
_MKV_LARGEST_INFO = 4096


def matroska_seconds(data: bytes) -> float | None:
    """Seconds that the header promises; None where it names no duration, as in a streamed file."""
    place = data.find(_MKV_INFO, 0, _MKV_HEAD)
    if place < 0:
        return None
    info = data[place : place + _MKV_LARGEST_INFO]
    scale = _mkv_unsigned(info, _MKV_SCALE) or _MKV_USUAL_SCALE_NS
    at = info.find(_MKV_DURATION)
    size = info[at + 2] & 0x7F if at >= 0 and at + 2 < len(info) else 0
    if size not in (4, 8) or at + 3 + size > len(info):
        return None
    (units,) = struct.unpack_from(">f" if size == 4 else ">d", info, at + 3)
    return units * scale / 1e9 if math.isfinite(units) and units > 0 else None


def _mkv_unsigned(info: bytes, name: bytes) -> int | None:
    at = info.find(name)
    if at < 0 or at + len(name) >= len(info):
        return None
    size = info[at + len(name)] & 0x7F
    begin = at + len(name) + 1
    return int.from_bytes(info[begin : begin + size]) if size <= 8 else None
