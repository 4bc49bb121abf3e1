"""What only shows in bulk or at real width: memory that grows, products that depend on neighbours."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from tiny_checkpoints import write_checkpoint

from pipeline.errors import GenerationError
from pipeline.generators.audiocraft import conversion
from pipeline.generators.audiocraft.generator import AudioCraftGenerator
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
                "model": stored.name,
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


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["music", "music-stereo", "music-melody", "sfx", "magnet"])
def test_on_a_gpu_a_take_is_bit_identical_alone_and_in_company(
    kind: str, loaded: Callable[[str], object], recipe: Make
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    worker = AudioCraftGenerator("cuda:0")
    asked = [recipe(kind, f"prompt {'long ' * (seed % 5)}", 0.3 + seed / 40, seed) for seed in range(6)]
    together = _audio(worker, asked)
    for one in asked:
        np.testing.assert_array_equal(together[one.digest], _audio(worker, [one])[one.digest])


def _audio(worker: AudioCraftGenerator, recipes: list[Recipe]) -> dict[str, np.ndarray]:
    made = {}
    for one, take in worker.generate(recipes, {}):
        assert not isinstance(take, GenerationError)
        made[one.digest] = take.clip.samples
    return made
