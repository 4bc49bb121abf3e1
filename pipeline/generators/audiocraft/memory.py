"""How many rows fit into memory: an estimate for the language model, and halving the rows when it was wrong.

The number of rows is part of what decides a take's bits, so it depends on the device and a short list, never on the
work at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import torch

from pipeline.generators.audiocraft.estimates import USUAL_ROWS
from pipeline.generators.torch_device import free_memory, is_out_of_memory, out_of_memory_error

T = TypeVar("T")
R = TypeVar("R")

_USABLE = 0.8
"""Share of a device's memory for weights and caches; the rest is for the codec."""


def lm_bytes_per_row(dim: int, layers: int, frames: int, bytes_per_value: int, branches: int = 2) -> int:
    """Bytes of keys and values of one take: a row for each branch of guidance, and a copy while the cache grows."""
    return branches * 2 * (2 * layers * dim * frames * bytes_per_value)


def rows_that_fit(device: str, bytes_per_row: int, weights: int, usual: int | None = None) -> int:
    """Takes to decode at once on ``device``: ``usual``, halved until the estimate fits into memory."""
    rows = usual or USUAL_ROWS[device.partition(":")[0]]
    total = total_bytes(device)
    while rows > 1 and total is not None and weights + rows * bytes_per_row > total * _USABLE:
        rows //= 2
    return rows


def total_bytes(device: str) -> int | None:
    """All memory of a CUDA device; None elsewhere."""
    return int(torch.cuda.mem_get_info(torch.device(device))[1]) if device.startswith("cuda") else None


def halving_rows(
    work: Callable[[Sequence[T], int], list[R]], items: Sequence[T], rows: int
) -> tuple[list[R], int]:
    """Run ``work`` on ``items``, at most ``rows`` at once, and half as many each time memory runs out.

    Returns the results and the number of rows that fit. Raises `GenerationError` if one item alone does not fit.
    """
    done: list[R] = []
    while len(done) < len(items):
        part = items[len(done) : len(done) + rows]
        results = _attempt(partial(work, part, rows))
        # After the except block, in which the traceback would still hold every tensor of the attempt.
        if results is not None:
            done += results
            continue
        free_memory()
        if rows == 1:
            raise out_of_memory_error()
        rows //= 2
    return done, rows


def next_or_none(items: Iterator[T]) -> T | None:
    """The next of ``items``; None at the end, and when memory runs out."""
    return _attempt(lambda: next(items, None))


def _attempt(work: Callable[[], T]) -> T | None:
    try:
        return work()
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            return None
        raise


def parameter_bytes(model: Any) -> int:
    """Bytes of a module's weights."""
    return sum(value.numel() * value.element_size() for value in model.parameters())
