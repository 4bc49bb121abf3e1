"""A sampler for cues of which only the settings and the seeds matter."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pipeline.generators.audiocraft.decoding.sampling import SlotSampler
from pipeline.generators.audiocraft.rows import Row
from pipeline.generators.audiocraft.sampling import Sampling


def slot_sampler(ways: list[Sampling], seeds: Sequence[int], card: int) -> SlotSampler:
    """A sampler over ``card`` tokens with one cue in each slot, on its first pass."""
    sampler = SlotSampler(len(ways), card, ways, torch.device("cpu"))
    no_prompt = torch.zeros((1, 0), dtype=torch.long)
    for slot, (way, seed) in enumerate(zip(ways, seeds, strict=True)):
        # The sampler reads only a row's seed, pass and settings.
        sampler.admit(slot, Row(seed, 0, 1, no_prompt, None, way))  # type: ignore[arg-type]
    return sampler
