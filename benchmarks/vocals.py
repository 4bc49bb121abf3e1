"""How often the score ``vocals`` hears speech where there is none: on the example game by the sketch engine, and on the
open half of the studio set.

PYTHONPATH=.:tests/quality python benchmarks/vocals.py
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from studio_set import good

from pipeline.audio import Clip
from pipeline.generators import GeneratedTake, engine_keys, find_engine
from pipeline.manifest.loader import load
from pipeline.plan.digests import recipes_for
from pipeline.scores import find_score

ROOT = Path(__file__).parents[1]
LONGEST_S = 10.0
VOICES = {"voice", "whisper", "quiet whisper"}
"""Families of the studio set that imitate a voice."""
LIMITS = (0.0, 0.05, 0.1, 0.2, 0.5)


def sketches() -> Iterator[tuple[str, Clip]]:
    """The first take of every asset of the example game, at most 10 s of it."""
    engine = find_engine("sketch")
    generator = engine.open("cpu")
    for asset in load(ROOT / "manifests" / "emberfall.yaml", "prototype", engine_keys).assets:
        [recipe, *_], *_ = recipes_for(asset, engine.requirements(asset), engine.version, frozenset())
        short = replace(recipe, seconds=min(recipe.seconds, LONGEST_S))
        for _, take in generator.generate([short], {}):
            assert isinstance(take, GeneratedTake)
            yield f"{asset.kind} {asset.id}", take.clip


def main() -> None:
    """Print how many values are above each limit, and what was heard the most."""
    scorer = find_score("vocals").open()
    studio = [(sound.base, sound.clip) for sound in good(sealed=False)]
    sets = {
        "sketch": sketches(),
        "studio set without voices": (sound for sound in studio if sound[0] not in VOICES),
        "imitated voices of the studio set": (sound for sound in studio if sound[0] in VOICES),
    }
    for name, sounds in sets.items():
        values = [(scorer.score(clip, ""), what) for what, clip in sounds]
        print(f"{name}: {len(values)} sounds", flush=True)
        for limit in LIMITS:
            alarms = sum(value > limit for value, _ in values)
            print(f"  most: {limit:g}  {alarms} above it ({100 * alarms / len(values):.1f} %)")
        for value, what in sorted(values, reverse=True)[:12]:
            print(f"    {value:.3f} {what}")


if __name__ == "__main__":
    main()
