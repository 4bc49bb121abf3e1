"""Attention of one query per row over its cached past, compiled by Numba for CPUs.

A step reads every cached key and value once, so the time is that of reading memory. The past of a slot in one layer is
one piece, in the order in which it is read: blocks of ``BLOCK`` positions [blocks, branches, 2, heads, ...], first the
keys of all heads [head_dim, BLOCK], then their values [BLOCK, head_dim]. The softmax is kept up block by block
(Milakov and Gimelshein: "Online normalizer calculation for softmax", 2018). A row depends on its own numbers alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import carray, njit, types
from numba.core import cgutils
from numba.extending import intrinsic, overload

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
