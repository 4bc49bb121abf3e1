"""What earlier steps left, on CPUs: a slab of memory a slot, as long as its cue, and one for its text.

`attention` reads them and says how they lie. The threads share the heads, so that each has the same work whatever the
slots' positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention

from pipeline.generators.audiocraft.decoder.attention import attend_numbers, attend_pairs
from pipeline.generators.audiocraft.decoder.vectors import LANES, empty_words
from pipeline.generators.audiocraft.decoder.weights import Weights


class SlabCache:
    """Keys and values of all slots: see `cache.Cache`."""

    def __init__(self, weights: Weights, slots: int, branches: int = 2) -> None:
        self._slabs = _Slabs(weights, slots, branches)

    def admit(self, slot: int, capacity: int) -> None:
        """See `Cache.admit`."""
        self._slabs.hold(slot, capacity)

    def release(self, slot: int) -> None:
        """See `Cache.release`."""
        self._slabs.free(slot)

    def fill(self, layer: int, slot: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        """See `Cache.fill`."""
        keys, values = (one.transpose(1, 2).flatten(0, 1) for one in (keys, values))
        self._slabs.fill(layer, slot, keys, values)

    def begin(self, positions: Sequence[int | None]) -> int:
        """See `Cache.begin`."""
        self._slabs.look_back(positions)
        return 0

    def at(self, positions: torch.Tensor) -> None:
        """See `Cache.at`; `begin` has told this cache already."""

    def attend(self, layer: int, projected: torch.Tensor) -> torch.Tensor:
        """See `Cache.attend`."""
        return self._slabs.attend(layer, projected)


class SlabText:
    """Keys and values of each slot's text, projected once a cue: what `cache.TextCache` is elsewhere."""

    def __init__(self, weights: Weights, slots: int) -> None:
        self._weights = weights
        self._slabs = _Slabs(weights, slots, 1)
        self._texts: list[torch.Tensor | None] = [None] * slots

    def admit(self, slot: int, text: torch.Tensor) -> None:
        """Project ``text`` [positions, dim] for ``slot``."""
        self._texts[slot] = text
        self._slabs.hold(slot, text.shape[0])
        for layer in range(len(self._weights.layers)):
            self._slabs.fill(layer, slot, *self._projected(layer, text))
        self._slabs.look_back([None if one is None else one.shape[0] for one in self._texts])

    def attend(self, layer: int, queries: torch.Tensor) -> torch.Tensor:
        """``queries`` [slots, dim] to what they saw, the same shape."""
        return self._slabs.attend(layer, queries)

    def attend_one(self, layer: int, slot: int, queries: torch.Tensor) -> torch.Tensor:
        """``queries`` [positions, dim] of one slot to what they saw, the same shape."""
        weights, text = self._weights, self._texts[slot]
        if text is None:
            raise ValueError(f"slot {slot} has no text")
        split = (
            queries.to(weights.cache_dtype).view(-1, weights.heads_count, weights.head_dim).transpose(0, 1)
        )
        seen = scaled_dot_product_attention(split, *self._projected(layer, text))
        return seen.transpose(0, 1).reshape(-1, weights.dim).to(weights.dtype)

    def _projected(self, layer: int, text: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values [heads, positions, head_dim] of ``text``."""
        weights, cross = self._weights, self._weights.layers[layer].cross
        assert cross is not None
        both = cross.keys_values(text.to(weights.dtype)).to(weights.cache_dtype)
        keys, values = both.view(len(text), 2, weights.heads_count, -1).permute(1, 2, 0, 3)
        return keys, values


class _Slabs:
    """A slab a slot: rows are heads, branch by branch, in each of the layers. Untouched memory costs nothing."""

    def __init__(self, weights: Weights, slots: int, branches: int) -> None:
        self._weights, self._branches = weights, branches
        self._slabs: list[torch.Tensor | None] = [None] * slots
        self._begins = np.zeros(slots, dtype=np.int64)
        self._capacities, self._lengths = np.zeros((2, slots), dtype=np.int64)
        self._words = weights.head_dim * weights.cache_dtype.itemsize // 4
        self._seen = torch.zeros(slots * branches, weights.dim, dtype=weights.cache_dtype)
        self._attend = attend_pairs if weights.cache_dtype == torch.bfloat16 else attend_numbers
        threads = min(torch.get_num_threads(), weights.heads_count)
        bounds = [weights.heads_count * index // threads for index in range(threads + 1)]
        self._shares = [(first, end, weights.heads_count) for first, end in pairwise(bounds)]
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None

    def hold(self, slot: int, capacity: int) -> None:
        """Memory for ``capacity`` positions of ``slot``."""
        layers, rows = len(self._weights.layers), self._branches * self._weights.heads_count
        capacity, width = _up(capacity), _up(self._words)
        self._slabs[slot] = empty_words((layers, capacity // LANES, rows * LANES * (self._words + width)))
        self._capacities[slot] = capacity

    def free(self, slot: int) -> None:
        """Give the memory of ``slot`` back."""
        self._slabs[slot] = None
        self._begins[slot] = 0

    def fill(self, layer: int, slot: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Store the first positions: [rows, positions, head_dim] each."""
        size, count = self._words, keys.shape[1]
        whole = torch.zeros((2, len(keys), _up(count), _up(size)), dtype=torch.int32)
        whole[0, :, :count, :size] = _words(keys)
        whole[1, :, :count, :size] = _words(values)
        # [2, blocks, rows, LANES, words rounded up]
        blocks = whole.view(2, len(keys), -1, LANES, _up(size)).transpose(1, 2)
        past = self._slab(slot)[layer, : blocks.shape[1]]
        past[:, : len(keys) * size * LANES] = blocks[0, ..., :size].transpose(2, 3).flatten(1)
        past[:, len(keys) * size * LANES :] = blocks[1].flatten(1)

    def look_back(self, lengths: Sequence[int | None]) -> None:
        """How many positions of each slot there are; None leaves the slot out."""
        for slot, length in enumerate(lengths):
            if length is None:
                self._begins[slot] = 0
            else:
                self._begins[slot] = self._slab(slot).data_ptr()
                self._lengths[slot] = length

    def attend(self, layer: int, fresh: torch.Tensor) -> torch.Tensor:
        """One step of all slots: [slots * branches, n * dim] to [slots * branches, dim].

        With n = 3 ``fresh`` holds query, key and value, which are kept; with n = 1 a query alone.
        """
        weights = self._weights
        asked = _array(fresh.to(weights.cache_dtype))
        told = _array(self._seen)

        def share(heads: tuple[int, int, int]) -> None:
            self._attend(
                self._begins, self._capacities, self._lengths, layer, self._branches, heads, asked, told
            )

        waiting = [self._pool.submit(share, heads) for heads in self._shares[1:]] if self._pool else []
        share(self._shares[0])
        for one in waiting:
            one.result()
        return self._seen.to(weights.dtype)

    def _slab(self, slot: int) -> torch.Tensor:
        slab = self._slabs[slot]
        if slab is None:
            raise ValueError(f"slot {slot} holds no cue")
        return slab


def _up(count: int) -> int:
    """``count`` rounded up to whole vectors."""
    return -(-count // LANES) * LANES


def _words(numbers: torch.Tensor) -> torch.Tensor:
    """``numbers`` [..., n] as words, int32, of 32 bits."""
    return numbers.contiguous().view(torch.int32)


def _array(numbers: torch.Tensor) -> np.ndarray[Any, Any]:
    """The words of ``numbers``, in the same memory."""
    found: np.ndarray[Any, Any] = _words(numbers).numpy().view(np.uint32)
    return found
