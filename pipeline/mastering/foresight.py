"""What a limiter will leave of a sound's loudness, foretold from 10 ms bins.

A gain into a limiter is found by trying, and limiting a sound is much work. Its gain curve follows the highest
peak of each bin and is released slowly, so the energy of a bin after it is near its energy before, times the
square of that gain. That is off by a tenth or two of what the limiter takes, so the sound itself is then limited at
a gain that is nearly right.
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
class Foresight:
    """A sound before gain, and what is foretold of it."""

    clip: Clip
    levels: Levels
    """Of ``clip``."""

    @cached_property
    def _peaks(self) -> Floats:
        """Highest magnitude in each bin, of the samples, raised by what the sound's true peak is above them."""
        starts = np.arange(len(self.levels.energies.running) - 1) * self.clip.rate // BINS_PER_SECOND
        highest = np.maximum.reduceat(np.abs(self.clip.samples), starts, axis=1).max(axis=0)
        return np.asarray(highest * (self.levels.peaks.true / self.levels.peaks.sample))

    def limited(self, gain_db: float, ceiling_dbtp: float) -> bool:
        """Whether a limiter at ``ceiling_dbtp`` has anything to do after ``gain_db``."""
        return self.levels.peaks.true * amplitude(gain_db) > amplitude(ceiling_dbtp - MARGIN_DB)

    def after(self, gain_db: float, ceiling_dbtp: float) -> Levels:
        """Levels after ``gain_db`` and a limiter at ``ceiling_dbtp``."""
        gain, ceiling = amplitude(gain_db), amplitude(ceiling_dbtp - MARGIN_DB)
        before = self.levels.scaled(gain)
        if before.peaks.true <= ceiling:
            return before
        taken = np.maximum(1.0 - ceiling / np.maximum(self._peaks * gain, ceiling), 1e-9)
        line = np.arange(len(taken)) / _RELEASE_BINS
        held = np.exp(np.maximum.accumulate(np.log(taken) + line) - line)
        running = np.zeros_like(before.energies.running)
        np.cumsum(np.diff(before.energies.running) * np.square(1.0 - held), out=running[1:])
        energies = Energies(running, before.energies.whole_bins, before.energies.rate)
        return Levels(energies, Peaks(min(before.peaks.sample, ceiling), ceiling), before.seconds)
