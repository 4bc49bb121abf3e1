"""Cross-attention that does not see padded text, in place of AudioCraft's in an otherwise unchanged model.

AudioCraft zeroes the embeddings of padding and attends to them all the same, so a longer neighbour's prompt
changes a shorter one's take. With a mask set, a row sees its own text alone; without one AudioCraft's own layer
answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

BUCKET = 32
"""Text is padded to a multiple of this, so that a row's own prompt alone decides its shape."""


class MaskedCrossAttention(nn.Module):
    """Wraps AudioCraft's `StreamingMultiheadAttention` of a cross-attention."""

    def __init__(self, original: Any) -> None:
        super().__init__()
        self.original = original
        self.allowed: torch.Tensor | None = None
        """[rows, 1, 1, text] True where a row may look; None: AudioCraft's own attention."""

    def forward(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, need_weights: bool = False
    ) -> tuple[torch.Tensor, None]:
        """Attend from ``query`` [rows, time, dim] to ``key`` [rows, text, dim]."""
        if self.allowed is None:
            answer: tuple[torch.Tensor, None] = self.original(query, key, value, need_weights=need_weights)
            return answer
        layer = self.original
        weight, bias, out = _projections(layer)
        weights = weight.chunk(3)
        biases = (None, None, None) if bias is None else bias.chunk(3)
        q, k, v = (
            nn.functional.linear(source, w, b)
            for source, w, b in zip((query, key, value), weights, biases, strict=True)
        )
        if layer.qk_layer_norm:
            q, k = layer.q_layer_norm(q), layer.k_layer_norm(k)
        q, k, v = (x.view(*x.shape[:2], layer.num_heads, -1).transpose(1, 2) for x in (q, k, v))
        if layer.attention_as_float32:
            q, k, v = q.float(), k.float(), v.float()
        seen = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=self.allowed)
        return out(seen.to(query.dtype).transpose(1, 2).flatten(2)), None


def _projections(layer: Any) -> tuple[torch.Tensor, torch.Tensor | None, Any]:
    if layer.custom:
        return layer.in_proj_weight, layer.in_proj_bias, layer.out_proj
    return layer.mha.in_proj_weight, layer.mha.in_proj_bias, layer.mha.out_proj


def mask_text(lm: Any) -> None:
    """Give every cross-attention of ``lm`` a mask, unset."""
    for layer in lm.transformer.layers:
        if layer.cross_attention is not None:
            layer.cross_attention = MaskedCrossAttention(layer.cross_attention)


@contextmanager
def seeing(lm: Any, lengths: torch.Tensor | None, padded: int) -> Iterator[None]:
    """While it lasts, row i of ``lm``'s batch sees the first ``lengths[i]`` of ``padded`` text positions."""
    layers = [m for m in lm.modules() if isinstance(m, MaskedCrossAttention)]
    allowed = None
    if lengths is not None:
        allowed = (torch.arange(padded, device=lengths.device) < lengths[:, None])[:, None, None, :]
    for layer in layers:
        layer.allowed = allowed
    try:
        yield
    finally:
        for layer in layers:
            layer.allowed = None


def bucket_of(length: int) -> int:
    """The padded length of a text of ``length`` positions.

    >>> bucket_of(1), bucket_of(32), bucket_of(33)
    (32, 32, 64)
    """
    return -(-length // BUCKET) * BUCKET
