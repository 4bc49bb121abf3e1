"""Estimate of a sound's loudness after the limiter, from 10 ms bins.

The gain into a limiter is found by trial, and limiting a sound is slow. The limiter's gain curve follows the highest
peak of each bin and releases slowly, so the energy of a bin after limiting is about its energy before, times the
square of that gain. The error is a tenth or two of the gain reduction, so the search then limits the sound itself,
starting at a gain that is nearly right.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pipeline.audio import Clip
from pipeline.mastering.decibel import amplitude
from pipeline.mastering.k_weighting import BINS_PER_SECOND
from pipeline.mastering.level import Levels
from pipeline.mastering.limiter import MARGIN_DB, RELEASE_S
from pipeline.mastering.loudness import Energies
from pipeline.mastering.true_peak import Peaks

Floats = npt.NDArray[np.float64]

_RELEASE_BINS = RELEASE_S * BINS_PER_SECOND


@dataclass(frozen=True, eq=False)
class LimiterEstimate:
    """A sound before gain, and estimates of it after gain and limiter."""

    clip: Clip
    levels: Levels
    """Levels of ``clip``."""

    @cached_property
    def _peaks(self) -> Floats:
        """Highest sample magnitude in each bin, times the sound's ratio of true peak to sample peak."""
        starts = np.arange(len(self.levels.energies.running) - 1) * self.clip.rate // BINS_PER_SECOND
        highest = np.maximum.reduceat(np.abs(self.clip.samples), starts, axis=1).max(axis=0)
        return np.asarray(highest * (self.levels.peaks.true / self.levels.peaks.sample))

    def limits(self, gain_db: float, ceiling_dbtp: float) -> bool:
        """Whether a limiter at ``ceiling_dbtp`` reduces the sound after ``gain_db``."""
        return self.levels.peaks.true * amplitude(gain_db) > amplitude(ceiling_dbtp - MARGIN_DB)

    def levels_after(self, gain_db: float, ceiling_dbtp: float) -> Levels:
        """Estimated levels after ``gain_db`` and a limiter at ``ceiling_dbtp``."""
        gain, ceiling = amplitude(gain_db), amplitude(ceiling_dbtp - MARGIN_DB)
        before = self.levels.scaled(gain)
        if before.peaks.true <= ceiling:
            return before
        reduction = np.maximum(1.0 - ceiling / np.maximum(self._peaks * gain, ceiling), 1e-9)
        decay = np.arange(len(reduction)) / _RELEASE_BINS
        released = np.exp(np.maximum.accumulate(np.log(reduction) + decay) - decay)
        running = np.zeros_like(before.energies.running)
        np.cumsum(np.diff(before.energies.running) * np.square(1.0 - released), out=running[1:])
        energies = Energies(running, before.energies.whole_bins, before.energies.rate)
        return Levels(energies, Peaks(min(before.peaks.sample, ceiling), ceiling), before.seconds)
