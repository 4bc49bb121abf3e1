"""How the host stays ahead of a CUDA device: it hands steps over, and reads codes back once they are there.

Lengths are known beforehand, so nothing that a step computes decides what the host does next. It may give a slot to
the next cue while the device still works on the steps before; to wait for every cue that ends would leave the device
idle until the next one is admitted. Elsewhere nothing is behind, and nothing waits.
"""

from __future__ import annotations

from collections import deque

import torch

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
        self._done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        self._done.record()

    def is_here(self) -> bool:
        """Whether `wait` would not wait."""
        return self._done is None or bool(self._done.query())  # type: ignore[no-untyped-call]

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
        mark = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        mark.record()
        self._marks.append(mark)
        if len(self._marks) > _STEPS:
            self._marks.popleft().synchronize()
