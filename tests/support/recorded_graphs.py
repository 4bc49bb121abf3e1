"""Stands for CUDA graphs on a CPU: a step is recorded as the operations and tensors that it was, and replayed as such.

As a CUDA graph does, a replay repeats kernels at fixed addresses with fixed numbers: what Python read, computed or
rebound in between happens no more. As in a shared pool, what a replay leaves outside the tensors that were there
before is not to be relied on: it is filled with rubbish.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

READS_BACK = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "item")


def storage(tensor: torch.Tensor) -> int:
    """Where a tensor lies; weights in oneDNN's order do not tell, and never change."""
    return tensor.untyped_storage().data_ptr() if tensor.layout == torch.strided else id(tensor)


class Recording(TorchDispatchMode):
    """Records every operation, and refuses those whose answer the host would wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []
        self.made: dict[int, torch.Tensor] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.name().partition("::")[2].partition(".")[0]
        assert name not in READS_BACK, f"{func.name()} makes the host wait for the device"
        kwargs = kwargs or {}
        had = {storage(one) for one in tree_flatten((args, kwargs))[0] if isinstance(one, torch.Tensor)}
        out = func(*args, **kwargs)
        self.calls.append((func, args, kwargs, out))
        for one in tree_flatten(out)[0]:
            if isinstance(one, torch.Tensor) and storage(one) not in had:
                self.made[storage(one)] = one
        return out


class RecordedGraph:
    def __init__(self, work: Callable[[], None]) -> None:
        with Recording() as recording:
            work()
        self.calls = recording.calls
        self._made = recording.made

    def replay(self) -> None:
        for func, args, kwargs, out in self.calls:
            again = func(*args, **kwargs)
            tree_map(_put, out, again)
        for one in self._made.values():
            _rubbish(one)


class RecordedGraphs:
    """As `StepGraphs`: one recording a key. ``recordings`` counts them."""

    def __init__(self, state: Sequence[torch.Tensor]) -> None:
        self._state = state
        self._graphs: dict[int, RecordedGraph] = {}
        self.recordings = 0
        self.replays = 0

    def run(self, key: int, work: Callable[[], None]) -> None:
        if key not in self._graphs:
            kept = [one.clone() for one in self._state]
            work()
            for one, before in zip(self._state, kept, strict=True):
                one.copy_(before)
            # A recording runs; a capture does not.
            self._graphs[key] = RecordedGraph(work)
            for one, before in zip(self._state, kept, strict=True):
                one.copy_(before)
            self.recordings += 1
        self._graphs[key].replay()
        self.replays += 1


def _put(place: Any, value: Any) -> None:
    if isinstance(place, torch.Tensor) and storage(place) != storage(value):
        place.copy_(value)


def _rubbish(tensor: torch.Tensor) -> None:
    if tensor.is_floating_point():
        tensor.fill_(float("nan"))
    elif tensor.dtype != torch.bool:
        tensor.fill_(-(10**6))
