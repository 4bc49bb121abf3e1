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
from dataclasses import dataclass, replace
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
from pipeline.provenance import MasterRecord, MasterRow, ObjectJson
from pipeline.store import Backend, ObjectRef, Store, translate_os_errors

COLUMNS = 480
THUMB_COLUMNS = 96
BANDS = 72
_FRAMES = 480
_WINDOW_S = 0.04
_LOWEST_HZ, _HIGHEST_HZ = 40.0, 20000.0
_FLOOR_DB, _CEILING_DB = -96.0, -12.0
# 40 shades compress to half the size of 256, without a visible difference.
_SHADES = 40

Bytes = npt.NDArray[np.uint8]


def picture(clip: Clip) -> dict[str, object]:
    """What the page draws of ``clip`` [channels, samples], as its sidecar has it, with bytes in base64.

    ``low`` and ``high`` are the lowest and the highest sample of each column over all channels, as magnitude: 0 is
    silence, 255 full scale. ``spectrogram`` is a grey PNG: columns are time, rows are bands from ``top`` (half the
    sample rate, at most 20 kHz) to 40 Hz in equal steps of pitch.
    """
    low, high = envelope(clip, COLUMNS)
    return {
        "low": _text(low.tobytes()),
        "high": _text(high.tobytes()),
        "spectrogram": _text(png(spectrogram(clip))),
        "top": min(_HIGHEST_HZ, clip.rate / 2),
    }


def thumb(clip: Clip) -> str:
    """The envelope's larger side in `THUMB_COLUMNS` columns at most, base64."""
    return _text(np.maximum(*envelope(clip, THUMB_COLUMNS)).tobytes())


def envelope(clip: Clip, columns: int) -> tuple[Bytes, Bytes]:
    """Lowest and highest sample of each of ``columns`` equal parts, as bytes; fewer if the clip is short."""
    if not clip.length:
        return np.zeros(1, np.uint8), np.zeros(1, np.uint8)
    starts = np.unique(np.linspace(0, clip.length, columns, endpoint=False, dtype=np.int64))
    high = np.maximum.reduceat(clip.samples, starts, axis=1).max(axis=0)
    low = np.minimum.reduceat(clip.samples, starts, axis=1).min(axis=0)
    return _byte(-low), _byte(high)


def spectrogram(clip: Clip) -> Bytes:
    """Level of `BANDS` bands of equal pitch width in up to `_FRAMES` frames: [band, frame], highest band first.

    Each frame is one Hann window of 40 ms; the frames of a long clip do not cover all of it.
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
    """Name of the master."""
    gapless: bool
    """Whether it must loop or switch without a gap, and so needs a sidecar with the whole sound."""


def rendition(row: MasterRow) -> tuple[str, ObjectRef]:
    """The file of a master that a browser plays best: its library path and its object."""
    path, item = min(row["files"].items(), key=lambda file: _rank(file[1]))
    return path, ObjectRef.from_json(item)


def prepare_media(store: Store, sounds: Iterable[Sound]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Make the missing sidecars.

    Returns each sound's small envelope by hash, empty if the sound cannot be read, and the names of masters that lack
    a sidecar for that reason. Uses every CPU of this process in threads, because numpy and libsndfile release the
    interpreter lock.
    """
    distinct: dict[str, Sound] = {}
    names: dict[str, list[str]] = {}
    for sound in sounds:
        other = distinct.get(sound.pcm)
        gapless = sound.gapless or (other is not None and other.gapless)
        distinct[sound.pcm] = replace(sound, gapless=gapless)
        names.setdefault(sound.pcm, []).append(sound.name)
    with ThreadPoolExecutor(max_workers=usable_cpus()) as pool:
        made = dict(pool.map(lambda sound: (sound.pcm, _sidecars(store, sound)), distinct.values()))
    incomplete = dict.fromkeys(
        name for pcm, (_, complete) in made.items() if not complete for name in names[pcm]
    )
    return {pcm: envelope for pcm, (envelope, _) in made.items()}, tuple(incomplete)


def draw_master(store: Store, record: MasterRecord) -> None:
    """Make the missing sidecars of one master, as a report of it needs them. Raises the store's errors."""
    best = min((each["object"] for each in record["renditions"]), key=_rank)
    sound = Sound(record["pcm_sha256"], ObjectRef.from_json(best), record["asset"], bool(record["loop"]))
    _sidecars(store, sound)


def sidecar_key(pcm: str, what: str = "") -> str:
    """The key of a sidecar; ``what`` is empty for pictures or ``.loop`` for the sound."""
    return f"{CACHE}/{pcm[:2]}/{pcm}{what}.js"


def _sidecars(store: Store, sound: Sound) -> tuple[str, bool]:
    """Make the missing sidecars of one sound; returns its small envelope, and whether all sidecars exist now."""
    pictures, loop = sidecar_key(sound.pcm), sidecar_key(sound.pcm, ".loop")
    backend = store.backend
    envelope_text = _stored_thumb(backend.read(pictures)) if backend.exists(pictures) else None
    if envelope_text is not None and (not sound.gapless or _is_complete(backend, loop)):
        return envelope_text, True
    try:
        data = store.get(sound.object)
        clip = read(data)
    except CuesmithError:
        return envelope_text or "", False
    if envelope_text is None:
        envelope_text = thumb(clip)
        _write(store, pictures, "picture", sound.pcm, {"thumb": envelope_text, **picture(clip)})
    if sound.gapless:
        _write(store, loop, "sound", sound.pcm, _packed(data, clip, sound.object.suffix))
    return envelope_text, True


def _packed(data: bytes, clip: Clip, suffix: str) -> Mapping[str, Any]:
    """The sound for a browser to decode: a WAV as 16-bit FLAC with dither, anything else unchanged.

    The low 8 bits of 24 are noise that no codec compresses; without them the sidecar is half as large.
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
    """A sidecar: one call of the page with one JSON object, in ASCII, which is safe in any script."""
    return f"cuesmith.{call}({json.dumps(name)},{json.dumps(value, separators=(',', ':'))})\n".encode("ascii")


def _is_complete(backend: Backend, key: str) -> bool:
    """Whether a sidecar exists and is complete. An object store never has incomplete files."""
    path = backend.local_path(key)
    if path is None or not path.is_file():
        return backend.exists(key)
    with translate_os_errors("read", str(path)), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(_SCRIPT_END)))
        return file.read() == _SCRIPT_END


def _stored_thumb(data: bytes) -> str | None:
    """The small envelope in a picture's sidecar; None if the file is damaged."""
    head, _, rest = data.partition(b'"thumb":"')
    text, quote, _ = rest.partition(b'"')
    complete = head.startswith(b"cuesmith.picture(") and data.endswith(_SCRIPT_END) and bool(quote)
    return text.decode("ascii", "replace") if complete else None


def _rank(item: ObjectJson) -> tuple[int, str]:
    suffix = item["suffix"]
    return (_BEST_FIRST.index(suffix) if suffix in _BEST_FIRST else len(_BEST_FIRST), suffix)
