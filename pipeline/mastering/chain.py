"""The mastering chain: turn an asset's takes into masters with one shared gain and one true-peak ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pipeline.audio import Clip
from pipeline.errors import MasteringError
from pipeline.manifest.spec import MasteringSpec
from pipeline.mastering.gain import (
    GainPlan,
    GainResult,
    Levels,
    Method,
    gain_and_limit,
    gain_and_limit_group,
    measure_levels,
    method_for,
    plan_gain,
    round_gain,
    target_for,
)
from pipeline.mastering.measure import Measurement, channel_means, measurement
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
    """Largest gain reduction of the limiter; 0.0 if it did nothing."""
    measured: Measurement
    """Measurement of ``clip``."""
    chain: tuple[Step, ...]
    """One JSON object per step, in order, with its settings and measured values."""
    deviation: str | None
    """Why loudness misses the target by more than 0.2 LU: ``true-peak ceiling``, ``gain limit``,
    ``gain of the approved sibling`` or ``shared gain``; None when it is on target."""

    @cached_property
    def seam(self) -> Seam | None:
        """The loop's seam, measured on first access; None for a sound that plays once."""
        return measure_seam(self.clip, self.loop) if self.loop else None


@dataclass(frozen=True, eq=False)
class MasteredGroup:
    """An asset's variations after mastering, in the order of their takes."""

    results: tuple[Master | MasteringError, ...]
    gain_db: float | None
    """The shared gain; None if no take could be mastered. Pass it as ``gain_anchor_db`` to master a later variation at
    the level of the approved ones."""
    method: Method | None
    target: float | None
    """LUFS, or dBTP when ``method`` is "peak"."""


def _try_shape(take: TakeInput, spec: MasteringSpec) -> Shaped | MasteringError:
    try:
        return shape(take, spec)
    except MasteringError as error:
        return error


def _try_levels(shaped: Shaped | MasteringError) -> Levels | MasteringError:
    """Levels of a shaped take, or its error. Silence and near silence are errors, so that they get no huge gain."""
    if isinstance(shaped, MasteringError):
        return shaped
    try:
        levels = measure_levels(shaped.clip, shaped.loop)
        levels.by(method_for(shaped.clip.seconds))
    except MasteringError as error:
        return error
    return levels


def _deviation(one: GainResult, off_lu: float, plan: GainPlan, anchored: bool, alone: bool) -> str | None:
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
    shaped: Shaped,
    one: GainResult,
    gain_db: float,
    method: Method,
    spec: MasteringSpec,
    deviation: str | None,
) -> Master:
    """The master of one variation, with its record of steps."""
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
    """Master the takes that are not silent."""
    method = method_for(max(one.seconds for one in levels))
    if gain_anchor_db is None:
        plan = plan_gain(levels, method, spec)
        raised, gain_db = gain_and_limit_group(shaped, levels, method, plan, spec)
    else:
        gain_db = round_gain(gain_anchor_db)
        plan = GainPlan(gain_db, gain_db, None)
        raised = [
            gain_and_limit(one, level, gain_db, spec) for one, level in zip(shaped, levels, strict=True)
        ]
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

    Per take: remove DC, set channels and rate, trim or cut to length (a loop at its declared points, or on the bar grid
    with a crossfade), and fade. Then one gain for all takes brings their power mean to the target, so the variations
    keep their relative levels. The longest variation selects the measure: integrated loudness from 3 s, the momentary
    maximum below 3 s, the true peak below 50 ms. A true-peak limiter holds the ceiling. ``gain_anchor_db`` replaces the
    computed gain with the gain of approved variations.

    A take that cannot be mastered (empty, silent, not finite, too short to loop) yields its `MasteringError` in its
    place; the other takes continue. The same input gives the same bytes.
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
