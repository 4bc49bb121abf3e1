"""Edits of a clip: find where it starts and ends, cut, pad, fade, set channels and stereo width."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.audio import Clip
from pipeline.audio.decibel import amplitude
from pipeline.errors import MasteringError
from pipeline.manifest.spec import FadeCurve
from pipeline.mastering.measure import silence_ends
from pipeline.mastering.true_peak import sample_peak

BELOW_PEAK_DB = 60.0
"""An end counts as silence if it is this far below the sound's own peak."""
FLOOR_DBFS = -80.0
"""An end below this level always counts as silence."""
PRE_ROLL_S = 0.002
"""Length kept before the first loud sample: an attack keeps its rise, and a fade has room."""
HOLD_S = 0.03
"""Length kept after the last loud sample, so that a decay ends by itself."""
_EXPONENTIAL_RANGE = 1000.0
"""The exponential curve starts 60 dB below full level."""
_CANCELLED = 0.1
"""Share of power left after averaging; below it the channels are out of phase (unrelated channels leave half)."""


def sounding_range(clip: Clip) -> tuple[int, int]:
    """Start and end (exclusive) in samples of the audible part, with pre-roll and hold.

    Only silence at the ends is left out; pauses in the sound stay. A silent clip gives (0, 0).
    """
    peak = sample_peak(clip)
    threshold = max(peak * amplitude(-BELOW_PEAK_DB), amplitude(FLOOR_DBFS))
    leading, trailing = silence_ends(clip, threshold)
    if leading == clip.length:
        return 0, 0
    start = max(0, leading - round(PRE_ROLL_S * clip.rate))
    stop = min(clip.length, clip.length - trailing + round(HOLD_S * clip.rate))
    return start, stop


def cut(clip: Clip, start: int, stop: int) -> Clip:
    """Samples from ``start`` to ``stop`` (exclusive)."""
    if start == 0 and stop == clip.length:
        return clip
    return Clip(np.ascontiguousarray(clip.samples[:, start:stop]), clip.rate)


def pad_end(clip: Clip, length: int) -> Clip:
    """``clip`` with silence after it, up to ``length`` samples."""
    missing = length - clip.length
    return Clip(np.pad(clip.samples, ((0, 0), (0, missing))), clip.rate) if missing > 0 else clip


@lru_cache(maxsize=8)
def ramp(length: int, curve: FadeCurve = "s_curve") -> npt.NDArray[np.float64]:
    """Gain that rises from above 0 to below 1 over ``length`` samples; shared between calls, so never changed.

    "s_curve" (half a cosine) has no corner at either end, "equal_power" is a quarter of a sine, "linear" is a straight
    line, and "exponential" rises evenly in decibels, from -60 dB.

    >>> [round(float(gain), 3) for gain in ramp(3, "linear")]
    [0.25, 0.5, 0.75]
    """
    position = np.arange(1, length + 1) / (length + 1)
    match curve:
        case "linear":
            return position
        case "equal_power":
            return np.sin(0.5 * np.pi * position)
        case "s_curve":
            return 0.5 - 0.5 * np.cos(np.pi * position)
        case "exponential":
            return np.asarray((_EXPONENTIAL_RANGE**position - 1.0) / (_EXPONENTIAL_RANGE - 1.0))


def fade(clip: Clip, in_samples: int, out_samples: int, curve: FadeCurve = "s_curve") -> Clip:
    """``clip`` with a fade in over its first samples and a fade out over its last; each at most the whole clip."""
    first, last = min(in_samples, clip.length), min(out_samples, clip.length)
    if not first and not last:
        return clip
    samples = clip.samples.copy()
    if first:
        samples[:, :first] *= ramp(first, curve).astype(np.float32)
    if last:
        samples[:, clip.length - last :] *= ramp(last, curve)[::-1].astype(np.float32)
    return Clip(samples, clip.rate)


def with_width(clip: Clip, width: float) -> tuple[Clip, list[dict[str, Any]]]:
    """``clip`` with its side signal (half of left minus right) times ``width``, and the step (none if unchanged).

    The mid signal stays, so a mono player plays the same sound."""
    if clip.channels != 2 or width == 1.0:
        return clip, []
    middle, side = (clip.samples[0] + clip.samples[1]) / 2, (clip.samples[0] - clip.samples[1]) / 2
    side = side * np.float32(width)
    return Clip(np.stack([middle + side, middle - side]), clip.rate), [{"step": "width", "side_gain": width}]


def to_channels(clip: Clip, channels: int) -> tuple[Clip, list[dict[str, Any]]]:
    """``clip`` with ``channels`` channels, and the step (none if nothing changes).

    Mono is copied to every channel. Several channels become mono by averaging, which keeps the level of the mid signal;
    ``level_db`` in the step is the power left, relative to the channels' mean power. If the channels cancel each other,
    the loudest one is used. Raises `MasteringError` for every other conversion.
    """
    if clip.channels == channels:
        return clip, []
    step: dict[str, Any] = {"step": "channels", "from": clip.channels, "to": channels}
    if clip.channels == 1:
        return Clip(np.repeat(clip.samples, channels, axis=0), clip.rate), [{**step, "how": "copied"}]
    if channels == 1:
        mean = clip.samples.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)
        powers = np.square(clip.samples, dtype=np.float64).mean(axis=1)
        left = float(np.square(mean, dtype=np.float64).mean())
        if left < _CANCELLED * powers.mean():
            loudest = int(powers.argmax())
            why = "the channels cancel each other"
            picked = Clip(clip.samples[loudest : loudest + 1], clip.rate)
            return picked, [{**step, "how": f"channel {loudest}", "why": why}]
        level_db = round(10.0 * float(np.log10(left / powers.mean())), 2) if left else 0.0
        return Clip(mean, clip.rate), [{**step, "how": "averaged", "level_db": level_db}]
    raise MasteringError(
        f"cannot convert a take of {clip.channels} channels to {channels}; "
        f"set channels: 1, or channels: {clip.channels}"
    )
