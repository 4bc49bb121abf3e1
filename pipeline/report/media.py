"""What the page plays and draws: the file of each sound, its envelope and its spectrogram.

A sidecar is a script that calls the page with one object, because a page opened from disk may load scripts but no
data. Each is made once for each hash of samples: ``reports/cache/ab/<pcm>.js`` has the pictures, ``<pcm>.loop.js`` the
whole sound as 16-bit FLAC. Only a sound decoded in memory loops and switches without a gap, so loops and sounds to
compare have one.
"""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft
import soundfile

from pipeline.audio import Clip, read
from pipeline.audio.dither import pcm_bytes
from pipeline.cpus import usable_cpus
from pipeline.errors import CuesmithError
from pipeline.formats import FORMATS
from pipeline.provenance import MasterRow, ObjectJson
from pipeline.store import Backend, ObjectRef, Store, translate_os_errors

COLUMNS = 480
THUMB_COLUMNS = 96
BANDS = 72
_FRAMES = 480
_WINDOW_S = 0.04
_LOWEST_HZ, _HIGHEST_HZ = 40.0, 20000.0
_FLOOR_DB, _CEILING_DB = -96.0, -12.0
# Fewer shades than a byte holds compress to half the size, and no eye tells the difference.
_SHADES = 40

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Picture:
    """What the page draws of one sound."""

    low: Bytes
    """Lowest sample of each column over all channels, as magnitude: 0 is silence, 255 is full scale."""
    high: Bytes
    """Highest sample of each column, likewise."""
    spectrogram: bytes
    """Grey PNG, a column a moment, a row a band from 20 kHz (top) down to 40 Hz in equal steps of pitch."""
    top_hz: float
    """Highest frequency that the sound's rate can hold, at most 20 kHz."""

    def to_json(self) -> dict[str, object]:
        """The object that the page's sidecar carries."""
        return {
            "low": _text(self.low.tobytes()),
            "high": _text(self.high.tobytes()),
            "spectrogram": _text(self.spectrogram),
            "top": self.top_hz,
        }


def picture(clip: Clip) -> Picture:
    """Draw ``clip`` [channels, samples]; the work does not grow with its length beyond one pass for peaks."""
    low, high = envelope(clip, COLUMNS)
    return Picture(low, high, png(spectrogram(clip)), min(_HIGHEST_HZ, clip.rate / 2))


def thumb(clip: Clip) -> str:
    """The envelope's larger side in `THUMB_COLUMNS` columns at most, base64."""
    return _text(np.maximum(*envelope(clip, THUMB_COLUMNS)).tobytes())


def envelope(clip: Clip, columns: int) -> tuple[Bytes, Bytes]:
    """Lowest and highest sample of each of ``columns`` stretches, as bytes of magnitude; fewer where it is short."""
    if not clip.length:
        return np.zeros(1, np.uint8), np.zeros(1, np.uint8)
    starts = np.unique(np.linspace(0, clip.length, columns, endpoint=False, dtype=np.int64))
    high = np.maximum.reduceat(clip.samples, starts, axis=1).max(axis=0)
    low = np.minimum.reduceat(clip.samples, starts, axis=1).min(axis=0)
    return _byte(-low), _byte(high)


