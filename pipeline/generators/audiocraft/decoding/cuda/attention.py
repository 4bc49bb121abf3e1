"""Attention of one query a row over its own past, and of one query a slot over its text.

PyTorch's attention reads the bucket of the longest row for all rows; these kernels read only the positions that a row
has. A row's bits are its own: its own length alone decides how it is split into chunks, and chunks are merged in order.

The split of one query's keys over programs is Flash-Decoding's (Dao, Haziza, Massa, Sizov, 2023), the running maximum
that of Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor

from pipeline.generators.audiocraft.decoding.cuda.layers import launch_options, wait_for_previous

CHUNK = 256
"""Positions of a chunk: the part of a row's past, for one head, that one program reads."""
BLOCK = 32
"""Positions that are loaded at a time. A cache's capacity is a multiple, and values padding a row's past are finite."""
_STAGES = 4
"""Loads in flight at once."""
_WARPS = 1
"""Warps of a program; with one, no warp waits for another."""
_PROGRAMS = 9
"""Programs on each processor, so that some read while others finish."""
_ROWS = 16
"""Rows of a product on tensor cores; only one of them is used."""
_CHUNKS = tl.constexpr(1 << 12)
"""More than the chunks of any row."""
_POSITIONS = tl.constexpr(1 << 24)
"""More than the positions of any row."""


