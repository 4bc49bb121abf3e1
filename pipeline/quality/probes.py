"""Probes behind the gates: noise, hiss at the end, clipped peaks, DC offset."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import rfft

from pipeline.audio import Clip, Floats, Samples

_FRAME_S = 0.02
_BANDS = 24
_LOWEST_HZ = 60.0
_HIGHEST_SHARE = 0.9
"""Share of Nyquist up to which resampling filters pass the sound."""
_CODED_SHARE = 0.55
"""Share of Nyquist up to which lossy codecs keep the sound."""
_TAIL_FRAME_S = 0.01
_LONGEST_TAIL_S = 1.5
_SHORTEST_TAIL_S = 0.06
_GAP_FRAMES = 2
"""Number of frames searched back for the quiet part: the first may hold the onset."""
_DIED_AWAY_DB = -20.0
"""Level relative to the loudest frame: a quieter sound has ended and does not merely pause."""
_STEADY_DB = 6.0
_ONSET_DB = 6.0
"""Rise from one frame to the next at which a new sound begins."""
Positions = npt.NDArray[np.int64]
_EQUAL = 1e-6
"""Share of the peak: samples with a smaller difference count as equal, whatever gain came after."""
_FAINTEST_PEAK = 0.02
_LOWEST_SIDE = 0.08
"""Share of the other side's peak below which a side is not a clipping ceiling."""
_MOST_OF_A_SIDE = 0.35
"""Maximum share of samples at a ceiling below half of the other side's peak: more is a rectified wave."""
_KNEE = (0.9, 0.99)
"""Shares of the ceiling: a soft clipper crowds samples above the second; a hard clipper does not change the slope."""
_MIN_STEP = 1.5e-4
"""Smallest step to the ceiling from the sample before it, as a share of the ceiling; crests of low notes have less."""
_QUANTA = 3.5
"""Smallest step in quantization units: the crest of a rounded wave is up to three units above its neighbours."""
_PILE = 8
"""Smallest number of samples at the ceiling, each from another height, that is not chance."""
_BLOCKS = 8
_SHORTEST_BLOCK_S = 0.04
_FADING = 1.5
"""Ratio of the loudest to the quietest block from which the level separates an offset from an asymmetric wave."""


def _frames(clip: Clip, seconds: float) -> Floats:
    """Mono frames of ``seconds``, shape [frames, samples], without the last incomplete one."""
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


def _straightness(spectrum: Floats, hertz: Floats) -> float:
    """How close a mean power spectrum is to a power of frequency (white, pink, brown), from 0 to 1."""
    edges = np.unique(np.round(np.geomspace(1, len(spectrum) + 1, _BANDS + 1)).astype(np.int64))[:-1] - 1
    octaves = _means(np.log2(hertz), edges)
    levels = 10 * np.log10(_means(spectrum, edges) + 1e-30)
    fitted = np.polynomial.Polynomial.fit(octaves, levels, 1)(octaves)
    return _ramp(float(np.sqrt(np.mean(np.square(levels - fitted)))), 0.6, 3.6)


def _gaussian(clip: Clip) -> float:
    """1 for samples with the distribution of Gaussian noise, down to 0 when impulses exceed it."""
    steps = np.diff(clip.samples.mean(axis=0, dtype=np.float64))
    power = float(np.mean(np.square(steps)))
    kurtosis = float(np.mean(np.square(np.square(steps)))) / power**2 - 3 if power > 0.0 else 0.0
    return _ramp(kurtosis, 2.0, 6.0)