def spectrogram(clip: Clip) -> Bytes:
    """Loudness of `BANDS` bands of equal pitch at up to `_FRAMES` moments: [band, moment], highest band first.

    Each moment is one Hann window of 40 ms; of a long sound, moments are samples of it and not its whole.
    """
    size = scipy.fft.next_fast_len(max(64, round(_WINDOW_S * clip.rate)), real=True)
    padded = np.pad(clip.samples, ((0, 0), (size // 2, size)))
    moments = min(_FRAMES, max(1, clip.length // max(1, size // 8)))
    starts = np.linspace(0, max(0, clip.length - 1), moments, dtype=np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)[:, starts]
    hann = np.hanning(size).astype(np.float32)
    spectra = scipy.fft.rfft(windows * hann, axis=-1, overwrite_x=True)
    power = (spectra.real**2 + spectra.imag**2).mean(axis=0) * (2.0 / hann.sum()) ** 2
    top = min(_HIGHEST_HZ, clip.rate / 2)
    edges = np.geomspace(_LOWEST_HZ, top, BANDS + 1) * size / clip.rate
    first = np.minimum(np.round(edges[:-1]).astype(np.int64), power.shape[1] - 1)
    last = np.minimum(np.maximum(first + 1, np.round(edges[1:]).astype(np.int64)), power.shape[1])
    bands = np.stack([power[:, a:b].max(axis=1) for a, b in zip(first, last, strict=True)])
    level = 10 * np.log10(bands + 1e-12)
    share = np.clip((level - _FLOOR_DB) / (_CEILING_DB - _FLOOR_DB), 0, 1)
    shaded = np.round(share * _SHADES) * (255 / _SHADES)
    return shaded.astype(np.uint8)[::-1]


def png(image: Bytes) -> bytes:
    """A grey 8-bit PNG of ``image`` [rows, columns] (PNG specification, filter 0)."""
    rows, columns = image.shape
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    raw = np.zeros((rows, columns + 1), np.uint8)
    raw[:, 1:] = image
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _byte(magnitude: npt.NDArray[np.float32]) -> Bytes:
    return np.round(np.clip(np.nan_to_num(magnitude), 0, 1) * 255).astype(np.uint8)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


CACHE = "reports/cache"
_SCRIPT_END = b")\n"
_BEST_FIRST = tuple(row.suffix for row in FORMATS.values())


@dataclass(frozen=True, slots=True)
class Sound:
    """One sound that the page can play."""

    pcm: str
    """SHA-256 of its samples."""
    object: ObjectRef
    name: str
    """Name of the master, as people read it."""
    whole: bool
    """Whether it must loop or switch without a gap, and so needs a sidecar of its own."""


def rendition(row: MasterRow) -> tuple[str, ObjectRef]:
    """The file of a master that a browser plays best: its library path and its object."""
    path, found = min(row["files"].items(), key=lambda item: _rank(item[1]))
    return path, ObjectRef(found["sha256"], found["suffix"], found["size"])


def prepare_media(store: Store, sounds: Iterable[Sound]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Make the sidecars that are missing.

    Returns each sound's small envelope by hash, empty where the sound cannot be read, and the names of masters for
    which a sidecar is missing for that reason. Samples are read, drawn and packed beside each other on every CPU that
    this process may use: numpy and libsndfile leave the interpreter.
    """
    wanted: dict[str, Sound] = {}
    names: dict[str, list[str]] = {}
    for sound in sounds:
        known = wanted.get(sound.pcm)
        whole = sound.whole or (known is not None and known.whole)
        wanted[sound.pcm] = Sound(sound.pcm, sound.object, sound.name, whole)
        names.setdefault(sound.pcm, []).append(sound.name)
    with ThreadPoolExecutor(max_workers=usable_cpus()) as pool:
        made = dict(pool.map(lambda sound: (sound.pcm, _sidecars(store, sound)), wanted.values()))
    lacking = dict.fromkeys(name for pcm, (_, whole) in made.items() if not whole for name in names[pcm])
    return {pcm: thumb for pcm, (thumb, _) in made.items()}, tuple(lacking)


def sidecar_key(pcm: str, what: str = "") -> str:
    """Where a sidecar lies in the store's root; ``what`` is empty for pictures or ``.loop`` for the sound."""
    return f"{CACHE}/{pcm[:2]}/{pcm}{what}.js"


def _sidecars(store: Store, sound: Sound) -> tuple[str, bool]:
    """Make what is missing of one sound's sidecars; returns its small envelope, and whether all are there now."""
    pictures, whole = sidecar_key(sound.pcm), sidecar_key(sound.pcm, ".loop")
    backend = store.backend
    known = _known_thumb(backend.read(pictures)) if backend.exists(pictures) else None
    if known is not None and (not sound.whole or _is_whole(backend, whole)):
        return known, True
    try:
        data = store.get(sound.object)
        clip = read(data)
    except CuesmithError:
        return known or "", False
    if known is None:
        known = thumb(clip)
        _write(store, pictures, "picture", sound.pcm, {"thumb": known, **picture(clip).to_json()})
    if sound.whole:
        _write(store, whole, "sound", sound.pcm, _packed(data, clip, sound.object.suffix))
    return known, True


def _packed(data: bytes, clip: Clip, suffix: str) -> Mapping[str, Any]:
    """The sound for a browser to decode: a WAV as FLAC in 16 bits with dither, anything else as it is.

    The low 8 bits of 24 hold noise that no coder makes smaller; without them the sidecar is half as large.
    """
    if suffix == ".wav":
        sink = io.BytesIO()
        samples = np.frombuffer(pcm_bytes(clip, "16"), "<i2").reshape(-1, clip.channels)
        soundfile.write(sink, samples, clip.rate, "PCM_16", format="FLAC")
        data, suffix = sink.getvalue(), ".flac"
    return {"suffix": suffix, "data": base64.b64encode(data).decode("ascii")}


def _write(store: Store, key: str, call: str, pcm: str, value: Mapping[str, Any]) -> None:
    store.backend.write(key, script(call, pcm, value))


def script(call: str, name: str, value: Any) -> bytes:
    """A sidecar: one call of the page with one JSON object, in ASCII, so that it is safe in any script."""
    return f"cuesmith.{call}({json.dumps(name)},{json.dumps(value, separators=(',', ':'))})\n".encode("ascii")


def _is_whole(backend: Backend, key: str) -> bool:
    """Whether a sidecar is there to its end. An object store takes a file whole or not at all."""
    path = backend.local_path(key)
    if path is None or not path.is_file():
        return backend.exists(key)
    with translate_os_errors("read", str(path)), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(_SCRIPT_END)))
        return file.read() == _SCRIPT_END


def _known_thumb(data: bytes) -> str | None:
    """The small envelope in a picture's sidecar; None when the file is not one."""
    head, _, rest = data.partition(b'"thumb":"')
    found, quote, _ = rest.partition(b'"')
    whole = head.startswith(b"cuesmith.picture(") and data.endswith(_SCRIPT_END) and bool(quote)
    return found.decode("ascii", "replace") if whole else None


def _rank(item: ObjectJson) -> tuple[int, str]:
    suffix = item["suffix"]
    return (_BEST_FIRST.index(suffix) if suffix in _BEST_FIRST else len(_BEST_FIRST), suffix)
