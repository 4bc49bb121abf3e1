"""One pass of one take, as a decoder gets it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from pipeline.generators.audiocraft.conditions import Condition
from pipeline.generators.audiocraft.sampling import Sampling


@dataclass(frozen=True)
class Row:
    """What one pass of one take needs; nothing of it depends on other rows."""

    seed: int
    number: int
    """Which pass of its take: random numbers of passes differ."""
    length: int
    """Frames to end with."""
    prompt: torch.Tensor
    """Codes to begin with, int64 [codebooks, frames]; no frames for none."""
    condition: Condition
    sampling: Sampling

    @property
    def shape(self) -> tuple[Any, ...]:
        """Rows of equal shape can share a batch."""
        return (self.prompt.shape[1], self.condition.shape, self.condition.branches)
