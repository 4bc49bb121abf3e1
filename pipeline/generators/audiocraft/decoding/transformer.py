"""One step of the language model for all slots at once, and the prefill of one slot.

Rows are ordered slot by slot, the branches of a cue's guidance together, conditional first, unconditional last. The
residual stream is float32; products are in the weights' dtype.
"""

from __future__ import annotations

import torch
from torch.nn.functional import scaled_dot_product_attention

from pipeline.generators.audiocraft.decoding.cache import Cache, TextCache
from pipeline.generators.audiocraft.decoding.weights import Norm, Weights


class Transformer:
    """A language model with the caches of its slots."""

    def __init__(
        self, weights: Weights, cache: Cache, text: TextCache | None, capacity: int, branches: int
    ) -> None:
        self._weights = weights
        self._branches = branches
        self._cache = cache
        self._text = text
        self._places = weights.positions(capacity)
        tables = torch.arange(weights.codebooks, device=weights.device)
        self._tables = tables * (weights.card + 1)

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens int64 [..., codebooks] to float32 [..., dim]."""
        return self._weights.embedding[tokens + self._tables].sum(-2)

    def step(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Logits [slots, branches, codebooks, card] after ``tokens`` [slots, codebooks] at ``positions`` [slots]."""
        weights, branches = self._weights, self._branches
        self._cache.at(positions)
        # All branches get the same tokens.
        x = (self.embed(tokens) + self._places[positions]).repeat_interleave(branches, dim=0)
        projected = weights.layers[0].query_keys_values(self._normed(x, None, weights.layers[0].norm_self))
        for index in range(len(weights.layers)):
            projected = self._after(index, x, self._cache.attend(index, projected), self._text)
        return projected.view(-1, branches, weights.codebooks, weights.card)

    def _after(
        self, index: int, x: torch.Tensor, attended: torch.Tensor, text: TextCache | None
    ) -> torch.Tensor:
        """From the attention output of layer ``index`` to the next layer's queries, keys and values, or to the logits.

        ``x`` [rows, dim] is changed in place.
        """
        weights = self._weights
        layer, is_last = weights.layers[index], index == len(weights.layers) - 1
        delta = layer.out(attended)
        if layer.cross is not None and text is not None:
            conditional = self._normed(x, delta, layer.cross.norm, every=self._branches)
            delta = layer.cross.out(text.attend(index, layer.cross.query(conditional)))
        rows = self._normed(x, delta, layer.norm_feed)
        delta = layer.down(layer.up.gelu(rows))
        if is_last:
            return weights.heads(self._normed(x, delta, weights.norm))
        following = weights.layers[index + 1]
        return following.query_keys_values(self._normed(x, delta, following.norm_self))

    def _normed(
        self, x: torch.Tensor, delta: torch.Tensor | None, norm: Norm, every: int = 1
    ) -> torch.Tensor:
        """Add ``delta`` to ``x`` [rows, dim] in place and return the norm, in the weights' dtype.

        ``delta`` is [rows, dim], or [rows / n, dim] for every n-th row, the conditional ones; with ``every`` n the norm
        is only of those rows.
        """
        if delta is not None:
            x.view(len(delta), -1, x.shape[1])[:, 0] += delta
        return norm(x.view(-1, every, x.shape[1])[:, 0]).to(self._weights.dtype)

    def prefill(self, slot: int, inputs: torch.Tensor) -> None:
        """Fill the cache of ``slot`` up to its first step.

        ``inputs`` float32 [branches, n, dim]: prepended conditions and the known tokens' embeddings, without positions.
        """
        weights = self._weights
        count = inputs.shape[1]
        x = (inputs + self._places[:count]).reshape(-1, weights.dim)
        for index, layer in enumerate(weights.layers):
            projected = layer.query_keys_values(layer.norm_self(x).to(weights.dtype))
            shape = (self._branches, count, 3, weights.heads_count, weights.head_dim)
            query, keys, values = projected.view(shape).unbind(2)
            self._cache.fill(index, slot, keys, values)
            q, k, v = (heads.transpose(1, 2) for heads in (query, keys, values))
            attended = scaled_dot_product_attention(q, k, v, is_causal=True)
            x += layer.out(attended.transpose(1, 2).reshape(-1, weights.dim))
            if layer.cross is not None and self._text is not None:
                conditional = x[:count]
                query = layer.cross.query(layer.cross.norm(conditional).to(weights.dtype))
                conditional += layer.cross.out(self._text.attend_one(index, slot, query))
            x += layer.down(layer.up.gelu(layer.norm_feed(x).to(weights.dtype)))
