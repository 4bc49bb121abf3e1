"""The slot decoder against AudioCraft's own ``generate``, and a cue's bits against everything around it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tiny_checkpoints import KINDS

from pipeline.generators.audiocraft.audiocraft_modules import transformer
from pipeline.generators.audiocraft.conditions import encode_condition
from pipeline.generators.audiocraft.decoding.schedule import Queue
from pipeline.generators.audiocraft.decoding.session import SessionLimits, SlotDecoder, positions_needed
from pipeline.generators.audiocraft.decoding.weights import read_weights
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.rows import Row
from pipeline.generators.audiocraft.sampling import Sampling

AUTOREGRESSIVE = [kind for kind in KINDS if "magnet" not in kind]
GREEDY = Sampling(0.0, 0, 0.0, 3.0)
PROMPTS = ("calm", "wooden door", "heavy drums and brass, battle theme, fast and tense", "a flute")

Load = Callable[[str], Loaded]


def row(loaded: Loaded, prompt: str, frames: int, sampling: Sampling = GREEDY, seed: int = 1) -> Row:
    generator = loaded.generator
    known = torch.zeros((generator.lm.num_codebooks, 0), dtype=torch.long)
    return Row(seed, 0, frames, known, encode_condition(generator, prompt, None), sampling)


def decode(
    loaded: Loaded, rows: list[Row], slots: int = 4, dtype: torch.dtype = torch.float32
) -> list[torch.Tensor]:
    """Codes of ``rows``, in their order."""
    lm = loaded.generator.lm
    sizes = [positions_needed(lm, one) for one in rows]
    limits = SessionLimits(slots, max(sizes), slots * max(sizes), text=64)
    decoder = SlotDecoder(lm, read_weights(lm, dtype), limits, [one.sampling for one in rows])
    queue = Queue(zip(range(len(rows)), sizes, strict=True))
    found = dict(decoder.run(queue, rows.__getitem__))
    return [found[index] for index in range(len(rows))]


def stock(loaded: Loaded, prompt: str, frames: int) -> torch.Tensor:
    """AudioCraft's own greedy tokens of one cue alone."""
    transformer.set_efficient_attention_backend("torch")
    model = loaded.generator
    model.set_generation_params(use_sampling=False, duration=frames / 50, extend_stride=1.2)
    _, tokens = model.generate([prompt], return_tokens=True)
    return tokens[0]


@pytest.mark.parametrize("kind", AUTOREGRESSIVE)
def test_greedy_tokens_equal_audiocrafts_own_whatever_the_neighbours_lengths_and_slot(
    kind: str, loaded: Load
) -> None:
    model = loaded(kind)
    cues = [(PROMPTS[i % 4], frames) for i, frames in enumerate((40, 7, 23, 1, 15, 60))]
    expected = [stock(model, *cue) for cue in cues]
    for slots in (2, 5):
        found = decode(model, [row(model, *cue) for cue in cues], slots)
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one, other)
    assert len(expected[-1].unique()) > 4


@pytest.mark.parametrize("kind", AUTOREGRESSIVE)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_sampled_cue_is_bit_identical_alone_in_any_company_and_in_any_order(
    kind: str, dtype: torch.dtype, loaded: Load
) -> None:
    model = loaded(kind)
    ways = [
        Sampling(1.0, 20, 0.0, 3.0),
        Sampling(0.7, 0, 0.8, 1.5),
        Sampling(1.3, 0, 0.0, 4.0),
        GREEDY,
    ]
    cues = [row(model, PROMPTS[i % 4], 5 + 9 * i % 50, ways[i % 4], seed=i) for i in range(9)]
    together = decode(model, cues, dtype=dtype)
    order = list(range(9))
    random.Random(4).shuffle(order)
    shuffled = decode(model, [cues[i] for i in order], dtype=dtype)
    for place, index in enumerate(order):
        assert torch.equal(shuffled[place], together[index])
    for index in (0, 1, 2, 5):
        [alone] = decode(model, [cues[index]], dtype=dtype)
        assert torch.equal(alone, together[index])


def test_seeds_and_settings_reach_the_tokens(loaded: Load) -> None:
    model = loaded("music")
    wide, narrow = Sampling(1.0, 0, 0.0, 3.0), Sampling(1.0, 2, 0.0, 3.0)
    asked: list[tuple[Any, int]] = [(wide, 1), (wide, 2), (narrow, 1)]
    one, two, three = decode(model, [row(model, "calm", 30, way, seed) for way, seed in asked])
    assert not torch.equal(one, two)
    assert not torch.equal(one, three)