def noise_share(clip: Clip) -> float:
    """How much of a sound is plain random noise, from 0 to 1.

    Such noise is white or falls with a power of frequency (pink, brown), keeps one level, and has no impulses. Rain,
    wind, breath and machines are shaped noise: their spectrum has a hump or an edge, their level changes, or single
    drops are louder. The three shares are multiplied: a spectrum within 0.6 dB of a straight line over octaves counts
    1, from 3.6 dB on 0; whitened 20 ms frames whose levels spread by 3 dB count 1, from 8 dB on 0. Sounds below 0.2 s
    give 0.
    """
    frames = _frames(clip, _FRAME_S)
    if len(frames) < 10 or not frames.any():
        return 0.0
    power, hertz = _power(frames, clip.rate, _CODED_SHARE)
    spectrum = power.mean(axis=0) + 1e-30
    levels = 10 * np.log10(np.maximum((power / spectrum).mean(axis=1), 1e-12))
    steady = _ramp(_spread(levels), 3.0, 8.0)
    share = steady * _straightness(spectrum, hertz) if steady else 0.0
    return share * _gaussian(clip) if share else 0.0


def _flatness(frames: Floats, rate: int) -> float:
    """Geometric over arithmetic mean of the power in bands of equal width, from 0 to 1 (white)."""
    power = _power(frames, rate, _HIGHEST_SHARE)[0].mean(axis=0)
    edges = np.unique(np.linspace(0, len(power), _BANDS + 1).astype(np.int64))[:-1]
    bands = _means(power, edges)
    mean = float(bands.mean())
    return float(np.exp(np.log(bands + 1e-12 * mean).mean()) / mean) if mean > 0.0 else 0.0


def _is_noise(frames: Floats, rate: int) -> bool:
    """Whether a spectrum is flat or falls with a power of frequency; a tone's does not."""
    power, hertz = _power(frames, rate, _CODED_SHARE)
    return _flatness(frames, rate) > 0.4 or _straightness(power.mean(axis=0), hertz) > 0.3


