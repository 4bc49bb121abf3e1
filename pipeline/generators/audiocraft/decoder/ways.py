"""What a step is made of: the caches and the transformer that suit a device.

``slabs``: a cache a slot, for CPUs. ``sdpa``: one static cache and PyTorch's own attention, over the bucket of the
longest row; runs everywhere. ``kernels``: our Triton kernels, which read each row's own past alone, for CUDA.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch

from pipeline.generators.audiocraft.decoder.cache import Cache, SlabCache, StaticCache, TextCache
from pipeline.generators.audiocraft.decoder.transformer import Transformer
from pipeline.generators.audiocraft.decoder.weights import Weights

Way = Literal["slabs", "sdpa", "kernels"]


class Parts(NamedTuple):
    """The parts of a step, of one another's making."""

    cache: Cache
    text: TextCache | None
    transformer: Transformer


def available(device: torch.device) -> tuple[Way, ...]:
    """The ways that can run on ``device``, the fastest last."""
    return ("sdpa",) if device.type != "cpu" else ("sdpa", "slabs")


def usual(weights: Weights) -> Way:
    """The way that suits the device of ``weights``."""
    return available(weights.device)[-1]


def parts(way: Way, weights: Weights, slots: int, capacity: int, text: int) -> Parts:
    """The parts of ``way`` for ``slots`` cues of at most ``capacity`` positions and ``text`` positions of text."""
    cache: Cache = SlabCache(weights, slots) if way == "slabs" else StaticCache(weights, slots, capacity)
    texts = TextCache(weights, slots, text) if weights.has_cross else None
    return Parts(cache, texts, Transformer(weights, cache, texts, capacity))
