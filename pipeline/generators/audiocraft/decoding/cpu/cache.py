"""Keys and values of every slot on a CPU: memory of its own for each cue, for as long as the cue lasts."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.nn.functional import pad

from pipeline.generators.audiocraft.decoding.cpu.attention import BLOCK, UNROLLED, attend
from pipeline.generators.audiocraft.decoding.weights import Weights


class SlotCache:
    """Keys and values of all slots: see `cache.Cache`. The threads share the heads; a row's bits are the same."""

    def __init__(self, weights: Weights, slots: int, branches: int = 2) -> None:
        self._dtype, self._layers = weights.cache_dtype, len(weights.layers)
        self._heads, self._head_dim = weights.heads_count, weights.head_dim
        self._size = -(-self._head_dim // UNROLLED) * UNROLLED
        self._rows = (slots, branches)
        self._slabs: list[torch.Tensor | None] = [None] * slots
        self._lengths = np.zeros(slots, dtype=np.int64)
        self._addresses = np.zeros((self._layers, slots), dtype=np.int64)
        threads = min(torch.get_num_threads(), self._heads)
        self._shares = list(pairwise(self._heads * index // threads for index in range(threads + 1)))
        self._pool = ThreadPoolExecutor(threads)

    def admit(self, slot: int, capacity: int) -> None:
        """See `Cache.admit`."""
        shape = (
            self._layers,
            -(-capacity // BLOCK),
            self._rows[1],
            2,
            self._heads,
            self._size * BLOCK,
        )
        # Zeros, since a share of 0 does not hide a NaN. From NumPy, whose zeros take no memory until they are written.
        numbers = np.zeros(shape, dtype=np.uint16 if self._dtype == torch.bfloat16 else np.float32)
        self._slabs[slot] = torch.from_numpy(numbers).view(self._dtype)

    def release(self, slot: int) -> None:
        """See `Cache.release`."""
        self._slabs[slot] = None
        self._addresses[:, slot] = 0

    def fill(self, layer: int, slot: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        """See `Cache.fill`."""
        count = keys.shape[1]
        blocks = -(-count // BLOCK)
        both = pad(
            torch.stack([keys, values]), (0, self._size - self._head_dim, 0, 0, 0, blocks * BLOCK - count)
        )
        # [blocks, branches, 2, heads, head_dim, BLOCK]
        columns = both.view(2, self._rows[1], blocks, BLOCK, self._heads, self._size).permute(
            2, 1, 0, 4, 5, 3
        )
        past = self._slab(slot)[layer, :blocks]
        past[:, :, 0] = columns[:, :, 0].flatten(3)
        past[:, :, 1] = columns[:, :, 1].transpose(-1, -2).flatten(3)

    def begin(self, positions: Sequence[int | None]) -> int:
        """See `Cache.begin`."""
        for slot, position in enumerate(positions):
            if position is None:
                self._addresses[:, slot] = 0
                continue
            slab = self._slab(slot)
            layer_bytes = slab.stride(0) * slab.itemsize
            self._addresses[:, slot] = slab.data_ptr() + np.arange(self._layers) * layer_bytes
            self._lengths[slot] = position
        return 0

    def at(self, positions: torch.Tensor) -> None:
        """See `Cache.at`; this cache knows them from `begin`."""

    def attend(self, layer: int, projected: torch.Tensor) -> torch.Tensor:
        """See `Cache.attend`."""
        whole = projected.view(*self._rows, 3, self._heads, self._head_dim)
        whole = pad(whole, (0, self._size - self._head_dim)) if self._size != self._head_dim else whole
        queries = (whole[:, :, 0].float() * self._head_dim**-0.5).contiguous().numpy()
        fresh = whole[:, :, 1:].to(self._dtype).contiguous()
        out = torch.zeros(*self._rows, self._heads, self._size)
        work = (self._addresses[layer], self._lengths, _numbers(fresh), queries)
        parts = [partial(attend, *work, share, out.numpy()) for share in self._shares]
        waiting = [self._pool.submit(part) for part in parts[1:]]
        parts[0]()
        for other in waiting:
            other.result()
        return out[..., : self._head_dim].reshape(len(projected), -1).to(projected.dtype)

    def _slab(self, slot: int) -> torch.Tensor:
        slab = self._slabs[slot]
        if slab is None:
            raise ValueError(f"slot {slot} holds no cue")
        return slab


def _numbers(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """``tensor`` for compiled loops: float32, or the bits of bfloat16, which NumPy does not have."""
    plain = tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor
    numbers: np.ndarray[Any, Any] = plain.numpy()
    return numbers
