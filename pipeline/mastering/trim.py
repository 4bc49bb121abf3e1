"""Finding where a sound starts and ends, and making it exactly as long as asked."""

from __future__ import annotations

import numpy as np

from pipeline.audio import Clip
from pipeline.mastering.decibel import amplitude
from pipeline.mastering.measure import silence_ends
from pipeline.mastering.true_peak import sample_peak

BELOW_PEAK_DB = 60.0
"""Below the sound's own peak by this much an end counts as silence."""
FLOOR_DBFS = -80.0
"""Silence in any case."""
PRE_ROLL_S = 0.002
"""Kept before the first loud sample, so that an attack keeps its rise and a ramp has room."""
HOLD_S = 0.03
"""Kept after the last loud sample, so that a decay ends by itself."""


def sounding_range(clip: Clip) -> tuple[int, int]:
    """Start and end (exclusive) in samples of what is heard, with pre-roll and hold.

    Only the ends are looked at: whatever lies between the first and the last sample above the threshold
    stays, pauses too. A silent clip gives (0, 0).
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
