"""Decoding by AudioCraft's own layers, in batches: MAGNeT, and architectures that the slot decoder does not support.

A batch always has the same number of rows, so that matrix products always take the same path and a row's bits are its
own; places without a take repeat the first. Every row follows its own delay pattern, so that rows of different lengths
share a batch. MAGNeT decodes all frames of a codebook at once and the least certain ones again: AudioCraft's own stages
run unchanged; only its draws are replaced by the rows' own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch

from pipeline.generators.audiocraft.audiocraft_modules import replaced, transformer, utils
from pipeline.generators.audiocraft.conditions import Tensors, stack_conditions, text_mask
from pipeline.generators.audiocraft.decoding.sampling import SlotSampler
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.rows import UNKNOWN, Row, RowTokens
from pipeline.generators.audiocraft.sampling import exponential_noise, noise_keys
from pipeline.generators.audiocraft.takes import Take, nan_error
from pipeline.generators.torch_device import free_memory, none_if_full, out_of_memory_error

MAGNET_STEPS = (20, 10, 10, 10)
MAGNET_CFG_MIN = 1.0
MAGNET_TEMPERATURE = 3.0
"""Temperature at which AudioCraft scores tokens when it takes the most likely one."""

Decoded = tuple[Sequence[torch.Tensor] | torch.Tensor, torch.Tensor]
"""The codes of each row, and bool [rows]: False after NaN logits."""


def _magnet_codes(generator: Any, batch: Sequence[Row], tensors: Tensors) -> Decoded:
    """By MAGNeT's stages. Rows also share length and sampling: see `_shape`."""
    lm, device = generator.lm, generator.device
    sampling = batch[0].sampling
    draws = _RowDraws(noise_keys([row.seed for row in batch], [row.number for row in batch], device))
    codes = torch.full(
        (len(batch), lm.num_codebooks, batch[0].length), lm.special_token_id, dtype=torch.long, device=device
    )
    with replaced(utils, "multinomial", draws):
        for stage, timesteps in zip(range(lm.n_q), MAGNET_STEPS, strict=False):
            codes, _ = lm._generate_stage(
                codes,
                tensors,
                stage=stage,
                device=device,
                use_sampling=sampling.temperature > 0,
                temp=sampling.temperature or MAGNET_TEMPERATURE,
                max_cfg_coef=sampling.cfg,
                min_cfg_coef=MAGNET_CFG_MIN,
                # AudioCraft fails if top_k is above the number of tokens.
                top_k=min(sampling.top_k, lm.card),
                top_p=sampling.top_p,
                timesteps=timesteps,
            )
    return codes, draws.is_valid


class _RowDraws:
    """Replaces ``audiocraft.utils.utils.multinomial``: each row draws with its own random numbers."""

    def __init__(self, keys: torch.Tensor) -> None:
        self._keys = keys
        self._calls = 0
        self.is_valid = torch.ones(len(keys), dtype=torch.bool, device=keys.device)
        """False for rows that had a NaN probability."""

    def __call__(self, probs: torch.Tensor, num_samples: int) -> torch.Tensor:
        """One draw of ``probs`` [rows, ..., candidates] for each row and place."""
        self._calls += 1
        self.is_valid &= ~probs.flatten(1).isnan().any(-1)
        noise = exponential_noise(self._keys, self._calls, probs.shape[1:])
        return (probs / noise).argmax(-1, keepdim=True)


def decode_all(loaded: Loaded, takes: Sequence[Take], slots: int) -> Iterator[tuple[list[Take], int]]:
    """Decode ``takes``; yields those that end together, done or with an error, and the number of rows.

    Starts with ``slots`` rows and continues with half as many each time memory runs out.
    """
    pending = list(takes)
    while pending:
        batch = _next_batch(loaded, pending, slots)
        codes = none_if_full(partial(decode, loaded, [take.row for take in batch], slots))
        if codes is None:
            free_memory()
            if slots > 1:
                slots //= 2
                continue
            codes = [None]
            batch[0].error = out_of_memory_error()
        for take, row_codes in zip(batch, codes, strict=True):
            if row_codes is not None:
                take.advance(row_codes)
            elif take.error is None:
                take.error = nan_error(loaded.dtype)
        ended = [take for take in batch if take.done or take.error]
        pending = [take for take in pending if take not in ended]
        if ended:
            yield ended, slots


