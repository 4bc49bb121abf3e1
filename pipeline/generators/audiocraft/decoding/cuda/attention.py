"""Attention of one query a row over its own past, and of one query a slot over its text.

PyTorch's attention reads the bucket of the longest row for all rows; these read only what a row has. A row's bits are
its own: it is cut into chunks by its own length alone, and chunks are put together in their order.

The split of one query's keys over programs is Flash-Decoding's (Dao, Haziza, Massa, Sizov, 2023), the running maximum
that of Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor

from pipeline.generators.audiocraft.decoding.cuda.layers import after_the_last, link

CHUNK = 256
"""Positions of a share: a chunk of a row's past, for one head."""
BLOCK = 32
"""Of them at a time. The capacity of a cache is a multiple of this, and behind a row's past its values are numbers."""
_STAGES = 4
"""Blocks underway at once."""
_WARPS = 1
"""Of a program, which then waits for no other."""
_PROGRAMS = 9
"""On each processor, so that some read while others finish."""
_ROWS = 16
"""Of a product on tensor cores, of which one is wanted."""
_CHUNKS = tl.constexpr(1 << 12)
"""More than a row has chunks."""
_POSITIONS = tl.constexpr(1 << 24)
"""More than a row has positions."""


@triton.jit
def _share_out(
    positions,
    shares,
    rounds,
    slots,
    heads,
    programs,
    beyond,
    BRANCHES: tl.constexpr,
    CHUNK: tl.constexpr,
    SLOTS: tl.constexpr,
    CHAINED: tl.constexpr,
):
    """All chunks of all rows as (row, chunk, newest position), whole ones first, then each row's last, longest first.

    So programs that take them in turns get about as much each. Then ``beyond`` times -1; and how often it is
    everybody's turn.
    """
    after_the_last(CHAINED)
    slot = tl.arange(0, SLOTS)
    inside = slot < slots
    newest = tl.load(positions + slot, mask=inside, other=0)
    whole = newest // CHUNK
    rest = tl.where(inside, newest - whole * CHUNK, -1)
    is_equal = (rest[None, :] == rest[:, None]) & (slot[None, :] < slot[:, None])
    before = ((rest[None, :] > rest[:, None]) | is_equal).to(tl.int64)
    begin = (tl.cumsum(whole) - whole) * BRANCHES
    wholes = tl.sum(whole) * BRANCHES
    place = wholes + tl.sum(before, axis=1) * BRANCHES
    for branch in tl.static_range(BRANCHES):
        first = (slot * BRANCHES + branch).to(tl.int64) * _CHUNKS
        tl.store(shares + place + branch, (first + whole) * _POSITIONS + newest, mask=inside)
        for chunk in range(tl.max(whole)):
            told = (first + chunk) * _POSITIONS + newest
            tl.store(shares + begin + chunk * BRANCHES + branch, told, mask=chunk < whole)
    count = wholes + slots * BRANCHES
    tl.store(rounds, ((count * heads + programs - 1) // programs).to(tl.int32))
    for number in range(0, beyond, SLOTS):
        tl.store(shares + count + number + slot, slot * 0 - 1, mask=number + slot < beyond)


@triton.jit
def _added_up(first, stride, mask, PARTS: tl.constexpr):
    """The sum of ``PARTS`` parts, ``stride`` numbers apart."""
    total = tl.load(first, mask=mask, other=0.0).to(tl.float32)
    for part in tl.static_range(1, PARTS):
        total += tl.load(first + part * stride, mask=mask, other=0.0)
    return total


@triton.jit
def _asked(projected, part_stride, share, head, PARTS: tl.constexpr, HEADS: tl.constexpr, SIZE: tl.constexpr):
    """Query, key and value of a share's row, float32."""
    lanes = tl.arange(0, SIZE)
    row = (share // _POSITIONS // _CHUNKS).to(tl.int32)
    own = projected + row * 3 * HEADS * SIZE + head * SIZE + lanes
    mask = (lanes >= 0) & (share >= 0)
    query = _added_up(own, part_stride, mask, PARTS)
    key = _added_up(own + HEADS * SIZE, part_stride, mask, PARTS)
    return query, key, _added_up(own + 2 * HEADS * SIZE, part_stride, mask, PARTS)


@triton.jit
def _attend(
    projected,
    keys,
    values,
    key_tiles,
    value_tiles,
    shares,
    rounds,
    sums,
    peaks,
    weights,
    arrived,
    seen,
    scale,
    part_stride,
    capacity,
    most_chunks,
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
    lanes = tl.arange(0, SIZE)
    # How the step is shared out was decided when it began.
    turns = tl.load(rounds)
    # Neighbours on a processor begin in different places, so that not all finish a share at once.
    turn = tl.program_id(0) // processors % turns
    number = turn * tl.num_programs(0) + tl.program_id(0)
    share = tl.load(shares + number // HEADS)
    after_the_last(CHAINED)
    query, new_key, new_value = _asked(projected, part_stride, share, number % HEADS, PARTS, HEADS, SIZE)
    for _ in range(turns):
        head = number % HEADS
        chunk = (tl.maximum(share, 0) // _POSITIONS % _CHUNKS).to(tl.int32)
        place = (tl.maximum(share, 0) // _POSITIONS // _CHUNKS).to(tl.int32) * HEADS + head
        newest, start = (tl.maximum(share, 0) % _POSITIONS).to(tl.int32), chunk * CHUNK
        is_there = share >= 0
        turn = tl.where(turn + 1 == turns, 0, turn + 1)
        number = turn * tl.num_programs(0) + tl.program_id(0)
        share = tl.load(shares + number // HEADS)
        asked = query.to(keys.dtype.element_ty)
        alike = tl.broadcast_to(asked[None, :], [ROWS, SIZE])
        peak = tl.full([ROWS], float("-inf"), tl.float32)
        weight = tl.zeros([ROWS], tl.float32)
        total = tl.zeros([ROWS, SIZE], tl.float32)
        end = tl.where(is_there, tl.minimum(start + CHUNK, newest), start)
        for first in tl.range(start, end, BLOCK, num_stages=STAGES):
            is_known = (first + tl.arange(0, BLOCK) < newest)[None, :]
            key = key_tiles.load([place * capacity + first, 0])
            looks = tl.dot(alike, tl.trans(key), input_precision="ieee") * scale
            looks = tl.where(is_known, looks, float("-inf"))
            higher = tl.maximum(peak, tl.max(looks, axis=1))
            shrink = tl.exp(peak - higher)
            looks = tl.exp(looks - higher[:, None])
            value = value_tiles.load([place * capacity + first, 0])
            total = tl.dot(looks.to(value.dtype), value, total * shrink[:, None], input_precision="ieee")
            weight = weight * shrink + tl.sum(looks, axis=1)
            peak = higher
        key, value = new_key.to(keys.dtype.element_ty), new_value.to(keys.dtype.element_ty)
        query, new_key, new_value = _asked(projected, part_stride, share, number % HEADS, PARTS, HEADS, SIZE)
        if is_there:
            is_first = tl.arange(0, ROWS) == 0
            top = tl.max(peak, axis=0)
            heft = tl.sum(tl.where(is_first, weight, 0.0), axis=0)
            sight = tl.sum(tl.where(is_first[:, None], total, 0.0), axis=0)
            if newest < start + CHUNK:
                base = (place.to(tl.int64) * capacity + newest) * SIZE + lanes
                tl.store(keys + base, key)
                tl.store(values + base, value)
                look = tl.sum(asked.to(tl.float32) * key.to(tl.float32), axis=0) * scale
                higher = tl.maximum(top, look)
                shrink, its_share = tl.exp(top - higher), tl.exp(look - higher)
                sight = sight * shrink + value.to(tl.float32) * its_share
                heft = heft * shrink + its_share
                top = higher
            told = seen + place * SIZE + lanes
            if newest < CHUNK:
                tl.store(told, (sight / heft).to(seen.dtype.element_ty))
            else:
                first_one = place * most_chunks
                tl.store(sums + (first_one + chunk) * SIZE + lanes, sight)
                tl.store(peaks + first_one + chunk, top)
                tl.store(weights + first_one + chunk, heft)
                tl.debug_barrier()
                before = tl.atomic_add(arrived + place, 1, sem="acq_rel")
                if before == newest // CHUNK:
                    tl.store(arrived + place, 0)
                    joined = _joined(sums, peaks, weights, first_one, newest // CHUNK + 1, SIZE)
                    tl.store(told, joined.to(seen.dtype.element_ty))


@triton.jit
def _joined(sums, peaks, weights, first, count, SIZE: tl.constexpr):
    """What ``count`` chunks saw together. Past the first cache, where what lay there before may still be."""
    one, lanes = tl.arange(0, 1), tl.arange(0, SIZE)
    peak = tl.load(peaks + first + one, cache_modifier=".cg")
    weight = tl.load(weights + first + one, cache_modifier=".cg")
    total = tl.load(sums + first * SIZE + lanes, cache_modifier=".cg")
    for other in range(first + 1, first + count):
        its_peak = tl.load(peaks + other + one, cache_modifier=".cg")
        higher = tl.maximum(peak, its_peak)
        shrink, its_shrink = tl.exp(peak - higher), tl.exp(its_peak - higher)
        its_total = tl.load(sums + other * SIZE + lanes, cache_modifier=".cg")
        its_weight = tl.load(weights + other + one, cache_modifier=".cg")
        total = total * shrink + its_total * its_shrink
        weight = weight * shrink + its_weight * its_shrink
        peak = higher
    return total / weight


@triton.jit
def _attend_text(
    queries,
    keys,
    values,
    lengths,
    seen,
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
    lanes = tl.arange(0, SIZE)
    spots = tl.arange(0, BLOCK)
    known = (spots < length)[:, None]
    tile = place * width * SIZE + spots[:, None] * SIZE + lanes[None, :]
    # The text was there before the step: it needs no waiting for.
    key = tl.load(keys + tile, mask=known, other=0.0).to(tl.float32)
    value = tl.load(values + tile, mask=known, other=0.0).to(tl.float32)
    after_the_last(CHAINED)
    query = _added_up(queries + place * SIZE + lanes, part_stride, lanes >= 0, PARTS) * scale
    looks = tl.where(spots < length, tl.sum(key * query[None, :], axis=1), float("-inf"))
    shares = tl.exp(looks - tl.max(looks, axis=0))
    total = tl.sum(shares[:, None] * value, axis=0) / tl.sum(shares, axis=0)
    tl.store(seen + place * SIZE + lanes, total.to(seen.dtype.element_ty))


class Scratch:
    """How a step's work is shared out, and what programs leave for one another, once for all layers."""

    def __init__(self, rows: int, heads: int, size: int, capacity: int, device: torch.device) -> None:
        self.processors = 1
        if device.type == "cuda":
            self.processors = torch.cuda.get_device_properties(device).multi_processor_count
        self.programs = _PROGRAMS * self.processors
        self.heads = heads
        self.chunks = -(-capacity // CHUNK)
        self.sums = torch.zeros(rows * heads * self.chunks * size, device=device)
        self.peaks = torch.zeros(rows * heads * self.chunks, device=device)
        self.weights = torch.zeros_like(self.peaks)
        self.arrived = torch.zeros(rows * heads, dtype=torch.int32, device=device)
        self.beyond = 2 + self.programs // heads
        self.shares = torch.full((rows * self.chunks + self.beyond,), -1, dtype=torch.int64, device=device)
        self.rounds = torch.ones(1, dtype=torch.int32, device=device)


def share_out(positions: torch.Tensor, branches: int, scratch: Scratch) -> None:
    """Begin a step at ``positions`` int64 [slots], the newest of each."""
    slots = positions.shape[0]
    _share_out[(1,)](
        positions,
        scratch.shares,
        scratch.rounds,
        slots,
        scratch.heads,
        scratch.programs,
        scratch.beyond,
        BRANCHES=branches,
        CHUNK=CHUNK,
        SLOTS=triton.next_power_of_2(slots),
        num_warps=4,
        **link(positions.device),
    )


def attend(
    projected: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, scratch: Scratch
) -> torch.Tensor:
    """One query a row over its own past: stores the newest key and value, and returns what was seen [rows, dim].

    ``projected`` [parts, rows, 3 * dim] queries, keys, values of this step, in parts to be added up; ``keys`` and
    ``values`` [rows, heads, capacity, size], of which each row's count as far as `share_out` said.
    """
    rows, heads, capacity, size = keys.shape
    seen = torch.empty((rows, heads * size), dtype=keys.dtype, device=keys.device)
    tiles = [TensorDescriptor.from_tensor(one.view(-1, size), [BLOCK, size]) for one in (keys, values)]
    _attend[(scratch.programs,)](
        projected,
        keys,
        values,
        *tiles,
        scratch.shares,
        scratch.rounds,
        scratch.sums,
        scratch.peaks,
        scratch.weights,
        scratch.arrived,
        seen,
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
        **link(keys.device),
    )
    return seen


def attend_text(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, lengths: torch.Tensor
) -> torch.Tensor:
    """``queries`` [parts, slots, dim], to be added up, to each slot's own text.

    ``keys`` and ``values`` [slots, heads, width, size], ``lengths`` int32 [slots], at least 1.
    """
    slots, heads, width, size = keys.shape
    block = triton.next_power_of_2(width)
    seen = torch.empty(queries.shape[1:], dtype=keys.dtype, device=keys.device)
    _attend_text[(slots * heads,)](
        queries,
        keys,
        values,
        lengths,
        seen,
        size**-0.5,
        width,
        queries.stride(0),
        PARTS=queries.shape[0],
        HEADS=heads,
        SIZE=size,
        BLOCK=block,
        num_warps=max(1, min(8, block // 32)),
        **link(keys.device),
    )
    return seen