@triton.jit
def _assign_chunks(
    positions,
    chunk_list,
    rounds,
    slots,
    heads,
    programs,
    padding,
    BRANCHES: tl.constexpr,
    CHUNK: tl.constexpr,
    SLOTS: tl.constexpr,
    CHAINED: tl.constexpr,
):
    """List all chunks of all rows as (row, chunk, newest position): full ones, then last ones, longest first.

    Programs take them in turns and so get about equal work. ``padding`` entries of -1 follow; ``rounds`` is the
    number of chunks that each program takes.
    """
    wait_for_previous(CHAINED)
    slot = tl.arange(0, SLOTS)
    inside = slot < slots
    newest = tl.load(positions + slot, mask=inside, other=0)
    full = newest // CHUNK
    remainder = tl.where(inside, newest - full * CHUNK, -1)
    is_equal = (remainder[None, :] == remainder[:, None]) & (slot[None, :] < slot[:, None])
    before = ((remainder[None, :] > remainder[:, None]) | is_equal).to(tl.int64)
    begin = (tl.cumsum(full) - full) * BRANCHES
    full_chunks = tl.sum(full) * BRANCHES
    place = full_chunks + tl.sum(before, axis=1) * BRANCHES
    for branch in tl.static_range(BRANCHES):
        first = (slot * BRANCHES + branch).to(tl.int64) * _CHUNKS
        tl.store(chunk_list + place + branch, (first + full) * _POSITIONS + newest, mask=inside)
        for chunk in range(tl.max(full)):
            target = (first + chunk) * _POSITIONS + newest
            tl.store(chunk_list + begin + chunk * BRANCHES + branch, target, mask=chunk < full)
    count = full_chunks + slots * BRANCHES
    tl.store(rounds, ((count * heads + programs - 1) // programs).to(tl.int32))
    for number in range(0, padding, SLOTS):
        tl.store(chunk_list + count + number + slot, slot * 0 - 1, mask=number + slot < padding)


@triton.jit
def _sum_of_parts(first, stride, mask, PARTS: tl.constexpr):
    """The sum of ``PARTS`` parts, ``stride`` numbers apart."""
    total = tl.load(first, mask=mask, other=0.0).to(tl.float32)
    for part in tl.static_range(1, PARTS):
        total += tl.load(first + part * stride, mask=mask, other=0.0)
    return total


@triton.jit
def _load_query_key_value(
    projected, part_stride, entry, head, PARTS: tl.constexpr, HEADS: tl.constexpr, SIZE: tl.constexpr
):
    """Query, key and value of a chunk's row, float32."""
    features = tl.arange(0, SIZE)
    row = (entry // _POSITIONS // _CHUNKS).to(tl.int32)
    own = projected + row * 3 * HEADS * SIZE + head * SIZE + features
    mask = (features >= 0) & (entry >= 0)
    query = _sum_of_parts(own, part_stride, mask, PARTS)
    key = _sum_of_parts(own + HEADS * SIZE, part_stride, mask, PARTS)
    return query, key, _sum_of_parts(own + 2 * HEADS * SIZE, part_stride, mask, PARTS)


@triton.jit
def _attend(
    projected,
    keys,
    values,
    key_tiles,
    value_tiles,
    chunk_list,
    rounds,
    sums,
    maxima,
    weights,
    arrived,
    output,
    scale,
    part_stride,
    capacity,
    max_chunks,
    processors,
    PARTS: tl.constexpr,
    HEADS: tl.constexpr,
    SIZE: tl.constexpr,
    CHUNK: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
    ROWS: tl.constexpr,
    CHAINED: tl.constexpr,
):
    features = tl.arange(0, SIZE)
    own_rounds = tl.load(rounds)
    # Programs on one processor start at different chunks, so that they do not all finish one at once.
    turn = tl.program_id(0) // processors % own_rounds
    number = turn * tl.num_programs(0) + tl.program_id(0)
    entry = tl.load(chunk_list + number // HEADS)
    wait_for_previous(CHAINED)
    query, new_key, new_value = _load_query_key_value(
        projected, part_stride, entry, number % HEADS, PARTS, HEADS, SIZE
    )
    for _ in range(own_rounds):
        head = number % HEADS
        chunk = (tl.maximum(entry, 0) // _POSITIONS % _CHUNKS).to(tl.int32)
        place = (tl.maximum(entry, 0) // _POSITIONS // _CHUNKS).to(tl.int32) * HEADS + head
        newest, start = (tl.maximum(entry, 0) % _POSITIONS).to(tl.int32), chunk * CHUNK
        is_chunk = entry >= 0
        turn = tl.where(turn + 1 == own_rounds, 0, turn + 1)
        number = turn * tl.num_programs(0) + tl.program_id(0)
        entry = tl.load(chunk_list + number // HEADS)
        typed_query = query.to(keys.dtype.element_ty)
        query_rows = tl.broadcast_to(typed_query[None, :], [ROWS, SIZE])
        maximum = tl.full([ROWS], float("-inf"), tl.float32)
        weight = tl.zeros([ROWS], tl.float32)
        total = tl.zeros([ROWS, SIZE], tl.float32)
        end = tl.where(is_chunk, tl.minimum(start + CHUNK, newest), start)
        for first in tl.range(start, end, BLOCK, num_stages=STAGES):
            is_known = (first + tl.arange(0, BLOCK) < newest)[None, :]
            key = key_tiles.load([place * capacity + first, 0])
            scores = tl.dot(query_rows, tl.trans(key), input_precision="ieee") * scale
            scores = tl.where(is_known, scores, float("-inf"))
            new_maximum = tl.maximum(maximum, tl.max(scores, axis=1))
            factor = tl.exp(maximum - new_maximum)
            scores = tl.exp(scores - new_maximum[:, None])
            value = value_tiles.load([place * capacity + first, 0])
            total = tl.dot(scores.to(value.dtype), value, total * factor[:, None], input_precision="ieee")
            weight = weight * factor + tl.sum(scores, axis=1)
            maximum = new_maximum
        key, value = new_key.to(keys.dtype.element_ty), new_value.to(keys.dtype.element_ty)
        query, new_key, new_value = _load_query_key_value(
            projected, part_stride, entry, number % HEADS, PARTS, HEADS, SIZE
        )
        if is_chunk:
            is_first = tl.arange(0, ROWS) == 0
            row_maximum = tl.max(maximum, axis=0)
            weight_sum = tl.sum(tl.where(is_first, weight, 0.0), axis=0)
            weighted_sum = tl.sum(tl.where(is_first[:, None], total, 0.0), axis=0)
            if newest < start + CHUNK:
                base = (place.to(tl.int64) * capacity + newest) * SIZE + features
                tl.store(keys + base, key)
                tl.store(values + base, value)
                score = tl.sum(typed_query.to(tl.float32) * key.to(tl.float32), axis=0) * scale
                new_maximum = tl.maximum(row_maximum, score)
                factor, score_weight = tl.exp(row_maximum - new_maximum), tl.exp(score - new_maximum)
                weighted_sum = weighted_sum * factor + value.to(tl.float32) * score_weight
                weight_sum = weight_sum * factor + score_weight
                row_maximum = new_maximum
            target = output + place * SIZE + features
            if newest < CHUNK:
                tl.store(target, (weighted_sum / weight_sum).to(output.dtype.element_ty))
            else:
                first_chunk = place * max_chunks
                tl.store(sums + (first_chunk + chunk) * SIZE + features, weighted_sum)
                tl.store(maxima + first_chunk + chunk, row_maximum)
                tl.store(weights + first_chunk + chunk, weight_sum)
                tl.debug_barrier()
                before = tl.atomic_add(arrived + place, 1, sem="acq_rel")
                if before == newest // CHUNK:
                    tl.store(arrived + place, 0)
                    merged = _merge_chunks(sums, maxima, weights, first_chunk, newest // CHUNK + 1, SIZE)
                    tl.store(target, merged.to(output.dtype.element_ty))


@triton.jit
def _merge_chunks(sums, maxima, weights, first, count, SIZE: tl.constexpr):
    """Merge ``count`` chunks. Loads bypass the L1 cache, which may hold old values."""
    one, features = tl.arange(0, 1), tl.arange(0, SIZE)
    maximum = tl.load(maxima + first + one, cache_modifier=".cg")
    weight = tl.load(weights + first + one, cache_modifier=".cg")
    total = tl.load(sums + first * SIZE + features, cache_modifier=".cg")
    for other in range(first + 1, first + count):
        other_maximum = tl.load(maxima + other + one, cache_modifier=".cg")
        new_maximum = tl.maximum(maximum, other_maximum)
        factor, other_factor = tl.exp(maximum - new_maximum), tl.exp(other_maximum - new_maximum)
        other_total = tl.load(sums + other * SIZE + features, cache_modifier=".cg")
        other_weight = tl.load(weights + other + one, cache_modifier=".cg")
        total = total * factor + other_total * other_factor
        weight = weight * factor + other_weight * other_factor
        maximum = new_maximum
    return total / weight


@triton.jit
def _attend_text(
    queries,
    keys,
    values,
    lengths,
    output,
    scale,
    width,
    part_stride,
    PARTS: tl.constexpr,
    HEADS: tl.constexpr,
    SIZE: tl.constexpr,
    BLOCK: tl.constexpr,
    CHAINED: tl.constexpr,
):
    place = tl.program_id(0)
    length = tl.load(lengths + place // HEADS)
    features = tl.arange(0, SIZE)
    places = tl.arange(0, BLOCK)
    known = (places < length)[:, None]
    tile = place * width * SIZE + places[:, None] * SIZE + features[None, :]
    # The text was written before the step, so that it can be read before the wait.
    key = tl.load(keys + tile, mask=known, other=0.0).to(tl.float32)
    value = tl.load(values + tile, mask=known, other=0.0).to(tl.float32)
    wait_for_previous(CHAINED)
    query = _sum_of_parts(queries + place * SIZE + features, part_stride, features >= 0, PARTS) * scale
    scores = tl.where(places < length, tl.sum(key * query[None, :], axis=1), float("-inf"))
    exponentials = tl.exp(scores - tl.max(scores, axis=0))
    total = tl.sum(exponentials[:, None] * value, axis=0) / tl.sum(exponentials, axis=0)
    tl.store(output + place * SIZE + features, total.to(output.dtype.element_ty))


class Scratch:
    """Buffers of a step, shared by all layers: the list of chunks, and partial results of chunks."""

    def __init__(self, rows: int, heads: int, size: int, capacity: int, device: torch.device) -> None:
        self.processors = 1
        if device.type == "cuda":
            self.processors = torch.cuda.get_device_properties(device).multi_processor_count
        self.programs = _PROGRAMS * self.processors
        self.heads = heads
        self.chunks = -(-capacity // CHUNK)
        self.sums = torch.zeros(rows * heads * self.chunks * size, device=device)
        self.maxima = torch.zeros(rows * heads * self.chunks, device=device)
        self.weights = torch.zeros_like(self.maxima)
        self.arrived = torch.zeros(rows * heads, dtype=torch.int32, device=device)
        self.padding = 2 + self.programs // heads
        self.chunk_list = torch.full(
            (rows * self.chunks + self.padding,), -1, dtype=torch.int64, device=device
        )
        self.rounds = torch.ones(1, dtype=torch.int32, device=device)


def assign_chunks(positions: torch.Tensor, branches: int, scratch: Scratch) -> None:
    """List the chunks of a step; ``positions`` int64 [slots] are the newest of each slot."""
    slots = positions.shape[0]
    _assign_chunks[(1,)](
        positions,
        scratch.chunk_list,
        scratch.rounds,
        slots,
        scratch.heads,
        scratch.programs,
        scratch.padding,
        BRANCHES=branches,
        CHUNK=CHUNK,
        SLOTS=triton.next_power_of_2(slots),
        num_warps=4,
        **launch_options(positions.device),
    )


def attend(
    projected: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, scratch: Scratch
) -> torch.Tensor:
    """One query a row over its own past: stores the newest key and value, and returns the output [rows, dim].

    ``projected`` [parts, rows, 3 * dim] queries, keys, values of this step, as parts to be added up; ``keys`` and
    ``values`` [rows, heads, capacity, size], read as far as `assign_chunks` listed.
    """
    rows, heads, capacity, size = keys.shape
    output = torch.empty((rows, heads * size), dtype=keys.dtype, device=keys.device)
    tiles = [TensorDescriptor.from_tensor(one.view(-1, size), [BLOCK, size]) for one in (keys, values)]
    _attend[(scratch.programs,)](
        projected,
        keys,
        values,
        *tiles,
        scratch.chunk_list,
        scratch.rounds,
        scratch.sums,
        scratch.maxima,
        scratch.weights,
        scratch.arrived,
        output,
        size**-0.5,
        projected.stride(0),
        capacity,
        scratch.chunks,
        scratch.processors,
        PARTS=projected.shape[0],
        HEADS=heads,
        SIZE=size,
        CHUNK=CHUNK,
        BLOCK=BLOCK,
        STAGES=_STAGES,
        ROWS=_ROWS,
        num_warps=_WARPS,
        **launch_options(keys.device),
    )
    return output


def attend_text(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, lengths: torch.Tensor
) -> torch.Tensor:
    """``queries`` [parts, slots, dim], to be added up, to each slot's own text.

    ``keys`` and ``values`` [slots, heads, width, size], ``lengths`` int32 [slots], at least 1.
    """
    slots, heads, width, size = keys.shape
    block = triton.next_power_of_2(width)
    output = torch.empty(queries.shape[1:], dtype=keys.dtype, device=keys.device)
    _attend_text[(slots * heads,)](
        queries,
        keys,
        values,
        lengths,
        output,
        size**-0.5,
        width,
        queries.stride(0),
        PARTS=queries.shape[0],
        HEADS=heads,
        SIZE=size,
        BLOCK=block,
        num_warps=max(1, min(8, block // 32)),
        **launch_options(keys.device),
    )
    return output
