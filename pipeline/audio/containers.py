"""MP3, Ogg, MP4 and Matroska files: is everything there, how long is the sound, which channel is which.

A decoder reads a cut file without a complaint, so these checks read the containers themselves.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from mutagen import ogg
from mutagen.id3 import BitPaddedInt
from mutagen.mp3 import HeaderNotFoundError, MPEGFrame

from pipeline.audio.clip import XIPH_ORDERS, Clip, guessed_mask, in_mask_order

_ID3_HEADER = 10
_ID3_FOOTER = 0x10


def id3_size(data: bytes) -> int:
    """Bytes of the ID3v2 tags (ID3v2.4, 3.1) at the start of ``data``: some programs put one before any sound file."""
    place = 0
    while data[place : place + 3] == b"ID3" and len(data) >= place + _ID3_HEADER:
        size = BitPaddedInt(data[place + 6 : place + 10])
        footer = _ID3_HEADER if data[place + 5] & _ID3_FOOTER else 0
        place += _ID3_HEADER + size + footer
    return min(place, len(data))


_HAS_FRAMES, _HAS_BYTES = 1, 2
_MP3_TRAILERS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3", b"3DI")


def _mp3_frame_size(head: bytes) -> int:
    """Bytes of the frame that begins with ``head``; 0 if it is no frame or does not state its length."""
    try:
        frame = MPEGFrame(io.BytesIO(head))
    except HeaderNotFoundError:
        return 0
    if frame.layer == 1:
        return int(12 * frame.bitrate // frame.sample_rate + frame.padding) * 4
    samples = 72 if frame.layer == 3 and frame.version >= 2 else 144
    return int(samples * frame.bitrate // frame.sample_rate + frame.padding)


def _xing(frame: bytes) -> tuple[int, int] | None:
    """Frames of sound, and bytes including this frame, in a ``Xing`` or ``Info`` frame (0: not stated).

    Encoders put this frame before the sound.
    """
    place = max(frame.find(b"Xing", 0, 64), frame.find(b"Info", 0, 64))
    if place < 0 or len(frame) < place + 16:
        return None
    flags, first, second = struct.unpack_from(">III", frame, place + 4)
    frames = first if flags & _HAS_FRAMES else 0
    size = (second if frames else first) if flags & _HAS_BYTES else 0
    return frames, size


def mp3_problem(data: bytes) -> str | None:
    """What is missing or damaged in an MPEG audio file; None for a complete one."""
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
    stated_frames = stated[0] if stated else 0
    if stated_frames > frames - 1 or (stated and stated[1] > len(data) - first):
        return f"its header states {stated_frames} frames, but only {frames - 1} follow"
    if rest.startswith(_MP3_TRAILERS) or not rest.strip(b"\0"):
        return None
    if size or len(rest) < 4:
        return "its last frame is cut"
    return None if stated_frames else f"the data from byte {place} on is not an MP3 frame"


_OPUS_HEAD = b"OpusHead"
_OPUS_FAMILY = 18
"""From the beginning of `_OPUS_HEAD`: the channel mapping family."""
_SURROUND_FAMILY = 1


def ogg_pages(data: bytes) -> Iterator[Any]:
    """The `OggPage` objects of a file (RFC 3533). Raises mutagen's ``error`` or `EOFError` where no page begins."""
    file = io.BytesIO(data)
    while file.tell() < len(data):
        yield ogg.OggPage(file)


def ogg_problem(data: bytes) -> str | None:
    """What is missing or damaged in an Ogg file; None for a complete one."""
    next_page: dict[int, int] = {}
    open_streams: set[int] = set()
    end = 0
    with suppress(EOFError, ogg.error):
        for page in ogg_pages(data):
            if page.write() != data[page.offset : page.offset + page.size]:
                return f"its page at byte {page.offset} is damaged"
            if page.first:
                next_page[page.serial] = page.sequence
                open_streams.add(page.serial)
            if next_page.get(page.serial) != page.sequence:
                return f"pages before byte {page.offset} are missing"
            next_page[page.serial] = page.sequence + 1
            if page.last:
                open_streams.discard(page.serial)
            end = page.offset + page.size
    if open_streams:
        return "its end is missing" if end == len(data) else f"its page at byte {end} is cut or damaged"
    return None


def with_ogg_speakers(data: bytes, clip: Clip) -> Clip:
    """``clip`` as decoded from ``data``, with its channels in the order of their mask."""
    head = data[:4096].find(_OPUS_HEAD)
    family = data[head + _OPUS_FAMILY : head + _OPUS_FAMILY + 1]
    if head >= 0 and family and family[0] > _SURROUND_FAMILY:
        return Clip(clip.samples, clip.rate, guessed_mask(clip.channels))
    positions = XIPH_ORDERS.get(clip.channels)
    return in_mask_order(clip.samples, clip.rate, positions) if positions else clip


