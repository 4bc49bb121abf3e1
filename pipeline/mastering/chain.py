"""The mastering chain: turn an asset's takes into masters with one shared gain and one true-peak ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pipeline.audio import Clip, Loop
from pipeline.errors import MasteringError
from pipeline.manifest.spec import MasteringSpec
from pipeline.mastering.gain import (
    Deviation,
    GainInput,
    GainPlan,
    GainResult,
    gain_and_limit_group,
    measure_levels,
    method_for,
)
from pipeline.mastering.measure import Measurement, channel_means, measurement
from pipeline.mastering.seam import Seam, measure_seam
from pipeline.mastering.shape import Shaped, Step, TakeInput, shape
from pipeline.mastering.watermark import Watermarking, with_watermark

TOLERANCE_LU = 0.2


@dataclass(frozen=True, eq=False)
class Master:
    """One finished variation."""

    clip: Clip
    loop: Loop | None
    """None for a sound that plays once."""
    gain_db: float
    """The group's gain, before limiting. Pass it as ``gain_anchor_db`` to master a later variation at this level."""
    limited_db: float
    """Largest gain reduction of the limiter; 0.0 if it did nothing."""
    measured: Measurement
    """Measurement of ``clip``."""
    chain: tuple[Step, ...]
    """One JSON object per step, in order, with its settings and measured values."""
    deviation: Deviation | None
    """Why loudness misses the target by more than 0.2 LU; None when it is on target."""

    @cached_property
    def seam(self) -> Seam | None:
        """The loop's seam, measured on first access; None for a sound that plays once."""
        return measure_seam(self.clip, self.loop) if self.loop else None


def _prepared(
    take: TakeInput, spec: MasteringSpec, watermarking: Watermarking | None
) -> GainInput | MasteringError:
    """The shaped take with its levels, or its error: silence and near silence too, which would get a huge gain."""
    try:
        shaped = shape(take, spec)
        if watermarking is not None:
            shaped = with_watermark(shaped, spec, watermarking)
        levels = measure_levels(shaped.clip, shaped.loop)
        levels.by(method_for(shaped.clip.seconds))
    except MasteringError as error:
        return error
    return GainInput(shaped, levels)


def _finished(shaped: Shaped, result: GainResult, plan: GainPlan, spec: MasteringSpec) -> Master:
    """The master of one variation, with its record of steps and the reason why it misses the target."""
    level = result.levels.by(plan.method)
    off_lu = level - plan.target
    # A group that reached its target shares its gain on purpose: a higher limit would not change it.
    reached = plan.deviation == "shared gain" and plan.gain_db < plan.most_db
    is_limited = result.limited_db > 0.0 and off_lu < 0.0
    deviation = "true-peak ceiling" if is_limited and not reached else plan.deviation
    steps: tuple[Step, ...] = (
        {
            "step": "gain",
            "gain_db": plan.gain_db,
            "method": plan.method,
            "target": plan.target,
            "reached": round(level, 3),
        },
        {
            "step": "limiter",
            "ceiling_dbtp": spec.true_peak_dbtp,
            "reduction_db": round(result.limited_db, 3),
        },
    )
    return Master(
        clip=result.clip,
        loop=shaped.loop,
        gain_db=plan.gain_db,
        limited_db=result.limited_db,
        measured=measurement(
            result.clip, result.levels.energies, result.levels.peaks, channel_means(result.clip)
        ),
        chain=(*shaped.steps, *steps),
        deviation=deviation if abs(off_lu) > TOLERANCE_LU else None,
    )


def master(
    takes: Sequence[TakeInput],
    spec: MasteringSpec,
    *,
    gain_anchor_db: float | None = None,
    watermarking: Watermarking | None = None,
) -> tuple[Master | MasteringError, ...]:
    """Master one asset's variations together: a master or an error for each take, in their order.

    Per take: remove DC, set channels and rate, trim or cut to length (a loop at its declared points, or on the bar grid
    with a crossfade), fade, and add the mark of ``watermarking``. Then one gain for all takes brings their power mean
    to the target, so the variations keep their relative levels. The longest variation selects the measure: integrated
    loudness from 3 s, the momentary maximum below 3 s, the true peak below 50 ms. A true-peak limiter holds the
    ceiling. ``gain_anchor_db`` replaces the computed gain with the gain of approved variations. Under ``gain="each"``
    each take is mastered as if alone.

    A take that cannot be mastered (empty, silent, not finite, too short to loop) yields its `MasteringError` in its
    position; the other takes continue. The same input gives the same bytes.
    """
    if spec.gain == "each":
        alone = replace(spec, gain="shared")
        return tuple(master([take], alone, watermarking=watermarking)[0] for take in takes)
    prepared = [_prepared(take, spec, watermarking) for take in takes]
    sounds = [item for item in prepared if not isinstance(item, MasteringError)]
    if not sounds:
        return tuple(item for item in prepared if isinstance(item, MasteringError))
    raised, plan = gain_and_limit_group(sounds, spec, gain_anchor_db)
    masters = (
        _finished(sound.shaped, result, plan, spec) for sound, result in zip(sounds, raised, strict=True)
    )
    return tuple(item if isinstance(item, MasteringError) else next(masters) for item in prepared)
