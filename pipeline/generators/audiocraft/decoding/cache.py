"""Keys and values of earlier steps for every slot, and of every slot's text.

`StaticCache` holds all slots in one tensor, whose attention spans a length bucket; `cpu.attention` has memory per slot.
A slot's rows are the branches of its guidance: its full condition first, the null condition last, and between them, for
double guidance, the style alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from pipeline.generators.audiocraft.decoding.weights import Weights


def bucket_of(length: int) -> int:
    """``length`` rounded up to what attention spans: a multiple of 32, 64 or 128, coarser for longer ones.

    >>> [bucket_of(n) for n in (1, 33, 250, 257, 513, 1500)]
    [32, 64, 256, 320, 640, 1536]
    """
    unit = 32 if length <= 256 else 64 if length <= 512 else 128
    return -(-length // unit) * unit


class Cache(Protocol):
    """Keys and values of all slots."""

    def admit(self, slot: int, capacity: int) -> None:
        """Prepare ``slot`` for a cue of at most ``capacity`` positions."""

    def release(self, slot: int) -> None:
        """Free ``slot``."""

    def fill(self, layer: int, slot: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Store positions 0 to n - 1: ``keys`` and ``values`` [branches, n, heads, head_dim]."""

    def begin(self, positions: Sequence[int | None]) -> int:
        """Prepare a step at the slots' positions (None: no cue); return the key of the step's graph."""

    def at(self, positions: torch.Tensor) -> None:
        """Set the slots' positions, int64 [slots], on the device: part of the step's graph."""

    def attend(self, layer: int, projected: torch.Tensor) -> torch.Tensor:
        """Self-attention of a step: ``projected`` [slots * branches, 3 * dim] to [slots * branches, dim]."""


