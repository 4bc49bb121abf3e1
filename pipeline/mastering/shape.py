"""All steps before loudness: bring a take to the required rate, channels, length and fades."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from pipeline.audio import Clip, Loop, Samples, resample, resample_loop
from pipeline.errors import MasteringError
from pipeline.manifest.spec import MasteringSpec
from pipeline.mastering.edits import cut, fade, pad_end, sounding_range, to_channels, with_width
from pipeline.mastering.loop import cut_loop
from pipeline.mastering.measure import channel_means, is_finite

Step = dict[str, Any]


class TakeInput(NamedTuple):
    """One variation's take."""

    clip: Clip
    loop: Loop | None = None
    """The loop, if it already wraps without a seam."""


@dataclass(frozen=True, eq=False)
class Shaped:
    """A take before gain."""

    clip: Clip
    loop: Loop | None
    """The part that wraps from its end to its start; None for a sound that plays once."""
    steps: tuple[Step, ...] = field(default=())


DC_LIMIT = 0.001
"""Smaller means (below -60 dBFS) stay: they are as often the sound's own shape as an offset."""
QUIET_S = 0.02
QUIET = 0.01
"""Share of the largest 20 ms deviation (-40 dB): a quieter stretch shows the DC offset."""
RAMP_IN_S = 0.001
RAMP_OUT_S = 0.005
EXACT_S = 0.0005
"""Tolerance for the length of an engine's own loop; within it the loop is stretched to the exact sample."""
CUT_FADE_S = 0.05
"""Fade at an end that falls inside the sound."""


