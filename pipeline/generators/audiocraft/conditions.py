"""What a row is conditioned on, by AudioCraft's own conditioners, and cross-attention that ignores padded text.

Each row is conditioned alone: there is no padding, and no neighbour can change a bit. A row's tensors hold its
condition and, for classifier-free guidance, the null condition; between them, for double guidance, the style alone.

AudioCraft zeroes the embeddings of padding and attends to them all the same, so a longer neighbour's prompt would
change a shorter one's take. With a mask set, a row sees its own text alone; without one AudioCraft's own layer answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pipeline.generators.audiocraft import style
from pipeline.generators.audiocraft.audiocraft_modules import conditioners

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


Tensors = dict[str, tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Condition:
    """Conditioning tensors of one row: by attribute, (embedding [branches, length, dim], mask [branches, length])."""

    tensors: Tensors
    text: int
    """Positions that cross-attention may look at; 0 for a model without."""
    shape: tuple[tuple[str, int], ...]
    """Length by attribute once padded: rows of one shape can go in one batch."""

    @property
    def branches(self) -> int:
        """Conditions under which the model is asked: 2 for guidance, 3 for double guidance."""
        return len(next(iter(self.tensors.values()))[0])


def condition_of(
    generator: Any, prompt: str, heard: torch.Tensor | None, codebooks: int = 0, double: bool = False
) -> Condition:
    """The condition of one row.

    ``heard`` is a waveform [channels, samples] at the model's rate, as `MusicGen` makes one of a file: a melody, or an
    excerpt for the style, of which ``codebooks`` are used; None for none. ``double``: the style is also asked alone.
    """
    device = generator.device
    attributes = conditioners.ConditioningAttributes(text={"description": prompt})
    lm = generator.lm
    if "self_wav" in lm.condition_provider.conditioners:
        wav = torch.zeros((1, 1, 1), device=device) if heard is None else heard[None].to(device)
        length = 0 if heard is None else wav.shape[-1]
        attributes.wav["self_wav"] = conditioners.WavCondition(
            wav, torch.tensor([length], device=device), [generator.sample_rate], [None], [0.0]
        )
    null = conditioners.ClassifierFreeGuidanceDropout(p=1.0)([attributes])
    alone = [conditioners.ConditioningAttributes(text={"description": None}, wav=attributes.wav)]
    listener = style.of(generator)
    if listener is not None and codebooks:
        listener.codebooks = codebooks
    provider = lm.condition_provider
    with torch.no_grad(), generator.autocast:
        tensors: Tensors = provider(provider.tokenize([attributes, *(alone if double else []), *null]))
    cross = set(lm.fuser.fuse2cond["cross"])
    text = sum(value.shape[1] for name, (value, _) in tensors.items() if name in cross)
    shape = tuple(
        (name, bucket_of(value.shape[1]) if name in cross else value.shape[1])
        for name, (value, _) in tensors.items()
    )
    return Condition(tensors, text, shape)


def most_branches(generator: Any) -> int:
    """Most rows that a cue of an AudioCraft model may have: 3 with a style, which can be guided twice, else 2."""
    return 2 if style.of(generator) is None else 3


def stack(conditions: Sequence[Condition]) -> Tensors:
    """Conditions of one shape as AudioCraft's batch: branch by branch, first all rows' own, last all rows' null."""
    shape = dict(conditions[0].shape)
    return {
        name: (
            _branch_by_branch([one.tensors[name][0] for one in conditions], padded),
            _branch_by_branch([one.tensors[name][1] for one in conditions], padded),
        )
        for name, padded in shape.items()
    }


def text_lengths(conditions: Sequence[Condition], device: torch.device) -> tuple[torch.Tensor | None, int]:
    """Text positions that each row of `stack`'s batch may see, and to how many they are padded."""
    if conditions[0].text == 0:
        return None, 0
    lengths = torch.tensor([one.text for one in conditions] * conditions[0].branches, device=device)
    return lengths, bucket_of(conditions[0].text)


def _branch_by_branch(tensors: Sequence[torch.Tensor], padded: int) -> torch.Tensor:
    longer = [_pad(one, padded) for one in tensors]
    return torch.stack([one[branch] for branch in range(len(tensors[0])) for one in longer])


def _pad(tensor: torch.Tensor, length: int) -> torch.Tensor:
    if tensor.shape[1] == length:
        return tensor
    out = tensor.new_zeros((tensor.shape[0], length, *tensor.shape[2:]))
    out[:, : tensor.shape[1]] = tensor
    return out
