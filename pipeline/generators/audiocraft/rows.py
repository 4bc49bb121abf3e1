"""One pass of one take, as a decoder gets it, and what a decoder is.

Whatever follows the contract of `Decoder` can stand in for `stepwise` and `iterative`; what would rather see all takes
at once, to fill a place as soon as it is free, stands in for `decoders.decode_all`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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


class Decoder(Protocol):
    """Rows into codes with a language model."""

    def __call__(self, generator: Any, rows: Sequence[Row], slots: int) -> list[torch.Tensor | None]:
        """Codes int64 [codebooks, frames] of each row, prompt and all; None where the model gave NaN.

        ``generator`` is an AudioCraft model; ``rows``, at most ``slots``, have one shape. A row's codes depend on the
        row and on ``slots`` alone. Raises `torch.OutOfMemoryError`.
        """
        ...
