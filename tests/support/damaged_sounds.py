"""Sound files with every usual damage: cut, flipped, with wrong sizes and rates, empty and endless."""

from __future__ import annotations

import io
import os
import random
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

RATE = 48_000
_SECONDS = 1.5
_BY_LIBSNDFILE = {
    "wav": "WAV PCM_16",
    "float.wav": "WAV FLOAT",
    "adpcm.wav": "WAV MS_ADPCM",
    "w64": "W64 PCM_24",
    "rf64": "RF64 PCM_16",
    "flac": "FLAC PCM_16",
    "ogg": "OGG VORBIS",
    "opus": "OGG OPUS",
    "mp3": "MP3 MPEG_LAYER_III",
    "aiff": "AIFF PCM_16",
    "caf": "CAF PCM_16",
    "au": "AU PCM_16",
}
_BY_FFMPEG = {
    "m4a": ["-c:a", "aac"],
    "mov": ["-c:a", "pcm_s16le"],
    "mka": ["-c:a", "flac"],
    "webm": ["-c:a", "libopus"],
}
REPORTED = ("cut", "empty", "endless", "wrong size")
"""Damage that must not go unsaid: flipped samples and tags look like any others."""


@dataclass(frozen=True)
class Damaged:
    """A damaged file and the number of samples before the damage."""

    path: Path
    damage: str
    length: int


def noise(channels: int = 2, seconds: float = _SECONDS) -> np.ndarray:
    """Noise of shape [samples, channels], about -23 dBFS."""
    return 0.07 * np.random.default_rng(7).standard_normal((round(seconds * RATE), channels))


def whole_files(folder: Path, ffmpeg: str | None) -> dict[str, bytes]:
    """The bytes of a complete file of every format, by suffix."""
    files = {}
    for suffix, coded in _BY_LIBSNDFILE.items():
        container, coding = coded.split()
        out = io.BytesIO()
        soundfile.write(out, noise(), RATE, format=container, subtype=coding)
        files[suffix] = out.getvalue()
    for suffix, coding in _BY_FFMPEG.items() if ffmpeg else ():
        path = folder / f"whole.{suffix}"
        source = ["-f", "wav", "-i", "pipe:0", "-strict", "-2", *coding, "-y", str(path)]
        subprocess.run([str(ffmpeg), "-v", "error", *source], input=files["wav"], check=True)
        files[suffix] = path.read_bytes()
        path.unlink()
    return files


def _cut(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(1, len(data) - 600)]


def _flipped(chance: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    reach = chance.choice([64, 512, len(data)])
    for _ in range(chance.choice([1, 3, 30])):
        changed[chance.randrange(min(reach, len(data)))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _wrong_size(chance: random.Random, data: bytes) -> bytes:
    """The size of the samples' chunk, or of the file, in a WAV."""
    changed = bytearray(data)
    place = data.index(b"data") + 4
    (size,) = struct.unpack_from("<I", data, place)
    wrong = [size * 2, size + 4096, size - 4096, size // 2, 0x7FFFEFFE, 0x10000000]
    struct.pack_into("<I", changed, place, chance.choice(wrong))
    return bytes(changed)


def _wrong_rate(chance: random.Random, data: bytes) -> bytes:
    """The rate of a WAV."""
    changed = bytearray(data)
    rate = chance.choice([0, 1, 7, 100, 1000, 1001, 44_101, 767_999, 2_000_000_000, 0xFFFFFFFF])
    struct.pack_into("<I", changed, 24, rate)
    return bytes(changed)


def _any_field(chance: random.Random, data: bytes) -> bytes:
    """One field of the header becomes zero, all ones or anything."""
    changed = bytearray(data)
    place = chance.randrange(4, min(len(data) - 8, 400))
    width = chance.choice([1, 2, 4, 8])
    changed[place : place + width] = chance.choice([bytes(width), b"\xff" * width, chance.randbytes(width)])
    return bytes(changed)


def _joined(chance: random.Random, data: bytes) -> bytes:
    """A hole or garbage in the middle."""
    place, width = chance.randrange(len(data)), chance.randrange(1, 5000)
    return data[:place] + chance.choice([b"", chance.randbytes(width)]) + data[place + width :]


_ANY = {"cut": _cut, "flipped": _flipped, "wrong field": _any_field, "hole": _joined}
_WAV = {"wrong size": _wrong_size, "wrong rate": _wrong_rate}


def damaged_files(folder: Path, count: int, seed: int, ffmpeg: str | None) -> Iterator[Damaged]:
    """``count`` damaged files, one at a time; each is removed before the next."""
    chance = random.Random(seed)
    whole = whole_files(folder, ffmpeg)
    length = len(noise())
    for number in range(count):
        if number % 20 == 0:
            yield from _special(folder, chance, length)
            continue
        only_wav = number % 5 == 0
        suffix = chance.choice(["wav", "float.wav"]) if only_wav else chance.choice(list(whole))
        damage = chance.choice(list(_WAV if only_wav else _ANY))
        data = (_WAV | _ANY)[damage](chance, whole[suffix])
        path = folder / f"{number}.{suffix}"
        path.write_bytes(data)
        yield Damaged(path, damage, length)
        path.unlink()


def _special(folder: Path, chance: random.Random, length: int) -> Iterator[Damaged]:
    """A file that is empty, of other content, or without end."""
    path = folder / f"special.{chance.choice(['wav', 'ogg', 'flac', 'm4a'])}"
    kind = chance.choice(["empty", "text", "sparse", "device", "fifo"])
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("#EXTM3U\nhttp://example.invalid/a.wav\n" * 40)
    elif kind == "sparse":
        path.write_bytes(b"RIFF\xff\xff\xff\xffWAVE")
        os.truncate(path, 1 << 42)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(path)
    yield Damaged(path, "empty" if kind in ("empty", "text") else "endless", length)
    path.unlink()
