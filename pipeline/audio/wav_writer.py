"""WAV files as Cuesmith writes them; RIFF is written here because no library writes what a game studio needs.

libsndfile writes the clock time into a PEAK chunk, and no library writes every chunk that studio tools read. A file is
``RIFF``, size, ``WAVE``, then chunks: four ASCII bytes, a little-endian uint32 size, the payload, and a zero byte if
the size is odd. The order is ``fmt ``, ``fact`` (float only), the caller's chunks, ``data``, so that a reader that
streams has the description before the samples.

Many readers (Godot before 4.2.1, pydub, node-wav) do not skip the zero byte and lose all that follows it. So every
chunk before ``data`` has an even size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.audio.clip import NAMED_MASKS, Clip
from pipeline.audio.dither import Depth, pcm_bytes
from pipeline.errors import UsageError

PCM = 0x0001
IEEE_FLOAT = 0x0003
EXTENSIBLE = 0xFFFE
_SUBFORMAT_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_LARGEST = 0xFFFFFFFF
_WAVE = b"WAVE"


@dataclass(frozen=True, slots=True)
class Chunk:
    """One RIFF chunk: ``id`` of four ASCII characters and its payload."""

    id: str
    data: bytes | memoryview


def _parts(chunk: Chunk) -> tuple[bytes | memoryview, ...]:
    name = chunk.id.encode("ascii")
    if len(name) != 4:
        raise ValueError(f"RIFF chunk id {chunk.id!r} is not four ASCII characters")
    return name, struct.pack("<I", len(chunk.data)), chunk.data, b"\0" * (len(chunk.data) & 1)


def chunk_bytes(chunk: Chunk) -> bytes:
    """The chunk with its header, padded to an even length."""
    return b"".join(_parts(chunk))


def even(text: bytes, filler: bytes) -> bytes:
    """``text``, followed by one byte of ``filler`` where its size is odd.

    >>> even(b"abc", b" "), even(b"ab", b" ")
    (b'abc ', b'ab')
    """
    return text + filler * (len(text) & 1)


def format_chunk(tag: int, channels: int, rate: int, bits: int) -> Chunk:
    """The ``fmt `` chunk; WAVEFORMATEXTENSIBLE only above two channels, where speakers need naming."""
    frame = channels * bits // 8
    base = struct.pack("<HIIHH", channels, rate, rate * frame, frame, bits)
    if channels > 2:
        mask = NAMED_MASKS.get(channels, 0)
        extension = struct.pack("<HHIH", 22, bits, mask, tag) + _SUBFORMAT_TAIL
        return Chunk("fmt ", struct.pack("<H", EXTENSIBLE) + base + extension)
    return Chunk("fmt ", struct.pack("<H", tag) + base + (b"" if tag == PCM else struct.pack("<H", 0)))


def riff_bytes(chunks: Sequence[Chunk]) -> bytes:
    """A whole WAVE file of ``chunks``. Raises `UsageError` beyond the 4 GiB that RIFF can name."""
    parts = [part for chunk in chunks for part in _parts(chunk)]
    size = len(_WAVE) + sum(map(len, parts))
    if size > _LARGEST:
        raise UsageError("the sound is longer than a WAV file can hold (4 GiB); deliver it as flac or ogg")
    return b"".join([b"RIFF", struct.pack("<I", size), _WAVE, *parts])


def find_chunks(data: bytes) -> Iterator[tuple[str, int, int]]:
    """Name, first byte and size of each chunk's payload in a WAVE file, in file order.

    Raises `UsageError` when ``data`` is not one or is cut short.
    """
    if data[:4] != b"RIFF" or data[8:12] != _WAVE:
        raise UsageError("not a WAV file (no RIFF/WAVE header); give a .wav")
    place = 12
    while place + 8 <= len(data):
        name, size = data[place : place + 4], struct.unpack_from("<I", data, place + 4)[0]
        if place + 8 + size > len(data):
            raise UsageError(f"WAV file ends inside its {name!r} chunk; copy or export it again")
        yield name.decode("latin-1"), place + 8, size
        place += 8 + size + (size & 1)


def read_chunks(data: bytes) -> Iterator[Chunk]:
    """Chunks of a WAVE file in file order. Raises `UsageError` when ``data`` is not one or is cut short."""
    return (Chunk(name, data[first : first + size]) for name, first, size in find_chunks(data))


_BITS: dict[Depth, int] = {"16": 16, "24": 24, "float": 32}


def wav_bytes(clip: Clip, depth: Depth = "24", chunks: Sequence[Chunk] = ()) -> bytes:
    """``clip`` as a WAV file of ``depth``, with ``chunks`` between the format and the samples.

    Holds no clock time: equal arguments give equal bytes on every machine.
    """
    bits = _BITS[depth]
    tag = IEEE_FLOAT if depth == "float" else PCM
    head = [format_chunk(tag, clip.channels, clip.rate, bits)]
    if tag == IEEE_FLOAT:
        head.append(Chunk("fact", struct.pack("<I", clip.length)))
    return riff_bytes([*head, *chunks, Chunk("data", pcm_bytes(clip, depth))])


def take_bytes(clip: Clip) -> bytes:
    """A raw take as it is stored: float32 WAV, lossless whatever its peak; `pipeline.audio.read_take` gives it back."""
    return wav_bytes(clip, "float")
