"""Triton kernels of a step on CUDA: attention over each row's own past, attention to its text, sum and norm in one.

PyTorch's attention reads the bucket of the longest row for all rows, and its small kernels, some thirty a layer,
take as long as what they do. These read only what a row has, and leave thirteen. A row's bits are its own: it is cut
into chunks by its own length alone, and chunks are put together in their order.

The split of one query's keys over blocks is Flash-Decoding's (Dao, Haziza, Massa, Sizov, 2023), the running maximum
that of Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

CHUNK = 256
"""Positions that one program goes through."""
_BLOCK = 64
_MOST_WARPS = 8


@triton.jit
def _attend_chunk(
    projected,
    keys,
    values,
    positions,
    sums,
    peaks,
    weights,
    scale,
    row_stride,
    capacity,
    most_chunks,
    BRANCHES: tl.constexpr,
    HEADS: tl.constexpr,
    SIZE: tl.constexpr,
    CHUNK: tl.constexpr,
    BLOCK: tl.constexpr,
):
    place, chunk = tl.program_id(0), tl.program_id(1)
    row, head = place // HEADS, place % HEADS
    last = tl.load(positions + row // BRANCHES).to(tl.int32)
    start = chunk * CHUNK
    if start <= last:
        lanes = tl.arange(0, SIZE)
        own = projected + row * row_stride + head * SIZE + lanes
        query = tl.load(own).to(tl.float32) * scale
        new_key = tl.load(own + HEADS * SIZE)
        new_value = tl.load(own + 2 * HEADS * SIZE)
        base = place.to(tl.int64) * capacity * SIZE
        end = tl.minimum(start + CHUNK, last + 1)
        if last < start + CHUNK:
            tl.store(keys + base + last * SIZE + lanes, new_key)
            tl.store(values + base + last * SIZE + lanes, new_value)
        peak = tl.full([1], float("-inf"), tl.float32)
        weight = tl.zeros([1], tl.float32)
        total = tl.zeros([SIZE], tl.float32)
        for first in range(start, end, BLOCK):
            spots = first + tl.arange(0, BLOCK)
            # The newest is taken from where it was computed: another program may not see it in memory yet.
            is_new = (spots == last)[:, None]
            known = (spots < last)[:, None]
            tile = base + spots[:, None] * SIZE + lanes[None, :]
            key = tl.load(keys + tile, mask=known, other=0.0)
            key = tl.where(is_new, new_key[None, :], key).to(tl.float32)
            looks = tl.sum(key * query[None, :], axis=1)
            looks = tl.where(spots <= last, looks, float("-inf"))
            higher = tl.maximum(peak, tl.max(looks, axis=0))
            shrink = tl.exp(peak - higher)
            shares = tl.exp(looks - higher)
            value = tl.load(values + tile, mask=known, other=0.0)
            value = tl.where(is_new, new_value[None, :], value).to(tl.float32)
            total = total * shrink + tl.sum(shares[:, None] * value, axis=0)
            weight = weight * shrink + tl.sum(shares, axis=0)
            peak = higher
        out = place * most_chunks + chunk
        tl.store(sums + out * SIZE + lanes, total)
        tl.store(peaks + out + tl.arange(0, 1), peak)
        tl.store(weights + out + tl.arange(0, 1), weight)


@triton.jit
def _join_chunks(
    sums,
    peaks,
    weights,
    positions,
    seen,
    most_chunks,
    BRANCHES: tl.constexpr,
    HEADS: tl.constexpr,
    SIZE: tl.constexpr,
    CHUNK: tl.constexpr,
):
    place = tl.program_id(0)
    last = tl.load(positions + place // HEADS // BRANCHES).to(tl.int32)
    lanes = tl.arange(0, SIZE)
    one = tl.arange(0, 1)
    first = place * most_chunks
    peak = tl.load(peaks + first + one)
    weight = tl.load(weights + first + one)
    total = tl.load(sums + first * SIZE + lanes)
    for chunk in range(1, last // CHUNK + 1):
        other = first + chunk
        its_peak = tl.load(peaks + other + one)
        higher = tl.maximum(peak, its_peak)
        shrink, its_shrink = tl.exp(peak - higher), tl.exp(its_peak - higher)
        total = total * shrink + tl.load(sums + other * SIZE + lanes) * its_shrink
        weight = weight * shrink + tl.load(weights + other + one) * its_shrink
        peak = higher
    tl.store(seen + place * SIZE + lanes, (total / weight).to(seen.dtype.element_ty))


@triton.jit
def _attend_text(
    queries,
    keys,
    values,
    lengths,
    seen,
    scale,
    width,
    HEADS: tl.constexpr,
    SIZE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    place = tl.program_id(0)
    length = tl.load(lengths + place // HEADS)
    lanes = tl.arange(0, SIZE)
    spots = tl.arange(0, BLOCK)
    known = (spots < length)[:, None]
    query = tl.load(queries + place * SIZE + lanes).to(tl.float32) * scale
    tile = place * width * SIZE + spots[:, None] * SIZE + lanes[None, :]
    key = tl.load(keys + tile, mask=known, other=0.0).to(tl.float32)
    looks = tl.where(spots < length, tl.sum(key * query[None, :], axis=1), float("-inf"))
    shares = tl.exp(looks - tl.max(looks, axis=0))
    value = tl.load(values + tile, mask=known, other=0.0).to(tl.float32)
    total = tl.sum(shares[:, None] * value, axis=0) / tl.sum(shares, axis=0)
    tl.store(seen + place * SIZE + lanes, total.to(seen.dtype.element_ty))


@triton.jit
def _add_and_norm(
    x,
    delta,
    weight,
    bias,
    normed,
    eps,
    dim,
    ADD_EVERY: tl.constexpr,
    NORM_EVERY: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0)
    lanes = tl.arange(0, BLOCK)
    inside = lanes < dim
    here = tl.load(x + row * dim + lanes, mask=inside, other=0.0)
    if ADD_EVERY > 0:
        if row % ADD_EVERY == 0:
            here += tl.load(delta + row // ADD_EVERY * dim + lanes, mask=inside, other=0.0).to(tl.float32)
            tl.store(x + row * dim + lanes, here, mask=inside)
    if row % NORM_EVERY == 0:
        mean = tl.sum(here, axis=0) / dim
        off = tl.where(inside, here - mean, 0.0)
        scaled = off / tl.sqrt(tl.sum(off * off, axis=0) / dim + eps)
        w = tl.load(weight + lanes, mask=inside, other=0.0)
        b = tl.load(bias + lanes, mask=inside, other=0.0)
        place = normed + row // NORM_EVERY * dim + lanes
        tl.store(place, (scaled * w + b).to(normed.dtype.element_ty), mask=inside)


class Scratch:
    """What chunks leave for one another, once for all layers."""

    def __init__(self, rows: int, heads: int, size: int, capacity: int, device: torch.device) -> None:
        self.chunks = -(-capacity // CHUNK)
        places = rows * heads * self.chunks
        self.sums = torch.zeros(places * size, device=device)
        self.peaks = torch.zeros(places, device=device)
        self.weights = torch.zeros(places, device=device)


def attend(
    projected: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    positions: torch.Tensor,
    width: int,
    scratch: Scratch,
) -> torch.Tensor:
    """One query a row over its own past: stores the newest key and value, and returns what was seen [rows, dim].

    ``projected`` [rows, 3 * dim] queries, keys, values of this step; ``keys`` and ``values`` [rows, heads, capacity,
    size]; ``positions`` int64 [rows / branches], the newest position of each slot; ``width`` at least the longest of
    them + 1.
    """
    rows, heads, capacity, size = keys.shape
    chunks = min(-(-width // CHUNK), scratch.chunks)
    branches = rows // positions.shape[0]
    _attend_chunk[(rows * heads, chunks)](
        projected,
        keys,
        values,
        positions,
        scratch.sums,
        scratch.peaks,
        scratch.weights,
        size**-0.5,
        projected.stride(0),
        capacity,
        scratch.chunks,
        BRANCHES=branches,
        HEADS=heads,
        SIZE=size,
        CHUNK=CHUNK,
        BLOCK=_BLOCK,
        num_warps=4,
    )
    seen = torch.empty((rows, heads * size), dtype=projected.dtype, device=projected.device)
    _join_chunks[(rows * heads,)](
        scratch.sums,
        scratch.peaks,
        scratch.weights,
        positions,
        seen,
        scratch.chunks,
        BRANCHES=branches,
        HEADS=heads,
        SIZE=size,
        CHUNK=CHUNK,
        num_warps=1,
    )
    return seen


def attend_text(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, lengths: torch.Tensor
) -> torch.Tensor:
    """``queries`` [slots, dim] to each slot's own text, ``keys`` and ``values`` [slots, heads, width, size].

    ``lengths`` int32 [slots], at least 1.
    """
    slots, heads, width, size = keys.shape
    seen = torch.empty_like(queries)
    _attend_text[(slots * heads,)](
        queries,
        keys,
        values,
        lengths,
        seen,
        size**-0.5,
        width,
        HEADS=heads,
        SIZE=size,
        BLOCK=triton.next_power_of_2(width),
        num_warps=4,
    )
    return seen


def add_and_norm(
    x: torch.Tensor,
    delta: torch.Tensor | None,
    weight: torch.Tensor,
    bias: torch.Tensor,
    eps: float,
    dtype: torch.dtype,
    *,
    every: int = 1,
) -> torch.Tensor:
    """Add ``delta`` to ``x`` float32 [rows, dim] where it is, and return its layer norm in ``dtype``.

    ``delta`` [rows, dim], or [rows / n, dim] for every n-th row alone, the conditional ones. With
    ``every`` n, only those rows' norm.
    """
    rows, dim = x.shape
    normed = torch.empty((rows // every, dim), dtype=dtype, device=x.device)
    block = triton.next_power_of_2(dim)
    _add_and_norm[(rows,)](
        x,
        x if delta is None else delta,
        weight,
        bias,
        normed,
        eps,
        dim,
        ADD_EVERY=0 if delta is None else rows // delta.shape[0],
        NORM_EVERY=every,
        BLOCK=block,
        num_warps=min(_MOST_WARPS, max(1, block // 256)),
    )
    return normed
