"""Everything before loudness: one take becomes a clip of the right rate, channels, length and ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.audio import Clip, Samples, resample, resample_loop
from pipeline.errors import MasteringError
from pipeline.manifest.spec import MasteringSpec
from pipeline.mastering.channels import to_channels, with_width
from pipeline.mastering.fade import fade
from pipeline.mastering.loop import cut_loop
from pipeline.mastering.measure import channel_means, is_finite
from pipeline.mastering.trim import cut, pad_end, sounding_range

Step = dict[str, Any]

DC_LIMIT = 0.001
"""Means nearer to zero than this (-60 dBFS) are left: they are as often the sound's own shape as an offset.
"""
QUIET_S = 0.02
QUIET = 0.01
"""Of the liveliest 20 ms (-40 dB): a stretch that moves no more than this shows what the sound stands on."""
RAMP_IN_S = 0.001
RAMP_OUT_S = 0.005
EXACT_S = 0.0005
"""Within which a loop of an engine's own lasts what is asked; it is stretched to the sample."""
CUT_FADE_S = 0.05
"""Fade at an end that falls inside the sound."""


@dataclass(frozen=True, eq=False)
class TakeInput:
    """One variation's take."""

    clip: Clip
    loop: tuple[int, int] | None = None
    """Start and end (exclusive), in samples, of a loop that already wraps without a seam."""


@dataclass(frozen=True, eq=False)
class Shaped:
    """A take before gain."""

    clip: Clip
    loop: tuple[int, int] | None
    """Start and end (exclusive) in samples of ``clip``; it wraps from end to start."""
    steps: tuple[Step, ...] = field(default=())


