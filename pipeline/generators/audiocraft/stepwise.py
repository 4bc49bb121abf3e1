"""Decoding by AudioCraft's own layers, for checkpoints of an architecture that the slot decoder does not do.

The batch always has the same number of rows, so that matrix products always take the same path and a row's bits
are its own; places without a take repeat the first. Every row follows its own delay pattern, so that rows of
different lengths share a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from pipeline.generators.audiocraft import noise
from pipeline.generators.audiocraft.conditions import stack, text_lengths
from pipeline.generators.audiocraft.masking import seeing
from pipeline.generators.audiocraft.rows import Row
from pipeline.generators.audiocraft.sampling import Sampler, guided
from pipeline.generators.audiocraft.scores import UNKNOWN, Score


@torch.no_grad()
def decode(generator: Any, rows: Sequence[Row], slots: int) -> list[torch.Tensor | None]:
    """Codes of ``rows``: see `rows.Decoder`."""
    lm = generator.lm
    device = generator.device
    batch = [*rows, *[rows[0]] * (slots - len(rows))]
    scores = [Score(lm, row, device) for row in batch]
    first, steps = scores[0].first, max(score.codes.shape[1] for score in scores)
    codes = torch.stack([score.padded(score.codes, steps, lm.special_token_id) for score in scores])
    valid = torch.stack([score.padded(score.valid, steps, False) for score in scores])
    sampler = Sampler([row.sampling for row in batch], lm.card, device)
    keys = noise.keys([row.seed for row in batch], [row.number for row in batch], device)
    tensors = stack([row.condition for row in batch])
    branches = batch[0].condition.branches
    lengths, padded = text_lengths([row.condition for row in batch], device)
    with seeing(lm, lengths, padded), lm.streaming(), generator.autocast:
        done = 0
        sound = torch.ones(slots, dtype=torch.bool, device=device)
        for step in range(first, steps):
            seen = codes[:, :, done:step]
            answers = lm(torch.cat([seen] * branches), [], tensors)[:, :, -1:].float().chunk(branches)
            logits = guided(answers, sampler.cfg, sampler.cfg_text)[:, :, 0]
            sound &= ~(logits.isnan().any(-1) & valid[:, :, step]).any(-1)
            drawn = sampler.draw(logits, noise.exponential(keys, step, logits.shape[1:]))
            drawn = torch.where(valid[:, :, step], drawn, lm.special_token_id)
            known = codes[:, :, step]
            codes[:, :, step] = torch.where(known == UNKNOWN, drawn, known)
            done = step
    whole = sound.tolist()
    return [
        score.frames(codes[index]) if whole[index] else None
        for index, score in enumerate(scores[: len(rows)])
    ]
