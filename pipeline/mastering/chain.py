"""The mastering chain: an asset's takes become masters that share one gain and keep under one ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pipeline.audio import Clip
from pipeline.errors import MasteringError
from pipeline.manifest.spec import MasteringSpec
from pipeline.mastering.level import (
    GainPlan,
    Levels,
    Method,
    method_for,
    plan_gain,
    round_gain,
    target_for,
)
from pipeline.mastering.measure import Measurement, channel_means, measurement
from pipeline.mastering.raising import Raised, levels_of, raise_group, raise_one
from pipeline.mastering.seam import Seam, measure_seam
from pipeline.mastering.shape import Shaped, Step, TakeInput, shape

TOLERANCE_LU = 0.2


@dataclass(frozen=True, eq=False)
class Master:
    """One finished variation."""

    clip: Clip
    loop: tuple[int, int] | None
    """Start and end (exclusive) in samples; None for a sound that plays once."""
    gain_db: float
    """The group's gain, before limiting."""
    limited_db: float
    """Most that the limiter took; 0.0 when it had nothing to do."""
    measured: Measurement
    """Of ``clip`` as it is."""
    chain: tuple[Step, ...]
    """JSON objects, one for each step in order, with what it measured or did."""
    deviation: str | None
    """Why loudness is off the target by more than 0.2 LU: ``true-peak ceiling``, ``gain limit``,
    ``gain of the approved sibling`` or ``shared gain``; None when it is on target."""

    @cached_property
    def seam(self) -> Seam | None:
        """How the loop wraps, measured when it is asked for; None for a sound that plays once."""
        return measure_seam(self.clip, self.loop) if self.loop else None


@dataclass(frozen=True, eq=False)
class MasteredGroup:
    """An asset's variations after mastering, in the order of their takes."""

    results: tuple[Master | MasteringError, ...]
    gain_db: float | None
    """The gain that all share; None when no take could be mastered. Give it as ``gain_anchor_db`` to master a
    late sibling at the level of those approved before."""
    method: Method | None
    target: float | None
    """LUFS, or dBTP when ``method`` is "peak"."""


def _try_shape(take: TakeInput, spec: MasteringSpec) -> Shaped | MasteringError:
    try:
        return shape(take, spec)
    except MasteringError as error:
        return error


def _try_levels(shaped: Shaped | MasteringError) -> Levels | MasteringError:
    """Levels of a shaped take; silence and near silence is an error, never a huge gain."""
    if isinstance(shaped, MasteringError):
        return shaped
    try:
        levels = levels_of(shaped.clip, shaped.loop)
        levels.by(method_for(shaped.clip.seconds))
    except MasteringError as error:
        return error
    return levels


def _deviation(one: Raised, off_lu: float, plan: GainPlan, anchored: bool, alone: bool) -> str | None:
    if abs(off_lu) <= TOLERANCE_LU:
        return None
    if off_lu < 0 and (one.limited_db > 0.0 or plan.held_by == "true-peak ceiling"):
        return "true-peak ceiling"
    if plan.held_by is not None:
        return plan.held_by
    if anchored:
        return "gain of the approved sibling"
    return "shared gain" if not alone else "true-peak ceiling"


def _finish(
    shaped: Shaped, one: Raised, gain_db: float, method: Method, spec: MasteringSpec, deviation: str | None
) -> Master:
    """The record of one variation."""
    target = target_for(method, spec)
    steps: list[Step] = [
        *shaped.steps,
        {
            "step": "gain",
            "gain_db": gain_db,
            "method": method,
            "target": target,
            "reached": round(one.levels.by(method), 3),
        },
        {
            "step": "limiter",
            "ceiling_dbtp": spec.true_peak_dbtp,
            "reduction_db": round(one.limited_db, 3),
        },
    ]
    return Master(
        clip=one.clip,
        loop=shaped.loop,
        gain_db=gain_db,
        limited_db=one.limited_db,
        measured=measurement(one.clip, one.levels.energies, one.levels.peaks, channel_means(one.clip)),
        chain=tuple(steps),
        deviation=deviation,
    )


def _master_sounding(
    shaped: Sequence[Shaped], levels: Sequence[Levels], spec: MasteringSpec, gain_anchor_db: float | None
) -> tuple[list[Master], float, Method]:
    """Masters of those takes that can be heard."""
    method = method_for(max(one.seconds for one in levels))
    if gain_anchor_db is None:
        plan = plan_gain(levels, method, spec)
        raised, gain_db = raise_group(shaped, levels, method, plan, spec)
    else:
        gain_db = round_gain(gain_anchor_db)
        plan = GainPlan(gain_db, gain_db, None)
        raised = [raise_one(one, level, gain_db, spec) for one, level in zip(shaped, levels, strict=True)]
    masters = []
    for one, after in zip(shaped, raised, strict=True):
        off_lu = after.levels.by(method) - target_for(method, spec)
        reason = _deviation(after, off_lu, plan, gain_anchor_db is not None, len(shaped) == 1)
        masters.append(_finish(one, after, gain_db, method, spec, reason))
    return masters, gain_db, method


def master(
    takes: Sequence[TakeInput], spec: MasteringSpec, *, gain_anchor_db: float | None = None
) -> MasteredGroup:
    """Master one asset's variations together.

    Each take is cleaned of DC, brought to the asked channels and rate, trimmed or cut to length (loops: on
    their declared points, or on the bar grid with a crossfade) and faded. Then one gain for all brings
    their power mean to the target, so that the variations keep their relations: integrated loudness from 3
    s on, the momentary maximum below, true peak below 50 ms (the longest variation decides). A true-peak
    limiter keeps the ceiling. ``gain_anchor_db`` replaces the found gain by the one of siblings that are
    already approved.

    A take that cannot be mastered (empty, silent, not finite, too short to loop) gives its `MasteringError`
    in its place and the others go on. The same input gives the same bytes.
    """
    shaped = [_try_shape(take, spec) for take in takes]
    levels = [_try_levels(one) for one in shaped]
    pairs = [
        (index, one, level)
        for index, (one, level) in enumerate(zip(shaped, levels, strict=True))
        if isinstance(one, Shaped) and isinstance(level, Levels)
    ]
    results: dict[int, Master | MasteringError] = {
        index: level for index, level in enumerate(levels) if isinstance(level, MasteringError)
    }
    if not pairs:
        return MasteredGroup(tuple(results[index] for index in range(len(takes))), None, None, None)
    masters, gain_db, method = _master_sounding(
        [one for _, one, _ in pairs], [level for _, _, level in pairs], spec, gain_anchor_db
    )
    results |= {index: made for (index, _, _), made in zip(pairs, masters, strict=True)}
    ordered = tuple(results[index] for index in range(len(takes)))
    return MasteredGroup(ordered, gain_db, method, target_for(method, spec))