class StaticCache:
    """For CUDA and MPS: one tensor for all slots, every step over the bucket of the longest.

    PyTorch's memory-efficient kernel reads the keys in order, block by block, and a masked block changes nothing. So
    the bucket, which depends on other rows, changes no bit of a row.
    """

    def __init__(self, weights: Weights, slots: int, capacity: int, branches: int = 2) -> None:
        self._weights = weights
        self._branches = branches
        self._rows = slots * branches
        self._capacity = bucket_of(capacity)
        shape = (len(weights.layers), self._rows, weights.heads_count, self._capacity, weights.head_dim)
        self._keys = torch.zeros(shape, dtype=weights.dtype, device=weights.device)
        self._values = torch.zeros(shape, dtype=weights.dtype, device=weights.device)
        self._places = torch.arange(self._capacity, device=weights.device)
        self._row = torch.arange(self._rows, device=weights.device)[:, None]
        self._head = torch.arange(weights.heads_count, device=weights.device)[None]
        self._positions = torch.zeros(self._rows, 1, dtype=torch.int64, device=weights.device)
        self._bias = torch.zeros(0, dtype=weights.dtype, device=weights.device)
        self._width = self._capacity

    def admit(self, slot: int, capacity: int) -> None:
        """See `Cache.admit`."""
        self._check(capacity)
        # A NaN of the slot's last cue would survive a weight of zero.
        rows = self._rows_of(slot)
        self._keys[:, rows].zero_()
        self._values[:, rows].zero_()

    def release(self, slot: int) -> None:
        """See `Cache.release`."""

    def fill(self, layer: int, slot: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        """See `Cache.fill`."""
        rows, count = self._rows_of(slot), keys.shape[1]
        self._keys[layer, rows, :, :count] = keys.transpose(1, 2)
        self._values[layer, rows, :, :count] = values.transpose(1, 2)

    def begin(self, positions: Sequence[int | None]) -> int:
        """See `Cache.begin`."""
        longest = max(position for position in positions if position is not None)
        self._width = min(bucket_of(longest + 1), self._capacity)
        return self._width

    def at(self, positions: torch.Tensor) -> None:
        """See `Cache.at`."""
        self._positions = positions.repeat_interleave(self._branches)[:, None]
        # Once a step for all layers, as numbers that the kernel adds to its scores: it would convert a boolean mask in
        # every layer.
        allowed = (self._places[: self._width] <= self._positions)[:, None, None]
        bias = torch.zeros(allowed.shape, dtype=self._weights.dtype, device=positions.device)
        self._bias = bias.masked_fill(~allowed, -math.inf)

    def attend(self, layer: int, projected: torch.Tensor) -> torch.Tensor:
        """See `Cache.attend`."""
        weights = self._weights
        shape = (self._rows, 3, weights.heads_count, weights.head_dim)
        query, key, value = projected.view(shape).unbind(1)
        place = (self._row, self._head, self._positions)
        self._keys[layer].index_put_(place, key)
        self._values[layer].index_put_(place, value)
        past_keys, past_values = (cached[layer, :, :, : self._width] for cached in (self._keys, self._values))
        with sdpa_kernel([SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH], set_priority=True):
            attended = scaled_dot_product_attention(
                query[:, :, None], past_keys, past_values, attn_mask=self._bias
            )
        return attended.reshape(self._rows, weights.dim)

    def _check(self, capacity: int) -> None:
        if capacity > self._capacity:
            raise ValueError(f"{capacity} positions are more than the cache's {self._capacity}")

    def _rows_of(self, slot: int) -> slice:
        return slice(slot * self._branches, (slot + 1) * self._branches)


def _as_columns(rows: torch.Tensor) -> torch.Tensor:
    """``rows`` [n, size] as n columns [n, size, 1], which BLAS sees as transposed rows.

    A CPU multiplies a matrix by such a vector fastest: with the strides of ``unsqueeze(2)`` the same product takes four
    times as long.
    """
    return rows.unsqueeze(1).transpose(1, 2)


class TextCache:
    """Keys and values of each slot's text, projected once a cue; only the first branch attends to them.

    Every slot has ``width`` positions, so that one product of a fixed shape serves all slots.
    """

    def __init__(self, weights: Weights, slots: int, width: int) -> None:
        self._weights = weights
        self._width = width
        heads, size, device = weights.heads_count, weights.head_dim, weights.device
        layers = len(weights.layers)
        self._keys = torch.zeros(
            (layers, slots * heads, width, size), dtype=weights.cache_dtype, device=device
        )
        self._values = torch.zeros(
            (layers, slots * heads, size, width), dtype=weights.cache_dtype, device=device
        )
        self._allowed = torch.zeros((slots * heads, width, 1), dtype=weights.cache_dtype, device=device)

    def admit(self, slot: int, text: torch.Tensor) -> None:
        """Project ``text`` [positions, dim] for ``slot``."""
        rows, count = self._rows(slot), text.shape[0]
        if count > self._width:
            raise ValueError(f"a text of {count} positions is longer than the cache's {self._width}")
        self._allowed[rows] = 0
        self._allowed[rows, count:] = -math.inf
        for index, layer in enumerate(self._weights.layers):
            assert layer.cross is not None
            both = layer.cross.keys_values(text.to(self._weights.dtype))
            keys, values = both.view(count, 2, self._weights.heads_count, -1).unbind(1)
            self._keys[index, rows, :count] = keys.transpose(0, 1)
            self._keys[index, rows, count:] = 0
            self._values[index, rows, :, :count] = values.permute(1, 2, 0)
            self._values[index, rows, :, count:] = 0

    def attend(self, layer: int, queries: torch.Tensor) -> torch.Tensor:
        """Attend from ``queries`` [slots, dim] to each slot's text; the same shape."""
        weights = self._weights
        split = queries.to(weights.cache_dtype).reshape(-1, weights.head_dim) * weights.head_dim**-0.5
        probabilities = (
            torch.bmm(self._keys[layer], _as_columns(split))
            .squeeze(2)
            .add_(self._allowed.squeeze(2))
            .softmax(1)
        )
        return (
            torch.bmm(self._values[layer], _as_columns(probabilities)).view(-1, weights.dim).to(weights.dtype)
        )

    def attend_one(self, layer: int, slot: int, queries: torch.Tensor) -> torch.Tensor:
        """Attend from ``queries`` [positions, dim] of one slot to its text; the same shape."""
        rows = self._rows(slot)
        weights = self._weights
        split = queries.to(weights.cache_dtype).view(-1, weights.heads_count, weights.head_dim)
        split = split.permute(1, 2, 0) * weights.head_dim**-0.5
        probabilities = torch.bmm(self._keys[layer, rows], split).add_(self._allowed[rows]).softmax(1)
        attended = torch.bmm(self._values[layer, rows], probabilities)
        return attended.permute(2, 0, 1).reshape(-1, weights.dim).to(weights.dtype)

    def _rows(self, slot: int) -> slice:
        heads = self._weights.heads_count
        return slice(slot * heads, (slot + 1) * heads)
