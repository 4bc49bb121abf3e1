"""The host's side of a CUDA device: steps as CUDA graphs, and copies that the host does not wait for.

A step is captured once for each length bucket, then replayed with one launch. The rules are PyTorch's
(docs.pytorch.org, "CUDA semantics: CUDA Graphs"): warm up on a side stream, capture on a stream that is not the default
one, read back nothing, and let every tensor that outlives a replay stay at its address. Graphs share one pool of
memory. That is allowed in any order of replays here, because nothing in the pool outlives a replay: what a step leaves
lies in tensors that were there before the capture.

Lengths are known beforehand, so nothing that a step computes decides what the host does next: it may give a slot to the
next cue while the device still works on earlier steps. Waiting for every cue that ends would leave the device idle
until the next one is admitted. On other devices nothing is asynchronous, and nothing waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Protocol

import torch

from pipeline.generators.audiocraft.memory import is_out_of_memory

_WARM_UP = 2


class Replays(Protocol):
    """Does a function that works on fixed tensors, in whatever way is fastest."""

    def run(self, key: int, work: Callable[[], None]) -> None:
        """Do ``work``, which does the same kernels on the same tensors for the same ``key``."""


def on_device(device: torch.device) -> AbstractContextManager[object]:
    """While it lasts, ``device`` is the one that streams, graphs and kernels mean: not always the first."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


class Graphs:
    """Graphs of one function that works on fixed tensors, on the device that is current when it runs.

    ``state`` are the tensors that the function changes and reads again: they are put back after the warm-up, so
    that the first replay begins where the caller was. Where the driver refuses a capture, steps are launched one
    kernel at a time from then on: the same kernels, so the same bits.
    """

    def __init__(self, state: Sequence[torch.Tensor]) -> None:
        self._state = state
        self._graphs: dict[int, torch.cuda.CUDAGraph] = {}
        self._pool = torch.cuda.graph_pool_handle()
        self.refused: str | None = None
        """Why there are no graphs; None where there are."""

    def __len__(self) -> int:
        """Graphs captured so far."""
        return len(self._graphs)

    def run(self, key: int, work: Callable[[], None]) -> None:
        """Do ``work`` as the graph of ``key``; the first time it is captured. Raises `torch.OutOfMemoryError`."""
        if self.refused is None and key not in self._graphs:
            self._warm_up(work)
            self._capture(key, work)
        if self.refused is None:
            self._graphs[key].replay()
        else:
            work()

    def _warm_up(self, work: Callable[[], None]) -> None:
        """Libraries choose their kernels and take their work space before a capture, which would record that."""
        stream = _stream(torch.cuda.current_device())
        kept = [one.clone() for one in self._state]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):
                work()
        torch.cuda.current_stream().wait_stream(stream)
        for one, before in zip(self._state, kept, strict=True):
            one.copy_(before)

    def _capture(self, key: int, work: Callable[[], None]) -> None:
        caller = torch.cuda.current_stream()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self._pool, stream=_stream(torch.cuda.current_device())):
                work()
        except RuntimeError as error:
            # A capture that fails ends with an error of its own, and leaves its stream current.
            torch.cuda.set_stream(caller)
            if is_out_of_memory(error):
                raise
            self.refused = str(error).splitlines()[0]
            return
        self._graphs[key] = graph


@cache
def _stream(device: int) -> torch.cuda.Stream:
    """Where steps of ``device`` are captured: PyTorch's own belongs to whichever device captured first.

    One for all decoders: for each stream cuBLAS keeps tens of megabytes.
    """
    return torch.cuda.Stream(device)


_STEPS = 16
"""Steps that the host may be ahead: longer than it takes to admit a cue, short enough to stop soon."""


def to_device(numbers: torch.Tensor, device: torch.device) -> torch.Tensor:
    """``numbers`` of the host on ``device``, for what is handed over from now on; waits for nothing."""
    if device.type != "cuda":
        return numbers.to(device)
    return numbers.contiguous().pin_memory().to(device, non_blocking=True)


class ReadBack:
    """A copy of ``numbers`` for the host, made when the device comes to it."""

    def __init__(self, *numbers: torch.Tensor) -> None:
        self._done: torch.cuda.Event | None = None
        if numbers[0].device.type != "cuda":
            self._here = [one.to("cpu", copy=True) for one in numbers]
            return
        self._here = [torch.empty(one.shape, dtype=one.dtype, pin_memory=True) for one in numbers]
        for here, one in zip(self._here, numbers, strict=True):
            here.copy_(one, non_blocking=True)
        self._done = torch.cuda.Event(blocking=True)
        self._done.record()

    def is_here(self) -> bool:
        """Whether `wait` would not wait."""
        return self._done is None or bool(self._done.query())

    def wait(self) -> list[torch.Tensor]:
        """The copies, on the CPU."""
        if self._done is not None:
            self._done.synchronize()
        return self._here


class Pace:
    """Keeps the host at most some steps ahead."""

    def __init__(self, device: torch.device) -> None:
        self._on_cuda = device.type == "cuda"
        self._marks: deque[torch.cuda.Event] = deque()

    def step(self) -> None:
        """A step was handed over; waits until those long before it are done."""
        if not self._on_cuda:
            return
        mark = torch.cuda.Event(blocking=True)
        mark.record()
        self._marks.append(mark)
        if len(self._marks) > _STEPS:
            self._marks.popleft().synchronize()
