"""A cache per slot and attention of one query per row over it, compiled by Numba for CPUs.

A step reads every cached key and value once, so it takes as long as reading memory. The past of a slot in one layer is
contiguous, in the order in which it is read: blocks of ``BLOCK`` positions [blocks, branches, 2, heads, ...], first the
keys of all heads [head_dim, BLOCK], then their values [BLOCK, head_dim]. The softmax is updated block by block (Milakov
and Gimelshein: "Online normalizer calculation for softmax", 2018). A row depends on its own numbers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numba import carray, njit, types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from torch.nn.functional import pad

from pipeline.generators.audiocraft.decoding.weights import Weights

BLOCK = 64
"""Positions of a block."""
UNROLLED = 4
"""Loops are unrolled over this many features of a head: its width is padded to a multiple."""


def compiled(function: Callable[..., Any]) -> Any:
    """``function`` compiled at its first call, without the GIL; cached on disk if a folder is writable.

    The compiler may reorder sums; NaN and infinity keep their meaning.
    """
    options = {"nogil": True, "error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz", "arcp"}}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:
        # No folder is writable for Numba's cache.
        return njit(**options)(function)


@intrinsic
def _pointer(context: Any, address: Any) -> Any:
    """An address as a pointer for `carray`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), generate


def _float(number: Any) -> Any:
    """``number`` as float32: itself, or the bfloat16 whose bits a uint16 holds."""


@overload(_float, inline="always")
def _float_of(number):  # type: ignore[no-untyped-def]
    # No annotations: Numba compares this signature with those of the functions that it returns.
    if number == types.uint16:
        return lambda number: np.uint32(np.uint32(number) << np.uint32(16)).view(np.float32)
    return lambda number: number


@njit(inline="always")
def _exp(x: Any) -> Any:
    """exp of float32 ``x`` <= 0 within 2e-7 of its value, as a polynomial (Cephes' expf), which compiles to vectors.

    Below -87 it stays at exp(-87), about 1.6e-38.
    """
    clamped = max(x, np.float32(-87.0))
    whole = np.floor(clamped * np.float32(1.4426950408889634) + np.float32(0.5))
    # ln 2 in two parts, the first with so few bits that its small multiples are exact (Cody and Waite, 1980).
    rest = clamped - whole * np.float32(0.693359375)
    rest = rest - whole * np.float32(-2.12194440e-4)
    series = np.float32(1.9875691500e-4)
    series = series * rest + np.float32(1.3981999507e-3)
    series = series * rest + np.float32(8.3334519073e-3)
    series = series * rest + np.float32(4.1665795894e-2)
    series = series * rest + np.float32(1.6666665459e-1)
    series = series * rest + np.float32(5.0000001201e-1)
    series = series * rest * rest + rest + np.float32(1.0)
    return series * np.uint32(np.uint32(np.int32(whole) + np.int32(127)) << np.uint32(23)).view(np.float32)


@compiled
def _score(keys: Any, query: Any, scores: Any) -> None:
    """``scores`` [BLOCK] = ``query`` [head_dim] times ``keys`` [head_dim, BLOCK]."""
    scores[:] = 0
    for i in range(0, keys.shape[0], 4):
        q0, q1, q2, q3 = query[i], query[i + 1], query[i + 2], query[i + 3]
        for offset in range(BLOCK):
            first = _float(keys[i, offset]) * q0 + _float(keys[i + 1, offset]) * q1
            scores[offset] += first + (_float(keys[i + 2, offset]) * q2 + _float(keys[i + 3, offset]) * q3)


@compiled
def _exponentials(scores: Any, count: int, highest: Any) -> Any:
    """Make the first ``count`` scores exp(score - maximum), the rest 0; return the maximum so far and the sum."""
    scores[count:] = -np.inf
    for offset in range(BLOCK):
        highest = max(scores[offset], highest)
    total = np.float32(0)
    for offset in range(BLOCK):
        scores[offset] = _exp(scores[offset] - highest)
        total += scores[offset]
    return highest, total


@compiled
def _add_values(values: Any, weights: Any, factor: Any, sums: Any) -> None:
    """``sums`` [head_dim] = ``sums`` times ``factor`` + ``weights`` [BLOCK] times ``values`` [BLOCK, head_dim]."""
    size = sums.shape[0]
    for i in range(size):
        sums[i] *= factor
    for offset in range(0, BLOCK, 4):
        w0, w1, w2, w3 = weights[offset], weights[offset + 1], weights[offset + 2], weights[offset + 3]
        for i in range(size):
            first = _float(values[offset, i]) * w0 + _float(values[offset + 1, i]) * w1
            sums[i] += first + (_float(values[offset + 2, i]) * w2 + _float(values[offset + 3, i]) * w3)


