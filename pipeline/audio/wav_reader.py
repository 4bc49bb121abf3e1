"""Read WAV files of any program: RIFF, RIFX, RF64, BW64 and Wave64, with their speakers, complete or not.

A file is a header and chunks; ``fmt `` describes the samples, ``data`` contains them. A program that streams does not
know sizes in advance and writes a placeholder, which means everything that follows. RF64 and BW64 (EBU Tech 3306,
ITU-R BS.2088) have 64-bit sizes in ``ds64``; Wave64 names chunks by GUIDs that begin with their RIFF names.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.audio.clip import Clip, Samples, stated_mask
from pipeline.audio.decoders import UnreadableSoundError, check_rate, check_size, decode_by_libsndfile
from pipeline.audio.wav_writer import EXTENSIBLE, IEEE_FLOAT, PCM, Chunk, riff_bytes

_RIFF_KINDS = (b"RIFF", b"RIFX", b"RF64", b"BW64")
_WAVE64 = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_PLACEHOLDERS = (range(0x7FFFF000, 0x80000001), range(0xFFFFFF00, 0x100000000))
"""Sizes that streaming programs write: near 2 GiB or 4 GiB."""
_TRAILERS = (b"TAG", b"APETAGEX", b"ID3", b"\0")
"""Tags and zeros that other programs put after the last chunk."""


@dataclass(frozen=True, slots=True)
class _Structure:
    """The layout of a file's chunks."""

    first: int
    head: int
    size_format: str
    counts_head: bool
    padding: int

    def chunk(self, data: bytes, place: int) -> tuple[bytes, int, int] | None:
        """Name, first byte and stated size of the chunk at ``place``; None if there is none."""
        name = data[place : place + 4]
        if place + self.head > len(data) or not (name.isascii() and name.decode("ascii").isprintable()):
            return None
        width = struct.calcsize(self.size_format)
        (size,) = struct.unpack_from(self.size_format, data, place + self.head - width)
        return name, place + self.head, size - self.head if self.counts_head else size

    def after(self, end: int) -> int:
        """First byte of the chunk after one that ends at ``end``."""
        return end + -end % self.padding


def _structure(data: bytes) -> _Structure | None:
    if data[:4] in _RIFF_KINDS and data[8:12] == b"WAVE":
        return _Structure(12, 8, ">I" if data[:4] == b"RIFX" else "<I", False, 2)
    if data[:16] == _WAVE64:
        return _Structure(40, 24, "<Q", True, 8)
    return None


def is_wave(data: bytes) -> bool:
    """Whether ``data`` begins like a WAV file of any kind."""
    return _structure(data) is not None


def _walk(data: bytes, structure: _Structure) -> tuple[dict[bytes, tuple[int, int]], str | None]:
    """First byte and number of existing bytes of each chunk by name, and what is wrong with the chunks.

    The first chunk of each name counts.
    """
    places: dict[bytes, tuple[int, int]] = {}
    place = structure.first
    while place < len(data):
        chunk = structure.chunk(data, place)
        if chunk is None:
            return places, _rest_problem(data[place:])
        name, first, size = chunk
        if name == b"data":
            size = _data_size(data, structure, first, size, places.get(b"ds64"))
        actual = max(0, min(size, len(data) - first))
        places.setdefault(name, (first, actual))
        if actual < size:
            shown = name.decode("ascii").strip()
            return places, f"its {shown} chunk should have {size} bytes, but has {actual}"
        place = structure.after(first + actual)
    return places, None


def _rest_problem(rest: bytes) -> str | None:
    """What is wrong with the bytes after the last chunk."""
    if rest.startswith(_TRAILERS) and (rest[:1] != b"\0" or not rest.strip(b"\0")):
        return None
    return f"{len(rest)} bytes at its end belong to no chunk, so a size in its header is wrong"


def _data_size(
    data: bytes, structure: _Structure, first: int, size: int, wide: tuple[int, int] | None
) -> int:
    """Bytes of samples from ``first`` on; everything that follows if the size is a placeholder.

    ``wide`` is the place of ``ds64``.
    """
    if data[:4] in (b"RF64", b"BW64") and size == 0xFFFFFFFF and wide is not None and wide[1] >= 16:
        (size,) = struct.unpack_from("<Q", data, wide[0] + 8)
    rest = len(data) - first
    placeholder = size > rest and (size >= 1 << 62 or any(size in sizes for sizes in _PLACEHOLDERS))
    if placeholder or (size <= 0 and rest > 0 and not _only_chunks(data, structure, first)):
        return rest
    return size


def _only_chunks(data: bytes, structure: _Structure, place: int) -> bool:
    """Whether complete chunks fill the file from ``place`` to its end."""
    while place < len(data):
        chunk = structure.chunk(data, place)
        if chunk is None or chunk[2] < 0:
            return False
        place = structure.after(chunk[1] + chunk[2])
    return place <= len(data) + 1


