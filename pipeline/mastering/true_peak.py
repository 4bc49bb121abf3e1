"""True peak: the highest level, also between samples, by oversampling to at least 192 kHz (ITU-R BS.1770-5
Annex 2).

The interpolator is a sinc of 24 taps under a Kaiser window (beta 5), flat to Nyquist like those of
libebur128 and ffmpeg. Most of a sound cannot hold its peak: `channel_bounds`
finds the parts that might, and only those are interpolated, in float64 rounded to float32, so that the result does not
depend on the order in which a machine sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from pipeline.audio import Clip
from pipeline.mastering.peak_bounds import TAPS, ChannelBounds, channel_bounds, taps

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]

_ROWS = 32
"""Rows processed at once."""
_BATCH = 4096
"""Positions interpolated at once, so that they fit in a core's cache."""
_LARGEST = float(np.finfo(np.float32).max)


def sample_peak(clip: Clip) -> float:
    """Highest magnitude of any sample, linear; 0.0 for an empty clip."""
    return max(float(clip.samples.max(initial=0.0)), -float(clip.samples.min(initial=0.0)))


def oversampling(rate: int) -> int:
    """Oversampling factor: 8 below 48 kHz, 4 below 192 kHz, else 1 (samples only).

    BS.1770-5 asks for 4 at 48 kHz. Lower rates use 8, so that a meter at 192 kHz finds no peak between our points.
    """
    return 8 if rate < 48_000 else 4 if rate < 192_000 else 1


@cache
def _interpolator(times: int) -> npt.NDArray[np.float64]:
    """Taps for every position between two samples, shape [times - 1, 24]."""
    return np.stack([taps(part / times) for part in range(1, times)])


def _between(around: Floats, places: Places, times: int) -> Floats:
    """Highest magnitude between each of ``places`` and the next sample; float32 of shape [places].

    ``around`` is the channel padded for the interpolator at both ends.
    """
    size = around.itemsize
    windows = np.ndarray((len(around) - TAPS + 1, TAPS), np.float32, around, 0, (size, size))
    peaks = np.empty(len(places), np.float32)
    for start in range(0, len(places), _BATCH):
        chosen = windows[places[start : start + _BATCH]].astype(np.float64)
        values = _interpolator(times) @ chosen.T
        peaks[start : start + _BATCH] = np.abs(values, out=values).max(axis=0)
    return peaks


def _peak(bounds: ChannelBounds, times: int, least: float) -> float:
    """True peak of one channel, or ``least`` if that is higher. Rows with the highest bound come first."""
    rows = bounds.rows_above(least)
    for start in range(0, len(rows.places), _ROWS):
        places = bounds.places_above(rows.part(start, start + _ROWS), least)
        if len(places):
            least = max(least, float(_between(bounds.around, places, times).max()))
    return least


def _channel_overs(bounds: ChannelBounds, times: int, ceiling: float) -> tuple[Places, Floats]:
    """Samples n where one channel exceeds ``ceiling`` between n and the next sample, and the magnitude there."""
    rows = bounds.rows_above(ceiling)
    parts = [
        bounds.places_above(rows.part(start, start + _ROWS), ceiling)
        for start in range(0, len(rows.places), _ROWS)
    ]
    places = np.concatenate([*parts, np.zeros(0, np.intp)])
    highest = np.abs(bounds.samples[places])
    if times > 1:
        np.maximum(highest, _between(bounds.around, places, times), out=highest)
    above = highest > ceiling
    return places[above], highest[above]


def overs(clip: Clip, ceiling: float, *, circular: bool = False) -> tuple[Places, Floats]:
    """Where the true peak is above linear ``ceiling``: samples n in order, each with the highest magnitude of
    any channel from n up to the next sample, float32.

    With ``circular`` the clip is a loop: its end comes before its start. Otherwise silence surrounds it.
    """
    times = oversampling(clip.rate)
    by_channel = [
        _channel_overs(channel_bounds(channel, circular), times, ceiling) for channel in clip.samples
    ]
    places, peaks = (np.concatenate(part) for part in zip(*by_channel, strict=True))
    order = np.argsort(places)
    places, peaks = places[order], peaks[order]
    if clip.channels == 1:
        return places, peaks
    firsts = np.flatnonzero(np.diff(places, prepend=-1))
    return places[firsts], np.maximum.reduceat(peaks, firsts) if len(firsts) else peaks


@dataclass(frozen=True, slots=True)
class Peaks:
    """Highest magnitudes, linear: 1.0 is full scale."""

    sample: float
    """Of the samples."""
    true: float
    """Also between samples."""

    def scaled(self, gain: float) -> Peaks:
        """Peaks after a linear ``gain`` of float32; the sample peak is rounded like every sample."""
        return Peaks(float(np.float32(self.sample) * np.float32(gain)), self.true * gain)


def peaks(clip: Clip, *, circular: bool = False) -> Peaks:
    """Sample and true peak; both 0.0 for silence and for an empty clip."""
    times = oversampling(clip.rate)
    if times == 1 or not clip.length:
        highest = sample_peak(clip)
        return Peaks(highest, highest)
    channels = [channel_bounds(channel, circular) for channel in clip.samples]
    highest = true = max(float(bounds.level.max()) for bounds in channels)
    if highest > 0.0:
        for bounds in channels:
            true = _peak(bounds, times, true)
    return Peaks(highest, min(true, _LARGEST))


def true_peak(clip: Clip, *, circular: bool = False) -> float:
    """True peak as linear amplitude (1.0 is 0 dBTP); 0.0 for silence and for an empty clip."""
    return peaks(clip, circular=circular).true