def _next_batch(loaded: Loaded, takes: Sequence[Take], slots: int) -> list[Take]:
    """At most ``slots`` of ``takes`` that can be decoded together, those with the most frames left first."""
    ordered = sorted(takes, key=lambda take: (-take.frames_left, take.recipe.digest))
    shape = _shape(loaded, ordered[0].row)
    return [take for take in ordered if _shape(loaded, take.row) == shape][:slots]


def _shape(loaded: Loaded, row: Row) -> tuple[Any, ...]:
    """Rows of equal shape can share a batch; AudioCraft's stages of MAGNeT take one length and one sampling for all."""
    return (row.shape, row.length, row.sampling) if loaded.model.family == "magnet" else row.shape


@torch.no_grad()
def decode(loaded: Loaded, rows: Sequence[Row], slots: int) -> list[torch.Tensor | None]:
    """Codes int64 [codebooks, frames] of each row, prompt and all; None after NaN logits.

    ``rows``, at most ``slots``, have one shape. A row's codes depend on the row and on ``slots`` alone. Raises
    `torch.OutOfMemoryError`.
    """
    generator, is_magnet = loaded.generator, loaded.model.family == "magnet"
    # This setting is global in AudioCraft, and loading a MAGNeT changes it for every model.
    transformer.set_efficient_attention_backend("xformers" if is_magnet else "torch")
    batch = [*rows, *[rows[0]] * (slots - len(rows))]
    conditions = [row.condition for row in batch]
    tensors = stack_conditions(conditions)
    with text_mask(generator, conditions), generator.autocast:
        codes, is_valid = (_magnet_codes if is_magnet else _stepped_codes)(generator, batch, tensors)
    return [one if valid else None for _, one, valid in zip(rows, codes, is_valid.tolist(), strict=False)]


def _stepped_codes(generator: Any, batch: Sequence[Row], tensors: Tensors) -> Decoded:
    """Step by step, each row in its own layout."""
    lm, device, slots = generator.lm, generator.device, len(batch)
    layouts = [RowTokens(lm, row, device) for row in batch]
    first, steps = layouts[0].first, max(tokens.codes.shape[1] for tokens in layouts)
    codes = torch.stack([tokens.padded(tokens.codes, steps, lm.special_token_id) for tokens in layouts])
    valid = torch.stack([tokens.padded(tokens.valid, steps, False) for tokens in layouts])
    sampler = SlotSampler(slots, lm.card, [row.sampling for row in batch], torch.device(device))
    for index, row in enumerate(batch):
        sampler.admit(index, row)
    branches = batch[0].condition.branches
    is_valid = torch.ones(slots, dtype=torch.bool, device=device)
    done = 0
    with lm.streaming():
        for step in range(first, steps):
            inputs = codes[:, :, done:step]
            logits = lm(torch.cat([inputs] * branches), [], tensors)[:, :, -1].chunk(branches)
            drawn, invalid = sampler.draw(
                torch.stack(logits, dim=1), torch.full((slots,), step, device=device)
            )
            is_valid &= ~(invalid & valid[:, :, step]).any(-1)
            drawn = torch.where(valid[:, :, step], drawn, lm.special_token_id)
            known = codes[:, :, step]
            codes[:, :, step] = torch.where(known == UNKNOWN, drawn, known)
            done = step
    return [tokens.frames(one) for tokens, one in zip(layouts, codes, strict=True)], is_valid
