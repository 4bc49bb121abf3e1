"""One gain for an asset's variations: the loudness measure, the target, and the search for the gain that reaches it.

Limiting a sound is slow, so the search starts with an estimate from 10 ms bins. The limiter's gain curve follows the
highest peak of each bin and releases slowly, so the energy of a bin after limiting is about its energy before, times
the square of that gain. The error is a tenth or two of the gain reduction. The search then limits the sounds, from a
gain that is nearly right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.audio import Clip
from pipeline.audio.decibel import amplitude, level
from pipeline.errors import MasteringError
from pipeline.manifest.spec import MasteringSpec
from pipeline.mastering.limiter import MARGIN_DB, RELEASE_S, Loop, apply_gain, limit_looped, looped_peaks
from pipeline.mastering.loudness import BINS_PER_SECOND, Energies, energies
from pipeline.mastering.shape import Shaped
from pipeline.mastering.true_peak import Peaks, sample_peak

Floats = npt.NDArray[np.float64]

Method = Literal["integrated", "momentary", "peak"]

INTEGRATED_FROM_S = 3.0
"""From this length on, integrated loudness counts; below it, the loudest 400 ms."""
PEAK_BELOW_S = 0.05
"""Below this length a 400 ms window means nothing; the true peak counts as the level of a click."""
PEAK_OVER_LOUDNESS_DB = 12.0
"""Target true peak of a click above the loudness target (never above the limiter's ceiling)."""
SILENT_LUFS = -70.0
MOST_GAIN_DB = 40.0
MOST_LIMITING_DB = 6.0
"""Approximate maximum gain reduction; more would change the character of a sound."""


@dataclass(frozen=True, eq=False)
class Levels:
    """Energies and peaks of one variation."""

    energies: Energies
    peaks: Peaks
    seconds: float

    def scaled(self, gain: float) -> Levels:
        """Levels after a linear ``gain`` of float32."""
        return Levels(self.energies.scaled(gain), self.peaks.scaled(gain), self.seconds)

    def by(self, method: Method) -> float:
        """Level in LUFS (dBTP for "peak"). Raises `MasteringError` for silence and near silence."""
        loudest = self.energies.momentary_max()
        peak = level(self.peaks.true)
        if loudest is None or peak is None or (loudest < SILENT_LUFS and method != "peak"):
            loudness = "silence" if loudest is None else f"{loudest:.1f} LUFS at its loudest"
            raise MasteringError(
                f"the take is {loudness}, below {SILENT_LUFS:g} LUFS; "
                "generate it again with another seed or a clearer prompt"
            )
        if method == "peak":
            return peak
        integrated = self.energies.integrated() if method == "integrated" else None
        return loudest if integrated is None else integrated


def method_for(seconds: float) -> Method:
    """The level measure for a sound of this length.

    >>> method_for(12.0), method_for(0.8), method_for(0.02)
    ('integrated', 'momentary', 'peak')
    """
    if seconds >= INTEGRATED_FROM_S:
        return "integrated"
    return "momentary" if seconds >= PEAK_BELOW_S else "peak"


def target_for(method: Method, spec: MasteringSpec) -> float:
    """Target level in LUFS, or in dBTP for "peak"."""
    if method == "peak":
        return min(spec.true_peak_dbtp - MARGIN_DB, spec.loudness_lufs + PEAK_OVER_LOUDNESS_DB)
    return spec.loudness_lufs


def power_mean(levels: Sequence[float]) -> float:
    """Mean of levels in dB, taken over their powers: the level of all sounds played one after another.

    >>> round(power_mean([-20.0, -10.0]), 2)
    -12.6
    """
    return 10.0 * math.log10(math.fsum(10.0 ** (value / 10.0) for value in levels) / len(levels))


@dataclass(frozen=True, slots=True)
class GainPlan:
    """The gain of a group before limiting, and what limits it."""

    gain_db: float
    most_db: float
    """Maximum gain for every correction round."""
    held_by: Literal["true-peak ceiling", "gain limit"] | None


def plan_gain(levels: Sequence[Levels], method: Method, spec: MasteringSpec) -> GainPlan:
    """The gain that brings the group's power mean to the target, as far as gain and ceiling allow."""
    needed = target_for(method, spec) - power_mean([one.by(method) for one in levels])
    highest_peak = max(level(one.peaks.true) or -math.inf for one in levels)
    ceiling_db = spec.true_peak_dbtp + MOST_LIMITING_DB - highest_peak
    most = round_gain(min(MOST_GAIN_DB, ceiling_db))
    if needed <= most:
        return GainPlan(round_gain(needed), most, None)
    return GainPlan(most, most, "gain limit" if ceiling_db >= MOST_GAIN_DB else "true-peak ceiling")


def round_gain(gain_db: float) -> float:
    """Round to 0.001 dB, so that the record states the exact gain and platform rounding has no effect."""
    return round(gain_db, 3)


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


_ROUNDS = 4
_TOLERANCE_LU = 0.1
_ESTIMATE_TOLERANCE_LU = 0.02
_MIN_SLOPE = 0.25
"""Smallest assumed rise in LU per dB of gain into the limiter; it keeps steps small."""


@dataclass(frozen=True, eq=False)
class GainResult:
    """A variation after gain and limiter."""

    clip: Clip
    limited_db: float
    levels: Levels


def measure_levels(clip: Clip, loop: Loop | None) -> Levels:
    """Levels of ``clip`` as it plays: once, or as a loop."""
    return Levels(energies(clip), looped_peaks(clip, loop), clip.seconds)


def gain_and_limit(shaped: Shaped, levels: Levels, gain_db: float, spec: MasteringSpec) -> GainResult:
    """Apply gain and limiter to one variation; levels that follow from scaling are not measured again."""
    gain = float(np.float32(amplitude(gain_db)))
    clip = apply_gain(shaped.clip, gain_db)
    if levels.peaks.true * gain <= amplitude(spec.true_peak_dbtp - MARGIN_DB):
        return GainResult(clip, 0.0, levels.scaled(gain))
    limited = limit_looped(clip, spec.true_peak_dbtp, shaped.loop)
    if limited.true_peak is None:
        return GainResult(limited.clip, limited.reduction_db, measure_levels(limited.clip, shaped.loop))
    peaks = Peaks(sample_peak(limited.clip), limited.true_peak)
    return GainResult(
        limited.clip, limited.reduction_db, Levels(energies(limited.clip), peaks, levels.seconds)
    )


def _search_gain(
    loudness_at: Callable[[float], float],
    plan: GainPlan,
    target: float,
    tolerance_lu: float,
    first: tuple[float, float],
) -> tuple[float, float]:
    """The gain that reaches ``target`` within ``tolerance_lu``, and the slope there in LU per dB of gain.

    ``first`` is a guess of both. The plan's maximum gain and the number of rounds limit the search.
    """
    gain_db, slope = first
    reached = loudness_at(gain_db)
    for _ in range(_ROUNDS):
        next_db = min(plan.most_db, round_gain(gain_db + (target - reached) / slope))
        if abs(target - reached) < tolerance_lu or next_db == gain_db:
            break
        before, step_db = reached, next_db - gain_db
        gain_db = next_db
        reached = loudness_at(gain_db)
        slope = min(1.0, max(_MIN_SLOPE, (reached - before) / step_db))
    return gain_db, slope


def gain_and_limit_group(
    shaped: Sequence[Shaped], levels: Sequence[Levels], method: Method, plan: GainPlan, spec: MasteringSpec
) -> tuple[list[GainResult], float]:
    """All variations at the gain that brings their power mean to the target, and that gain.

    The plan ignores the limiter. The search first uses an estimate of the limiter, then limits the sounds and corrects
    the gain where the estimate was off.
    """
    target = target_for(method, spec)
    estimates = [LimiterEstimate(one.clip, level) for one, level in zip(shaped, levels, strict=True)]
    results: list[GainResult] = []

    def estimated_loudness(gain_db: float) -> float:
        return power_mean([one.levels_after(gain_db, spec.true_peak_dbtp).by(method) for one in estimates])

    def actual_loudness(gain_db: float) -> float:
        results[:] = [
            gain_and_limit(one, level, gain_db, spec) for one, level in zip(shaped, levels, strict=True)
        ]
        return power_mean([one.levels.by(method) for one in results])

    guess = plan.gain_db, 1.0
    if any(one.limits(plan.gain_db, spec.true_peak_dbtp) for one in estimates):
        guess = _search_gain(estimated_loudness, plan, target, _ESTIMATE_TOLERANCE_LU, guess)
    gain_db, _ = _search_gain(actual_loudness, plan, target, _TOLERANCE_LU, guess)
    return results, gain_db
