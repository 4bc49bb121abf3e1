"""How well a loop wraps: click, beat, level step and spectral step at its seam, relative to the rest of the loop.

A seam is audible when it differs from the rest of the loop. So each measure is a ratio: the value at the seam over the
value at the loop's own rougher moments. Up to 1 the seam is masked by them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.fft import rfft
from scipy.linalg import solve_toeplitz, toeplitz

from pipeline.audio import Clip
from pipeline.mastering.seam_reference import seam_faults, window_around

Floats = npt.NDArray[np.float64]

_ORDER = 32
"""Order of the linear prediction, whose residual shows a click (Godsill and Rayner, "Digital Audio
Restoration", 1998, chapter 5)."""
_FRAME = 2 * _ORDER + 8
"""Samples that hold the residual of a corner, with the corner in the middle."""
_STRETCH = 40
"""Samples per matrix product: the fewest operations for this order."""
_AROUND_S = 2.0
"""Length analysed on each side of the seam."""
_WINDOW_S = 0.1
_USUAL_CLICK = 0.999
_USUAL_STEP = 0.95
_LEVEL_FLOOR_DB = 3.0
_SPECTRUM_FLOOR_DB = 3.0
_BANDS = 24


@dataclass(frozen=True, slots=True)
class Seam:
    """Measures of a loop's seam. A ratio up to 1.0 is usual for the loop itself."""

    click: float
    """The larger of two ratios. First, the peak of the prediction residual at the seam over its surroundings,
    relative to the 99.9th percentile in the loop. Second, the evidence of a splice at the seam (see
    `pipeline.mastering.splice`), relative to 5 nats or to other positions of the loop, whichever is more."""
    level_step: float
    """Change of level from the 100 ms before to the 100 ms after, relative to the usual change."""
    spectral_step: float
    """Change of the spectrum in 24 bands, relative to the usual change."""
    beat: float = 0.0
    """Rhythmic regularity of the onsets lost at the seam, relative to the usual loss; 0 without a beat."""

    @property
    def score(self) -> float:
        """From 1 (inaudible) to 0: the reciprocal of the worst ratio beyond 1."""
        return round(1.0 / max(1.0, self.click, self.beat, self.level_step, self.spectral_step), 4)

    def to_json(self) -> dict[str, float]:
        """A JSON object."""
        return {
            "click": round(self.click, 4),
            "beat": round(self.beat, 4),
            "level_step": round(self.level_step, 4),
            "spectral_step": round(self.spectral_step, 4),
            "score": self.score,
        }


def _residual(wave: Floats) -> Floats:
    """Magnitude of the linear prediction residual of ``wave``, shape [samples].

    Computed frame by frame as a matrix product with the predictor's Toeplitz matrix.
    """
    length = len(wave)
    correlation = np.array([wave[lag:] @ wave[: length - lag] for lag in range(_ORDER + 1)])
    if correlation[0] <= 0.0:
        return np.zeros(length)
    correlation[0] *= 1.0 + 1e-9
    error = np.concatenate(([1.0], -solve_toeplitz(correlation[:_ORDER], correlation[1:])))
    padded = np.pad(wave, (_ORDER, -length % _STRETCH))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _STRETCH + _ORDER)[::_STRETCH]
    column, row = np.pad(error[::-1], (0, _STRETCH - 1)), np.zeros(_STRETCH)
    row[0] = column[0]
    residual: Floats = (frames @ toeplitz(column, row)).reshape(-1)[:length]
    np.abs(residual, out=residual)
    residual[:_ORDER] = residual[_ORDER : 2 * _ORDER]
    return residual


def _blocks(wave: Floats, window: int) -> Floats:
    """Windows of ``wave``, one beginning at its middle, where the seam is; shape [windows, window]."""
    first = len(wave) // 2 % window
    count = (len(wave) - first) // window
    return wave[first : first + count * window].reshape(count, window)


def _click(wave: Floats) -> float:
    """The residual's peak over the residual level of the louder side, at the seam relative to elsewhere.

    A corner is one spike; an attack is noise that continues. So the peak of each frame is compared with the RMS of
    the frames before and after it, without the adjacent ones.
    """
    frames = _blocks(np.roll(_residual(wave), _FRAME // 2 - 2), _FRAME)
    peaks = frames.max(axis=1)
    power = np.square(frames).mean(axis=1)
    floor = 1e-6 * float(peaks.max()) + 1e-12
    before, after = (power[:-5] + power[1:-4]) / 2, (power[4:-1] + power[5:]) / 2
    standing_out = peaks[2:-3] / (np.sqrt(np.maximum(before, after)) + floor)
    seam = len(wave) // 2 // _FRAME - 2
    usual = float(np.quantile(np.delete(standing_out, seam), _USUAL_CLICK))
    return float(standing_out[seam]) / max(usual, 3.0)


def _bands(rows: Floats) -> Floats:
    """Log power of each row in bands of equal ratio, shape [rows, bands], in dB."""
    spectrum = rfft((rows * np.hanning(rows.shape[1])).astype(np.float32))
    power = np.square(spectrum.real, dtype=np.float64) + np.square(spectrum.imag, dtype=np.float64)
    edges = np.unique(np.geomspace(1, power.shape[1] - 1, _BANDS + 1).astype(int))
    banded = np.add.reduceat(power, edges[:-1], axis=1) / np.diff(edges)
    return np.asarray(10.0 * np.log10(banded + 1e-9 * float(banded.max(initial=0.0)) + 1e-20))


def _over_usual(steps: Floats, seam: int, floor: float) -> float:
    usual = float(np.quantile(np.delete(steps, seam), _USUAL_STEP)) if len(steps) > 1 else 0.0
    return float(steps[seam]) / max(usual, floor)


def _steps(wave: Floats, window: int) -> tuple[float, float]:
    """Change of level and of spectrum across the seam, each relative to the usual change."""
    blocks = _blocks(wave, window)
    seam = len(wave) // 2 // window - 1
    level = 10.0 * np.log10(np.square(blocks).mean(axis=1) + 1e-4 * np.square(wave).mean() + 1e-20)
    spectral = np.abs(np.diff(_bands(blocks), axis=0)).mean(axis=1)
    return (
        _over_usual(np.abs(np.diff(level)), seam, _LEVEL_FLOOR_DB),
        _over_usual(spectral, seam, _SPECTRUM_FLOOR_DB),
    )


def measure_seam(clip: Clip, loop: tuple[int, int]) -> Seam:
    """The seam of the loop from ``loop``'s start to its end (exclusive), in samples; the worst channel
    counts.

    A silent loop, or one shorter than 40 ms, has nothing to compare with and measures 0. Raises `ValueError`
    for a loop that is empty or outside the clip.
    """
    start, end = loop
    if not 0 <= start < end <= clip.length:
        raise ValueError(f"loop from {start} to {end} is outside {clip.length} samples")
    samples, rate = clip.samples[:, start:end], clip.rate
    waves = window_around(samples, 0, min(round(_AROUND_S * rate), (end - start) // 2)).astype(np.float64)
    if waves.shape[1] < max(0.04 * rate, 16 * _FRAME) or not waves.any():
        return Seam(0.0, 0.0, 0.0)
    window = min(round(_WINDOW_S * rate), waves.shape[1] // 8)
    steps = np.max([_steps(wave, window) for wave in waves], axis=0)
    spliced, beat_lost = seam_faults(samples, rate)
    click = max(spliced, *(_click(wave) for wave in waves))
    return Seam(click, float(steps[0]), float(steps[1]), beat_lost)
