"""What only shows in bulk or at real width: memory that grows, products that depend on neighbours."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from recorded_graphs import RecordedGraphs
from tiny_checkpoints import write_checkpoint

from pipeline.errors import GenerationError
from pipeline.generators.audiocraft import conversion
from pipeline.generators.audiocraft.conditions import encode_condition
from pipeline.generators.audiocraft.decoding.schedule import Queue
from pipeline.generators.audiocraft.decoding.session import SessionLimits, SlotDecoder, positions_needed
from pipeline.generators.audiocraft.decoding.weights import read_weights
from pipeline.generators.audiocraft.generator import AudioCraftGenerator
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.rows import Row
from pipeline.generators.audiocraft.sampling import Sampling
from pipeline.recipe import Recipe

Make = Callable[..., Recipe]


@pytest.mark.slow
def test_memory_does_not_grow_over_two_hundred_batches(generator: AudioCraftGenerator, recipe: Make) -> None:
    process = psutil.Process()
    sizes = []
    for batch in range(200):
        kind = ("music", "sfx", "music-stereo")[batch % 3]
        made = list(generator.generate([recipe(kind, f"prompt {batch}", 0.3, seed) for seed in range(8)], {}))
        assert len(made) == 8
        sizes.append(process.memory_info().rss)
    settled, after = np.mean(sizes[40:60]), np.mean(sizes[180:])
    print(f"resident: {settled / 1e6:.1f} MB at batch 50, {after / 1e6:.1f} MB at batch 190")
    assert after - settled < 8e6


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_at_musicgen_smalls_width_a_take_is_still_its_own(threads: int, tmp_path: Path, recipe: Make) -> None:
    """1024 wide with 16 heads, 2 layers: the products of the real model, whose kernels differ from the tiny ones'."""
    folder = write_checkpoint(tmp_path / "wide", "music", width=(1024, 16, 2))
    stored = conversion.convert(folder, "local/wide", None, None)
    asked = [
        Recipe(
            **{
                **recipe("music", f"prompt {'long ' * seed}", 0.1 + seed / 50, seed).__dict__,
                "model": stored.id,
                "revision": stored.revision,
            }
        )
        for seed in range(8)
    ]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        worker = AudioCraftGenerator("cpu")
        together = _audio(worker, asked)
        shuffled = _audio(worker, random.Random(1).sample(asked, 8))
        for one in asked:
            np.testing.assert_array_equal(together[one.digest], shuffled[one.digest])
        for one in asked[:2]:
            np.testing.assert_array_equal(together[one.digest], _audio(worker, [one])[one.digest])
    finally:
        torch.set_num_threads(before)


def _live_tensors() -> int:
    gc.collect()
    return sum(isinstance(one, torch.Tensor) for one in gc.get_objects())


def test_no_tensor_outlives_its_cues_when_slots_are_filled_again(
    generator: AudioCraftGenerator, recipe: Make
) -> None:
    counts = []
    for batch in range(4):
        asked = [recipe("music", f"prompt {batch}", 0.04 * (1 + seed % 4), seed) for seed in range(20)]
        assert len(_audio(generator, asked)) == 20
        counts.append(_live_tensors())
    assert len(set(counts[1:])) == 1


@pytest.mark.slow
def test_one_decoder_takes_no_more_for_many_cues_than_for_few(loaded: Callable[[str], Loaded]) -> None:
    """StepGraphs are as many as length buckets, and the tensors of a step are those of the first."""
    lm = loaded("music").generator.lm
    condition = encode_condition(loaded("music").generator, "calm", None)
    known = torch.zeros((4, 0), dtype=torch.long)
    way = Sampling(1.0, 20, 0.0, 3.0)
    cues = [Row(seed, 0, 2 + seed * 7 % 10 * 6, known, condition, way) for seed in range(60)]
    sizes = [(cue, positions_needed(lm, cue)) for cue in cues]
    graphs: list[RecordedGraphs] = []

    def made(state: Sequence[torch.Tensor]) -> RecordedGraphs:
        graphs.append(RecordedGraphs(state))
        return graphs[0]

    decoder = SlotDecoder(
        lm, read_weights(lm, torch.float32), SessionLimits(4, 96, 400), [way], backend="sdpa", graphs=made
    )
    # AudioCraft keeps the patterns of the lengths that it has seen, all of them after the first round.
    for _ in range(2):
        live = []
        for ended, _ in enumerate(decoder.run(Queue(sizes), lambda cue: cue)):
            if ended in (20, 40, 58):
                live.append(_live_tensors())
        recordings = graphs[0].recordings
    assert len(live) == 3
    assert max(live) <= min(live) + 3 * 4
    assert recordings == 2


@pytest.mark.slow
def test_memory_is_flat_over_a_thousand_cues(generator: AudioCraftGenerator, recipe: Make) -> None:
    process = psutil.Process()
    asked = [recipe("music", f"prompt {seed % 50}", 0.04 + (seed % 12) / 20, seed) for seed in range(1000)]
    sizes = []
    for _, outcome in generator.generate(asked, {}):
        assert not isinstance(outcome, GenerationError)
        sizes.append(process.memory_info().rss)
    early, late = np.mean(sizes[150:250]), np.mean(sizes[-100:])
    print(f"resident: {early / 1e6:.1f} MB at cue 200, {late / 1e6:.1f} MB at cue 950")
    assert late - early < 8e6


def _audio(worker: AudioCraftGenerator, recipes: list[Recipe]) -> dict[str, np.ndarray]:
    made = {}
    for one, take in worker.generate(recipes, {}):
        assert not isinstance(take, GenerationError)
        made[one.digest] = take.clip.samples
    return made
