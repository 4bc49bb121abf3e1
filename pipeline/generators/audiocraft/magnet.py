"""MAGNeT's decoding with AudioCraft's `MagnetLMModel`: all frames of a codebook at once, the doubtful ones again.

AudioCraft's own stages run unchanged; only its draws are replaced by the rows' own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from pipeline.generators.audiocraft import noise
from pipeline.generators.audiocraft.audiocraft_modules import replaced, utils
from pipeline.generators.audiocraft.conditions import stack, text_lengths
from pipeline.generators.audiocraft.masking import seeing
from pipeline.generators.audiocraft.rows import Row

STEPS = (20, 10, 10, 10)
CFG_MIN = 1.0
TEMPERATURE = 3.0
"""Under which AudioCraft scores tokens when it takes the likeliest."""


@torch.no_grad()
def decode(generator: Any, rows: Sequence[Row], slots: int) -> list[torch.Tensor | None]:
    """Codes of ``rows``: see `batch_decoding.decode`. Rows also share length and sampling: see `shape`."""
    lm, device = generator.lm, generator.device
    batch = [*rows, *[rows[0]] * (slots - len(rows))]
    sampling = batch[0].sampling
    draws = _Draws(noise.keys([row.seed for row in batch], [row.number for row in batch], device))
    tensors = stack([row.condition for row in batch])
    lengths, padded = text_lengths([row.condition for row in batch], device)
    codes = torch.full(
        (len(batch), lm.num_codebooks, batch[0].length), lm.special_token_id, dtype=torch.long, device=device
    )
    with seeing(lm, lengths, padded), generator.autocast, replaced(utils, "multinomial", draws):
        for stage, timesteps in zip(range(lm.n_q), STEPS, strict=False):
            codes, _ = lm._generate_stage(
                codes,
                tensors,
                stage=stage,
                device=device,
                use_sampling=sampling.temperature > 0,
                temp=sampling.temperature or TEMPERATURE,
                max_cfg_coef=sampling.cfg,
                min_cfg_coef=CFG_MIN,
                # AudioCraft fails on more than there are.
                top_k=min(sampling.top_k, lm.card),
                top_p=sampling.top_p,
                timesteps=timesteps,
            )
    whole = draws.sound.tolist()
    return [codes[index] if whole[index] else None for index in range(len(rows))]


def shape(row: Row) -> tuple[Any, ...]:
    """Rows of equal shape can share a batch: AudioCraft's stages take one length and one sampling for all."""
    return (row.shape, row.length, row.sampling)


class _Draws:
    """In place of ``audiocraft.utils.utils.multinomial``: each row draws with its own numbers."""

    def __init__(self, keys: torch.Tensor) -> None:
        self._keys = keys
        self._calls = 0
        self.sound = torch.ones(len(keys), dtype=torch.bool, device=keys.device)
        """Rows that never had a NaN to draw from."""

    def __call__(self, probs: torch.Tensor, num_samples: int) -> torch.Tensor:
        """One draw of ``probs`` [rows, ..., candidates] for each row and place."""
        self._calls += 1
        self.sound &= ~probs.flatten(1).isnan().any(-1)
        race = noise.exponential(self._keys, self._calls, probs.shape[1:])
        return (probs / race).argmax(-1, keepdim=True)
