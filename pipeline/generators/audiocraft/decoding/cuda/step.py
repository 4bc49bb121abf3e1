"""The parts of a step for CUDA: caches in the layout that the kernels read, and the order of a step's kernels.

Prefills use `Transformer` as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from pipeline.generators.audiocraft.decoding.cache import StaticCache, TextCache
from pipeline.generators.audiocraft.decoding.cuda import attention
from pipeline.generators.audiocraft.decoding.cuda.layers import Product, add_and_norm, embed, supports_product
from pipeline.generators.audiocraft.decoding.transformer import Transformer
from pipeline.generators.audiocraft.decoding.weights import Layer, Linear, Norm, Weights


class FusedCache(StaticCache):
    """`StaticCache` of which a step reads only each row's own past."""

    def __init__(self, weights: Weights, slots: int, capacity: int, branches: int = 2) -> None:
        super().__init__(weights, slots, _whole_blocks(capacity), branches)
        self._scratch = attention.Scratch(
            self._rows, weights.heads_count, weights.head_dim, self._capacity, weights.device
        )

    def admit(self, slot: int, capacity: int) -> None:
        """See `Cache.admit`."""
        self._check(capacity)
        # A NaN of the slot's last cue would survive a weight of zero.
        self._values[:, self._rows_of(slot), :, : _whole_blocks(capacity)].zero_()

    def begin(self, positions: Sequence[int | None]) -> int:
        """See `Cache.begin`: one graph for all lengths."""
        return 0

    def at(self, positions: torch.Tensor) -> None:
        """See `Cache.at`."""
        attention.assign_chunks(positions, self._branches, self._scratch)

    def attend(self, layer: int, projected: torch.Tensor) -> torch.Tensor:
        """See `Cache.attend`."""
        past = self._keys[layer], self._values[layer]
        return attention.attend(projected, *past, self._scratch)


