"""Convert a take to mono or stereo, and set its stereo width."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.audio import Clip
from pipeline.errors import MasteringError

_CANCELLED = 0.1
"""Share of power left after averaging; below it the channels are out of phase (unrelated channels leave half)."""


def with_width(clip: Clip, width: float) -> tuple[Clip, dict[str, Any] | None]:
    """``clip`` with its side signal (half of left minus right) times ``width``, and the step (None if unchanged).

    The mid signal stays, so a mono player plays the same sound."""
    if clip.channels != 2 or width == 1.0:
        return clip, None
    middle, side = (clip.samples[0] + clip.samples[1]) / 2, (clip.samples[0] - clip.samples[1]) / 2
    side = side * np.float32(width)
    return Clip(np.stack([middle + side, middle - side]), clip.rate), {"step": "width", "side_gain": width}


def to_channels(clip: Clip, channels: int) -> tuple[Clip, dict[str, Any] | None]:
    """``clip`` with ``channels`` channels, and the step (None if nothing changes).

    Mono is copied to every channel. Several channels become mono by averaging, which keeps the level of the mid signal;
    ``level_db`` in the step is the power left, relative to the channels' mean power. If the channels cancel each other,
    the loudest one is used. Raises `MasteringError` for every other conversion.
    """
    if clip.channels == channels:
        return clip, None
    step: dict[str, Any] = {"step": "channels", "from": clip.channels, "to": channels}
    if clip.channels == 1:
        return Clip(np.repeat(clip.samples, channels, axis=0), clip.rate), {**step, "how": "copied"}
    if channels == 1:
        mean = clip.samples.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)
        powers = np.square(clip.samples, dtype=np.float64).mean(axis=1)
        left = float(np.square(mean, dtype=np.float64).mean())
        if left < _CANCELLED * powers.mean():
            loudest = int(powers.argmax())
            why = "the channels cancel each other"
            picked = Clip(clip.samples[loudest : loudest + 1], clip.rate)
            return picked, {**step, "how": f"channel {loudest}", "why": why}
        level_db = round(10.0 * float(np.log10(left / powers.mean())), 2) if left else 0.0
        return Clip(mean, clip.rate), {**step, "how": "averaged", "level_db": level_db}
    raise MasteringError(
        f"cannot convert a take of {clip.channels} channels to {channels}; "
        f"set channels: 1, or channels: {clip.channels}"
    )
