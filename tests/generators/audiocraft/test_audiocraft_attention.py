"""The compiled attention over a cached past against PyTorch's own, in both formats and at sizes that fill no vector."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples
from torch.nn.functional import scaled_dot_product_attention

from pipeline.generators.audiocraft.decoding.cpu.attention import SlotCache

LAYERS, HALVES = 2, 2


@dataclass
class Shape:
    """What a cache asks of a model's weights."""

    heads_count: int
    head_dim: int
    cache_dtype: torch.dtype

    @property
    def layers(self) -> list[Any]:
        return [SimpleNamespace()] * LAYERS

    @property
    def dim(self) -> int:
        return self.heads_count * self.head_dim

    @property
    def dtype(self) -> torch.dtype:
        return self.cache_dtype


def random_of(*shape: int, dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def cache_with(shape: Shape, pasts: list[tuple[torch.Tensor, torch.Tensor]]) -> SlotCache:
    """A cache whose slots look back on ``pasts``, keys and values [2, n, heads, head_dim], in its last layer."""
    cache = SlotCache(shape, len(pasts))  # type: ignore[arg-type]
    for slot, (keys, values) in enumerate(pasts):
        cache.admit(slot, keys.shape[1] + 3)
        cache.fill(LAYERS - 1, slot, keys, values)
    cache.begin([keys.shape[1] for keys, _ in pasts])
    return cache


def expected(
    shape: Shape, pasts: list[tuple[torch.Tensor, torch.Tensor]], fresh: torch.Tensor
) -> torch.Tensor:
    rows = []
    projected = fresh.float().view(len(pasts), HALVES, 3, shape.heads_count, shape.head_dim)
    for (keys, values), own in zip(pasts, projected, strict=True):
        for half in range(HALVES):
            query, key, value = own[half].unsqueeze(2)
            past_keys = torch.cat([keys[half].float().transpose(0, 1), key], dim=1)
            past_values = torch.cat([values[half].float().transpose(0, 1), value], dim=1)
            rows.append(scaled_dot_product_attention(query, past_keys, past_values).flatten())
    return torch.stack(rows)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("heads", "head_dim"), [(4, 64), (3, 4), (2, 96), (1, 128)])
def test_a_step_sees_what_pytorchs_attention_sees(heads: int, head_dim: int, dtype: torch.dtype) -> None:
    shape = Shape(heads, head_dim, dtype)
    pasts = [
        (random_of(2, n, heads, head_dim, dtype=dtype, seed=n), random_of(2, n, heads, head_dim, dtype=dtype))
        for n in (1, 2, 31, 32, 33, 64, 130)
    ]
    fresh = random_of(HALVES * len(pasts), 3 * shape.dim, dtype=dtype, seed=9)
    seen = cache_with(shape, pasts).attend(LAYERS - 1, fresh)
    # Half a unit in the last place of bfloat16, or what float32 loses in a hundred sums.
    rtol, atol = (2**-8, 1e-4) if dtype == torch.bfloat16 else (1e-5, 2e-6)
    torch.testing.assert_close(seen.float(), expected(shape, pasts, fresh), rtol=rtol, atol=atol)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_a_step_keeps_the_next_one_sees(dtype: torch.dtype) -> None:
    shape = Shape(2, 16, dtype)
    past = (random_of(2, 30, 2, 16, dtype=dtype, seed=1), random_of(2, 30, 2, 16, dtype=dtype, seed=2))
    cache = cache_with(shape, [past])
    for position in range(30, 36):
        fresh = random_of(HALVES, 3 * shape.dim, dtype=dtype, seed=position)
        cache.begin([position])
        seen = cache.attend(LAYERS - 1, fresh)
        whole = expected(shape, [past], fresh)
        torch.testing.assert_close(seen.float(), whole, rtol=2**-8, atol=1e-4)
        new = fresh.view(HALVES, 3, 2, 16)
        past = tuple(torch.cat([old, new[:, 1 + i, None]], 1) for i, old in enumerate(past))  # type: ignore[assignment]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_rows_bits_are_its_own_whatever_slots_lengths_and_threads(dtype: torch.dtype) -> None:
    shape = Shape(4, 64, dtype)
    pasts = [
        (random_of(2, n, 4, 64, dtype=dtype, seed=n), random_of(2, n, 4, 64, dtype=dtype, seed=-n))
        for n in (70, 3, 700)
    ]
    fresh = random_of(HALVES * 3, 3 * shape.dim, dtype=dtype)
    together = cache_with(shape, pasts).attend(LAYERS - 1, fresh).clone()
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert torch.equal(cache_with(shape, pasts).attend(LAYERS - 1, fresh), together)
    finally:
        torch.set_num_threads(before)
    for slot, past in enumerate(pasts):
        rows = slice(slot * HALVES, (slot + 1) * HALVES)
        assert torch.equal(cache_with(shape, [past]).attend(LAYERS - 1, fresh[rows]), together[rows])


def test_a_nan_reaches_its_own_rows_alone() -> None:
    shape = Shape(2, 8, torch.bfloat16)
    pasts = [
        (random_of(2, 9, 2, 8, dtype=torch.bfloat16), random_of(2, 9, 2, 8, dtype=torch.bfloat16))
        for _ in range(2)
    ]
    fresh = random_of(HALVES * 2, 3 * shape.dim, dtype=torch.bfloat16)
    fresh[0, 0] = torch.nan
    seen = cache_with(shape, pasts).attend(LAYERS - 1, fresh)
    assert seen[0, :8].isnan().all()
    assert not seen[2:].isnan().any()


@settings(max_examples=examples(40))
@given(st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=100), st.integers(0, 2**31))
def test_whatever_the_scores_and_their_order_the_softmax_is_that_of_float64(
    scores: list[float], seed: int
) -> None:
    """Keys along the query's one direction make any scores, so the highest comes in any block."""
    shape = Shape(1, 4, torch.float32)
    keys = torch.zeros(2, len(scores), 1, 4)
    keys[..., 0] = torch.tensor(scores)[:, None]
    values = random_of(2, len(scores), 1, 4, dtype=torch.float32, seed=seed)
    fresh = torch.zeros(HALVES, 3, 4)
    fresh[:, 0, 0] = 8.0
    seen = cache_with(shape, [(keys, values)]).attend(LAYERS - 1, fresh.view(HALVES, 12))
    exact = torch.tensor([*scores, 0.0]).double().mul(8 / 2).softmax(0)
    past = torch.cat([values[:, :, 0], torch.zeros(2, 1, 4)], dim=1).double()
    # Below exp(-87) nothing is told apart, and a score of 120 is rounded to 8e-6.
    torch.testing.assert_close(seen.double(), torch.einsum("n,hnd->hd", exact, past), rtol=5e-5, atol=5e-5)