def _whole_blocks(positions: int) -> int:
    """``positions`` rounded up to whole blocks, since blocks are read whole."""
    return -(-positions // attention.BLOCK) * attention.BLOCK


class FusedText(TextCache):
    """`TextCache` with keys and values in one layout, [layers, slots, heads, width, size]."""

    def __init__(self, weights: Weights, slots: int, width: int) -> None:
        self._weights = weights
        self._width = width
        shape = (len(weights.layers), slots, weights.heads_count, width, weights.head_dim)
        self._keys = torch.zeros(shape, dtype=weights.dtype, device=weights.device)
        self._values = torch.zeros_like(self._keys)
        self._lengths = torch.ones(slots, dtype=torch.int32, device=weights.device)

    def admit(self, slot: int, text: torch.Tensor) -> None:
        """See `TextCache.admit`."""
        count = text.shape[0]
        if count > self._width:
            raise ValueError(f"a text of {count} positions is longer than the cache's {self._width}")
        self._lengths[slot] = count
        numbers = text.to(self._weights.dtype)
        crosses = [layer.cross for layer in self._weights.layers]
        both = torch.stack([cross.keys_values(numbers) for cross in crosses if cross is not None])
        split = both.view(len(both), count, 2, self._weights.heads_count, -1).permute(2, 0, 3, 1, 4)
        self._keys[:, slot, :, :count], self._values[:, slot, :, :count] = split

    def attend(self, layer: int, queries: torch.Tensor) -> torch.Tensor:
        """See `TextCache.attend`."""
        return attention.attend_text(queries, self._keys[layer], self._values[layer], self._lengths)

    def attend_one(self, layer: int, slot: int, queries: torch.Tensor) -> torch.Tensor:
        """See `TextCache.attend_one`."""
        count = int(self._lengths[slot])
        weights = self._weights
        split = queries.view(-1, weights.heads_count, weights.head_dim).transpose(0, 1)
        keys, values = self._keys[layer, slot, :, :count], self._values[layer, slot, :, :count]
        attended = torch.nn.functional.scaled_dot_product_attention(split, keys, values)
        return attended.transpose(0, 1).reshape(-1, weights.dim)


class _Products(NamedTuple):
    """The products of one layer."""

    query_keys_values: Callable[[torch.Tensor], torch.Tensor]
    out: Callable[[torch.Tensor], torch.Tensor]
    text_query: Callable[[torch.Tensor], torch.Tensor] | None
    text_out: Callable[[torch.Tensor], torch.Tensor] | None
    up: Callable[[torch.Tensor], torch.Tensor]
    down: Callable[[torch.Tensor], torch.Tensor]


class FusedTransformer(Transformer):
    """`Transformer` whose steps are computed by the kernels."""

    def __init__(
        self,
        weights: Weights,
        cache: FusedCache,
        text: FusedText | None,
        capacity: int,
        branches: int,
        slots: int,
    ) -> None:
        super().__init__(weights, cache, text, capacity, branches)
        rows = slots * branches

        def product(
            linear: Linear, rows: int = rows, *, whole: bool = False, gelu: bool = False
        ) -> Callable[[torch.Tensor], torch.Tensor]:
            if linear.weight is not None and supports_product(linear.weight, linear.bias, rows):
                return Product(linear.weight, rows, whole=whole, gelu=gelu)
            torch_product = linear.gelu if gelu else linear
            return lambda x: torch_product(x)[None]

        def products(layer: Layer) -> _Products:
            cross = layer.cross
            return _Products(
                product(layer.query_keys_values),
                product(layer.out),
                None if cross is None else product(cross.query, slots),
                None if cross is None else product(cross.out, slots),
                product(layer.up, gelu=True),
                product(layer.down),
            )

        self._products = [products(layer) for layer in weights.layers]
        self._heads = product(weights.heads, whole=True)

    def step(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """See `Transformer.step`."""
        weights, branches = self._weights, self._branches
        self._cache.at(positions)
        x = embed(tokens, positions, weights.embedding, self._places, branches)
        delta: torch.Tensor | None = None
        for index, (layer, products) in enumerate(zip(weights.layers, self._products, strict=True)):
            attended = self._cache.attend(
                index, products.query_keys_values(self._normed(x, delta, layer.norm_self))
            )
            delta = products.out(attended)
            if layer.cross is not None and products.text_query is not None and products.text_out is not None:
                assert self._text is not None
                conditional = self._normed(x, delta, layer.cross.norm, every=branches)
                delta = products.text_out(self._text.attend(index, products.text_query(conditional)))
            delta = products.down(products.up(self._normed(x, delta, layer.norm_feed))[0])
        logits = self._heads(self._normed(x, delta, weights.norm))[0]
        return logits.view(-1, branches, weights.codebooks, weights.card)

    def _normed(
        self, x: torch.Tensor, delta: torch.Tensor | None, norm: Norm, every: int = 1
    ) -> torch.Tensor:
        return add_and_norm(x, delta, norm.weight, norm.bias, norm.eps, self._weights.dtype, every=every)


def self_test(device: torch.device) -> str | None:
    """Compile and run the kernels once on ``device``; None, or which result differs from PyTorch's."""
    draw = torch.Generator(device).manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=draw, device=device)

    rows, heads, size, capacity = 4, 2, 64, 2 * attention.CHUNK
    keys, values = (random(rows, heads, capacity, size).half() for _ in range(2))
    projected = random(rows, 3 * heads * size).half()
    positions = torch.tensor([3, attention.CHUNK + 5], device=device)
    scratch = attention.Scratch(rows, heads, size, capacity, device)
    attention.assign_chunks(positions, 2, scratch)
    seen = attention.attend(projected[None], keys, values, scratch).view(rows, heads, size)
    query = projected.view(rows, 3, heads, 1, size)[:, 0]
    for row in range(rows):
        span = slice(0, int(positions[row // 2]) + 1)
        own = torch.nn.functional.scaled_dot_product_attention(
            query[row].float(), keys[row, :, span].float(), values[row, :, span].float()
        )
        if not torch.allclose(seen[row].float(), own[:, 0], atol=2e-3):
            return "the attention kernel differs from PyTorch"
    x = random(4, 96)
    ones, zeros = torch.ones(96, device=device), torch.zeros(96, device=device)
    normed = add_and_norm(x, None, ones, zeros, 1e-5, torch.float32)
    if not torch.allclose(normed, torch.nn.functional.layer_norm(x, (96,)), atol=1e-4):
        return "the norm kernel differs from PyTorch"
    x, weight = random(4, 1024).half(), random(128, 1024).half()
    product = Product(weight, 4)(x).sum(0)
    if not torch.allclose(product.float(), x.float() @ weight.float().T, atol=0.1, rtol=1e-3):
        return "the product kernel differs from PyTorch"
    return None
