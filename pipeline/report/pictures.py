"""Pictures of a sound in few bytes: its envelope and its spectrogram, drawn by the page."""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from pipeline.audio import Clip

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