@dataclass(frozen=True, slots=True)
class _Format:
    """The ``fmt `` chunk."""

    tag: int
    channels: int
    rate: int
    byte_rate: int
    frame: int
    bits: int
    mask: int
    order: str
    """Of bytes: "<" or ">"."""

    @property
    def width(self) -> int:
        """Bytes a sample; 0 if the header contradicts itself."""
        width, rest = divmod(self.frame, self.channels)
        return width if not rest and 8 * width - 8 < self.bits <= 8 * width else 0

    @property
    def is_plain(self) -> bool:
        """Whether samples are plain integers or IEEE floats."""
        return self.tag in (PCM, IEEE_FLOAT)

    def problem(self, size: int) -> str | None:
        """What is wrong if there are ``size`` bytes of samples."""
        if not self.is_plain:
            return None
        if self.byte_rate not in (0, self.rate * self.frame):
            return (
                f"its header contradicts itself: {self.rate} Hz in frames of {self.frame} bytes, but "
                f"{self.byte_rate} bytes a second"
            )
        return "it ends within a frame" if size % self.frame else None


def _format(payload: bytes, order: str) -> _Format:
    if len(payload) < 16:
        raise UnreadableSoundError("its fmt chunk is too short")
    tag, channels, rate, byte_rate, frame, bits = struct.unpack_from(f"{order}HHIIHH", payload)
    mask = 0
    if tag == EXTENSIBLE and len(payload) >= 26:
        mask, tag = struct.unpack_from(f"{order}IH", payload, 20)
    check_rate(rate)
    if not channels:
        raise UnreadableSoundError("its header states no channels")
    return _Format(tag, channels, rate, byte_rate, frame, bits, mask, order)


def read_wave(data: bytes) -> tuple[Clip, str | None]:
    """The sound of a WAV file of any kind, and what is wrong with the file.

    Raises `UnreadableSoundError` if it contains no readable sound.
    """
    structure = _structure(data)
    if structure is None:
        raise UnreadableSoundError("no RIFF/WAVE header")
    chunks, problem = _walk(data, structure)
    if b"fmt " not in chunks or b"data" not in chunks:
        missing = "data" if b"fmt " in chunks else "fmt"
        because = f" ({problem})" if problem else ""
        raise UnreadableSoundError(f"it has no {missing} chunk{because}")
    first, size = chunks[b"fmt "]
    payload = data[first : first + size]
    described = _format(payload, structure.size_format[0])
    first, size = chunks[b"data"]
    problem = problem or described.problem(size)
    if described.is_plain:
        samples = _plain(data, first, size, described)
    else:
        samples, reason = _coded(data, payload, first, size, described)
        problem = problem or reason
    return Clip(samples, described.rate, stated_mask(described.mask, len(samples))), problem


def _plain(data: bytes, first: int, size: int, described: _Format) -> Samples:
    """Integers or floats as float32 of shape [channels, samples]."""
    width, channels = described.width, described.channels
    kind = (described.tag, width)
    if kind not in _READERS:
        raise UnreadableSoundError(
            f"its header contradicts itself: {described.bits} bits and {channels} channels in "
            f"frames of {described.frame} bytes"
        )
    length = size // described.frame
    check_size(length * channels)
    if kind == (PCM, 2) and channels == 2 and described.order == "<":
        return _stereo16(np.frombuffer(data, "<i4", length, first))
    values = np.frombuffer(data, np.uint8, length * described.frame, first)
    dtype, zero, scale = _READERS[kind]
    if width == 3:
        values = _widened(values, described.order)
    frames = values.view(described.order + dtype).reshape(length, channels)
    with np.errstate(over="ignore"):
        samples = np.array(frames.T, np.float32, order="C")
    if zero:
        samples -= np.float32(zero)
    if scale != 1.0:
        samples *= np.float32(scale)
    return samples


_READERS: dict[tuple[int, int], tuple[str, float, float]] = {
    (PCM, 1): ("u1", 128.0, 2.0**-7),
    (PCM, 2): ("i2", 0.0, 2.0**-15),
    (PCM, 3): ("i4", 0.0, 2.0**-31),
    (PCM, 4): ("i4", 0.0, 2.0**-31),
    (IEEE_FLOAT, 4): ("f4", 0.0, 1.0),
    (IEEE_FLOAT, 8): ("f8", 0.0, 1.0),
}
"""Numpy's type, the value of silence and the factor to full scale 1.0, by format tag and bytes a sample."""


def _widened(values: npt.NDArray[np.uint8], order: str) -> npt.NDArray[np.uint8]:
    """Three-byte integers as the high bytes of four-byte ones."""
    wide = np.zeros((len(values) // 3, 4), np.uint8)
    wide[:, 1:] = values.reshape(-1, 3) if order == "<" else values.reshape(-1, 3)[:, ::-1]
    return (wide if order == "<" else np.ascontiguousarray(wide[:, ::-1])).reshape(-1)


def _stereo16(pairs: npt.NDArray[np.int32]) -> Samples:
    """16 bit stereo from integers that contain one sample of each channel; half the time of reading with a stride."""
    samples = np.empty((2, len(pairs)), np.float32)
    samples[0] = np.left_shift(pairs, 16)
    samples[1] = np.bitwise_and(pairs, -65536)
    samples *= np.float32(2.0**-31)
    return samples


def _coded(
    data: bytes, payload: bytes, first: int, size: int, described: _Format
) -> tuple[Samples, str | None]:
    """Compressed samples as libsndfile decodes them; it gets them with a corrected header."""
    if described.order == "<":
        data = riff_bytes([Chunk("fmt ", payload), Chunk("data", memoryview(data)[first : first + size])])
    clip, problem = decode_by_libsndfile(data)
    return clip.samples, problem
