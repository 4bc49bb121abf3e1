"""Backends, which compute a step on a kind of device: which cache, which transformer, which sampler.

``cpu``: a cache per slot and compiled attention, for CPUs. ``sdpa``: one static cache and PyTorch's own attention over
the bucket of the longest row; it runs everywhere. ``triton``: Triton kernels that read each row's own past, for CUDA.
A backend's modules are imported when it is chosen: a CUDA machine never imports the compiled modules for CPUs.
"""

from __future__ import annotations

import importlib
from functools import cache as cached
from typing import Any, Literal

import torch

from pipeline.generators.audiocraft.decoding.cache import Cache, StaticCache, TextCache
from pipeline.generators.audiocraft.decoding.sampling import SlotSampler
from pipeline.generators.audiocraft.decoding.transformer import Transformer
from pipeline.generators.audiocraft.decoding.weights import Weights

Backend = Literal["cpu", "sdpa", "triton"]


StepParts = tuple[Cache, TextCache | None, Transformer]
"""The parts of a step in one backend."""


def available_backends(device: torch.device) -> tuple[Backend, ...]:
    """The backends that run on ``device``, fastest last."""
    if device.type == "cpu":
        return ("sdpa", "cpu")
    return ("sdpa",) if device.type != "cuda" or triton_problem(device) is not None else ("sdpa", "triton")


def default_backend(weights: Weights) -> Backend:
    """The fastest backend for the device and the shape of ``weights``."""
    fastest = available_backends(weights.device)[-1]
    # The kernels' tiles fit a head size that is a power of two.
    fits_tiles = weights.head_dim >= 16 and weights.head_dim & (weights.head_dim - 1) == 0
    return fastest if fastest != "triton" or fits_tiles else "sdpa"


@cached
def triton_problem(device: torch.device) -> str | None:
    """Why the Triton kernels do not run on CUDA ``device``, tried once; None if they give PyTorch's results."""
    try:
        step = _module("cuda.step")
    except ImportError:
        # PyTorch's CUDA builds include Triton, its CPU builds do not.
        return "Triton is not installed"
    try:
        with torch.cuda.device(device):
            reason: str | None = step.self_test(device)
            return reason
    except Exception as error:
        # No compiler, an old driver, an old device: Triton's errors have no common class.
        return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


def sampler_class(backend: Backend) -> type[SlotSampler]:
    """The sampler of ``backend``; all draw the same tokens."""
    sampler: type[SlotSampler] = _module("cuda.sampling").FusedSampler if backend == "triton" else SlotSampler
    return sampler


def step_parts(
    backend: Backend, weights: Weights, slots: int, capacity: int, text: int, branches: int
) -> StepParts:
    """The parts of ``backend`` for ``slots`` cues of at most ``capacity`` positions and ``text`` positions of text.

    ``branches`` are the rows of a slot: see `cache`.
    """
    if backend == "triton":
        kernels = _module("cuda.step")
        fused = kernels.FusedCache(weights, slots, capacity, branches)
        texts = kernels.FusedText(weights, slots, text) if weights.has_cross else None
        return fused, texts, kernels.FusedTransformer(weights, fused, texts, capacity, branches, slots)
    cache = (
        _module("cpu.attention").SlotCache(weights, slots, branches)
        if backend == "cpu"
        else StaticCache(weights, slots, capacity, branches)
    )
    texts = TextCache(weights, slots, text) if weights.has_cross else None
    return cache, texts, Transformer(weights, cache, texts, capacity, branches)


def _module(name: str) -> Any:
    return importlib.import_module(f"pipeline.generators.audiocraft.decoding.{name}")
