"""What earlier steps left, on CPUs: a slab of memory a slot, as long as its cue, and one for its text.

`readings` reads them and says how they lie. The threads share the heads, so that each has the same work whatever the
slots' positions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention

from pipeline.generators.audiocraft.decoder import readings
from pipeline.generators.audiocraft.decoder.vectors import LANES, empty_words
from pipeline.generators.audiocraft.decoder.weights import Weights

_LINE = 64
"""Bytes that a processor reads at once."""
_MARGIN = 1.05
"""A reading is asked for that much faster than need be: units are read when products come to the end of a piece."""
_Count = TypeVar("_Count", int, "np.ndarray[Any, Any]")


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
        self._slabs.fill(layer, slot, keys, values)

    def begin(self, positions: Sequence[int | None]) -> int:
        """See `Cache.begin`."""
        self._slabs.look_back(positions)
        return 0

    def at(self, positions: torch.Tensor) -> None:
        """See `Cache.at`; `begin` has told this cache already."""

    @property
    def lengths(self) -> list[int]:
        """Positions behind each slot; 0 where no cue is."""
        begins, _, lengths = self._slabs.places
        return [int(one) for one in np.where(begins > 0, lengths, 0)]

    def attend(self, layer: int, projected: torch.Tensor) -> torch.Tensor:
        """See `Cache.attend`."""
        return self._slabs.attend(layer, projected)

    def reading(self, count: int) -> Reading:
        """The self-attention of ``count`` slots alone, for a thread that does other things meanwhile."""
        return self._slabs.reading(count)


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
            keys, values = (one.transpose(0, 1)[None] for one in self._projected(layer, text))
            self._slabs.fill(layer, slot, keys, values)
        self._slabs.look_back([None if one is None else one.shape[0] for one in self._texts])

    def attend(self, layer: int, queries: torch.Tensor) -> torch.Tensor:
        """``queries`` [slots, dim] to what they saw, the same shape."""
        return self._slabs.attend(layer, queries)

    def reading(self, count: int) -> Reading:
        """The attention of ``count`` slots alone."""
        return self._slabs.reading(count)

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


class Reading:
    """Attention of one query a row over their past, for ``count`` slots and the heads of a share.

    ``at`` is its address, for products that bring near what it needs and go on with it meanwhile.
    """

    def __init__(self, slabs: _Slabs, count: int, heads: tuple[int, int], seen: torch.Tensor) -> None:
        """``seen`` [count * branches, dim] is where it tells."""
        self._slabs, self._seen, self._fresh = slabs, seen, seen
        self._places = np.zeros((3, count), dtype=np.int64)
        self._scratch = np.empty(readings.scratch_words(slabs.heads, slabs.branches, slabs.words), np.float32)
        self._state = np.zeros(1, readings.READING)
        self.at = self._state.ctypes.data
        begins, capacities, lengths = (row.ctypes.data for row in self._places)
        fields = {
            "begins": begins,
            "capacities": capacities,
            "lengths": lengths,
            "slots": count,
            "branches": slabs.branches,
            "first": heads[0],
            "beyond": heads[1],
            "heads": slabs.heads,
            "out": seen.data_ptr(),
            "dim": slabs.heads * slabs.words,
            "scratch": self._scratch.ctypes.data,
        }
        for name, value in fields.items():
            self._state[name] = value

    def take(self, slots: Sequence[int] | slice) -> None:
        """Read for ``slots``, in their order, as they are now."""
        self._places[:] = self._slabs.places[:, slots]

    def spread(self, turns: int) -> None:
        """Ask for all of it, evenly, with ``turns`` words of a product's tiles."""
        begins, _, lengths = self._places
        wanted = int(_up(lengths[begins > 0] + 1).sum()) // LANES * self._slabs.block_bytes
        self._state["pace"] = min(_LINE, math.ceil(wanted * _MARGIN / turns))

    def begin(self, layer: int, fresh: torch.Tensor) -> None:
        """Get ready to read the past of ``layer``: see `_Slabs.attend`."""
        # Kept, since its address alone would not keep it.
        self._fresh = fresh.to(self._seen.dtype).contiguous()
        width = self._fresh.shape[1] * self._seen.itemsize // 4
        readings.begin(self.at, layer, self._fresh.data_ptr(), width)

    def end(self) -> torch.Tensor:
        """Read what is left; what was seen, [slots * branches, dim], until it begins again."""
        readings.read(self._slabs.is_pairs, self.at)
        return self._seen

    def attend(self, layer: int, fresh: torch.Tensor) -> torch.Tensor:
        """Begin and end at once: see `_Slabs.attend`."""
        self.begin(layer, fresh)
        return self.end().to(fresh.dtype)


