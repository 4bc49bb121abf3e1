"""What a step on a CPU does between its products, compiled: adding up, layer norm and rounding in one go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numba import carray, njit

from pipeline.generators.audiocraft.decoder.transformer import Transformer
from pipeline.generators.audiocraft.decoder.vectors import as_float, kept_on_disk, pointer, rounded
from pipeline.generators.audiocraft.decoder.weights import Norm

_SUMS = {"reassoc", "contract", "nsz"}


class CompiledTransformer(Transformer):
    """`Transformer` whose norms are these loops."""

    def _normed(
        self, x: torch.Tensor, delta: torch.Tensor | None, norm: Norm, every: int = 1
    ) -> torch.Tensor:
        return add_and_norm(x, delta, norm, self._weights.dtype, every)


def add_and_norm(
    x: torch.Tensor, delta: torch.Tensor | None, norm: Norm, dtype: torch.dtype, every: int = 1
) -> torch.Tensor:
    """Add ``delta`` to ``x`` float32 [rows, dim] where it is, and return its layer norm in ``dtype``.

    ``delta`` [rows, dim] in ``dtype``, or [rows / n, dim] for every n-th row alone, the conditional ones. With
    ``every`` n, only those rows' norm.
    """
    rows, dim = x.shape
    normed = torch.empty((rows // every, dim), dtype=dtype)
    added = x.new_empty((1, 0)) if delta is None else delta.contiguous()
    added_at = 0 if delta is None else added.data_ptr()
    add_every = 1 if delta is None else rows // len(added)
    at = (x.data_ptr(), added_at, norm.weight.data_ptr(), norm.bias.data_ptr(), normed.data_ptr())
    _LOOPS[dtype](*at, norm.eps, rows, dim, add_every, every)
    return normed


def _compiled(pairs: bool) -> Callable[..., None]:
    kind = np.uint16 if pairs else np.float32

    @kept_on_disk(fastmath=_SUMS, error_model="numpy")
    def work(
        x_at: int,
        delta_at: int,
        weight_at: int,
        bias_at: int,
        normed_at: int,
        eps: float,
        rows: int,
        dim: int,
        add_every: int,
        norm_every: int,
    ) -> None:
        x = carray(pointer(x_at), (rows, dim), np.float32)
        weight = carray(pointer(weight_at), (dim,), np.float32)
        bias = carray(pointer(bias_at), (dim,), np.float32)
        delta = carray(pointer(delta_at), (rows // add_every, dim), kind)
        normed = carray(pointer(normed_at), (rows // norm_every, dim), kind)
        for row in range(rows):
            own = x[row]
            if delta_at and row % add_every == 0:
                _add(own, delta[row // add_every], pairs)
            if row % norm_every == 0:
                _norm(own, weight, bias, np.float32(eps), normed[row // norm_every], pairs)

    found: Callable[..., None] = work
    return found


@njit
def _add(own: Any, delta: Any, pairs: bool) -> None:
    for place in range(own.shape[0]):
        if pairs:
            own[place] += as_float(np.uint32(delta[place]) << np.uint32(16))
        else:
            own[place] += np.float32(delta[place])


@njit(fastmath=_SUMS, error_model="numpy")
def _norm(own: Any, weight: Any, bias: Any, eps: Any, normed: Any, pairs: bool) -> None:
    dim = own.shape[0]
    total = np.float32(0)
    for place in range(dim):
        total += own[place]
    mean = total / np.float32(dim)
    squares = np.float32(0)
    for place in range(dim):
        squares += (own[place] - mean) * (own[place] - mean)
    scale = np.float32(1) / np.sqrt(squares / np.float32(dim) + eps)
    for place in range(dim):
        number = (own[place] - mean) * scale * weight[place] + bias[place]
        normed[place] = np.uint16(rounded(number)) if pairs else number


_LOOPS = {torch.bfloat16: _compiled(True), torch.float32: _compiled(False)}
