"""Channel policy: how a take becomes mono or stereo."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.audio import Clip
from pipeline.errors import MasteringError

_CANCELLED = 0.1
"""Power left after averaging below which channels are out of phase: unrelated ones leave a half."""


def to_channels(clip: Clip, channels: int) -> tuple[Clip, dict[str, Any] | None]:
    """``clip`` with ``channels`` channels, and the step taken (None when there was nothing to do).

    Mono becomes any count by copying; any count becomes mono by averaging, which keeps what is in the middle
    at its level. Where the channels cancel each other, the loudest of them stands for all. Raises
    `MasteringError` for everything else.
    """
    if clip.channels == channels:
        return clip, None
    step: dict[str, Any] = {"step": "channels", "from": clip.channels, "to": channels}
    if clip.channels == 1:
        return Clip(np.repeat(clip.samples, channels, axis=0), clip.rate), {**step, "how": "copied"}
    if channels == 1:
        mean = clip.samples.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)
        powers = np.square(clip.samples, dtype=np.float64).mean(axis=1)
        if np.square(mean, dtype=np.float64).mean() < _CANCELLED * powers.mean():
            loudest = int(powers.argmax())
            return Clip(clip.samples[loudest : loudest + 1], clip.rate), {**step, "how": f"channel {loudest}"}
        return Clip(mean, clip.rate), {**step, "how": "averaged"}
    raise MasteringError(
        f"a take of {clip.channels} channels cannot become {channels}; "
        f"set channels: 1, or channels: {clip.channels}"
    )
