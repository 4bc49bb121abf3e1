"""A step for CUDA by our own kernels: the same sums as `transformer`, with a third of its kernels.

Caches are laid out as the kernels read them; prefills go through `Transformer`'s own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pipeline.generators.audiocraft.decoder import kernels
from pipeline.generators.audiocraft.decoder.cache import StaticCache, TextCache
from pipeline.generators.audiocraft.decoder.transformer import Transformer
from pipeline.generators.audiocraft.decoder.weights import Norm, Weights


class FusedCache(StaticCache):
    """`StaticCache`, of which each row's own past alone is read."""

    def __init__(self, weights: Weights, slots: int, capacity: int, branches: int = 2) -> None:
        super().__init__(weights, slots, capacity, branches)
        self._scratch = kernels.Scratch(
            self._rows, weights.heads_count, weights.head_dim, self._capacity, weights.device
        )

    def begin(self, positions: Sequence[int | None]) -> int:
        """See `Cache.begin`: one graph for each number of chunks."""
        super().begin(positions)
        chunks = -(-self._width // kernels.CHUNK)
        self._width = min(chunks * kernels.CHUNK, self._capacity)
        return chunks

    def at(self, positions: torch.Tensor) -> None:
        """See `Cache.at`."""
        self._positions = positions

    def attend(self, layer: int, projected: torch.Tensor) -> torch.Tensor:
        """See `Cache.attend`."""
        past = self._keys[layer], self._values[layer]
        return kernels.attend(projected, *past, self._positions, self._width, self._scratch)


class FusedText(TextCache):
    """`TextCache` with keys and values alike [layers, slots, heads, width, size]."""

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
        for index, layer in enumerate(self._weights.layers):
            assert layer.cross is not None
            both = layer.cross.keys_values(text.to(self._weights.dtype))
            keys, values = both.view(count, 2, self._weights.heads_count, -1).transpose(0, 2).unbind(1)
            self._keys[index, slot, :, :count] = keys
            self._values[index, slot, :, :count] = values

    def attend(self, layer: int, queries: torch.Tensor) -> torch.Tensor:
        """See `TextCache.attend`."""
        return kernels.attend_text(queries, self._keys[layer], self._values[layer], self._lengths)

    def attend_one(self, layer: int, slot: int, queries: torch.Tensor) -> torch.Tensor:
        """See `TextCache.attend_one`."""
        count = int(self._lengths[slot])
        weights = self._weights
        split = queries.view(-1, weights.heads_count, weights.head_dim).transpose(0, 1)
        keys, values = self._keys[layer, slot, :, :count], self._values[layer, slot, :, :count]
        seen = torch.nn.functional.scaled_dot_product_attention(split, keys, values)
        return seen.transpose(0, 1).reshape(-1, weights.dim)


class FusedTransformer(Transformer):
    """`Transformer` whose norms are the kernels'."""

    def _normed(
        self, x: torch.Tensor, delta: torch.Tensor | None, norm: Norm, every: int = 1
    ) -> torch.Tensor:
        return kernels.add_and_norm(
            x, delta, norm.weight, norm.bias, norm.eps, self._weights.dtype, every=every
        )


def trial(device: torch.device) -> str | None:
    """Compile and run the attention once on ``device``; what is wrong with its answer, or None."""
    draw = torch.Generator(device).manual_seed(0)
    rows, heads, size, capacity = 4, 2, 64, 2 * kernels.CHUNK
    shape = (rows, heads, capacity, size)
    keys, values = (torch.randn(shape, generator=draw, device=device).half() for _ in range(2))
    projected = torch.randn((rows, 3 * heads * size), generator=draw, device=device).half()
    positions = torch.tensor([3, kernels.CHUNK + 5], device=device)
    scratch = kernels.Scratch(rows, heads, size, capacity, device)
    seen = kernels.attend(projected, keys, values, positions, capacity, scratch).view(rows, heads, size)
    query = projected.view(rows, 3, heads, 1, size)[:, 0]
    for row in range(rows):
        span = slice(0, int(positions[row // 2]) + 1)
        own = torch.nn.functional.scaled_dot_product_attention(
            query[row].float(), keys[row, :, span].float(), values[row, :, span].float()
        )
        if not torch.allclose(seen[row].float(), own[:, 0], atol=2e-3):
            return "the attention kernel's answer is not PyTorch's"
    x = torch.randn((4, 96), generator=draw, device=device)
    ones, zeros = torch.ones(96, device=device), torch.zeros(96, device=device)
    normed = kernels.add_and_norm(x, None, ones, zeros, 1e-5, torch.float32)
    if not torch.allclose(normed, torch.nn.functional.layer_norm(x, (96,)), atol=1e-4):
        return "the norm kernel's answer is not PyTorch's"
    return None
