"""A row's codes laid out by its model's pattern: codebooks by steps of decoding."""

from __future__ import annotations

from typing import Any

import torch

from pipeline.generators.audiocraft.rows import Row

UNKNOWN = -1
"""Stands where a code is still to be drawn."""


class Score:
    """The codes of one row as AudioCraft's `LMModel` reads and writes them.

    ``codes`` and ``valid`` are [codebooks, steps]: what is known, and where the pattern has a code at all.
    ``first`` is the first step that has anything to draw.
    """

    def __init__(self, lm: Any, row: Row, device: torch.device | str) -> None:
        self._length = row.length
        self._pattern = lm.pattern_provider.get_pattern(row.length)
        codes = torch.full((1, lm.num_codebooks, row.length), UNKNOWN, dtype=torch.long, device=device)
        codes[0, :, : row.prompt.shape[1]] = row.prompt
        laid, _, valid = self._pattern.build_pattern_sequence(codes, lm.special_token_id)
        self.codes, self.valid = laid[0], valid
        self.first: int = self._pattern.get_first_step_with_timesteps(row.prompt.shape[1])

    @property
    def steps(self) -> int:
        """Steps of the pattern, with the first, which is empty."""
        return int(self.codes.shape[1])

    @staticmethod
    def padded(tensor: torch.Tensor, steps: int, value: int | bool) -> torch.Tensor:
        """``tensor`` [codebooks, steps] with ``value`` up to ``steps``."""
        out = tensor.new_full((tensor.shape[0], steps), value)
        out[:, : tensor.shape[1]] = tensor
        return out

    def frames(self, codes: torch.Tensor) -> torch.Tensor:
        """The codes [codebooks, frames] that the pattern laid out."""
        own = codes[None, :, : self.steps].contiguous()
        out, _, _ = self._pattern.revert_pattern_sequence(own, special_token=UNKNOWN)
        found: torch.Tensor = out[0, :, : self._length]
        return found
