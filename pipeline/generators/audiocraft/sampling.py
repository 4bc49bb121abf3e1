"""Drawing the next token, each row with its own settings and its own random numbers.

A draw is ``argmax(p / e)`` with e from Exp(1) for every token: the same as a draw from p (the Gumbel-max trick), with
no read-back to the host. Random numbers are a function of the row's seed and of a place (pass, step, codebook, token),
not of a generator's state. SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014)
mixes seed and place, in 64-bit integers that wrap, which every device does alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

_GAMMA = -7046029254386353131
_MIX_1 = -4658895280553007687
_MIX_2 = -7723592293110705685
_BITS = 23


def _shifted(x: torch.Tensor, bits: int) -> torch.Tensor:
    """``x`` shifted right without the sign, which torch's own shift keeps."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: torch.Tensor) -> torch.Tensor:
    x = (x ^ _shifted(x, 30)) * _MIX_1
    x = (x ^ _shifted(x, 27)) * _MIX_2
    return x ^ _shifted(x, 31)


def noise_keys(seeds: Sequence[int], passes: Sequence[int], device: str | torch.device) -> torch.Tensor:
    """One key a row, int64 [rows], from its seed (0 to 2^53 - 1) and the number of the pass."""
    seed = torch.tensor(list(seeds), dtype=torch.int64, device=device)
    number = torch.tensor(list(passes), dtype=torch.int64, device=device)
    return _mix(_mix(seed + _GAMMA) + (number + 1) * _GAMMA)


def exponential_noise(keys: torch.Tensor, step: int | torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Draws from Exp(1), float32 [rows, *shape], above 0, different for each ``step``."""
    return -torch.log(_uniform(keys, step, shape))


def normal_noise(keys: torch.Tensor, step: int, shape: Sequence[int]) -> torch.Tensor:
    """Draws from the standard normal distribution, float32 [rows, *shape], by the Box-Muller transform."""
    radius = torch.sqrt(2 * exponential_noise(keys, 2 * step, shape))
    return radius * torch.cos(2 * torch.pi * _uniform(keys, 2 * step + 1, shape))


def _uniform(keys: torch.Tensor, step: int | torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Draws between 0 and 1, exclusive."""
    place = torch.arange(math.prod(shape), dtype=torch.int64, device=keys.device)
    # As tensors, whose products wrap as Python's integers do not.
    row = _mix(keys + (torch.zeros_like(keys) + step + 1) * _MIX_2)
    bits = _shifted(_mix(row[:, None] + (place[None] + 1) * _GAMMA), 64 - _BITS)
    return ((bits.to(torch.float32) + 0.5) * 2.0**-_BITS).reshape(len(keys), *shape)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a row's tokens are drawn, in the terms of AudioCraft's ``set_generation_params``."""

    temperature: float
    """0: the most likely token."""
    top_k: int
    """0: all."""
    top_p: float
    """0: all; above 0 it takes precedence over `top_k`."""
    cfg: float
    cfg_text: float = 1.0
    """How much more the text counts than the style; 1: one guidance for both."""


def guided(logits: Sequence[torch.Tensor], cfg: torch.Tensor, cfg_text: torch.Tensor) -> torch.Tensor:
    """Logits under classifier-free guidance, of the shape of each of ``logits``; coefficients broadcast to it.

    ``logits`` are those of the full and of the null condition; between them the style's for double guidance (Rouard et
    al. 2024, 4.3, with AudioCraft's names): ``null + cfg_coef (style + cfg_coef_beta (full - style) - null)``.
    """
    full, null = logits[0], logits[-1]
    if len(logits) == 2:
        return null + (full - null) * cfg
    style = logits[1]
    return null + cfg * (style + cfg_text * (full - style) - null)
