"""One gain for an asset's variations: the loudness measure, the target and the gain that the ceiling allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.errors import MasteringError
from pipeline.manifest.spec import MasteringSpec
from pipeline.mastering.decibel import level
from pipeline.mastering.limiter import MARGIN_DB
from pipeline.mastering.loudness import Energies
from pipeline.mastering.true_peak import Peaks

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
