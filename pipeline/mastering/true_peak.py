"""True peak: the highest level between samples too, by oversampling to at least 192 kHz (ITU-R BS.1770-5
Annex 2).

The interpolator is a sinc of 24 taps under a Kaiser window (beta 5), flat to Nyquist as those of libebur128
and ffmpeg are. Most of a sound cannot hold its peak: `reach` says what might, and only that is
interpolated, in float64 and rounded to float32, so that the order in which a machine sums does not show.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from pipeline.audio import Clip
from pipeline.mastering.reachable import TAPS, Reach, reach, taps

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]

_ROWS = 32
"""Rows looked into at a time."""
_BATCH = 4096
"""Places interpolated at a time: what fits a core's cache."""
_LARGEST = float(np.finfo(np.float32).max)


def sample_peak(clip: Clip) -> float:
    """Highest magnitude of any sample, linear; 0.0 for an empty clip."""
    return max(float(clip.samples.max(initial=0.0)), -float(clip.samples.min(initial=0.0)))


def oversampling(rate: int) -> int:
    """How many times a rate is raised: 8 below 48 kHz, 4 below 192 kHz, else 1, which is the samples alone.

    BS.1770-5 asks for 4 at 48 kHz. Lower rates take more, so that no meter that works at 192 kHz finds a peak
    that stands between our points.
    """
    return 8 if rate < 48_000 else 4 if rate < 192_000 else 1


@cache
def _interpolator(times: int) -> npt.NDArray[np.float64]:
    """Taps for every place between two samples, shape [times - 1, 24]."""
    return np.stack([taps(part / times) for part in range(1, times)])


def _between(around: Floats, places: Places, times: int) -> Floats:
    """Highest magnitude between each of ``places`` and the sample after it; float32 of shape [places].

    ``around`` is the channel with the interpolator's reach at both ends.
    """
    size = around.itemsize
    windows = np.ndarray((len(around) - TAPS + 1, TAPS), np.float32, around, 0, (size, size))
    peaks = np.empty(len(places), np.float32)
    for start in range(0, len(places), _BATCH):
        chosen = windows[places[start : start + _BATCH]].astype(np.float64)
        values = _interpolator(times) @ chosen.T
        peaks[start : start + _BATCH] = np.abs(values, out=values).max(axis=0)
    return peaks


def _peak(near: Reach, times: int, least: float) -> float:
    """True peak of one channel, or ``least`` if that is higher: rows most likely to hold it come first."""
    rows = near.rows_above(least)
    for start in range(0, len(rows.places), _ROWS):
        places = near.places_above(rows.part(start, start + _ROWS), least)
        if len(places):
            least = max(least, float(_between(near.around, places, times).max()))
    return least


def _channel_overs(near: Reach, times: int, ceiling: float) -> tuple[Places, Floats]:
    """Samples n where one channel is above ``ceiling`` from n up to the next sample, and how high there."""
    rows = near.rows_above(ceiling)
    parts = [
        near.places_above(rows.part(start, start + _ROWS), ceiling)
        for start in range(0, len(rows.places), _ROWS)
    ]
    places = np.concatenate([*parts, np.zeros(0, np.intp)])
    highest = np.abs(near.samples[places])
    if times > 1:
        np.maximum(highest, _between(near.around, places, times), out=highest)
    above = highest > ceiling
    return places[above], highest[above]


def overs(clip: Clip, ceiling: float, *, circular: bool = False) -> tuple[Places, Floats]:
    """Where the true peak is above linear ``ceiling``: samples n in order, each with the highest magnitude of
    any channel from n up to the next sample, float32.

    With ``circular`` the clip is a loop: its end is heard before its start. Otherwise silence surrounds it.
    """
    times = oversampling(clip.rate)
    found = [_channel_overs(reach(channel, circular), times, ceiling) for channel in clip.samples]
    places, peaks = (np.concatenate(part) for part in zip(*found, strict=True))
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
    """Of what lies between them too."""

    def scaled(self, gain: float) -> Peaks:
        """Peaks after a linear ``gain`` of float32; the sample's is rounded as every sample is."""
        return Peaks(float(np.float32(self.sample) * np.float32(gain)), self.true * gain)


def peaks(clip: Clip, *, circular: bool = False) -> Peaks:
    """Sample and true peak; both 0.0 for silence and for an empty clip."""
    times = oversampling(clip.rate)
    if times == 1 or not clip.length:
        highest = sample_peak(clip)
        return Peaks(highest, highest)
    reaches = [reach(channel, circular) for channel in clip.samples]
    highest = true = max(float(near.level.max()) for near in reaches)
    if highest > 0.0:
        for near in reaches:
            true = _peak(near, times, true)
    return Peaks(highest, min(true, _LARGEST))


def true_peak(clip: Clip, *, circular: bool = False) -> float:
    """True peak as linear amplitude (1.0 is 0 dBTP); 0.0 for silence and for an empty clip."""
    return peaks(clip, circular=circular).true
