"""The tables of loops in docs/mastering.md: seams that were made against straight cuts of the same sound.

python scripts/demo_loops.py OUTPUTS [CUTS]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np
from loop_sounds import SOUNDS

from pipeline.audio import Clip, Loop, read
from pipeline.catalog import Catalog
from pipeline.gates import GATES
from pipeline.manifest.spec import Kind
from pipeline.mastering.loop import cut_loop
from pipeline.mastering.seam import Seam, measure_seam
from pipeline.store import ObjectRef, Store


def _seam(clip: Clip) -> Seam:
    return measure_seam(clip, Loop(0, clip.length))


def _click(clip: Clip, place: int, reach: int) -> float:
    """The click at ``place``, relative to ``reach`` samples on either side."""
    around = clip.samples[:, place - reach : place + reach]
    rotated = Clip(np.ascontiguousarray(np.roll(around, reach, axis=1)), clip.rate)
    return _seam(rotated).click


def _closes(seam: Seam, kind: Kind) -> bool:
    """Whether a loop gate closes on a seam."""
    step = max(seam.level_step, seam.spectral_step)
    values = {"loop seam": seam.click, "loop beat": seam.beat, "loop step": step}
    return any(GATES[name].closes(value, GATES[name].limits[kind]) for name, value in values.items())


def _demo_loops(store: Store) -> Iterator[tuple[str, Kind, Clip]]:
    latest = Catalog(store).latest()
    assert latest is not None
    for row in latest.masters:
        if row["loop"]:
            file = next(item for name, item in row["files"].items() if name.endswith(".wav"))
            clip = read(store.get(ObjectRef.from_json(file)))
            start, end = row["loop"]
            yield row["asset"], row["kind"], Clip(clip.samples[:, start:end], clip.rate)


def _print_row(name: str, seam: str, good: list[Clip], cuts: list[Clip], kind: Kind) -> None:
    """One row: how many of each a gate closes on, and the clicks of the cuts."""
    made, cut = [_seam(clip) for clip in good], [_seam(clip) for clip in cuts]
    low, middle = np.quantile([one.click for one in cut], [0.1, 0.5])
    accused, detected = (sum(_closes(one, kind) for one in seams) for seams in (made, cut))
    seam = seam or f"{max(one.click for one in made):.2f}"
    print(
        f"| {name} | {seam} | {accused} of {len(good)} | {low:.1f}, {middle:.1f} | {detected} of {len(cuts)} |",
        flush=True,
    )


def _demo(store: Store, count: int) -> None:
    print("| loop | worst click of two seams | rotated: fail | cuts: click, 10 % and median | cuts: fail |")
    print("|---|---|---|---|---|")
    random = np.random.default_rng(1)
    for name, kind, loop in _demo_loops(store):
        thrice = Clip(np.tile(loop.samples, 3), loop.rate)
        seams = [_click(thrice, at, loop.length // 2) for at in (loop.length, 2 * loop.length)]
        turns = random.integers(0, loop.length, 2 * count)
        rotated = [Clip(np.roll(loop.samples, turn, axis=1), loop.rate) for turn in turns]
        shares = random.uniform(0.4, 0.98, count)
        cuts = [
            Clip(one.samples[:, : round(share * loop.length)], loop.rate)
            for one, share in zip(rotated[count:], shares, strict=True)
        ]
        _print_row(name, f"{max(seams):.2f}", rotated[:count], cuts, kind)


def _made(
    sound: Callable[[np.random.Generator, int, float], np.ndarray], seed: int, beat: bool
) -> list[Clip]:
    """A loop that was made of 15 s of ``sound``, and a straight cut of it."""
    random = np.random.default_rng(seed)
    rate, bpm = (32_000, 44_100, 48_000)[seed % 3], float(random.uniform(80, 160))
    wave = sound(random, 15 * rate, bpm / 60 / rate)
    take = Clip((0.4 * wave / np.abs(wave).max())[None].astype(np.float32), rate)
    start, length = round(random.uniform(0, 3) * rate), round(random.uniform(5, 11) * rate)
    loop = cut_loop(take, float(random.uniform(6, 13)), bpm if beat else None).clip
    return [loop, Clip(take.samples[:, start : start + length], rate)]


def _generated(count: int) -> None:
    print(
        "| sound | worst click of the loops made | made: fail | cuts: click, 10 % and median | cuts: fail |"
    )
    print("|---|---|---|---|---|")
    for name, (sound, beat) in SOUNDS.items():
        pairs = [_made(sound, seed, beat) for seed in range(count)]
        good, cuts = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        _print_row(name, "", good, cuts, "sfx")


def main() -> None:
    """Print both tables."""
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    _demo(Store.open(sys.argv[1]), count)
    print()
    _generated(count)


if __name__ == "__main__":
    main()
