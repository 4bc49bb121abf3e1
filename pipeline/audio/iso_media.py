"""Boxes of MP4, M4A, M4B and MOV files (ISO 14496-12): whether all is there, and how long the sound is.

A coder works in frames, so what is decoded begins and ends with padding. The edit list says what is heard
of it, and the sample table how long the last frame lasts.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

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


def _payload(data: bytes, box: Box | None, *path: bytes) -> Box | None:
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
        return _length(data, rate)
    except (struct.error, ZeroDivisionError):
        return None


def _length(data: bytes, rate: int) -> int | None:
    file: Box = (b"", 0, len(data))
    movie = _payload(data, file, b"moov")
    track = _sound_track(data, movie)
    table = _payload(data, track, b"mdia", b"minf", b"stbl", b"stts")
    if table is None:
        return None
    scale = _timescale(data, _payload(data, track, b"mdia", b"mdhd"))
    total = _duration(data, table)
    edits = _edits(data, _payload(data, track, b"edts", b"elst"))
    if not total or not scale or len(edits) != 1:
        return None
    [(duration, start)] = edits
    tick = scale / _timescale(data, _payload(data, movie, b"mvhd"))
    heard = total - start
    if duration and heard > (duration + 1) * tick:
        heard = round(duration * tick)
    return round(heard * rate / scale)


def _sound_track(data: bytes, movie: Box | None) -> Box | None:
    if movie is None:
        return None
    for box in _boxes(data, movie[1], movie[2]):
        handler = _payload(data, box, b"mdia", b"hdlr") if box[0] == b"trak" else None
        if handler is not None and data[handler[1] + 8 : handler[1] + 12] == b"soun":
            return box
    return None


def _timescale(data: bytes, header: Box | None) -> int:
    """Units a second of an ``mvhd`` or ``mdhd`` box."""
    if header is None:
        return 0
    return int(struct.unpack_from(">I", data, header[1] + (20 if data[header[1]] == 1 else 12))[0])


def _duration(data: bytes, table: Box) -> int:
    """Units of time that the frames of an ``stts`` box last."""
    (count,) = struct.unpack_from(">I", data, table[1] + 4)
    count = min(count, (table[2] - table[1] - 8) // 8)
    pairs = struct.unpack_from(f">{2 * count}I", data, table[1] + 8)
    return sum(number * length for number, length in zip(pairs[::2], pairs[1::2], strict=True))


def _edits(data: bytes, box: Box | None) -> list[tuple[int, int]]:
    """Duration (in the movie's units) and start (in the track's) of each edit that holds sound."""
    if box is None:
        return []
    wide = data[box[1]] == 1
    entry = struct.Struct(">QqI" if wide else ">IiI")
    (count,) = struct.unpack_from(">I", data, box[1] + 4)
    count = min(count, (box[2] - box[1] - 8) // entry.size)
    entries = [entry.unpack_from(data, box[1] + 8 + entry.size * place) for place in range(count)]
    return [(duration, start) for duration, start, _ in entries if start >= 0]
