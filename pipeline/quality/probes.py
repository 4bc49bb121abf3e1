"""Noise: whether a sound is nothing else, and whether it sets in at the end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import rfft

from pipeline.audio import Clip

Floats = npt.NDArray[np.float64]

_FRAME_S = 0.02
_BANDS = 24
_LOWEST_HZ = 60.0
_HIGHEST_SHARE = 0.9
"""Of Nyquist: above it resampling filters end."""
_CODED_SHARE = 0.55
"""Of Nyquist: above it lossy codecs may have left nothing."""
_TAIL_FRAME_S = 0.01
_LONGEST_TAIL_S = 1.5
_SHORTEST_TAIL_S = 0.06
_GAP_FRAMES = 2
"""Looked back for the quiet: the first frame may hold the onset."""
_DIED_AWAY_DB = -20.0
"""Below the loudest frame: a sound that has ended, not one that breathes."""
_STEADY_DB = 6.0
_ONSET_DB = 6.0
"""From one frame to the next: a new sound begins."""


def _frames(clip: Clip, seconds: float) -> Floats:
    """Mono frames of ``seconds``, shape [frames, samples]; the last uneven one is left out."""
    size = max(16, round(seconds * clip.rate))
    wave = clip.samples.mean(axis=0, dtype=np.float64)
    count = len(wave) // size
    return np.asarray(wave[: count * size].reshape(count, size))


def _power(frames: Floats, rate: int, highest: float) -> tuple[Floats, Floats]:
    """Power by frame and bin, and the bins' frequencies in Hz, from 60 Hz to ``highest`` of Nyquist."""
    size = frames.shape[1]
    first, last = max(2, round(_LOWEST_HZ * size / rate)), round(highest * (size // 2 + 1))
    power = np.abs(rfft(frames * np.hanning(size))[:, first:last]) ** 2
    return power, np.arange(first, last) * rate / size


def _means(values: Floats, edges: npt.NDArray[np.int64]) -> Floats:
    return np.asarray(np.add.reduceat(values, edges) / np.diff(edges, append=len(values)))


def _spread(levels: Floats) -> float:
    return float(np.quantile(levels, 0.9) - np.quantile(levels, 0.1))


def _ramp(value: float, one: float, nothing: float) -> float:
    """1 up to ``one``, falling to 0 at ``nothing``."""
    return min(1.0, max(0.0, (nothing - value) / (nothing - one)))


def _unshaped(spectrum: Floats, hertz: Floats) -> float:
    """How near a mean power spectrum is to a power of frequency (white, pink, brown), from 0 to 1."""
    edges = np.unique(np.round(np.geomspace(1, len(spectrum) + 1, _BANDS + 1)).astype(np.int64))[:-1] - 1
    octaves = _means(np.log2(hertz), edges)
    levels = 10 * np.log10(_means(spectrum, edges) + 1e-30)
    fitted = np.polynomial.Polynomial.fit(octaves, levels, 1)(octaves)
    return _ramp(float(np.sqrt(np.mean(np.square(levels - fitted)))), 0.6, 3.6)


def _even(clip: Clip) -> float:
    """1 for samples that are spread as Gaussian noise is, falling to 0 where impulses stand out of it."""
    steps = np.diff(clip.samples.mean(axis=0, dtype=np.float64))
    power = float(np.mean(np.square(steps)))
    kurtosis = float(np.mean(np.square(np.square(steps)))) / power**2 - 3 if power > 0.0 else 0.0
    return _ramp(kurtosis, 2.0, 6.0)


def noise_share(clip: Clip) -> float:
    """How much a sound is nothing but noise as it comes from a random source, from 0 to 1.

    Such noise is white or falls with a power of frequency (pink, brown), keeps one level, and has no impulses.
    Rain, wind, breath and machines are noise that something has shaped: their spectrum has a hump or an
    edge, their level moves or drops stand out of them. The three shares are multiplied: a spectrum within 0.6 dB of a
    straight line over octaves counts 1, from 3.6 dB on 0; whitened 20 ms frames whose levels spread by 3 dB count
    1, from 8 dB on 0. Sounds below 0.2 s say nothing.
    """
    frames = _frames(clip, _FRAME_S)
    if len(frames) < 10 or not frames.any():
        return 0.0
    power, hertz = _power(frames, clip.rate, _CODED_SHARE)
    spectrum = power.mean(axis=0) + 1e-30
    levels = 10 * np.log10(np.maximum((power / spectrum).mean(axis=1), 1e-12))
    steady = _ramp(_spread(levels), 3.0, 8.0)
    share = steady * _unshaped(spectrum, hertz) if steady else 0.0
    return share * _even(clip) if share else 0.0


def _flatness(frames: Floats, rate: int) -> float:
    """Geometric over arithmetic mean of the power in bands of equal width, from 0 to 1 (white)."""
    power = _power(frames, rate, _HIGHEST_SHARE)[0].mean(axis=0)
    edges = np.unique(np.linspace(0, len(power), _BANDS + 1).astype(np.int64))[:-1]
    bands = _means(power, edges)
    mean = float(bands.mean())
    return float(np.exp(np.log(bands + 1e-12 * mean).mean()) / mean) if mean > 0.0 else 0.0


def _is_noise(frames: Floats, rate: int) -> bool:
    """Whether a stretch is flat, or falls with a power of frequency, as no tone does."""
    power, hertz = _power(frames, rate, _CODED_SHARE)
    return _flatness(frames, rate) > 0.4 or _unshaped(power.mean(axis=0), hertz) > 0.3


def tail_noise_db(clip: Clip) -> float:
    """How far hiss rises above the quiet before it at the very end of a sound, in dB; 0.0 where there is
    none.

    What generators leave behind: the sound dies away, then noise sets in at once, keeps its level and lasts to
    the last sample. A second event decays, a riser grows and a tone is not flat, so none of these counts.
    """
    frames = _frames(clip, _TAIL_FRAME_S)
    longest, shortest = round(_LONGEST_TAIL_S / _TAIL_FRAME_S), round(_SHORTEST_TAIL_S / _TAIL_FRAME_S)
    if len(frames) < 3 * shortest:
        return 0.0
    power = np.square(frames).mean(axis=1)
    levels = 10.0 * np.log10(np.maximum(power / max(float(power.max()), 1e-30), 1e-12))
    starts = np.arange(max(_GAP_FRAMES, len(levels) - longest), len(levels) - shortest + 1)
    quiet = np.min([levels[starts - back - 1] for back in range(_GAP_FRAMES)], axis=0)
    onsets = np.flatnonzero(levels[starts] - levels[starts - 1] > _ONSET_DB)
    if not onsets.size:
        return 0.0
    start, before = int(starts[onsets[-1]]), float(quiet[onsets[-1]])
    tail = levels[start:]
    rise = float(np.median(tail)) - before
    if rise <= 0.0 or before > _DIED_AWAY_DB or _spread(tail[1:]) > _STEADY_DB:
        return 0.0
    return rise if _is_noise(frames[start:], clip.rate) else 0.0
