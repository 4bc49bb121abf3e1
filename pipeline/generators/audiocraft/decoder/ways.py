"""What a step is made of: the caches and the transformer that suit a device.

``slabs``: a cache a slot and compiled loops that read it, for CPUs. ``sdpa``: one static cache and PyTorch's own
attention, over the bucket of the longest row; runs everywhere. ``kernels``: our Triton kernels, which read each row's
own past alone, for CUDA.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, NamedTuple

import torch

from pipeline.generators.audiocraft.decoder.cache import Cache, StaticCache, Text, TextCache
from pipeline.generators.audiocraft.decoder.halves import HalvesTransformer, first_half
from pipeline.generators.audiocraft.decoder.norms import CompiledTransformer
from pipeline.generators.audiocraft.decoder.races import CompiledSampler
from pipeline.generators.audiocraft.decoder.sampler import SlotSampler
from pipeline.generators.audiocraft.decoder.slabs import SlabCache, SlabText
from pipeline.generators.audiocraft.decoder.transformer import Transformer
from pipeline.generators.audiocraft.decoder.weights import Weights

try:
    from pipeline.generators.audiocraft.decoder.fused import draws
    from pipeline.generators.audiocraft.decoder.fused import parts as fused
except ImportError:
    # PyTorch's builds for CUDA bring Triton, its builds for CPUs do not.
    draws = fused = None  # type: ignore[assignment]
_HAS_TRITON = fused is not None

Way = Literal["slabs", "sdpa", "kernels"]


class Parts(NamedTuple):
    """The parts of a step, of one another's making."""

    cache: Cache
    text: Text | None
    transformer: Transformer


def available(device: torch.device) -> tuple[Way, ...]:
    """The ways that can run on ``device``, the fastest last."""
    if device.type == "cpu":
        return ("sdpa", "slabs")
    return ("sdpa",) if device.type != "cuda" or refusal(device) is not None else ("sdpa", "kernels")


def usual(weights: Weights) -> Way:
    """The way that suits the device and the shape of ``weights``."""
    found = available(weights.device)[-1]
    return found if found != "kernels" or _is_even(weights) else "sdpa"


def _is_even(weights: Weights) -> bool:
    """Whether the kernels' tiles fit: heads of a power of two, of at least 16."""
    return weights.head_dim >= 16 and weights.head_dim & (weights.head_dim - 1) == 0


@cache
def refusal(device: torch.device) -> str | None:
    """Why the kernels do not run on CUDA ``device``, tried once; None where they do and compute what PyTorch does."""
    if not _HAS_TRITON:
        return "Triton is not installed"
    try:
        with torch.cuda.device(device):
            return fused.trial(device)
    except Exception as error:
        # Triton's own errors have no common class: no compiler, an old driver, a device too old.
        return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


def sampler_of(way: Way) -> type[SlotSampler]:
    """What draws in ``way``: the same draws in each."""
    if way == "kernels":
        return draws.FusedSampler
    return CompiledSampler if way == "slabs" else SlotSampler


def parts(way: Way, weights: Weights, slots: int, capacity: int, text: int, branches: int) -> Parts:
    """The parts of ``way`` for ``slots`` cues of at most ``capacity`` positions and ``text`` positions of text.

    ``branches`` are the rows of a slot: see `cache`.
    """
    if way == "kernels":
        own = fused.FusedCache(weights, slots, capacity, branches)
        read = fused.FusedText(weights, slots, text) if weights.has_cross else None
        return Parts(own, read, fused.FusedTransformer(weights, own, read, capacity, branches, slots))
    if way == "slabs":
        return _slabs(weights, slots, capacity, branches)
    past = StaticCache(weights, slots, capacity, branches)
    texts = TextCache(weights, slots, text) if weights.has_cross else None
    return Parts(past, texts, Transformer(weights, past, texts, capacity, branches))


def _slabs(weights: Weights, slots: int, capacity: int, branches: int) -> Parts:
    past = SlabCache(weights, slots, branches)
    texts = SlabText(weights, slots) if weights.has_cross else None
    shape = (weights, past, texts, capacity, branches)
    first = first_half(weights, slots, branches)
    step = CompiledTransformer(*shape) if first is None else HalvesTransformer(*shape, first, slots)
    return Parts(past, texts, step)
