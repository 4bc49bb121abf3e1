"""One gain for an asset's variations: the loudness measure, the target, and the search for the gain that reaches it.

Limiting a sound is slow, so the search starts with an estimate from 10 ms bins. The limiter's gain curve follows the
highest peak of each bin and releases slowly, so the energy of a bin after limiting is about its energy before, times
the square of that gain. The error is a tenth or two of the gain reduction. The search then limits the sounds, from a
gain that is nearly right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from pipeline.audio import Clip, Floats, Loop
from pipeline.audio.decibel import amplitude, level
from pipeline.errors import MasteringError
from pipeline.manifest.spec import MasteringSpec
from pipeline.mastering.limiter import MARGIN_DB, RELEASE_S, apply_gain, limit_looped, looped_peaks
from pipeline.mastering.loudness import BINS_PER_SECOND, Energies, energies
from pipeline.mastering.shape import Shaped
from pipeline.mastering.true_peak import Peaks, sample_peak

INTEGRATED_FROM_S = 3.0
"""Integrated loudness counts from this length on; below it, the loudest 400 ms count."""
PEAK_BELOW_S = 0.05
"""Below this length a 400 ms window means nothing; the true peak counts as the level of a click."""
PEAK_OVER_LOUDNESS_DB = 12.0
"""Target true peak of a click above the loudness target (never above the limiter's ceiling)."""
SILENT_LUFS = -70.0
MOST_GAIN_DB = 40.0
_RELEASE_BINS = RELEASE_S * BINS_PER_SECOND
_ROUNDS = 4
_TOLERANCE_LU = 0.1
_ESTIMATE_TOLERANCE_LU = 0.02
_MIN_SLOPE = 0.25
"""Smallest assumed rise in LU per dB of gain into the limiter; it keeps steps small."""

Method = Literal["integrated", "momentary", "peak"]
Deviation = Literal["true-peak ceiling", "gain limit", "gain of the approved sibling", "shared gain"]
"""Why the loudness of a master misses the target."""


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


@dataclass(frozen=True, eq=False)
class GainInput:
    """A take before gain, its levels, and estimates of its levels after gain and limiter."""

    shaped: Shaped
    levels: Levels
    """Levels of the take."""

    @cached_property
    def _peaks(self) -> Floats:
        """Highest sample magnitude in each bin, times the sound's ratio of true peak to sample peak."""
        clip, levels = self.shaped.clip, self.levels
        starts = np.arange(len(levels.energies.running) - 1) * clip.rate // BINS_PER_SECOND
        highest = np.maximum.reduceat(np.abs(clip.samples), starts, axis=1).max(axis=0)
        return np.asarray(highest * (levels.peaks.true / levels.peaks.sample))

    def is_limited(self, gain_db: float, ceiling_dbtp: float) -> bool:
        """Whether a limiter at ``ceiling_dbtp`` reduces the sound after ``gain_db``."""
        return self.levels.peaks.true * amplitude(gain_db) > amplitude(ceiling_dbtp - MARGIN_DB)

    def estimated_levels(self, gain_db: float, ceiling_dbtp: float) -> Levels:
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


@dataclass(frozen=True, slots=True)
class GainPlan:
    """One gain for a group of takes."""

    method: Method
    target: float
    """LUFS, or dBTP for "peak"."""
    gain_db: float
    """Gain before limiting."""
    most_db: float
    """Maximum gain for every correction round."""
    deviation: Deviation
    """Why a take may miss the target, apart from the limiter."""


def _plan_gain(sounds: Sequence[GainInput], spec: MasteringSpec, anchor_db: float | None = None) -> GainPlan:
    """The gain that brings the power mean of ``sounds`` to the target, as far as gain and ceiling allow.

    The longest sound selects the measure. ``anchor_db`` replaces the gain.
    """
    levels = [sound.levels for sound in sounds]
    method = method_for(max(each.seconds for each in levels))
    target = target_for(method, spec)
    if anchor_db is not None:
        gain_db = round_gain(anchor_db)
        return GainPlan(method, target, gain_db, gain_db, "gain of the approved sibling")
    needed = target - power_mean([each.by(method) for each in levels])
    highest_peak = max(level(each.peaks.true) or -math.inf for each in levels)
    ceiling_db = spec.true_peak_dbtp + spec.limit_db - highest_peak
    most = round_gain(min(MOST_GAIN_DB, ceiling_db))
    if needed <= most:
        deviation: Deviation = "shared gain" if len(sounds) > 1 else "true-peak ceiling"
        return GainPlan(method, target, round_gain(needed), most, deviation)
    return GainPlan(
        method, target, most, most, "gain limit" if ceiling_db >= MOST_GAIN_DB else "true-peak ceiling"
    )


def round_gain(gain_db: float) -> float:
    """Round to 0.001 dB, so that the record states the exact gain and platform rounding has no effect."""
    return round(gain_db, 3)


@dataclass(frozen=True, eq=False)
class GainResult:
    """A variation after gain and limiter."""

    clip: Clip
    limited_db: float
    levels: Levels


def measure_levels(clip: Clip, loop: Loop | None) -> Levels:
    """Levels of ``clip`` as it plays: once, or as a loop."""
    return Levels(energies(clip), looped_peaks(clip, loop), clip.seconds)


def gain_and_limit(sound: GainInput, gain_db: float, ceiling_dbtp: float) -> GainResult:
    """Apply gain and limiter to one variation; levels that follow from scaling are not measured again."""
    gain = float(np.float32(amplitude(gain_db)))
    clip, loop = apply_gain(sound.shaped.clip, gain_db), sound.shaped.loop
    if sound.levels.peaks.true * gain <= amplitude(ceiling_dbtp - MARGIN_DB):
        return GainResult(clip, 0.0, sound.levels.scaled(gain))
    limited = limit_looped(clip, ceiling_dbtp, loop)
    if limited.true_peak is None:
        return GainResult(limited.clip, limited.reduction_db, measure_levels(limited.clip, loop))
    peaks = Peaks(sample_peak(limited.clip), limited.true_peak)
    levels = Levels(energies(limited.clip), peaks, sound.levels.seconds)
    return GainResult(limited.clip, limited.reduction_db, levels)


def _search_gain(
    loudness_at: Callable[[float], float], plan: GainPlan, tolerance_lu: float, first: tuple[float, float]
) -> tuple[float, float]:
    """The gain that reaches the target within ``tolerance_lu``, and the slope there in LU per dB of gain.

    ``first`` is a guess of both. The plan's maximum gain and the number of rounds limit the search.
    """
    gain_db, slope = first
    reached = loudness_at(gain_db)
    for _ in range(_ROUNDS):
        next_db = min(plan.most_db, round_gain(gain_db + (plan.target - reached) / slope))
        if abs(plan.target - reached) < tolerance_lu or next_db == gain_db:
            break
        before, step_db = reached, next_db - gain_db
        gain_db = next_db
        reached = loudness_at(gain_db)
        slope = min(1.0, max(_MIN_SLOPE, (reached - before) / step_db))
    return gain_db, slope


def gain_and_limit_group(
    sounds: Sequence[GainInput], spec: MasteringSpec, anchor_db: float | None = None
) -> tuple[list[GainResult], GainPlan]:
    """All variations at the gain that brings their power mean to the target, or at ``anchor_db``, and the final plan.

    The first plan ignores the limiter. The search first uses an estimate of the limiter, then limits the sounds and
    corrects the gain where the estimate was off.
    """
    plan, ceiling_dbtp = _plan_gain(sounds, spec, anchor_db), spec.true_peak_dbtp
    if anchor_db is not None:
        return [gain_and_limit(sound, plan.gain_db, ceiling_dbtp) for sound in sounds], plan
    results: list[GainResult] = []

    def estimated_loudness(gain_db: float) -> float:
        estimates = [sound.estimated_levels(gain_db, ceiling_dbtp) for sound in sounds]
        return power_mean([levels.by(plan.method) for levels in estimates])

    def actual_loudness(gain_db: float) -> float:
        results[:] = [gain_and_limit(sound, gain_db, ceiling_dbtp) for sound in sounds]
        return power_mean([result.levels.by(plan.method) for result in results])

    guess = plan.gain_db, 1.0
    if any(sound.is_limited(plan.gain_db, ceiling_dbtp) for sound in sounds):
        guess = _search_gain(estimated_loudness, plan, _ESTIMATE_TOLERANCE_LU, guess)
    gain_db, _ = _search_gain(actual_loudness, plan, _TOLERANCE_LU, guess)
    return results, replace(plan, gain_db=gain_db)
