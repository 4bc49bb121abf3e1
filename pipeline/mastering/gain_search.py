"""Search for the one gain that brings a group of takes to the target loudness after the limiter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.audio import Clip
from pipeline.manifest.spec import MasteringSpec
from pipeline.mastering.decibel import amplitude
from pipeline.mastering.level import GainPlan, Levels, Method, power_mean, round_gain, target_for
from pipeline.mastering.limiter import MARGIN_DB, apply_gain
from pipeline.mastering.limiter_estimate import LimiterEstimate
from pipeline.mastering.loop_gain import Loop, limit_looped, looped_peaks
from pipeline.mastering.loudness import energies
from pipeline.mastering.shape import Shaped
from pipeline.mastering.true_peak import Peaks, sample_peak

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
