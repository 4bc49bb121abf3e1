"""What a row is conditioned on: AudioCraft's own conditioners, asked for one row at a time.

Alone there is no padding, and no neighbour can change a bit. A row's tensors hold its condition and, for
classifier-free guidance, the null condition; between them, for the double guidance of a style, the style alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pipeline.generators.audiocraft import style
from pipeline.generators.audiocraft.audiocraft_modules import conditioners
from pipeline.generators.audiocraft.masking import bucket_of

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
