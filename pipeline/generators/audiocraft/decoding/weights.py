"""The weights of an AudioCraft language model, laid out for steps of many rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pipeline.generators.audiocraft.audiocraft_modules import transformer
from pipeline.generators.audiocraft.conditions import projections

_PROBE_ROWS = 16


class Linear:
    """``x @ weight.T + bias``, with the weight in the layout that is fastest on the device.

    On CPUs the bits of a row do not depend on the other rows.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None, dtype: torch.dtype) -> None:
        plain = weight.detach().to(dtype).contiguous()
        self.bias = None if bias is None else bias.detach().to(dtype).contiguous()
        self._packed = _packed(plain) if weight.device.type == "cpu" else None
        self.weight: torch.Tensor | None = plain if self._packed is None else None
        """[out, in]; None if it is only in oneDNN's layout."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` [rows, in] to [rows, out], in the weight's dtype."""
        if self._packed is None:
            assert self.weight is not None
            return nn.functional.linear(x, self.weight, self.bias)
        return self._onednn_product(x, "none")

    def gelu(self, x: torch.Tensor) -> torch.Tensor:
        """GELU of the product, which oneDNN applies before it writes the result."""
        return nn.functional.gelu(self(x)) if self._packed is None else self._onednn_product(x, "gelu")

    def _onednn_product(self, x: torch.Tensor, activation: str) -> torch.Tensor:
        product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self._packed, self.bias, activation, [], "none"
        )
        return product


def _packed(weight: torch.Tensor) -> torch.Tensor | None:
    """``weight`` in oneDNN's blocked layout; None if torch or the processor does not support it.

    On x86 a product with some tens of rows is then two to four times as fast as in the plain layout.
    """
    try:
        packed: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, _PROBE_ROWS)
        probe = weight.new_zeros(_PROBE_ROWS, weight.shape[1])
        torch.ops.mkldnn._linear_pointwise(probe, packed, None, "gelu", [], "none")
    except (RuntimeError, AttributeError):
        return None
    return packed


