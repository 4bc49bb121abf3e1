"""Channel policy: how a take becomes mono or stereo."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.audio import Clip
from pipeline.errors import MasteringError

_CANCELLED = 0.1
"""Power left after averaging below which channels are out of phase: unrelated ones leave a half."""


def with_width(clip: Clip, width: float) -> tuple[Clip, dict[str, Any] | None]:
    """``clip`` with its side (half of left less right) multiplied by ``width``, and the step taken; None where
    there is nothing to do. The middle stays, so what mono players hear does not change."""
    if clip.channels != 2 or width == 1.0:
        return clip, None
    middle, side = (clip.samples[0] + clip.samples[1]) / 2, (clip.samples[0] - clip.samples[1]) / 2
    side = side * np.float32(width)
    return Clip(np.stack([middle + side, middle - side]), clip.rate), {"step": "width", "side_gain": width}


def to_channels(clip: Clip, channels: int) -> tuple[Clip, dict[str, Any] | None]:
    """``clip`` with ``channels`` channels, and the step taken (None when there was nothing to do).

    Mono becomes any count by copying; any count becomes mono by averaging, which keeps what is in the middle
    at its level; ``level_db`` in the step is what is left of the channels' mean power. Where the channels
    cancel each other, the loudest of them stands for all. Raises `MasteringError` for everything else.
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
        kept_db = round(10.0 * float(np.log10(left / powers.mean())), 2) if left else 0.0
        return Clip(mean, clip.rate), {**step, "how": "averaged", "level_db": kept_db}
    raise MasteringError(
        f"a take of {clip.channels} channels cannot become {channels}; "
        f"set channels: 1, or channels: {clip.channels}"
    )