def tail_noise_db(clip: Clip) -> float:
    """How far hiss at the very end of a sound rises above the quiet part before it, in dB; 0.0 without hiss.

    It is an artefact of generators: the sound dies away, then noise starts at once, keeps its level and lasts to the
    last sample. A second event decays, a riser grows and a tone is not flat, so none of these counts.
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


def _runs(condition: npt.NDArray[np.bool_]) -> tuple[Positions, Positions]:
    """Start and length of each stretch of samples that meet ``condition``."""
    edges = np.flatnonzero(np.diff(condition.astype(np.int8), prepend=0, append=0))
    return edges[::2], edges[1::2] - edges[::2]


def _moving(wave: Samples, positions: Positions, step: float) -> npt.NDArray[np.bool_]:
    """Whether the wave was moving just before ``positions``; a square wave does not move before its edge."""
    at = np.maximum(positions, 2)
    return np.asarray((np.abs(wave[at - 1] - wave[at - 2]) > step) & (positions >= 2))


def _cut_samples(wave: Samples, other_peak: float) -> int:
    """Number of samples of ``wave`` that a hard clipper put at its highest value; 0 without clipping.

    A clipper stops a moving wave. It leaves runs of equal samples that begin with a step (low notes), or many single
    samples that came from different heights (noise). A square wave is flat before it jumps, and saturation crowds
    the samples below its ceiling: neither is clipping.
    """
    ceiling = float(wave.max(initial=0.0))
    if ceiling < max(_FAINTEST_PEAK, _LOWEST_SIDE * other_peak):
        return 0
    at_top = wave >= ceiling * (1 - _EQUAL)
    count = int(np.count_nonzero(at_top))
    if count < _PILE or (ceiling < 0.5 * other_peak and count > _MOST_OF_A_SIDE * len(wave)):
        return 0
    starts, lengths = _runs(at_top)
    moving = _moving(wave, starts, ceiling * _EQUAL)
    step = ceiling - wave[np.maximum(starts - 1, 0)]
    cut = moving & (step > max(_MIN_STEP * ceiling, _QUANTA * _quantum(wave)))
    if int(lengths[moving].sum()) < 0.2 * count or _is_soft(wave, ceiling, count):
        return 0
    long = int(lengths[cut & (lengths >= 3)].sum())
    heights = np.unique(np.round(wave[starts[cut] - 1] / ceiling, 3))
    below = wave[(wave > 0.99 * ceiling) & ~at_top]
    together = 2 * int(lengths[lengths >= 2].sum()) > count
    piled = len(heights) >= _PILE and _is_piled(below, count, ceiling, together)
    return max(long, count if piled else 0)


def _quantum(wave: Samples) -> float:
    """The smallest step of ``wave``: one quantization unit, or almost nothing."""
    steps = np.abs(np.diff(wave))
    return float(steps.min(initial=np.inf, where=steps > 0.0))


def _is_piled(below: Samples, count: int, ceiling: float, together: bool) -> bool:
    """Whether ``count`` samples at the ceiling are more than crests would leave there.

    Crests rounded to 16 bits also share values, but then many samples within 1 % ``below`` do too. A limiter also
    makes crests equal, but they touch the ceiling one sample at a time, not ``together``.
    """
    second = float(below.max(initial=0.0))
    level = int(np.count_nonzero(below >= second - ceiling * _EQUAL))
    return count > 6 * level and (together or count > 0.25 * len(below))


def _is_soft(wave: Samples, ceiling: float, count: int) -> bool:
    low, high = (part * ceiling for part in _KNEE)
    near = int(np.count_nonzero(wave >= high)) - count
    below = int(np.count_nonzero(wave >= low)) - near - count
    if near < _PILE:
        return False
    return near > below or (near > 0.3 * below and count > near)


def clipped_share(clip: Clip) -> float:
    """Share of the audible samples (within 40 dB of the peak) that a hard clipper cut, whatever the level is now."""
    cut = audible = 0
    for wave in clip.samples:
        top, bottom = float(wave.max(initial=0.0)), -float(wave.min(initial=0.0))
        floor = 0.01 * max(top, bottom)
        audible += int(np.count_nonzero(wave > floor)) + int(np.count_nonzero(wave < -floor))
        cut += _cut_samples(wave, bottom) + _cut_samples(-wave, top)
    return cut / max(1, audible)


def dc_offset(clip: Clip) -> float:
    """DC offset that a sound has throughout, of the channel with the largest; full scale is 1.0.

    It is the median of eight windowed means, if they agree: a pluck or a drum moves one mean but not the others, and
    the rumble of wind moves them to either side. For pulse waves it is the middle of their two levels. Below 0.32 s
    the median of the samples must agree with the mean.
    """
    return max((abs(_offset(wave, clip.rate)) for wave in clip.samples), default=0.0)


def _offset(wave: Samples, rate: int) -> float:
    if not len(wave):
        return 0.0
    size = len(wave) // _BLOCKS
    if size >= _SHORTEST_BLOCK_S * rate:
        window = np.hanning(size) / np.hanning(size).sum()
        means = wave[: size * _BLOCKS].reshape(_BLOCKS, size) @ window
        offset = _constant(means, wave[: size * _BLOCKS].reshape(_BLOCKS, size).std(axis=1))
    else:
        mean, middle = float(wave.mean(dtype=np.float64)), float(np.median(wave))
        offset = min(mean, middle, key=abs) if mean * middle > 0 else 0.0
    if abs(offset) > 0.005 and np.count_nonzero(np.diff(wave)) < 0.25 * len(wave):
        return float(wave.max() + wave.min()) / 2
    return offset


def _constant(means: Samples, levels: Samples) -> float:
    """The part of eight blocks' ``means`` that does not change with their ``levels`` (standard deviations).

    The mean of an asymmetric wave is proportional to its level and fades with it; an offset stays.
    """
    low, middle, high = (float(part) for part in np.quantile(means, (0.25, 0.5, 0.75)))
    if abs(middle) <= high - low:
        return 0.0
    quietest = int(np.argmin(levels))
    if levels[quietest] * _FADING < float(levels.max()):
        shares = np.abs(means) / np.maximum(levels, 1e-9)
        if shares[quietest] < _FADING * float(np.median(shares)):
            return float(means[quietest])
    return middle
