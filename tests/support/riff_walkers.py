"""Two readers of WAV chunks that share no code with ours: one follows the standard, one skips no padding byte."""

from __future__ import annotations

import struct


def strict_chunks(data: bytes) -> list[tuple[str, bytes]]:
    """Chunks of a WAVE file by the letter of the standard: every size is true and every padding byte is zero."""
    assert data[:4] == b"RIFF"
    assert data[8:12] == b"WAVE"
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8
    return _strict(data[12:])


def _strict(body: bytes) -> list[tuple[str, bytes]]:
    found, place = [], 0
    while place < len(body):
        name, size = struct.unpack_from("<4sI", body, place)
        assert name.decode("ascii").isprintable()
        first, end = place + 8, place + 8 + size
        assert end <= len(body)
        found.append((name.decode("ascii"), body[first:end]))
        if name == b"LIST":
            assert body[first : first + 4] == b"INFO"
            found += _strict(body[first + 4 : end])
        place = end
        if size & 1:
            assert body[place] == 0
            place += 1
    return found


def careless_chunks(data: bytes) -> dict[str, bytes]:
    """Chunks up to the samples as Godot before 4.2.1, pydub and node-wav read them: without padding bytes."""
    found: dict[str, bytes] = {}
    place = 12
    while place + 8 <= len(data) and "data" not in found:
        name, size = struct.unpack_from("<4sI", data, place)
        found[name.decode("latin-1")] = data[place + 8 : place + 8 + size]
        place += 8 + size
    return found
