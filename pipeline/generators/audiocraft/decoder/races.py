"""What a draw on a CPU spends its time on, compiled: `noise`'s random numbers and the threshold of top-k.

Both give the very bits that the tensor operations give, in a tenth of the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit

from pipeline.generators.audiocraft.decoder.sampler import SlotSampler
from pipeline.generators.audiocraft.decoder.vectors import kept_on_disk

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_ONE, _27, _30, _31, _41 = (np.uint64(one) for one in (1, 27, 30, 31, 41))
_HIGHEST = 0x3F800000
"""The word of 1.0: those of positive numbers are in the numbers' own order."""


class CompiledSampler(SlotSampler):
    """`SlotSampler` with these loops."""

    def _race(self, steps: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        return exponential(self._keys, steps, shape[1:].numel()).view(shape)

    def _least(self, probs: torch.Tensor) -> torch.Tensor:
        return least(probs, self._limits)


def exponential(keys: torch.Tensor, steps: torch.Tensor, count: int) -> torch.Tensor:
    """`noise.exponential` for ``keys`` [rows] and ``steps`` [rows]: float32 [rows, count]."""
    found = torch.empty((len(keys), count))
    _uniform(keys.numpy().view(np.uint64), steps.numpy().view(np.uint64), found.numpy())
    return found.log_().neg_()


def least(probs: torch.Tensor, limits: torch.Tensor) -> torch.Tensor:
    """The ``limits``-th largest of ``probs`` float32 [slots, n, card], each slot's own; 0 where all may stay."""
    slots, each, card = probs.shape
    found = np.empty((slots, each), np.int32)
    words = probs.contiguous().view(torch.int32).numpy()
    _threshold(words.reshape(slots * each, card), limits.numpy().reshape(slots), each, found.reshape(-1))
    return torch.from_numpy(found).view(torch.float32)[..., None]


@njit(inline="always")
def _mix(x: Any) -> Any:
    x = (x ^ (x >> _30)) * _MIX_1
    x = (x ^ (x >> _27)) * _MIX_2
    return x ^ (x >> _31)


@kept_on_disk()
def _uniform(keys: Any, steps: Any, found: Any) -> None:
    for row in range(found.shape[0]):
        key = _mix(keys[row] + (steps[row] + _ONE) * _MIX_2)
        for place in range(found.shape[1]):
            bits = _mix(key + np.uint64(place + 1) * _GAMMA) >> _41
            found[row, place] = (np.float32(np.int32(bits)) + np.float32(0.5)) * np.float32(2.0**-23)


@kept_on_disk()
def _threshold(words: Any, limits: Any, each: int, found: Any) -> None:
    """By halving: the highest word that at least as many as the limit reach."""
    for row in range(words.shape[0]):
        limit = limits[row // each]
        low, high = np.int32(0), np.int32(1 if limit >= words.shape[1] else _HIGHEST + 1)
        while high - low > 1:
            middle = np.int32(low + (high - low) // 2)
            reached = 0
            for place in range(words.shape[1]):
                reached += words[row, place] >= middle
            if reached >= limit:
                low = middle
            else:
                high = middle
        found[row] = low