Box = tuple[bytes, int, int]
"""Name, first byte and end of a box's payload; the end may be past the end of a cut file."""

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


def _boxes_at(data: bytes, box: Box, *path: bytes) -> Iterator[Box]:
    """Every box at ``path`` within ``box``."""
    if not path:
        yield box
        return
    for inner in _boxes(data, box[1], box[2]):
        if inner[0] == path[0]:
            yield from _boxes_at(data, inner, *path[1:])


def iso_problem(data: bytes) -> str | None:
    """What is missing in an MP4 file; None for a complete one."""
    for name, first, end in _boxes(data, 0, len(data)):
        if end > len(data):
            shown = name.decode("latin-1")
            return f"its {shown} box should have {end - first} bytes, but has {len(data) - first}"
    return None


def iso_length(data: bytes, rate: int) -> int | None:
    """Samples of the first sound track at ``rate``, without padding; None if the file does not state it.

    A coder works in frames, so the decoded sound begins and ends with padding. The edit list says which part plays, and
    the sample table says how long the last frame is.
    """
    try:
        return _iso_length(data, rate)
    except (StopIteration, IndexError, struct.error, ZeroDivisionError):
        return None


def _iso_length(data: bytes, rate: int) -> int | None:
    """`iso_length`; raises `StopIteration` for a box that is not there."""
    movie = next(_boxes_at(data, (b"", 0, len(data)), b"moov"))
    track = next(
        track
        for track in _boxes_at(data, movie, b"trak")
        for _, first, _ in _boxes_at(data, track, b"mdia", b"hdlr")
        if data[first + 8 : first + 12] == b"soun"
    )
    total = _iso_duration(data, next(_boxes_at(data, track, b"mdia", b"minf", b"stbl", b"stts")))
    scale = _timescale(data, next(_boxes_at(data, track, b"mdia", b"mdhd")))
    tick = scale / _timescale(data, next(_boxes_at(data, movie, b"mvhd")))
    edits = _iso_edits(data, next(_boxes_at(data, track, b"edts", b"elst")))
    if not total or len(edits) != 1:
        return None
    [(duration, start)] = edits
    played = total - start
    if duration and played > (duration + 1) * tick:
        played = round(duration * tick)
    return round(played * rate / scale)


def _timescale(data: bytes, header: Box) -> int:
    """Time units a second in an ``mvhd`` or ``mdhd`` box."""
    return int(struct.unpack_from(">I", data, header[1] + (20 if data[header[1]] == 1 else 12))[0])


def _iso_duration(data: bytes, table: Box) -> int:
    """Duration of all frames of an ``stts`` box in time units."""
    (count,) = struct.unpack_from(">I", data, table[1] + 4)
    count = min(count, (table[2] - table[1] - 8) // 8)
    pairs = struct.unpack_from(f">{2 * count}I", data, table[1] + 8)
    return sum(number * length for number, length in zip(pairs[::2], pairs[1::2], strict=True))


def _iso_edits(data: bytes, box: Box) -> list[tuple[int, int]]:
    """Duration (in the movie's units) and start (in the track's) of each edit that plays sound."""
    wide = data[box[1]] == 1
    entry = struct.Struct(">QqI" if wide else ">IiI")
    (count,) = struct.unpack_from(">I", data, box[1] + 4)
    count = min(count, (box[2] - box[1] - 8) // entry.size)
    entries = [entry.unpack_from(data, box[1] + 8 + entry.size * place) for place in range(count)]
    return [(duration, start) for duration, start, _ in entries if start >= 0]


_MKV_INFO, _MKV_SCALE, _MKV_DURATION = b"\x15\x49\xa9\x66", b"\x2a\xd7\xb1", b"\x44\x89"
_MKV_HEAD = 1 << 16
"""Bytes that are searched for the header."""
_MKV_USUAL_SCALE_NS = 1_000_000
_MKV_LARGEST_INFO = 4096


def matroska_seconds(data: bytes) -> float | None:
    """Duration in the segment's header (RFC 9559); None if it has none, as in a streamed file."""
    place = data.find(_MKV_INFO, 0, _MKV_HEAD)
    if place < 0:
        return None
    info = data[place : place + _MKV_LARGEST_INFO]
    scale = int.from_bytes(_mkv_payload(info, _MKV_SCALE)) or _MKV_USUAL_SCALE_NS
    duration = _mkv_payload(info, _MKV_DURATION)
    if len(duration) not in (4, 8):
        return None
    (units,) = struct.unpack(">f" if len(duration) == 4 else ">d", duration)
    return units * scale / 1e9 if math.isfinite(units) and units > 0 else None


def _mkv_payload(info: bytes, name: bytes) -> bytes:
    """The payload of the first element ``name``; empty if there is none, or if it is longer than a number."""
    rest = info.partition(name)[2]
    size = rest[0] & 0x7F if rest else 0
    return rest[1 : 1 + size] if size <= 8 else b""
