"""How a step is computed on each kind of device: which cache, which transformer, which sampler.

``cpu``: a cache per slot and compiled attention, for CPUs. ``sdpa``: one static cache and PyTorch's own attention over
the bucket of the longest row; it runs everywhere. ``triton``: Triton kernels that read each row's own past, for CUDA.
What a backend needs is imported when it is chosen: a CUDA machine never imports the CPU's compiled modules.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any, Literal, NamedTuple

import torch

from pipeline.generators.audiocraft.decoding.cache import Cache, StaticCache, TextCache
from pipeline.generators.audiocraft.decoding.sampling import SlotSampler
from pipeline.generators.audiocraft.decoding.transformer import Transformer
from pipeline.generators.audiocraft.decoding.weights import Weights

Backend = Literal["cpu", "sdpa", "triton"]


class Parts(NamedTuple):
    """The parts of a step that belong to one backend."""

    cache: Cache
    text: TextCache | None
    transformer: Transformer


def available(device: torch.device) -> tuple[Backend, ...]:
    """The backends that run on ``device``, the fastest last."""
    if device.type == "cpu":
        return ("sdpa", "cpu")
    return ("sdpa",) if device.type != "cuda" or refusal(device) is not None else ("sdpa", "triton")


def default(weights: Weights) -> Backend:
    """The backend that suits the device and the shape of ``weights``."""
    best = available(weights.device)[-1]
    return best if best != "triton" or _fits_tiles(weights) else "sdpa"


def _fits_tiles(weights: Weights) -> bool:
    """Whether the kernels' tiles fit: heads of a power of two, of at least 16."""
    return weights.head_dim >= 16 and weights.head_dim & (weights.head_dim - 1) == 0


@cache
def refusal(device: torch.device) -> str | None:
    """Why the Triton kernels do not run on CUDA ``device``, tried once; None where they give what PyTorch gives."""
    try:
        step = _cuda("step")
    except ImportError:
        # PyTorch's builds for CUDA bring Triton, its builds for CPUs do not.
        return "Triton is not installed"
    try:
        with torch.cuda.device(device):
            reason: str | None = step.trial(device)
            return reason
    except Exception as error:
        # Triton's own errors have no common class: no compiler, an old driver, a device too old.
        return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


def sampler_class(backend: Backend) -> type[SlotSampler]:
    """What samples with ``backend``: every one draws the same tokens."""
    sampler: type[SlotSampler] = _cuda("sampling").FusedSampler if backend == "triton" else SlotSampler
    return sampler


def parts(backend: Backend, weights: Weights, slots: int, capacity: int, text: int, branches: int) -> Parts:
    """The parts of ``backend`` for ``slots`` cues of at most ``capacity`` positions and ``text`` positions of text.

    ``branches`` are the rows of a slot: see `cache`.
    """
    if backend == "triton":
        kernels = _cuda("step")
        own = kernels.FusedCache(weights, slots, capacity, branches)
        texts = kernels.FusedText(weights, slots, text) if weights.has_cross else None
        return Parts(own, texts, kernels.FusedTransformer(weights, own, texts, capacity, branches, slots))
    past = (
        _module("cpu.attention").SlotCache(weights, slots, branches)
        if backend == "cpu"
        else StaticCache(weights, slots, capacity, branches)
    )
    texts = TextCache(weights, slots, text) if weights.has_cross else None
    return Parts(past, texts, Transformer(weights, past, texts, capacity, branches))


def _cuda(name: str) -> Any:
    return _module(f"cuda.{name}")


def _module(name: str) -> Any:
    return importlib.import_module(f"pipeline.generators.audiocraft.decoding.{name}")