def _offset(channel: Samples, mean: float, rate: int) -> float:
    """DC offset of ``channel``, shape [samples]: its level where it is quiet, else its ``mean``.

    An asymmetric thump has a mean too; removing it would put an offset on the silence around the thump.
    """
    size = max(1, round(QUIET_S * rate))
    rows = channel[: len(channel) // size * size].reshape(-1, size)
    spread = rows.std(axis=1)
    quiet = rows[spread <= QUIET * spread.max(initial=0.0)]
    return float(np.median(quiet.mean(axis=1, dtype=np.float64))) if len(quiet) else mean


def _without_dc(clip: Clip) -> tuple[Clip, list[Step]]:
    """``clip`` without each channel's DC offset if any offset exceeds `DC_LIMIT`.

    Raises `MasteringError` for an empty clip and for samples that are NaN or infinite.
    """
    if not clip.length:
        raise MasteringError("the take is empty; generate it again")
    means = channel_means(clip)
    if not is_finite(clip, means):
        raise MasteringError("the take contains NaN or infinite samples; generate it again with another seed")
    if np.abs(means).max() < DC_LIMIT:
        return clip, []
    measured = (_offset(*each, clip.rate) for each in zip(clip.samples, means.tolist(), strict=True))
    offsets = [round(offset, 6) for offset in measured]
    if max(map(abs, offsets)) < DC_LIMIT:
        return clip, []
    centred = clip.samples - np.array(offsets, np.float32)[:, None]
    return Clip(centred, clip.rate), [{"step": "dc", "offset": offsets}]


def _rate_step(clip: Clip, rate: int) -> list[Step]:
    return [] if clip.rate == rate else [{"step": "resample", "from_hz": clip.rate, "to_hz": rate}]


def _declared_part(take: TakeInput, loop: Loop) -> TakeInput:
    """The sound between the points of a declared loop, as a take without a declared loop."""
    start, stop = loop
    if not 0 <= start < stop <= take.clip.length:
        raise MasteringError(
            f"the take declares a loop from {start} to {stop} but has {take.clip.length} samples; "
            "this is a bug in the engine"
        )
    return TakeInput(cut(take.clip, start, stop))


def _shape_declared_loop(take: TakeInput, loop: Loop, spec: MasteringSpec) -> Shaped:
    """Cut exactly at the declared points and resample the loop with its wrap."""
    start, stop = loop
    step = {"step": "loop", "how": "declared by the engine", "start": start, "end": stop}
    clip, dc = _without_dc(_declared_part(take, loop).clip)
    clip, image = _with_stereo_image(clip, spec)
    if spec.exact and abs(clip.seconds - spec.duration_s) > EXACT_S:
        raise MasteringError(
            f"the take's own loop lasts {clip.seconds:.3f} s, not exactly {spec.duration_s:.3f} s; "
            f"write duration: {clip.seconds:.6g}s, or remove exact"
        )
    length = round(spec.duration_s * spec.sample_rate_hz) if spec.exact else None
    rated = resample_loop(clip, spec.sample_rate_hz, length)
    return Shaped(rated, Loop(0, rated.length), (step, *dc, *image, *_rate_step(clip, spec.sample_rate_hz)))


def _with_stereo_image(clip: Clip, spec: MasteringSpec) -> tuple[Clip, list[Step]]:
    """Apply the channel count and the stereo width of ``spec``."""
    clip, channels = to_channels(clip, spec.channels)
    clip, width = with_width(clip, spec.width)
    return clip, channels + width


def _prepared(take: TakeInput, spec: MasteringSpec, trim: bool) -> tuple[Clip, list[Step]]:
    """Remove DC, set channels, trim silent ends if ``trim``, and resample a take that is not yet a loop."""
    clip, steps = _without_dc(take.clip)
    clip, image = _with_stereo_image(clip, spec)
    steps += image
    if trim:
        clip, step = _trimmed(clip)
        steps.append(step)
    steps += _rate_step(clip, spec.sample_rate_hz)
    return resample(clip, spec.sample_rate_hz), steps


def _shape_loop(take: TakeInput, spec: MasteringSpec) -> Shaped:
    """Find a loop in a take without a declared loop."""
    clip, steps = _prepared(take, spec, trim=False)
    start, _ = sounding_range(clip)
    loop_cut = cut_loop(
        cut(clip, start, clip.length),
        spec.duration_s - spec.intro_s,
        spec.bpm,
        intro_s=spec.intro_s,
        exact=spec.exact,
    )
    from_s = round(start / clip.rate + loop_cut.record["start_s"], 6)
    steps.append({"step": "loop", "how": "crossfade", **loop_cut.record, "start_s": from_s})
    return Shaped(loop_cut.clip, loop_cut.loop, tuple(steps))


def _trimmed(clip: Clip) -> tuple[Clip, Step]:
    start, stop = sounding_range(clip)
    cut_s = {"head_s": round(start / clip.rate, 6), "tail_s": round((clip.length - stop) / clip.rate, 6)}
    return cut(clip, start, stop), {"step": "trim", **cut_s}


def _faded(clip: Clip, spec: MasteringSpec, ends_inside: bool) -> tuple[Clip, Step]:
    """Apply the fades of ``spec``, or at least ramps that are just long enough to prevent a click."""
    longest = CUT_FADE_S if ends_inside else RAMP_OUT_S
    out_s = spec.fade_out_s or min(longest, clip.seconds / 4)
    in_s = spec.fade_in_s or min(RAMP_IN_S, clip.seconds / 4)
    step = {"step": "fade", "in_s": round(in_s, 6), "out_s": round(out_s, 6), "curve": spec.fade_curve}
    return fade(clip, round(in_s * clip.rate), round(out_s * clip.rate), spec.fade_curve), step


def _shape_once(take: TakeInput, spec: MasteringSpec) -> Shaped:
    """Shape a sound that plays once. It lasts ``spec.duration_s``; with ``spec.trim`` and without ``spec.exact`` it may
    be shorter."""
    clip, steps = _prepared(take, spec, spec.trim)
    if not clip.length:
        raise MasteringError("the take is silent; generate it again with another seed or a clearer prompt")
    longest = round(spec.duration_s * spec.sample_rate_hz)
    too_long = clip.length > longest
    if too_long:
        steps.append({"step": "cut", "removed_s": round((clip.length - longest) / clip.rate, 6)})
        clip = cut(clip, 0, longest)
    clip, step = _faded(clip, spec, too_long)
    steps.append(step)
    if (spec.exact or not spec.trim) and clip.length < longest:
        steps.append({"step": "pad", "silence_s": round((longest - clip.length) / clip.rate, 6)})
        clip = pad_end(clip, longest)
    return Shaped(clip, None, tuple(steps))


def shape(take: TakeInput, spec: MasteringSpec) -> Shaped:
    """``take`` with the rate, channels, length and fades of ``spec``, before gain.

    Raises `MasteringError` for a take that is empty, silent or not finite, or that cannot meet ``spec``.
    """
    if not spec.loop:
        return _shape_once(take, spec)
    if take.loop is None:
        return _shape_loop(take, spec)
    if spec.intro_s:
        return _shape_loop(_declared_part(take, take.loop), spec)
    return _shape_declared_loop(take, take.loop, spec)
