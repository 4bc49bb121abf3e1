"""ID3v2, which some programs put before any sound file (id3.org, ID3v2.4, 3.1)."""

from __future__ import annotations

_HEADER = 10
_FOOTER_FLAG = 0x10


def id3_size(data: bytes) -> int:
    """Bytes of the ID3v2 tags that ``data`` begins with; 0 where there are none."""
    place = 0
    while data[place : place + 3] == b"ID3" and len(data) >= place + _HEADER:
        size = 0
        for byte in data[place + 6 : place + 10]:
            size = size << 7 | byte & 0x7F
        footer = _HEADER if data[place + 5] & _FOOTER_FLAG else 0
        place += _HEADER + size + footer
    return min(place, len(data))
