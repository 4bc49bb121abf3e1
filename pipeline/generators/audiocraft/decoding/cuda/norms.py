"""What lies between products, in one kernel each: the first numbers of a step, and sum and layer norm."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from pipeline.generators.audiocraft.decoding.cuda.launch import after_the_last, link

_MOST_WARPS = 8


@triton.jit
def _add_and_norm(
    x,
    delta,
    weight,
    bias,
    normed,
    eps,
    dim,
    part_stride,
    PARTS: tl.constexpr,
    ADD_EVERY: tl.constexpr,
    NORM_EVERY: tl.constexpr,
    BLOCK: tl.constexpr,
    CHAINED: tl.constexpr,
):
    row = tl.program_id(0)
    lanes = tl.arange(0, BLOCK)
    inside = lanes < dim
    w = tl.load(weight + lanes, mask=inside, other=0.0)
    b = tl.load(bias + lanes, mask=inside, other=0.0)
    after_the_last(CHAINED)
    here = tl.load(x + row * dim + lanes, mask=inside, other=0.0)
    if ADD_EVERY > 0:
        if row % ADD_EVERY == 0:
            for part in tl.static_range(PARTS):
                own = delta + part * part_stride + row // ADD_EVERY * dim + lanes
                here += tl.load(own, mask=inside, other=0.0).to(tl.float32)
            tl.store(x + row * dim + lanes, here, mask=inside)
    if row % NORM_EVERY == 0:
        mean = tl.sum(here, axis=0) / dim
        off = tl.where(inside, here - mean, 0.0)
        scaled = off / tl.sqrt(tl.sum(off * off, axis=0) / dim + eps)
        place = normed + row // NORM_EVERY * dim + lanes
        tl.store(place, (scaled * w + b).to(normed.dtype.element_ty), mask=inside)


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

    ``delta`` [parts, rows, dim] is added up, or [parts, rows / n, dim] for every n-th row alone, the conditional ones.
    With ``every`` n, only those rows' norm.
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
        0 if delta is None else delta.stride(0),
        PARTS=0 if delta is None else delta.shape[0],
        ADD_EVERY=0 if delta is None else rows // delta.shape[1],
        NORM_EVERY=every,
        BLOCK=block,
        num_warps=min(_MOST_WARPS, max(1, block // 256)),
        **link(x.device),
    )
    return normed


@triton.jit
def _embed(
    tokens,
    positions,
    embedding,
    places,
    x,
    dim,
    entries,
    BRANCHES: tl.constexpr,
    CODEBOOKS: tl.constexpr,
    BLOCK: tl.constexpr,
    CHAINED: tl.constexpr,
):
    row = tl.program_id(0)
    slot = row // BRANCHES
    lanes = tl.arange(0, BLOCK)
    inside = lanes < dim
    after_the_last(CHAINED)
    total = tl.load(places + tl.load(positions + slot) * dim + lanes, mask=inside, other=0.0)
    for codebook in tl.static_range(CODEBOOKS):
        entry = tl.load(tokens + slot * CODEBOOKS + codebook) + codebook * entries
        total += tl.load(embedding + entry * dim + lanes, mask=inside, other=0.0)
    tl.store(x + row * dim + lanes, total, mask=inside)


def embed(
    tokens: torch.Tensor,
    positions: torch.Tensor,
    embedding: torch.Tensor,
    places: torch.Tensor,
    branches: int,
) -> torch.Tensor:
    """Float32 [slots * branches, dim]: what ``tokens`` [slots, codebooks] stand for at ``positions`` [slots].

    ``embedding`` float32 [codebooks * entries, dim], the tables one under the other; ``places`` float32 [n, dim].
    """
    slots, codebooks = tokens.shape
    dim = embedding.shape[1]
    x = torch.empty((slots * branches, dim), device=embedding.device)
    _embed[(slots * branches,)](
        tokens,
        positions,
        embedding,
        places,
        x,
        dim,
        embedding.shape[0] // codebooks,
        BRANCHES=branches,
        CODEBOOKS=codebooks,
        BLOCK=triton.next_power_of_2(dim),
        num_warps=4,
        **link(embedding.device),
    )
    return x
