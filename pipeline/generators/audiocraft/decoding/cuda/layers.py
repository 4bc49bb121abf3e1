"""The products and norms of a step as Triton kernels.

A product of few rows takes as long as reading its weights. Programs split the outputs and, if the outputs alone are too
few for all processors, the inputs too. The kernel that reads a split sum adds up its parts in their order: a row's bits
depend only on its own numbers and on the shape.

A kernel may start before the previous one has ended: programmatic dependent launch, compute capability 9.0 and above
(CUDA C++ Programming Guide, "Programmatic Dependent Launch and Synchronization"). It calls `wait_for_previous` before
it reads what another kernel of the step wrote, and before it writes.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor

_FIRST_CAPABILITY = (9, 0)


@cache
def launch_options(device: torch.device) -> dict[str, bool]:
    """Options of every launch on ``device``: whether a kernel may start before the previous one ends."""
    is_chained = device.type == "cuda" and torch.cuda.get_device_capability(device) >= _FIRST_CAPABILITY
    return {"CHAINED": is_chained, "launch_pdl": is_chained}


@triton.jit
def wait_for_previous(CHAINED: tl.constexpr):
    """Wait until the previous kernel has ended, and let the next one start."""
    if CHAINED:
        tl.extra.cuda.gdc_wait()
        tl.extra.cuda.gdc_launch_dependents()


_MAX_WARPS = 8


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
    columns = tl.arange(0, BLOCK)
    inside = columns < dim
    w = tl.load(weight + columns, mask=inside, other=0.0)
    b = tl.load(bias + columns, mask=inside, other=0.0)
    wait_for_previous(CHAINED)
    value = tl.load(x + row * dim + columns, mask=inside, other=0.0)
    if ADD_EVERY > 0:
        if row % ADD_EVERY == 0:
            for part in tl.static_range(PARTS):
                addend = delta + part * part_stride + row // ADD_EVERY * dim + columns
                value += tl.load(addend, mask=inside, other=0.0).to(tl.float32)
            tl.store(x + row * dim + columns, value, mask=inside)
    if row % NORM_EVERY == 0:
        mean = tl.sum(value, axis=0) / dim
        centred = tl.where(inside, value - mean, 0.0)
        scaled = centred / tl.sqrt(tl.sum(centred * centred, axis=0) / dim + eps)
        place = normed + row // NORM_EVERY * dim + columns
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
    """Add ``delta`` to ``x`` float32 [rows, dim] in place, and return its layer norm in ``dtype``.

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
        num_warps=min(_MAX_WARPS, max(1, block // 256)),
        **launch_options(x.device),
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
    columns = tl.arange(0, BLOCK)
    inside = columns < dim
    wait_for_previous(CHAINED)
    total = tl.load(places + tl.load(positions + slot) * dim + columns, mask=inside, other=0.0)
    for codebook in tl.static_range(CODEBOOKS):
        entry = tl.load(tokens + slot * CODEBOOKS + codebook) + codebook * entries
        total += tl.load(embedding + entry * dim + columns, mask=inside, other=0.0)
    tl.store(x + row * dim + columns, total, mask=inside)


def embed(
    tokens: torch.Tensor,
    positions: torch.Tensor,
    embedding: torch.Tensor,
    places: torch.Tensor,
    branches: int,
) -> torch.Tensor:
    """Float32 [slots * branches, dim]: the embedding of ``tokens`` [slots, codebooks] at ``positions`` [slots].

    ``embedding`` float32 [codebooks * entries, dim], the tables concatenated; ``places`` float32 [n, dim].
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
        **launch_options(embedding.device),
    )
    return x


_INPUTS = 128
"""Inputs that a program loads at a time."""
_MAX_ROWS = 128
"""With more rows PyTorch's product is faster: cuBLAS shares rows in a cluster of processors, and Triton cannot."""
_PROGRAMS = 128
"""About one for each processor of a large device."""
_MANY_OUTPUTS, _MANY_INPUTS = 4096, 2048
_MAX_STAGES = 6
_WARPS = 4


@triton.jit
def _multiply(
    x,
    weight,
    out,
    rows,
    outputs,
    inputs,
    ROWS: tl.constexpr,
    OUTPUTS: tl.constexpr,
    INPUTS: tl.constexpr,
    SPLIT: tl.constexpr,
    GELU: tl.constexpr,
    ROWS_FIRST: tl.constexpr,
    CHAINED: tl.constexpr,
):
    tile, part = tl.program_id(0), tl.program_id(1)
    span = inputs // SPLIT
    wait_for_previous(CHAINED)
    if ROWS_FIRST:
        total = tl.zeros([ROWS, OUTPUTS], tl.float32)
    else:
        total = tl.zeros([OUTPUTS, ROWS], tl.float32)
    for start in range(part * span, (part + 1) * span, INPUTS):
        numbers = x.load([0, start])
        factors = weight.load([tile * OUTPUTS, start])
        if ROWS_FIRST:
            total = tl.dot(numbers, tl.trans(factors), total)
        else:
            total = tl.dot(factors, tl.trans(numbers), total)
    if GELU:
        total = total * 0.5 * (1.0 + tl.erf(total * 0.7071067811865476))
    row, own = tl.arange(0, ROWS), tile * OUTPUTS + tl.arange(0, OUTPUTS)
    if ROWS_FIRST:
        target = out + (part * rows + row)[:, None] * outputs + own[None, :]
        tl.store(target, total.to(out.dtype.element_ty), mask=(row < rows)[:, None])
    else:
        target = out + (part * rows + row)[None, :] * outputs + own[:, None]
        tl.store(target, total.to(out.dtype.element_ty), mask=(row < rows)[None, :])


class Tiling(NamedTuple):
    """How a product is split among programs."""

    outputs: int
    """Outputs of a program."""
    split: int
    """Programs that share the inputs."""
    rows_first: bool
    """Whether tensor cores compute rows by outputs (better for few outputs) or outputs by rows (for few rows)."""


class Product:
    """``x @ weight.T`` for ``rows`` rows of x: as parts to add up, or with ``whole`` or ``gelu`` as one."""

    def __init__(
        self,
        weight: torch.Tensor,
        rows: int,
        *,
        whole: bool = False,
        gelu: bool = False,
        tiling: Tiling | None = None,
    ) -> None:
        self._weight, self._rows, self._gelu = weight, rows, gelu
        self._tiling = tiling or tiling_for(weight, rows, whole=whole or gelu)
        self._width = max(64 if self._tiling.rows_first else 16, triton.next_power_of_2(rows))
        self._stages = _stages(weight, self._width, self._tiling)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` [rows, in] to [parts, rows, out], to be added up: parts in float32, one part in the weight's dtype."""
        tiling, (outputs, inputs) = self._tiling, self._weight.shape
        dtype = x.dtype if tiling.split == 1 else torch.float32
        out = torch.empty((tiling.split, self._rows, outputs), dtype=dtype, device=x.device)
        _multiply[(outputs // tiling.outputs, tiling.split)](
            TensorDescriptor.from_tensor(x, [self._width, _INPUTS]),
            TensorDescriptor.from_tensor(self._weight, [tiling.outputs, _INPUTS]),
            out,
            self._rows,
            outputs,
            inputs,
            ROWS=self._width,
            OUTPUTS=tiling.outputs,
            INPUTS=_INPUTS,
            SPLIT=tiling.split,
            GELU=self._gelu,
            ROWS_FIRST=tiling.rows_first,
            num_warps=_WARPS,
            num_stages=self._stages,
            **launch_options(x.device),
        )
        return out


def supports_product(weight: torch.Tensor, bias: torch.Tensor | None, rows: int) -> bool:
    """Whether `Product` can multiply ``rows`` rows with ``weight`` [outputs, inputs]."""
    outputs, inputs = weight.shape
    fits = rows <= _MAX_ROWS and outputs % 64 == 0 and inputs % _INPUTS == 0
    return fits and bias is None and weight.dtype.itemsize == 2


def tiling_for(weight: torch.Tensor, rows: int, *, whole: bool) -> Tiling:
    """How to split a product, by its shape alone: about as many programs as a large device has processors.

    The constants are the fastest of those tried on an H200 (docs/decoding.md).
    """
    outputs, inputs = weight.shape
    rows_first = rows > 32 and outputs < _MANY_OUTPUTS and inputs <= _MANY_INPUTS
    wide, split = 32 if rows_first else 64, 1
    while not whole and outputs // wide * split * 2 <= _PROGRAMS and _can_split(inputs // split):
        split *= 2
    return Tiling(wide, split, rows_first)


def _can_split(inputs: int) -> bool:
    """Whether ``inputs`` can be split in two parts of at least two loads."""
    return inputs % (2 * _INPUTS) == 0 and inputs >= 4 * _INPUTS


def _stages(weight: torch.Tensor, width: int, tiling: Tiling) -> int:
    """Loads in flight at once: as many as there are, and as fit into a processor's shared memory."""
    loads = weight.shape[1] // tiling.split // _INPUTS
    shared_memory = 1 << 17
    if weight.device.type == "cuda":
        shared_memory = getattr(
            torch.cuda.get_device_properties(weight.device), "shared_memory_per_block_optin", shared_memory
        )
    bytes_per_load = (tiling.outputs + width) * _INPUTS * weight.element_size()
    return int(max(1, min(_MAX_STAGES, loads, (shared_memory - 4096) // bytes_per_load)))
