"""What a row is conditioned on, by AudioCraft's own conditioners, and cross-attention that ignores padded text.

Each row is conditioned alone: there is no padding, and no neighbour can change a bit. A row's tensors hold its
condition and, for classifier-free guidance, the null condition; between them, for double guidance, the style alone.

AudioCraft zeroes the embeddings of padding and attends to them all the same, so a longer neighbour's prompt would
change a shorter one's take. In a `text_mask` a row sees its own text alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pipeline.generators.audiocraft import style
from pipeline.generators.audiocraft.audiocraft_modules import conditioners, replaced

BUCKET = 32
"""Text is padded to a multiple of this, so that only a row's own prompt decides its shape."""


class _MaskedCrossAttention(nn.Module):
    """Replaces a `StreamingMultiheadAttention` of AudioCraft that does cross-attention."""

    def __init__(self, original: Any, allowed: torch.Tensor) -> None:
        """``allowed`` [rows, 1, 1, text] is True where a row may attend."""
        super().__init__()
        self.original = original
        self.allowed = allowed

    def forward(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, need_weights: bool = False
    ) -> tuple[torch.Tensor, None]:
        """Attend from ``query`` [rows, time, dim] to ``key`` [rows, text, dim]."""
        layer = self.original
        weight, bias, out = projections(layer)
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
        attended = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=self.allowed)
        return out(attended.to(query.dtype).transpose(1, 2).flatten(2)), None


def projections(attention: Any) -> tuple[torch.Tensor, torch.Tensor | None, Any]:
    """Weight and bias of the input products of an AudioCraft attention, and the layer of its output."""
    module = attention if attention.custom else attention.mha
    return module.in_proj_weight, module.in_proj_bias, module.out_proj


@contextmanager
def text_mask(generator: Any, conditions: Sequence[Condition]) -> Iterator[None]:
    """A context in which each row of the batch of `stack_conditions` attends to its own text alone."""
    places = torch.arange(padded_length(conditions[0].text), device=generator.device)
    lengths = [one.text for one in conditions] * conditions[0].branches
    allowed = places < torch.tensor(lengths, device=generator.device)[:, None, None, None]
    with ExitStack() as replacements:
        for layer in generator.lm.transformer.layers:
            if layer.cross_attention is not None:
                masked = _MaskedCrossAttention(layer.cross_attention, allowed)
                replacements.enter_context(replaced(layer, "cross_attention", masked))
        yield


def padded_length(length: int) -> int:
    """The padded length of a text of ``length`` positions.

    >>> padded_length(1), padded_length(32), padded_length(33)
    (32, 32, 64)
    """
    return -(-length // BUCKET) * BUCKET


Tensors = dict[str, tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Condition:
    """Conditioning tensors of one row: by attribute, (embedding [branches, length, dim], mask [branches, length])."""

    tensors: Tensors
    text: int
    """Positions of the text for cross-attention; 0 for a model without."""
    shape: tuple[tuple[str, int], ...]
    """Padded length by attribute: rows of one shape can share a batch."""

    @property
    def branches(self) -> int:
        """Conditions of each step: 2 for guidance, 3 for double guidance."""
        return len(next(iter(self.tensors.values()))[0])


def encode_condition(
    generator: Any, prompt: str, audio: torch.Tensor | None, codebooks: int = 0, double: bool = False
) -> Condition:
    """The condition of one row.

    ``audio`` is a waveform [channels, samples] at the model's rate, or None: a melody, or the excerpt of a style, of
    which ``codebooks`` are used. ``double`` adds the branch of the style alone.
    """
    device = generator.device
    attributes = conditioners.ConditioningAttributes(text={"description": prompt})
    lm = generator.lm
    if "self_wav" in lm.condition_provider.conditioners:
        wav = torch.zeros((1, 1, 1), device=device) if audio is None else audio[None].to(device)
        length = 0 if audio is None else wav.shape[-1]
        attributes.wav["self_wav"] = conditioners.WavCondition(
            wav, torch.tensor([length], device=device), [generator.sample_rate], [None], [0.0]
        )
    null = conditioners.ClassifierFreeGuidanceDropout(p=1.0)([attributes])
    style_only = [conditioners.ConditioningAttributes(text={"description": None}, wav=attributes.wav)]
    conditioner = style.style_conditioner(generator)
    if conditioner is not None and codebooks:
        conditioner.codebooks = codebooks
    provider = lm.condition_provider
    with torch.no_grad(), generator.autocast:
        tensors: Tensors = provider(provider.tokenize([attributes, *(style_only if double else []), *null]))
    cross = set(lm.fuser.fuse2cond["cross"])
    text = sum(value.shape[1] for name, (value, _) in tensors.items() if name in cross)
    shape = tuple(
        (name, padded_length(value.shape[1]) if name in cross else value.shape[1])
        for name, (value, _) in tensors.items()
    )
    return Condition(tensors, text, shape)


def max_branches(generator: Any) -> int:
    """Most rows of a cue of an AudioCraft model: 3 with a style, for double guidance, else 2."""
    return 2 if style.style_conditioner(generator) is None else 3


def stack_conditions(conditions: Sequence[Condition]) -> Tensors:
    """Conditions of one shape as a batch of AudioCraft: branch by branch, full conditions first, null ones last."""
    shape = dict(conditions[0].shape)
    return {
        name: (_branch_by_branch(embeddings, padded), _branch_by_branch(masks, padded))
        for name, padded in shape.items()
        for embeddings, masks in [zip(*(condition.tensors[name] for condition in conditions), strict=True)]
    }


def _branch_by_branch(tensors: Sequence[torch.Tensor], padded: int) -> torch.Tensor:
    rows = [nn.functional.pad(one, (*[0, 0] * (one.dim() - 2), 0, padded - one.shape[1])) for one in tensors]
    return torch.stack([row[branch] for branch in range(len(tensors[0])) for row in rows])
