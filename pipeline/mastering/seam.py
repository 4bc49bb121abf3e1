"""How well a loop wraps: click, beat, level step and spectral step at its seam, relative to the rest of the loop.

A seam is audible when it differs from the rest of the loop. So each measure is a ratio: the value at the seam over the
value at the loop's own rougher moments. Up to 1 the seam is masked by them.

The beat is measured on onsets. A lag at which the onsets of each side repeat (their autocorrelation) must also show
between the two sides. A cut off the beat shifts one side against the other, so it does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import solve_toeplitz

from pipeline.audio import Clip, Floats, Loop, Samples
from pipeline.mastering.splice import RESOLUTIONS, Resolution, continuity

Rows = npt.NDArray[np.floating[Any]]

_BEAT_HOP_S = 0.005
_BEAT_REACH_S = 4.0
"""Length analysed on each side."""
_SHORTEST_BEAT_S = 0.75
_SLOWEST_HZ, _FASTEST_HZ = 0.5, 12.0
_FIRST_LAG_S = 0.12
_LAST_LAG = 0.75
"""Share of the reach."""
_QUIET = 1e-4
"""Share of the mean power below which changes are not onsets."""
_LEVEL_HOPS = 4
"""Hops over which a level is measured and rises: 20 ms, longer than the period of low tones."""
_SMOOTH = 9
_CHANCE_SPREAD = 3.5
"""Factor by which smoothing raises the variance of a correlation of unrelated onsets."""
_BEAT_RATIO = 1.5
"""Ratio to the correlation of unrelated onsets from which there is a beat at all."""
_MIN_ONSET_SPREAD = 0.75
"""Standard deviation of onset strength, in nepers, below which there are no hits: a swell, a tremolo, a hum."""
_SPLICE_NATS = 5.0
"""Evidence that counts as 1. Continuous sound reaches it by chance once in e^5, about 150, positions."""
_LOST_BEAT = 0.4
"""Beat kept, from 0 to 1, at which the lost beat counts as 1."""
_IN_TIME = 0.7
"""Largest lost beat of a seam that falls on the beat."""
_REFERENCES = 16
"""Number of reference positions in a loop, used once its seam is suspect."""
_MARGIN = 0.15
"""Smallest distance of a reference to the seam, as a share of the window, so that the seam stays outside."""
_ORDER = 32
"""Order of the linear prediction, whose residual shows a click (Godsill and Rayner, "Digital Audio
Restoration", 1998, chapter 5)."""
_FRAME = 2 * _ORDER + 8
"""Samples that hold the residual of a corner, with the corner in the middle."""
_SEAM_REACH_S = 2.0
"""Length analysed on each side of the seam."""
_WINDOW_S = 0.1
_USUAL_CLICK = 0.999
_USUAL_STEP = 0.95
_LEVEL_FLOOR_DB = 3.0
_SPECTRUM_FLOOR_DB = 3.0
_BANDS = 24


def _power(rows: Rows) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", rows, rows, dtype=np.float64) / rows.shape[1])


def _onsets(wave: Rows) -> Floats:
    """Onset strength of each hop of ``wave``, shape [hops, samples per hop]: the summed rises of level, in nepers, of
    the whole band, the lows and the highs."""
    strength = np.zeros(len(wave))
    half = _LEVEL_HOPS // 2
    for power in (
        _power(wave),
        np.square(wave.mean(axis=1, dtype=np.float64)),
        _power(np.diff(wave, axis=1)),
    ):
        level = np.convolve(power, np.full(_LEVEL_HOPS, 1 / _LEVEL_HOPS), "same")
        height = np.log(level + _QUIET * level.mean() + 1e-20)
        strength[half:-half] += np.maximum(0.0, height[_LEVEL_HOPS:] - height[:-_LEVEL_HOPS])
    shape = np.hanning(_SMOOTH)
    return np.convolve(strength, shape / shape.sum(), "same")


def _beat_match(before: Floats, after: Floats) -> float | None:
    """How well two equally long stretches of onset strength keep the same beat: 1 like one piece, 0 like unrelated
    sounds.

    None when either side has no beat, or too little of one.
    """
    size = len(before)
    last, first = round(_LAST_LAG * size), round(_FIRST_LAG_S / _BEAT_HOP_S)
    if size < _SHORTEST_BEAT_S / _BEAT_HOP_S or min(before.std(), after.std()) < _MIN_ONSET_SPREAD:
        return None
    first_side = (before - before.mean()) / before.std()
    second_side = (after - after.mean()) / after.std()
    whole = next_fast_len(2 * size, real=True)
    spectra = rfft(first_side, whole), rfft(second_side, whole)
    lags = np.arange(first, last)
    own = irfft(np.abs(spectra[0]) ** 2 + np.abs(spectra[1]) ** 2, whole)[lags] / (2.0 * (size - lags))
    across = irfft(rfft(first_side[::-1], whole) * spectra[1], whole)[lags - 1]
    strength = float((lags * np.square(own)).sum())
    by_chance = _CHANCE_SPREAD * float((lags / (2.0 * (size - lags))).sum())
    if strength < _BEAT_RATIO**2 * by_chance:
        return None
    return float((across * own).sum()) / strength


def _pulses(strength: Floats) -> int:
    """Number of pulses in a loop of this onset strength: the strongest term of its Fourier series from 0.5 to 12 per
    second; 0 for a loop that is too short."""
    seconds = len(strength) * _BEAT_HOP_S
    first, last = max(1, round(_SLOWEST_HZ * seconds)), round(_FASTEST_HZ * seconds)
    series = np.abs(rfft(strength - strength.mean()))[first : last + 1]
    return first + int(series.argmax()) if len(series) else 0


def _window_around(samples: Samples, position: int, reach: int) -> Samples:
    """``reach`` samples before and after ``position`` of a loop, wrapped at its ends; shape [channels, samples]."""
    return samples.take(np.arange(position - reach, position + reach), axis=1, mode="wrap")


def _reference_positions(length: int, reach: int) -> list[int]:
    """Positions spread over a loop of ``length``, away from its seam."""
    margin = min(round(_MARGIN * reach), length // 4)
    return [round(position) for position in np.linspace(margin, length - margin, _REFERENCES + 2)[1:-1]]


def _beat_positions(wave: Samples, length: int, hop: int) -> list[int]:
    """Up to `_REFERENCES` beats of a loop of ``length`` that holds whole beats from its seam on; without the seam."""
    count = _pulses(_onsets(wave[: length // hop * hop].reshape(-1, hop)))
    chosen = np.unique(np.linspace(1, count - 1, _REFERENCES).round()) if count > 1 else ()
    return [round(number * length / count) for number in chosen]


def _splice(samples: Samples, rate: int, resolution: Resolution, beats: Callable[[], list[int]]) -> float:
    """Evidence of a splice at the seam of the loop ``samples``, relative to reference positions; ``beats`` are further
    references."""
    length = samples.shape[1]
    reach = min(round(resolution.window_s * rate), length // 2)

    def evidence(position: int) -> float:
        return -continuity(_window_around(samples, position, reach), rate, resolution)

    at_seam = evidence(0)
    if at_seam <= _SPLICE_NATS:
        return max(0.0, at_seam / _SPLICE_NATS)
    positions = [*_reference_positions(length, reach), *beats()]
    return at_seam / max(_SPLICE_NATS, *(evidence(position) for position in positions))


def _lost_beat(wave: Samples, hop: int) -> float | None:
    """Beat lost at the seam of the loop ``wave``, shape [samples], relative to references; None without a beat."""
    hops = len(wave) // hop
    reach = min(round(_BEAT_REACH_S / _BEAT_HOP_S), hops // 2)
    if reach < _SHORTEST_BEAT_S / _BEAT_HOP_S:
        return None

    def lost(position: int) -> float | None:
        strength = _onsets(_window_around(wave[None], position * hop, (reach + 2) * hop).reshape(-1, hop))
        match = _beat_match(strength[2 : reach + 2], strength[reach + 2 : -2])
        return None if match is None else max(0.0, 1.0 - match)

    at_seam, floor = lost(0), 1.0 - _LOST_BEAT
    if at_seam is None or at_seam <= floor:
        return at_seam and at_seam / floor
    return at_seam / max(floor, *(lost(position) or 0.0 for position in _reference_positions(hops, reach)))


def _splice_and_beat(samples: Samples, rate: int) -> tuple[float, float]:
    """Splice and lost beat at the seam of the loop ``samples``, relative to other positions of the loop.

    A seam on the beat may fall on an attack, so the loop's other beats are references too.
    """
    hop = max(2, round(_BEAT_HOP_S * rate))
    mono = samples.mean(axis=0)
    lost = _lost_beat(mono, hop)
    in_time = lost is not None and lost <= _IN_TIME

    def beats() -> list[int]:
        return _beat_positions(mono, samples.shape[1], hop) if in_time else []

    return max(_splice(samples, rate, resolution, beats) for resolution in RESOLUTIONS), lost or 0.0


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
        names = ("click", "beat", "level_step", "spectral_step", "score")
        return {name: round(float(getattr(self, name)), 4) for name in names}


def _residual(wave: Floats) -> Floats:
    """Magnitude of the linear prediction residual of ``wave``, shape [samples]."""
    length = len(wave)
    correlation = np.array([wave[lag:] @ wave[: length - lag] for lag in range(_ORDER + 1)])
    if correlation[0] <= 0.0:
        return np.zeros(length)
    correlation[0] *= 1.0 + 1e-9
    error = np.concatenate(([1.0], -solve_toeplitz(correlation[:_ORDER], correlation[1:])))
    residual = np.abs(np.convolve(wave, error)[:length])
    residual[:_ORDER] = residual[_ORDER : 2 * _ORDER]
    return np.asarray(residual)


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
    prominence = peaks[2:-3] / (np.sqrt(np.maximum(before, after)) + floor)
    seam = len(wave) // 2 // _FRAME - 2
    usual = float(np.quantile(np.delete(prominence, seam), _USUAL_CLICK))
    return float(prominence[seam]) / max(usual, 3.0)


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


def measure_seam(clip: Clip, loop: Loop) -> Seam:
    """Measure the seam of ``loop``; the worst channel counts.

    A silent loop, or one shorter than 40 ms, has nothing to compare with and measures 0. Raises `ValueError`
    for a loop that is empty or outside the clip.
    """
    start, end = loop
    if not 0 <= start < end <= clip.length:
        raise ValueError(f"loop from {start} to {end} is outside {clip.length} samples")
    samples, rate = clip.samples[:, start:end], clip.rate
    waves = _window_around(samples, 0, min(round(_SEAM_REACH_S * rate), (end - start) // 2)).astype(
        np.float64
    )
    if waves.shape[1] < max(0.04 * rate, 16 * _FRAME) or not waves.any():
        return Seam(0.0, 0.0, 0.0)
    window = min(round(_WINDOW_S * rate), waves.shape[1] // 8)
    steps = np.max([_steps(wave, window) for wave in waves], axis=0)
    splice, beat_lost = _splice_and_beat(samples, rate)
    click = max(splice, *(_click(wave) for wave in waves))
    return Seam(click, float(steps[0]), float(steps[1]), beat_lost)
