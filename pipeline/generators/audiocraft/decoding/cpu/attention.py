"""A cache per slot and attention of one query per row over it, compiled by Numba for CPUs.

A step reads every cached key and value once, so the time is that of reading memory. The past of a slot in one layer is
one piece, in the order in which it is read: blocks of ``BLOCK`` positions [blocks, branches, 2, heads, ...], first the
keys of all heads [head_dim, BLOCK], then their values [BLOCK, head_dim]. The softmax is kept up block by block
(Milakov and Gimelshein: "Online normalizer calculation for softmax", 2018). A row depends on its own numbers alone."""

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
"""Positions that are read at a time."""
UNROLLED = 4
"""Loops take this many numbers of a head at a time: its width is padded to a multiple."""


def compiled(function: Callable[..., Any]) -> Any:
    """``function`` compiled at its first call, without the GIL; kept on disk where there is a folder to write to.

    Sums may be taken in the order that the processor likes; NaN and infinity keep their meaning.
    """
    options = {"nogil": True, "error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz", "arcp"}}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:
        # Numba found no folder that it can write to.
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
    # Without annotations, since Numba compares this signature with those of the functions that it returns.
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
        for lane in range(BLOCK):
            first = _float(keys[i, lane]) * q0 + _float(keys[i + 1, lane]) * q1
            scores[lane] += first + (_float(keys[i + 2, lane]) * q2 + _float(keys[i + 3, lane]) * q3)


@compiled
def _exponentials(scores: Any, count: int, highest: Any) -> Any:
    """Turn the first ``count`` scores into exp(score - maximum), the rest into 0; the maximum so far and their sum."""
    scores[count:] = -np.inf
    for lane in range(BLOCK):
        highest = max(scores[lane], highest)
    total = np.float32(0)
    for lane in range(BLOCK):
        scores[lane] = _exp(scores[lane] - highest)
        total += scores[lane]
    return highest, total


@compiled
def _add_values(values: Any, shares: Any, factor: Any, sums: Any) -> None:
    """``sums`` [head_dim] = ``sums`` times ``factor`` + ``shares`` [BLOCK] times ``values`` [BLOCK, head_dim]."""
    size = sums.shape[0]
    for i in range(size):
        sums[i] *= factor
    for lane in range(0, BLOCK, 4):
        s0, s1, s2, s3 = shares[lane], shares[lane + 1], shares[lane + 2], shares[lane + 3]
        for i in range(size):
            first = _float(values[lane, i]) * s0 + _float(values[lane + 1, i]) * s1
            sums[i] += first + (_float(values[lane + 2, i]) * s2 + _float(values[lane + 3, i]) * s3)


@compiled
def attend(slabs: Any, lengths: Any, fresh: Any, queries: Any, heads: Any, out: Any) -> None:
    """One step of every slot whose slab is not 0, for the heads from ``heads[0]`` to ``heads[1]``.

    ``slabs`` int64 [slots] are the addresses of the layer's pieces, ``lengths`` the positions that each holds.
    ``fresh`` [slots, branches, 2, heads, head_dim], in the cache's format, are the step's own keys and values, which
    are stored behind those; ``queries`` float32 [slots, branches, heads, head_dim] are scaled already. The result
    goes into ``out`` float32 [slots, branches, heads, head_dim].
    """
    branches, count, size = queries.shape[1:]
    scores = np.empty((count, BLOCK), np.float32)
    factor = np.empty(count, np.float32)
    highest = np.empty((branches, count), np.float32)
    totals = np.empty((branches, count), np.float32)
    sums = np.empty((branches, count, size), np.float32)
    for slot in range(slabs.shape[0]):
        if slabs[slot] == 0:
            continue
        last = lengths[slot] // BLOCK
        lane = lengths[slot] % BLOCK
        past = carray(_pointer(slabs[slot]), (last + 1, branches, 2, count, size * BLOCK), fresh.dtype)
        for branch in range(branches):
            for head in range(heads[0], heads[1]):
                past[last, branch, 0, head].reshape(size, BLOCK)[:, lane] = fresh[slot, branch, 0, head]
                past[last, branch, 1, head].reshape(BLOCK, size)[lane] = fresh[slot, branch, 1, head]
        highest[:] = -np.inf
        totals[:] = 0
        sums[:] = 0
        for block in range(last + 1):
            filled = lane + 1 if block == last else BLOCK
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
