"""The host's side of a CUDA device: steps as CUDA graphs, and copies that the host does not wait for.

A step is captured once for each length bucket, then replayed with one launch. The rules are PyTorch's
(docs.pytorch.org, "CUDA semantics: CUDA Graphs"): warm up on a side stream, capture on a stream that is not the default
one, read back nothing, and let every tensor that outlives a replay stay at its address. Graphs share one pool of
memory. That is allowed in any order of replays here, because nothing in the pool outlives a replay: the results of
a step are in tensors that were allocated before the capture.

Lengths are known beforehand, so nothing that a step computes decides what the host does next: it may give a slot to the
next cue while the device still works on earlier steps. Waiting for every cue that ends would leave the device idle
until the next one is admitted. On other devices nothing is asynchronous, and nothing waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch

from pipeline.generators.torch_device import is_out_of_memory

_WARM_UP = 2


def on_device(device: torch.device) -> AbstractContextManager[object]:
    """A context in which streams, graphs and kernels use ``device``, which need not be the first."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


class StepGraphs:
    """Graphs of one function that works on fixed tensors, on the device that is current when it runs.

    ``state`` are the tensors that the function changes and reads again: they are restored after the warm-up, so that
    the first replay starts from the caller's state. If the driver refuses a capture, steps are launched kernel by
    kernel from then on: the same kernels, so the same bits.
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
        """Run ``work`` as the graph of ``key``, captured at the first call. Raises `torch.OutOfMemoryError`.

        For one ``key`` it launches the same kernels on the same tensors.
        """
        if self.refused is None and key not in self._graphs:
            self._warm_up(work)
            self._capture(key, work)
        if self.refused is None:
            self._graphs[key].replay()
        else:
            work()

    def _warm_up(self, work: Callable[[], None]) -> None:
        """Let libraries choose kernels and allocate work space, which a capture would record."""
        stream = _stream(torch.cuda.current_device())
        saved = [tensor.clone() for tensor in self._state]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):
                work()
        torch.cuda.current_stream().wait_stream(stream)
        for tensor, before in zip(self._state, saved, strict=True):
            tensor.copy_(before)

    def _capture(self, key: int, work: Callable[[], None]) -> None:
        caller = torch.cuda.current_stream()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self._pool, stream=_stream(torch.cuda.current_device())):
                work()
        except RuntimeError as error:
            # After a failed capture its stream is still the current one.
            torch.cuda.set_stream(caller)
            if is_out_of_memory(error):
                raise
            self.refused = str(error).splitlines()[0]
            return
        self._graphs[key] = graph


@cache
def _stream(device: int) -> torch.cuda.Stream:
    """The stream on which steps of ``device`` are captured: PyTorch's belongs to the first device that captured.

    One for all decoders, since cuBLAS allocates tens of megabytes for each stream.
    """
    return torch.cuda.Stream(device)


_MAX_STEPS_AHEAD = 16
"""Steps in flight at most: longer than it takes to admit a cue, short enough to stop soon."""


def to_device(numbers: torch.Tensor, device: torch.device) -> torch.Tensor:
    """``numbers`` copied to ``device`` without waiting, for the work that is launched from now on."""
    if device.type != "cuda":
        return numbers.to(device)
    return numbers.contiguous().pin_memory().to(device, non_blocking=True)


class HostCopy:
    """A copy of ``numbers`` on the host, queued behind the work of the device."""

    def __init__(self, *numbers: torch.Tensor) -> None:
        self._done: torch.cuda.Event | None = None
        if numbers[0].device.type != "cuda":
            self._copies = [tensor.to("cpu", copy=True) for tensor in numbers]
            return
        self._copies = [torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True) for tensor in numbers]
        for copy, tensor in zip(self._copies, numbers, strict=True):
            copy.copy_(tensor, non_blocking=True)
        self._done = torch.cuda.Event(blocking=True)
        self._done.record()

    def is_done(self) -> bool:
        """Whether `wait` returns at once."""
        return self._done is None or bool(self._done.query())

    def wait(self) -> list[torch.Tensor]:
        """The copies, on the CPU."""
        if self._done is not None:
            self._done.synchronize()
        return self._copies


class StepLimiter:
    """Limits how many steps the host may launch ahead of the device."""

    def __init__(self, device: torch.device) -> None:
        self._on_cuda = device.type == "cuda"
        self._events: deque[torch.cuda.Event] = deque()

    def step(self) -> None:
        """Record a launched step; wait for the one that was launched `_MAX_STEPS_AHEAD` before."""
        if not self._on_cuda:
            return
        event = torch.cuda.Event(blocking=True)
        event.record()
        self._events.append(event)
        if len(self._events) > _MAX_STEPS_AHEAD:
            self._events.popleft().synchronize()