class _Slabs:
    """A slab a slot: rows are heads, branch by branch, in each of the layers. Untouched memory costs nothing."""

    def __init__(self, weights: Weights, slots: int, branches: int) -> None:
        self._weights, self.branches = weights, branches
        self._slabs: list[torch.Tensor | None] = [None] * slots
        self.places = np.zeros((3, slots), dtype=np.int64)
        self._begins, self._capacities, self._lengths = self.places
        self.heads = weights.heads_count
        self.words = weights.head_dim * weights.cache_dtype.itemsize // 4
        self.block_bytes = 4 * LANES * branches * self.heads * (self.words + int(_up(self.words)))
        self._seen = torch.zeros(slots * branches, weights.dim, dtype=weights.cache_dtype)
        self.is_pairs = weights.cache_dtype == torch.bfloat16
        threads = min(torch.get_num_threads(), self.heads)
        bounds = [self.heads * index // threads for index in range(threads + 1)]
        self._readings = [Reading(self, slots, share, self._seen) for share in pairwise(bounds)]
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None

    def hold(self, slot: int, capacity: int) -> None:
        """Memory for ``capacity`` positions of ``slot``."""
        blocks = _up(capacity) // LANES
        layers, branches = len(self._weights.layers), self.branches
        self._slabs[slot] = empty_words((layers, blocks, branches, self.block_bytes // (4 * branches)))
        self._capacities[slot] = blocks * LANES

    def free(self, slot: int) -> None:
        """Give the memory of ``slot`` back."""
        self._slabs[slot] = None
        self._begins[slot] = 0

    def fill(self, layer: int, slot: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Store the first positions: [branches, positions, heads, head_dim] each."""
        size, count = self.words, keys.shape[1]
        whole = torch.zeros((2, self.branches, _up(count), self.heads, _up(size)), dtype=torch.int32)
        whole[0, :, :count, :, :size] = _words(keys)
        whole[1, :, :count, :, :size] = _words(values)
        # [2, blocks, branches, heads, LANES, words rounded up]
        units = whole.view(2, self.branches, -1, LANES, self.heads, _up(size)).permute(0, 2, 1, 4, 3, 5)
        past = self._slab(slot)[layer, : units.shape[1]]
        key_words = self.heads * size * LANES
        past[..., :key_words] = units[0, ..., :size].transpose(-1, -2).flatten(2)
        past[..., key_words:] = units[1].flatten(2)

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
        for one in self._readings:
            one.take(slice(None))
            one.begin(layer, fresh)
        waiting = [self._pool.submit(one.end) for one in self._readings[1:]] if self._pool else []
        self._readings[0].end()
        for share in waiting:
            share.result()
        return self._seen.to(self._weights.dtype)

    def reading(self, count: int) -> Reading:
        """For ``count`` of the slots, all heads."""
        told = torch.zeros(count * self.branches, self._weights.dim, dtype=self._weights.cache_dtype)
        return Reading(self, count, (0, self.heads), told)

    def _slab(self, slot: int) -> torch.Tensor:
        slab = self._slabs[slot]
        if slab is None:
            raise ValueError(f"slot {slot} holds no cue")
        return slab


def _up(count: _Count) -> _Count:
    """``count`` rounded up to whole vectors."""
    return -(-count // LANES) * LANES


def _words(numbers: torch.Tensor) -> torch.Tensor:
    """``numbers`` [..., n] as words, int32, of 32 bits."""
    return numbers.contiguous().view(torch.int32)