@dataclass(frozen=True)
class Norm:
    """A layer norm, always in float32."""

    weight: torch.Tensor
    bias: torch.Tensor
    eps: float

    @classmethod
    def of(cls, module: Any) -> Norm:
        """From a `torch.nn.LayerNorm`."""
        return cls(module.weight.detach().float(), module.bias.detach().float(), module.eps)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` float32 [..., dim] with mean 0 and variance 1 over dim, scaled."""
        return nn.functional.layer_norm(x, (x.shape[-1],), self.weight, self.bias, self.eps)


@dataclass(frozen=True)
class Cross:
    """Cross-attention to the text of one layer."""

    norm: Norm
    query: Linear
    keys_values: Linear
    out: Linear


@dataclass(frozen=True)
class Layer:
    """One transformer layer, norms first."""

    norm_self: Norm
    query_keys_values: Linear
    out: Linear
    cross: Cross | None
    norm_feed: Norm
    up: Linear
    down: Linear


@dataclass(frozen=True)
class Weights:
    """All weights of a step."""

    layers: tuple[Layer, ...]
    embedding: torch.Tensor
    """float32 [codebooks * (card + 1), dim]: the tables of all codebooks, concatenated."""
    norm: Norm
    heads: Linear
    """The output layers of all codebooks as one product."""
    dim: int
    heads_count: int
    codebooks: int
    card: int
    dtype: torch.dtype
    max_period: float
    positional_scale: float

    @property
    def head_dim(self) -> int:
        """Width of an attention head."""
        return self.dim // self.heads_count

    @property
    def cache_dtype(self) -> torch.dtype:
        """Format of keys and values: the weights', or float32 if `cpu.attention` does not read it."""
        if self.device.type == "cpu" and self.dtype != torch.bfloat16:
            return torch.float32
        return self.dtype

    @property
    def has_cross(self) -> bool:
        """Whether the text is conditioned on by cross-attention."""
        return self.layers[0].cross is not None

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.embedding.device

    def positions(self, count: int) -> torch.Tensor:
        """AudioCraft's sine embedding of positions 0 to ``count`` - 1: float32 [count, dim]."""
        places = torch.arange(count, device=self.device).view(1, -1, 1)
        table = transformer.create_sin_embedding(places, self.dim, max_period=self.max_period)
        scaled: torch.Tensor = self.positional_scale * table[0]
        return scaled


def unsupported_feature(lm: Any) -> str | None:
    """A feature of ``lm`` that a step does not support, or None, as for all published models but MAGNeT's."""
    layers = list(lm.transformer.layers)
    attentions = [layer.self_attn for layer in layers]
    crosses = [layer.cross_attention for layer in layers if layer.cross_attention is not None]
    unsupported = {
        "norms after their blocks": any(not layer.norm_first for layer in layers),
        "rotary positions": lm.transformer.rope is not None,
        "a limited context": any(attention.past_context is not None for attention in attentions),
        "attention that is not causal": any(not attention.causal for attention in attentions),
        "repeated keys": any(attention.kv_repeat != 1 for attention in attentions),
        "normalised queries": any(attention.qk_layer_norm for attention in [*attentions, *crosses]),
        "layer scale": any(not isinstance(layer.layer_scale_1, nn.Identity) for layer in layers),
        "an activation other than GELU": any(layer.activation is not nn.functional.gelu for layer in layers),
        "conditions added to the input": bool(lm.fuser.fuse2cond.get("sum"))
        or bool(lm.fuser.fuse2cond.get("input_interpolate")),
        "positions on the text": bool(lm.fuser.cross_attention_pos_emb),
        # Without biases, attention to a text of zeros is exactly zero, so that a step can leave it out.
        "biases in cross-attention": any(
            bias is not None or out.bias is not None for _, bias, out in map(projections, crosses)
        ),
    }
    return next((feature for feature, is_used in unsupported.items() if is_used), None)


def read_weights(lm: Any, dtype: torch.dtype) -> Weights:
    """The weights of an AudioCraft `LMModel` for which `unsupported_feature` is None, in ``dtype``."""
    tables = [table.weight.detach().float() for table in lm.emb]
    outputs = [linear.weight.detach() for linear in lm.linears]
    biases = [linear.bias for linear in lm.linears]
    return Weights(
        layers=tuple(_layer(layer, dtype) for layer in lm.transformer.layers),
        embedding=torch.cat(tables),
        norm=Norm.of(lm.out_norm),
        heads=Linear(torch.cat(outputs), None if biases[0] is None else torch.cat(biases), dtype),
        dim=lm.dim,
        heads_count=lm.transformer.layers[0].self_attn.num_heads,
        codebooks=lm.num_codebooks,
        card=lm.card,
        dtype=dtype,
        max_period=lm.transformer.max_period,
        positional_scale=lm.transformer.positional_scale,
    )


def _layer(layer: Any, dtype: torch.dtype) -> Layer:
    weight, bias, output = projections(layer.self_attn)
    return Layer(
        norm_self=Norm.of(layer.norm1),
        query_keys_values=Linear(weight, bias, dtype),
        out=Linear(output.weight, output.bias, dtype),
        cross=None if layer.cross_attention is None else _cross(layer, dtype),
        norm_feed=Norm.of(layer.norm2),
        up=Linear(layer.linear1.weight, layer.linear1.bias, dtype),
        down=Linear(layer.linear2.weight, layer.linear2.bias, dtype),
    )


def _cross(layer: Any, dtype: torch.dtype) -> Cross:
    weight, _, output = projections(layer.cross_attention)
    dim = weight.shape[0] // 3
    return Cross(
        norm=Norm.of(layer.norm_cross),
        query=Linear(weight[:dim], None, dtype),
        keys_values=Linear(weight[dim:], None, dtype),
        out=Linear(output.weight, None, dtype),
    )
