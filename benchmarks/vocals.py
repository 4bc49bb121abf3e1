"""How often the score ``vocals`` hears speech where there is none: on the example game by the sketch engine, and on the
open half of the studio set.

PYTHONPATH=.:tests/quality python benchmarks/vocals.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from studio_set import good

from pipeline.audio import Clip
from pipeline.generators import GeneratedTake, engine_keys, find_engine
from pipeline.manifest import load
from pipeline.plan.digests import recipes_for
from pipeline.scores import find_score

ROOT = Path(__file__).parents[1]
LIMITS = (0.0, 0.05, 0.1, 0.2, 0.5)


def sketches() -> Iterator[tuple[str, Clip]]:
    """Every take of the example game, by asset."""
    engine = find_engine("sketch")
    generator = engine.open("cpu")
    for asset in load(ROOT / "manifests" / "emberfall.yaml", "prototype", engine_keys).assets:
        recipes = recipes_for(asset, engine.requirements(asset), engine.version, frozenset())
        for _, take in generator.generate([recipe for row in recipes for recipe in row], {}):
            assert isinstance(take, GeneratedTake)
            yield f"{asset.kind} {asset.id}", take.clip


def main() -> None:
    """Print a table of false alarms by limit, and what was heard the most."""
    scorer = find_score("vocals").open()
    for name, sounds in (
        ("sketch", sketches()),
        ("studio set", ((sound.base, sound.clip) for sound in good(sealed=False))),
    ):
        values = [(scorer.score(clip, ""), what) for what, clip in sounds]
        print(f"{name}: {len(values)} sounds without a voice")
        for limit in LIMITS:
            alarms = sum(value > limit for value, _ in values)
            print(f"  most: {limit:g}  {alarms} false alarms ({100 * alarms / len(values):.1f} %)")
        for value, what in sorted(values, reverse=True)[:12]:
            print(f"    {value:.3f} {what}")


if __name__ == "__main__":
    main()
