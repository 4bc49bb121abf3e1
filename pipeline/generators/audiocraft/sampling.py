"""Drawing the next token, each row with its own settings and its own random numbers.

A draw is ``argmax(p / e)`` with e from Exp(1) for every token: the same as a draw from p (the exponential races
of the Gumbel-max trick), with no read-back to the host.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a row's tokens are drawn, as AudioCraft's ``set_generation_params`` says it."""

    temperature: float
    """0: the likeliest token."""
    top_k: int
    """0: all."""
    top_p: float
    """0: all; above 0 it goes before `top_k`."""
    cfg: float
    cfg_text: float = 1.0
    """How much more the text is pushed than the style beside it; 1: alike, one guidance for both."""


def guided(answers: Sequence[torch.Tensor], cfg: torch.Tensor, cfg_text: torch.Tensor) -> torch.Tensor:
    """Logits under classifier-free guidance, of the shape of each of ``answers``; coefficients broadcast to it.

    ``answers`` are the model's own and null logits; between them the style's alone for double guidance (Rouard et al.
    2024, 4.3, with AudioCraft's names): ``null + cfg_coef (style + cfg_coef_beta (own - style) - null)``.
    """
    own, null = answers[0], answers[-1]
    if len(answers) == 2:
        return null + (own - null) * cfg
    alone = answers[1]
    return null + cfg * (alone + cfg_text * (own - alone) - null)


class Sampler:
    """Settings of a batch of rows, on their device."""

    def __init__(self, rows: Sequence[Sampling], card: int, device: str | torch.device) -> None:
        def column(values: Sequence[float], dtype: torch.dtype = torch.float32) -> torch.Tensor:
            return torch.tensor(values, dtype=dtype, device=device)[:, None, None]

        self.greedy = column([float(row.temperature <= 0) for row in rows]) > 0
        self.temperature = column([row.temperature if row.temperature > 0 else 1.0 for row in rows])
        limits = [row.top_k if 0 < row.top_k < card and row.top_p <= 0 else card for row in rows]
        self.last = column(limits, torch.int64) - 1
        self.top_p = column([row.top_p if row.top_p > 0 else 2.0 for row in rows])
        self.cfg = column([row.cfg for row in rows])[..., None]
        self.cfg_text = column([row.cfg_text for row in rows])[..., None]
        self.narrow = any(limit < card or row.top_p > 0 for limit, row in zip(limits, rows, strict=True))

    def draw(self, logits: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Tokens [rows, codebooks] of ``logits`` [rows, codebooks, card] with ``noise`` of Exp(1), the same shape."""
        logits = logits.float()
        probs = torch.softmax(logits / self.temperature, dim=-1)
        if self.narrow:
            probs = probs * (probs >= self._least(probs))
        drawn = (probs / noise).argmax(-1)
        return torch.where(self.greedy[..., 0], logits.argmax(-1), drawn)

    def _least(self, probs: torch.Tensor) -> torch.Tensor:
        """The smallest probability that may still be drawn."""
        ordered = probs.sort(dim=-1, descending=True).values
        before = ordered.cumsum(-1) - ordered
        within = (before <= self.top_p).sum(-1, keepdim=True) - 1
        # NaN leaves nothing within; an index below 0 would bring a CUDA device down.
        last = torch.minimum(self.last.expand_as(within), within).clamp(min=0)
        return ordered.gather(-1, last)