def _offset(channel: Samples, mean: float, rate: int) -> float:
    """What ``channel``, shape [samples], stands on: what is left of it where it falls quiet, else its ``mean``.

    A thump to one side has a mean too, and taken out of the silence around it that would be an offset.
    """
    size = max(1, round(QUIET_S * rate))
    rows = channel[: len(channel) // size * size].reshape(-1, size)
    spread = rows.std(axis=1)
    quiet = rows[spread <= QUIET * spread.max(initial=0.0)]
    return float(np.median(quiet.mean(axis=1, dtype=np.float64))) if len(quiet) else mean


def _without_dc(clip: Clip) -> tuple[Clip, list[Step]]:
    """``clip`` with each channel's offset taken out where any is beyond `DC_LIMIT`.

    Raises `MasteringError` where there is nothing, or a sample is no number.
    """
    if not clip.length:
        raise MasteringError("the take is empty; generate it again")
    means = channel_means(clip)
    if not is_finite(clip, means):
        raise MasteringError("the take holds NaN or infinite samples; generate it again with another seed")
    if np.abs(means).max() < DC_LIMIT:
        return clip, []
    standing = (_offset(*each, clip.rate) for each in zip(clip.samples, means.tolist(), strict=True))
    offsets = [round(offset, 6) for offset in standing]
    if max(map(abs, offsets)) < DC_LIMIT:
        return clip, []
    taken = clip.samples - np.array(offsets, np.float32)[:, None]
    return Clip(taken, clip.rate), [{"step": "dc", "offset": offsets}]


def _rate_step(clip: Clip, rate: int) -> list[Step]:
    return [] if clip.rate == rate else [{"step": "resample", "from_hz": clip.rate, "to_hz": rate}]


def _declared_part(take: TakeInput, loop: tuple[int, int]) -> TakeInput:
    """What lies between the points of a declared loop, as a take that declares none."""
    start, stop = loop
    if not 0 <= start < stop <= take.clip.length:
        raise MasteringError(
            f"the take declares a loop from {start} to {stop} but has {take.clip.length} samples; "
            "this is a fault of the engine"
        )
    return TakeInput(cut(take.clip, start, stop))


def _shape_declared_loop(take: TakeInput, loop: tuple[int, int], spec: MasteringSpec) -> Shaped:
    """Cut exactly at the declared points and keep the wrap through resampling."""
    start, stop = loop
    step = {"step": "loop", "how": "declared by the engine", "start": start, "end": stop}
    clip, dc = _without_dc(_declared_part(take, loop).clip)
    clip, image = _imaged(clip, spec)
    if spec.exact and abs(clip.seconds - spec.duration_s) > EXACT_S:
        raise MasteringError(
            f"the take's own loop lasts {clip.seconds:.3f} s, not exactly {spec.duration_s:.3f} s; "
            f"write duration: {clip.seconds:.6g}s, or remove exact"
        )
    length = round(spec.duration_s * spec.sample_rate_hz) if spec.exact else None
    rated = resample_loop(clip, spec.sample_rate_hz, length)
    return Shaped(rated, (0, rated.length), (step, *dc, *image, *_rate_step(clip, spec.sample_rate_hz)))


def _imaged(clip: Clip, spec: MasteringSpec) -> tuple[Clip, list[Step]]:
    """The channels and the width that are asked for."""
    clip, channels = to_channels(clip, spec.channels)
    clip, width = with_width(clip, spec.width)
    return clip, [step for step in (channels, width) if step]


def _prepared(take: TakeInput, spec: MasteringSpec, trim: bool) -> tuple[Clip, list[Step]]:
    """DC, channels, silent ends if ``trim``, and rate of a take that is not yet a loop."""
    clip, steps = _without_dc(take.clip)
    clip, image = _imaged(clip, spec)
    steps += image
    if trim:
        clip, step = _trimmed(clip)
        steps.append(step)
    steps += _rate_step(clip, spec.sample_rate_hz)
    return resample(clip, spec.sample_rate_hz), steps


def _shape_loop(take: TakeInput, spec: MasteringSpec) -> Shaped:
    """Find a loop in a take that declares none."""
    clip, steps = _prepared(take, spec, trim=False)
    start, _ = sounding_range(clip)
    found = cut_loop(
        cut(clip, start, clip.length),
        spec.duration_s - spec.intro_s,
        spec.bpm,
        intro_s=spec.intro_s,
        exact=spec.exact,
    )
    from_s = round(start / clip.rate + found.how["start_s"], 6)
    steps.append({"step": "loop", "how": "crossfade", **found.how, "start_s": from_s})
    return Shaped(found.clip, found.loop, tuple(steps))


def _trimmed(clip: Clip) -> tuple[Clip, Step]:
    start, stop = sounding_range(clip)
    cut_s = {"head_s": round(start / clip.rate, 6), "tail_s": round((clip.length - stop) / clip.rate, 6)}
    return cut(clip, start, stop), {"step": "trim", **cut_s}


def _faded(clip: Clip, spec: MasteringSpec, ends_inside: bool) -> tuple[Clip, Step]:
    """The asked fades, and at least ramps so short that they only take away a click."""
    longest = CUT_FADE_S if ends_inside else RAMP_OUT_S
    out_s = spec.fade_out_s or min(longest, clip.seconds / 4)
    in_s = spec.fade_in_s or min(RAMP_IN_S, clip.seconds / 4)
    step = {"step": "fade", "in_s": round(in_s, 6), "out_s": round(out_s, 6), "curve": spec.fade_curve}
    return fade(clip, round(in_s * clip.rate), round(out_s * clip.rate), spec.fade_curve), step


def _shape_once(take: TakeInput, spec: MasteringSpec) -> Shaped:
    """A sound that plays once. With ``spec.trim`` it may end before ``spec.duration_s``, unless that is to be
    exact; else it is as long."""
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
    """``take`` at the rate, channels, length and with the ends that ``spec`` asks; no gain yet.

    Raises `MasteringError` when the take is empty, silent, not finite or cannot become what is asked.
    """
    if not spec.loop:
        return _shape_once(take, spec)
    if take.loop is None:
        return _shape_loop(take, spec)
    if spec.intro_s:
        return _shape_loop(_declared_part(take, take.loop), spec)
    return _shape_declared_loop(take, take.loop, spec)
