"""How well a loop wraps."""

from __future__ import annotations

import numpy as np

from pipeline.audio import Clip

_NEIGHBOURHOOD_S = 0.05


def seam_step(clip: Clip, loop: tuple[int, int]) -> float:
    """How far the wrap's step stands out among its neighbours: 1.0 is as rough as the roughest 0.1 % of them.

    The second difference of the signal across the seam (its four samples: two before, two after), over the
    99.9th percentile of the second difference in the 50 ms before and after. A click is a corner that the
    music around it does not have. The worst channel counts.
    """
    start, end = loop
    around = max(8, round(_NEIGHBOURHOOD_S * clip.rate))
    places = np.arange(end - around, end + around)
    places = np.where(places >= end, start + (places - end) % (end - start), places)
    wrapped = clip.samples[:, np.maximum(places, 0)].astype(np.float64)
    corners = np.abs(np.diff(wrapped, n=2, axis=1))
    seam = corners[:, around - 2 : around].max(axis=1)
    rest = np.delete(corners, [around - 2, around - 1], axis=1)
    usual = np.quantile(rest, 0.999, axis=1)
    floor = 1e-4 * np.abs(clip.samples).max(initial=0.0) + 1e-7
    return float((seam / np.maximum(usual, floor)).max())