@compiled
def attend(addresses: Any, lengths: Any, new: Any, queries: Any, heads: Any, out: Any) -> None:
    """One step of every slot whose address is not 0, for the heads from ``heads[0]`` to ``heads[1]`` - 1.

    ``addresses`` int64 [slots] point to each slot's past in this layer, ``lengths`` are its positions. ``new`` [slots,
    branches, 2, heads, head_dim], in the cache's format, are the keys and values of this step, which are appended;
    ``queries`` float32 [slots, branches, heads, head_dim] are already scaled. The result is written to ``out`` float32
    [slots, branches, heads, head_dim].
    """
    branches, count, size = queries.shape[1:]
    scores = np.empty((count, BLOCK), np.float32)
    factor = np.empty(count, np.float32)
    highest = np.empty((branches, count), np.float32)
    totals = np.empty((branches, count), np.float32)
    sums = np.empty((branches, count, size), np.float32)
    for slot in range(addresses.shape[0]):
        if addresses[slot] == 0:
            continue
        last = lengths[slot] // BLOCK
        offset = lengths[slot] % BLOCK
        past = carray(_pointer(addresses[slot]), (last + 1, branches, 2, count, size * BLOCK), new.dtype)
        for branch in range(branches):
            for head in range(heads[0], heads[1]):
                past[last, branch, 0, head].reshape(size, BLOCK)[:, offset] = new[slot, branch, 0, head]
                past[last, branch, 1, head].reshape(BLOCK, size)[offset] = new[slot, branch, 1, head]
        highest[:] = -np.inf
        totals[:] = 0
        sums[:] = 0
        for block in range(last + 1):
            filled = offset + 1 if block == last else BLOCK
            for branch in range(branches):
                for head in range(heads[0], heads[1]):
                    keys = past[block, branch, 0, head].reshape(size, BLOCK)
                    _score(keys, queries[slot, branch, head], scores[head])
                for head in range(heads[0], heads[1]):
                    before = highest[branch, head]
                    highest[branch, head], total = _exponentials(scores[head], filled, before)
                    factor[head] = _exp(before - highest[branch, head])
                    totals[branch, head] = totals[branch, head] * factor[head] + total
                for head in range(heads[0], heads[1]):
                    values = past[block, branch, 1, head].reshape(BLOCK, size)
                    _add_values(values, scores[head], factor[head], sums[branch, head])
        for branch in range(branches):
            for head in range(heads[0], heads[1]):
                for i in range(size):
                    out[slot, branch, head, i] = sums[branch, head, i] / totals[branch, head]


class SlotCache:
    """Keys and values of all slots: see `cache.Cache`. Threads share the heads, which changes no bit of a row."""

    def __init__(self, weights: Weights, slots: int, branches: int = 2) -> None:
        self._dtype, self._layers = weights.cache_dtype, len(weights.layers)
        self._heads, self._head_dim = weights.heads_count, weights.head_dim
        self._size = -(-self._head_dim // UNROLLED) * UNROLLED
        self._rows = (slots, branches)
        self._memory: list[torch.Tensor | None] = [None] * slots
        self._lengths = np.zeros(slots, dtype=np.int64)
        self._addresses = np.zeros((self._layers, slots), dtype=np.int64)
        threads = min(torch.get_num_threads(), self._heads)
        self._head_ranges = list(pairwise(self._heads * index // threads for index in range(threads + 1)))
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
        # Zeros, since a NaN would survive a weight of 0. NumPy's zeros take no memory until they are written.
        numbers = np.zeros(shape, dtype=np.uint16 if self._dtype == torch.bfloat16 else np.float32)
        self._memory[slot] = torch.from_numpy(numbers).view(self._dtype)

    def release(self, slot: int) -> None:
        """See `Cache.release`."""
        self._memory[slot] = None
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
        past = self._slot_memory(slot)[layer, :blocks]
        past[:, :, 0] = columns[:, :, 0].flatten(3)
        past[:, :, 1] = columns[:, :, 1].transpose(-1, -2).flatten(3)

    def begin(self, positions: Sequence[int | None]) -> int:
        """See `Cache.begin`."""
        for slot, position in enumerate(positions):
            if position is None:
                self._addresses[:, slot] = 0
                continue
            memory = self._slot_memory(slot)
            layer_bytes = memory.stride(0) * memory.itemsize
            self._addresses[:, slot] = memory.data_ptr() + np.arange(self._layers) * layer_bytes
            self._lengths[slot] = position
        return 0

    def at(self, positions: torch.Tensor) -> None:
        """See `Cache.at`; `begin` has set them already."""

    def attend(self, layer: int, projected: torch.Tensor) -> torch.Tensor:
        """See `Cache.attend`."""
        padded = projected.view(*self._rows, 3, self._heads, self._head_dim)
        padded = pad(padded, (0, self._size - self._head_dim)) if self._size != self._head_dim else padded
        queries = (padded[:, :, 0].float() * self._head_dim**-0.5).contiguous().numpy()
        new = padded[:, :, 1:].to(self._dtype).contiguous()
        out = torch.zeros(*self._rows, self._heads, self._size)
        work = (self._addresses[layer], self._lengths, _as_numpy(new), queries)
        calls = [partial(attend, *work, heads, out.numpy()) for heads in self._head_ranges]
        others = [self._pool.submit(call) for call in calls[1:]]
        calls[0]()
        for other in others:
            other.result()
        return out[..., : self._head_dim].reshape(len(projected), -1).to(projected.dtype)

    def _slot_memory(self, slot: int) -> torch.Tensor:
        memory = self._memory[slot]
        if memory is None:
            raise ValueError(f"slot {slot} holds no cue")
        return memory


def _as_numpy(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """``tensor`` as a NumPy array: float32, or the bits of bfloat16, which NumPy does not have."""
    plain = tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor
    numbers: np.ndarray[Any, Any] = plain.numpy()
    return numbers
