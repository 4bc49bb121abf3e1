"""What a C2PA signature leaves open, closed: every byte of our credentials is one that we would have written.

A signature covers the sound, the tags and what is claimed. It does not cover the padding beside it, names and
flags of the boxes that hold it, nor the file type of an MP4; readers skip over these. So a flipped bit there
would go unseen, and room for hidden data would stay. Our own credentials have one form only, and this module
says where a file departs from it. Sources: C2PA specification 2.2 (JUMBF boxes, COSE signature), ISO/IEC 19566-5.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

_UUID_TAIL = bytes.fromhex("00110010800000aa00389b71")
_STORE = b"jumdc2pa" + _UUID_TAIL
_STORE_HEAD = 12
"""Sizes and types before `_STORE`."""
_REQUESTABLE_WITH_LABEL = 0x03
_AND_PRIVATE = 0x13
_LABELS = {
    b"c2pa": b"c2pa",
    b"c2as": b"c2pa.assertions",
    b"c2cl": b"c2pa.claim.v2",
    b"c2cs": b"c2pa.signature",
}
"""Names that boxes of a type have, where no hash covers them."""
_SIGNATURE = re.compile(
    rb"\xd2\x84(?:\x58.|\x59..).+?\xa1\x63pad(?:\x58(.)|\x59(..))(\0*)\xf6(?:\x58(.)|\x59(..))(.+)", re.DOTALL
)
"""COSE_Sign1: protected header, ``{"pad": zeros}``, no payload, signature."""
_MP4_CREDENTIALS = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_MP4_HEAD = 45
_MP4_FILLERS = (b"free", b"skip")
"""Boxes that hold nothing, so C2PA's hash leaves out what is in them."""


def file_type_of(data: bytes) -> bytes:
    """The first box of an MP4 file, which says its type and which no C2PA hash covers; empty for others."""
    if data[4:8] != b"ftyp":
        return b""
    return data[: struct.unpack_from(">I", data)[0]]


def departures(data: bytes, file_type: str | None) -> Iterator[str]:
    """Where credentials of ours within ``data`` (a file or a sidecar) are not as we write them, in words.

    ``file_type`` is what the signed claim says of an MP4 file's first box, in hex.
    """
    found = data.find(_STORE) - _STORE_HEAD
    if found < 0:
        yield "the credentials' outer box cannot be found"
        return
    size = struct.unpack_from(">I", data, found)[0]
    store = data[found : found + size]
    if len(store) != size:
        yield "the credentials' outer box has a wrong size"
        return
    yield from _boxes(store)
    yield from _wrapping(data, found, size)
    if file_type is not None and file_type_of(data).hex() != file_type:
        yield "the file type box was changed"
    if file_type:
        boxes = _parts(data)
        if boxes is None or any(name in _MP4_FILLERS and payload for name, payload in boxes):
            yield "a box of the file that held nothing was filled, or boxes have wrong sizes"


def _wrapping(data: bytes, found: int, size: int) -> Iterator[str]:
    """What stands around the boxes, where the format's own reader or C2PA's hash does not look."""
    if found == 0:
        if len(data) != size:
            yield "something follows the credentials"
    elif data[:4] == b"RIFF":
        if struct.unpack_from("<I", data, found - 4)[0] != size:
            yield "the C2PA chunk has a wrong size"
    elif data[4:8] == b"ftyp":
        head = struct.pack(">I", size + _MP4_HEAD) + b"uuid" + _MP4_CREDENTIALS + bytes(4) + b"manifest\0"
        if data[max(0, found - _MP4_HEAD) : found] != head + bytes(8):
            yield "the box around the credentials was changed"


def _boxes(superbox: bytes) -> Iterator[str]:
    """Departures of one JUMBF superbox (header included) and all within it."""
    parts = _parts(superbox[8:])
    if parts is None or not parts or parts[0][0] != b"jumd":
        yield "the credentials' boxes have wrong sizes"
        return
    (_, description), *content = parts
    kind, toggles = description[:4], description[16]
    label, closed, private = description[17:].partition(b"\0")
    if description[4:16] != _UUID_TAIL or not closed:
        yield "a box of the credentials has a damaged description"
    if toggles != (_AND_PRIVATE if private else _REQUESTABLE_WITH_LABEL):
        yield f"the flags of box {_plain(label)} were changed"
    if _LABELS.get(kind, label) != label:
        yield f"the name of box {_plain(label)} was changed"
    if kind == b"c2cs" and not (len(content) == 1 and _is_plain_signature(content[0][1])):
        yield "the padding of the signature was changed"
    for name, payload in content:
        if name == b"jumb":
            yield from _boxes(struct.pack(">I", len(payload) + 8) + name + payload)


def _parts(payload: bytes) -> list[tuple[bytes, bytes]] | None:
    """The boxes that fill ``payload`` to its last byte; None when they do not."""
    parts, place = [], 0
    while place < len(payload):
        if place + 8 > len(payload):
            return None
        size = struct.unpack_from(">I", payload, place)[0]
        if size < 8 or place + size > len(payload):
            return None
        parts.append((payload[place + 4 : place + 8], payload[place + 8 : place + size]))
        place += size
    return parts


def _is_plain_signature(content: bytes) -> bool:
    match = _SIGNATURE.fullmatch(content)
    if match is None:
        return False
    padding = int.from_bytes(match[1] or match[2], "big")
    signature = int.from_bytes(match[4] or match[5], "big")
    return (padding, signature) == (len(match[3]), len(match[6]))


def _plain(label: bytes) -> str:
    return repr(label.decode("ascii", "replace"))
