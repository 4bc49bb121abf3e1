"""CUDA graphs of a step: captured once for each length bucket, then replayed with one launch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

_WARM_UP = 2


class Graphs:
    """Graphs of one function that works on fixed tensors.

    ``state`` are the tensors that the function changes and reads again: they are put back after the warm-up, so
    that the first replay begins where the caller was.
    """

    def __init__(self, state: Sequence[torch.Tensor]) -> None:
        self._state = state
        self._graphs: dict[int, torch.cuda.CUDAGraph] = {}
        self._pool = torch.cuda.graph_pool_handle()

    def run(self, key: int, work: Callable[[], None]) -> None:
        """Do ``work`` as the graph of ``key``; the first time it is captured."""
        if key not in self._graphs:
            self._graphs[key] = self._captured(work)
        self._graphs[key].replay()

    def _captured(self, work: Callable[[], None]) -> torch.cuda.CUDAGraph:
        kept = [one.clone() for one in self._state]
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UP):
                work()
        torch.cuda.current_stream().wait_stream(aside)
        for one, before in zip(self._state, kept, strict=True):
            one.copy_(before)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            work()
        return graph
