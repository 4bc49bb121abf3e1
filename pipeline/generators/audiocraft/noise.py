"""Random numbers that belong to a row: a function of its seed and of a place, not of a generator's state.

A place is (pass, step, codebook, token). SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
generators", 2014) mixes seed and place, in 64-bit integers that wrap, which every device does alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

_GAMMA = -7046029254386353131
_MIX_1 = -4658895280553007687
_MIX_2 = -7723592293110705685
_BITS = 23


def _shifted(x: torch.Tensor, bits: int) -> torch.Tensor:
    """``x`` logically shifted right: torch's own shift keeps the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: torch.Tensor) -> torch.Tensor:
    x = (x ^ _shifted(x, 30)) * _MIX_1
    x = (x ^ _shifted(x, 27)) * _MIX_2
    return x ^ _shifted(x, 31)


def keys(seeds: Sequence[int], passes: Sequence[int], device: str | torch.device) -> torch.Tensor:
    """One key a row, int64 [rows], from its seed (0 to 2^53 - 1) and the number of the pass."""
    seed = torch.tensor(list(seeds), dtype=torch.int64, device=device)
    number = torch.tensor(list(passes), dtype=torch.int64, device=device)
    return _mix(_mix(seed + _GAMMA) + (number + 1) * _GAMMA)


def exponential(keys: torch.Tensor, step: int | torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Draws from Exp(1), float32 [rows, *shape], above 0; ``step`` sets them apart from other steps' draws."""
    return -torch.log(_uniform(keys, step, shape))


def normal(keys: torch.Tensor, step: int, shape: Sequence[int]) -> torch.Tensor:
    """Draws from the standard normal distribution, float32 [rows, *shape], by the Box-Muller transform."""
    radius = torch.sqrt(2 * exponential(keys, 2 * step, shape))
    return radius * torch.cos(2 * torch.pi * _uniform(keys, 2 * step + 1, shape))


def _uniform(keys: torch.Tensor, step: int | torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Draws between 0 and 1, both left out."""
    count = 1
    for size in shape:
        count *= size
    place = torch.arange(count, dtype=torch.int64, device=keys.device)
    # In tensors, whose products wrap; Python's own integers would not.
    row = _mix(keys + (torch.zeros_like(keys) + step + 1) * _MIX_2)
    bits = _shifted(_mix(row[:, None] + (place[None] + 1) * _GAMMA), 64 - _BITS)
    return ((bits.to(torch.float32) + 0.5) * 2.0**-_BITS).reshape(len(keys), *shape)
