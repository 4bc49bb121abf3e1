"""The products and norms of a step as Triton kernels.

A product of few rows is a reading of its weights. Programs share them out by outputs and, where outputs alone are too
few for all processors, by inputs too. Parts of a sum are added up by whoever reads them, in their order: a row's bits
depend on nothing but its own numbers and the shape.

A kernel may begin before the last one has ended: programmatic dependent launch, of compute capability 9.0 and above
(CUDA C++ Programming Guide, "Programmatic Dependent Launch and Synchronization"). It calls `after_the_last` before it
reads what another kernel of the step wrote, and before it writes: all that came before is then done and can be seen."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor

_FIRST_CAPABILITY = (9, 0)


@cache
def link(device: torch.device) -> dict[str, bool]:
    """What a launch on ``device`` is told of the chain: whether its kernel may begin before the last one has ended."""
    in_chain = device.type == "cuda" and torch.cuda.get_device_capability(device) >= _FIRST_CAPABILITY
    return {"CHAINED": in_chain, "launch_pdl": in_chain}


@triton.jit
def after_the_last(CHAINED: tl.constexpr):
    """Wait until the last kernel is done, and let the next one begin."""
    if CHAINED:
        tl.extra.cuda.gdc_wait()
        tl.extra.cuda.gdc_launch_dependents()


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


_INPUTS = 128
"""At a time."""
_MOST_ROWS = 128
"""More are PyTorch's: cuBLAS shares rows among processors that lie together, and Triton cannot."""
_ENOUGH = 128
"""Programs, about one for each processor of a large device."""
_MANY_OUTPUTS, _MANY_INPUTS = 4096, 2048
_MOST_STAGES = 6
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
    TURNED: tl.constexpr,
    CHAINED: tl.constexpr,
):
    tile, part = tl.program_id(0), tl.program_id(1)
    span = inputs // SPLIT
    after_the_last(CHAINED)
    if TURNED:
        total = tl.zeros([ROWS, OUTPUTS], tl.float32)
    else:
        total = tl.zeros([OUTPUTS, ROWS], tl.float32)
    for here in range(part * span, (part + 1) * span, INPUTS):
        numbers = x.load([0, here])
        factors = weight.load([tile * OUTPUTS, here])
        if TURNED:
            total = tl.dot(numbers, tl.trans(factors), total)
        else:
            total = tl.dot(factors, tl.trans(numbers), total)
    if GELU:
        total = total * 0.5 * (1.0 + tl.erf(total * 0.7071067811865476))
    row, own = tl.arange(0, ROWS), tile * OUTPUTS + tl.arange(0, OUTPUTS)
    if TURNED:
        told = out + (part * rows + row)[:, None] * outputs + own[None, :]
        tl.store(told, total.to(out.dtype.element_ty), mask=(row < rows)[:, None])
    else:
        told = out + (part * rows + row)[None, :] * outputs + own[:, None]
        tl.store(told, total.to(out.dtype.element_ty), mask=(row < rows)[None, :])


class Cut(NamedTuple):
    """How a product is shared out."""

    outputs: int
    """Of a program."""
    split: int
    """Programs that share the inputs."""
    turned: bool
    """Whether tensor cores take rows by outputs, which suits few outputs, or outputs by rows, which suits few rows."""


class Product:
    """``x @ weight.T`` for ``rows`` rows of x, in parts; or in one, and through GELU."""

    def __init__(
        self,
        weight: torch.Tensor,
        rows: int,
        *,
        whole: bool = False,
        gelu: bool = False,
        cut: Cut | None = None,
    ) -> None:
        self._weight, self._rows, self._gelu = weight, rows, gelu
        self._cut = cut or cut_of(weight, rows, whole=whole or gelu)
        self._width = max(64 if self._cut.turned else 16, triton.next_power_of_2(rows))
        self._stages = _stages(weight, self._width, self._cut)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` [rows, in] to [parts, rows, out], to be added up: parts in float32, one part in the weight's dtype."""
        cut, (outputs, inputs) = self._cut, self._weight.shape
        dtype = x.dtype if cut.split == 1 else torch.float32
        out = torch.empty((cut.split, self._rows, outputs), dtype=dtype, device=x.device)
        _multiply[(outputs // cut.outputs, cut.split)](
            TensorDescriptor.from_tensor(x, [self._width, _INPUTS]),
            TensorDescriptor.from_tensor(self._weight, [cut.outputs, _INPUTS]),
            out,
            self._rows,
            outputs,
            inputs,
            ROWS=self._width,
            OUTPUTS=cut.outputs,
            INPUTS=_INPUTS,
            SPLIT=cut.split,
            GELU=self._gelu,
            TURNED=cut.turned,
            num_warps=_WARPS,
            num_stages=self._stages,
            **link(x.device),
        )
        return out


def serves(weight: torch.Tensor, bias: torch.Tensor | None, rows: int) -> bool:
    """Whether `Product` takes ``weight`` [outputs, inputs] for so many rows."""
    outputs, inputs = weight.shape
    fits = rows <= _MOST_ROWS and outputs % 64 == 0 and inputs % _INPUTS == 0
    return fits and bias is None and weight.dtype.itemsize == 2


def cut_of(weight: torch.Tensor, rows: int, *, whole: bool) -> Cut:
    """How to share out a product, by its shape alone: about as many programs as a large device has processors.

    The figures are the best of those tried on an H200 (docs/decoding.md).
    """
    outputs, inputs = weight.shape
    turned = rows > 32 and outputs < _MANY_OUTPUTS and inputs <= _MANY_INPUTS
    wide, split = 32 if turned else 64, 1
    while not whole and outputs // wide * split * 2 <= _ENOUGH and _halves(inputs // split):
        split *= 2
    return Cut(wide, split, turned)


def _halves(inputs: int) -> bool:
    """Whether so many inputs make two parts of at least two pieces."""
    return inputs % (2 * _INPUTS) == 0 and inputs >= 4 * _INPUTS


def _stages(weight: torch.Tensor, width: int, cut: Cut) -> int:
    """Pieces underway at once: as many as there are, and as the memory of a processor holds."""
    pieces = weight.shape[1] // cut.split // _INPUTS
    room = 1 << 17
    if weight.device.type == "cuda":
        room = getattr(torch.cuda.get_device_properties(weight.device), "shared_memory_per_block_optin", room)
    bytes_a_piece = (cut.outputs + width) * _INPUTS * weight.element_size()
    return int(max(1, min(_MOST_STAGES, pieces, (room - 4096) // bytes_a_piece)))
