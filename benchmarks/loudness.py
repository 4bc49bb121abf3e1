"""How many effects reach their loudness target: 200 field recordings in words, made by the sketch engine.

    python benchmarks/loudness.py [--targets=-18:6,-23:12] [--seed 1]

Each prompt of field_effects.txt is made twice, near and far, and mastered with the default keys of effects, then once
for each pair of loudness target (LUFS) and limit (dB). The loudness is measured on the finished master. Prints one
JSON object: for each pair the share on target, the worst miss in LU, and the limiter's largest gain reduction:
median, 90 % and most.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

from pipeline.audio import Clip  # noqa: E402
from pipeline.generators import GeneratedTake, engine_keys  # noqa: E402
from pipeline.generators.sketch import ENGINE  # noqa: E402
from pipeline.manifest.loader import load  # noqa: E402
from pipeline.manifest.spec import AssetSpec  # noqa: E402
from pipeline.mastering.chain import TOLERANCE_LU, Master, master  # noqa: E402
from pipeline.mastering.measure import measure  # noqa: E402
from pipeline.mastering.shape import TakeInput  # noqa: E402
from pipeline.plan.digests import recipes_for  # noqa: E402

PROMPTS = Path(__file__).with_name("field_effects.txt")
PLACES = ("close, dry", "far away, outdoors")
_MEASURES = {"integrated": "integrated_lufs", "momentary": "momentary_max_lufs", "peak": "true_peak_dbtp"}


def manifest_text(seed: int) -> str:
    """A manifest with every prompt at every place."""
    lines = [line.split(" ", 1) for line in PROMPTS.read_text().splitlines() if line[0] != "#"]
    assets = (
        {"id": f"sfx/field{number:03d}/place{place}", "kind": "sfx", "duration": f"{seconds}s"}
        | {"prompt": f"{prompt}, {where}"}
        for number, (seconds, prompt) in enumerate(lines)
        for place, where in enumerate(PLACES)
    )
    return json.dumps({"cuesmith": 1, "project": "field", "seed": seed, "assets": list(assets)})


def take_of(asset: AssetSpec) -> Clip:
    """The take that the sketch engine makes for ``asset``."""
    recipes = recipes_for(asset, ENGINE.requirements(asset), ENGINE.version, frozenset())[0]
    ((_, take),) = ENGINE.open("cpu").generate(recipes, {})
    if not isinstance(take, GeneratedTake):
        raise SystemExit(f"{asset.prompt}: {take}")
    return take.clip


def _result(assets: list[AssetSpec], takes: list[Clip], changes: dict[str, float]) -> dict[str, Any]:
    """Misses and limiting of all effects, mastered with ``changes`` of the manifest's defaults."""
    misses, limited = [], []
    spec = assets[0].mastering
    for asset, take in zip(assets, takes, strict=True):
        spec = replace(asset.mastering, **changes)
        made = master([TakeInput(take)], spec)[0]
        if not isinstance(made, Master):
            raise SystemExit(f"{asset.prompt}: {made}")
        gain = next(step for step in made.chain if step["step"] == "gain")
        misses.append(getattr(measure(made.clip), _MEASURES[gain["method"]]) - gain["target"])
        limited.append(made.limited_db)
    off, work = np.array(misses), np.array(limited)
    worst = int(np.abs(off).argmax())
    return {
        "loudness_lufs": spec.loudness_lufs,
        "limit_db": spec.limit_db,
        "on_target": round(float((np.abs(off) <= TOLERANCE_LU).mean()), 3),
        "over_3_lu": round(float((np.abs(off) > 3.0).mean()), 3),
        "worst_lu": round(float(off[worst]), 1),
        "worst": assets[worst].prompt,
        "limiter_median_db": round(float(np.median(work)), 1),
        "limiter_90_db": round(float(np.quantile(work, 0.9)), 1),
        "limiter_most_db": round(float(work.max()), 1),
    }


def main() -> None:
    """Print the table as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--targets", default="-18:6,-18:9,-18:12,-23:6", help="LUFS:dB, after the defaults")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "field.yaml"
        path.write_text(manifest_text(options.seed))
        assets = list(load(path, None, engine_keys).assets)
    takes = [take_of(asset) for asset in assets]
    pairs = (map(float, pair.split(":")) for pair in options.targets.split(","))
    changes = [{}, *({"loudness_lufs": loudness, "limit_db": limit} for loudness, limit in pairs)]
    print(json.dumps({"effects": len(assets), "results": [_result(assets, takes, one) for one in changes]}))


if __name__ == "__main__":
    main()
