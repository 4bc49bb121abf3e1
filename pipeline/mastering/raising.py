"""From shaped takes to takes at their loudness: one gain for all, found through what the limiter takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.audio import Clip
from pipeline.manifest.spec import MasteringSpec
from pipeline.mastering.decibel import amplitude
from pipeline.mastering.foresight import Foresight
from pipeline.mastering.level import GainPlan, Levels, Method, power_mean, round_gain, target_for
from pipeline.mastering.limiter import MARGIN_DB, apply_gain
from pipeline.mastering.loudness import energies
from pipeline.mastering.shape import Shaped
from pipeline.mastering.true_peak import Peaks, sample_peak
from pipeline.mastering.turning import Loop, endless_peaks, limit_endless

_ROUNDS = 4
_CLOSE_LU = 0.1
_FORETOLD_LU = 0.02
_LEAST_ANSWER = 0.25
"""Least that 1 dB of gain into the limiter is taken to raise the loudness by, so that no step is wild."""


@dataclass(frozen=True, eq=False)
class Raised:
    """A variation after gain and limiter."""

    clip: Clip
    limited_db: float
    levels: Levels


def levels_of(clip: Clip, loop: Loop | None) -> Levels:
    """What ``clip`` measures as it plays: once, or round and round."""
    return Levels(energies(clip), endless_peaks(clip, loop), clip.seconds)


def raise_one(shaped: Shaped, levels: Levels, gain_db: float, spec: MasteringSpec) -> Raised:
    """Gain and limiter; what is known by scaling is not measured again."""
    gain = float(np.float32(amplitude(gain_db)))
    clip = apply_gain(shaped.clip, gain_db)
    if levels.peaks.true * gain <= amplitude(spec.true_peak_dbtp - MARGIN_DB):
        return Raised(clip, 0.0, levels.scaled(gain))
    limited = limit_endless(clip, spec.true_peak_dbtp, shaped.loop)
    if limited.true_peak is None:
        return Raised(limited.clip, limited.reduction_db, levels_of(limited.clip, shaped.loop))
    peaks = Peaks(sample_peak(limited.clip), limited.true_peak)
    return Raised(limited.clip, limited.reduction_db, Levels(energies(limited.clip), peaks, levels.seconds))


def _approach(
    reached_at: Callable[[float], float],
    plan: GainPlan,
    target: float,
    close_lu: float,
    first: tuple[float, float],
) -> tuple[float, float]:
    """The gain at which ``target`` is reached within ``close_lu``, as far as the plan and a few rounds allow, and
    how much 1 dB of it brings there; from ``first``, a guess of both."""
    gain_db, answer = first
    reached = reached_at(gain_db)
    for _ in range(_ROUNDS):
        following = min(plan.most_db, round_gain(gain_db + (target - reached) / answer))
        if abs(target - reached) < close_lu or following == gain_db:
            break
        before, step_db = reached, following - gain_db
        gain_db = following
        reached = reached_at(gain_db)
        answer = min(1.0, max(_LEAST_ANSWER, (reached - before) / step_db))
    return gain_db, answer


def raise_group(
    shaped: Sequence[Shaped], levels: Sequence[Levels], method: Method, plan: GainPlan, spec: MasteringSpec
) -> tuple[list[Raised], float]:
    """Everything at the gain that brings the power mean to its target, and that gain.

    The plan knows no limiter; what it takes is foretold first, then done, and mended where it came out
    otherwise.
    """
    target = target_for(method, spec)
    foresights = [Foresight(one.clip, level) for one, level in zip(shaped, levels, strict=True)]
    raised: list[Raised] = []

    def foretold(gain_db: float) -> float:
        return power_mean([one.after(gain_db, spec.true_peak_dbtp).by(method) for one in foresights])

    def done(gain_db: float) -> float:
        raised[:] = [raise_one(one, level, gain_db, spec) for one, level in zip(shaped, levels, strict=True)]
        return power_mean([one.levels.by(method) for one in raised])

    guess = plan.gain_db, 1.0
    if any(one.limited(plan.gain_db, spec.true_peak_dbtp) for one in foresights):
        guess = _approach(foretold, plan, target, _FORETOLD_LU, guess)
    gain_db, _ = _approach(done, plan, target, _CLOSE_LU, guess)
    return raised, gain_db
