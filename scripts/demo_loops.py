"""The table of loops in docs/mastering.md: every loop of a catalog, rendered three times in a row, and cut straight.

python scripts/demo_loops.py OUTPUTS
"""

from __future__ import annotations

import sys

import numpy as np

from pipeline.audio import Clip, read
from pipeline.catalog import Catalog
from pipeline.mastering import measure_seam
from pipeline.quality import score
from pipeline.store import ObjectRef, Store

CUTS = (0.013, 0.071, 0.19, 0.37)
"""Shares of the loop that the control leaves out at the end."""


def _click(clip: Clip, place: int, reach: int) -> float:
    """The click at ``place``, heard among ``reach`` samples to either side."""
    around = clip.samples[:, place - reach : place + reach]
    turned = Clip(np.ascontiguousarray(np.roll(around, reach, axis=1)), clip.rate)
    return measure_seam(turned, (0, turned.length)).click


def main() -> None:
    """Print the table."""
    store = Store.open(sys.argv[1])
    latest = Catalog(store).latest()
    assert latest is not None
    print(
        "| loop | worst click of two seams | straight cuts: clicks | cuts that fail a gate |\n|---|---|---|---|"
    )
    for row in latest.masters:
        if not row["loop"]:
            continue
        file = next(item for name, item in row["files"].items() if name.endswith(".wav"))
        clip = read(store.get(ObjectRef.from_json(file)))
        start, end = row["loop"]
        length = end - start
        thrice = Clip(np.ascontiguousarray(np.tile(clip.samples[:, start:end], 3)), clip.rate)
        clicks = [_click(thrice, at, length // 2) for at in (length, 2 * length)]
        cuts = [Clip(clip.samples[:, start : end - round(share * length)], clip.rate) for share in CUTS]
        controls = [measure_seam(cut, (0, cut.length)).click for cut in cuts]
        failed = sum(
            any(one.name.startswith("loop") for one in score(cut, row["kind"], loop=(0, cut.length)).failures)
            for cut in cuts
        )
        print(
            f"| {row['asset']} | {max(clicks):.2f} | {', '.join(f'{click:.1f}' for click in controls)} "
            f"| {failed} of {len(cuts)} |"
        )


if __name__ == "__main__":
    main()
