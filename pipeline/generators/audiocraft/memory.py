"""How many rows fit: a memory model of the language model, and stepping down when it was wrong.

The number of rows is part of what decides a take's bits, so it comes from a short list and from the device, never
from the work at hand.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import torch

from pipeline.errors import GenerationError

T = TypeVar("T")
R = TypeVar("R")

USUAL_ROWS = {"cuda": 32, "mps": 4, "cpu": 8}
"""Takes decoded at once. On a CPU 8 rows take about as long as one: the weights are read once for all."""

_NO_MEMORY = ("not enough memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")

_USABLE = 0.8
"""Share of a device's memory that weights and caches may fill; the codec works in the rest."""


def lm_bytes_a_row(dim: int, layers: int, frames: int, bytes_a_value: int, branches: int = 2) -> int:
    """Bytes of keys and values of one take: a row for each branch of guidance, and a copy while the cache grows."""
    return branches * 2 * (2 * layers * dim * frames * bytes_a_value)


def rows_that_fit(device: str, bytes_a_row: int, weights: int, usual: int | None = None) -> int:
    """Takes to decode at once on ``device``: ``usual``, halved until the memory model says that it fits."""
    rows = usual or USUAL_ROWS[device.partition(":")[0]]
    total = total_bytes(device)
    while rows > 1 and total is not None and weights + rows * bytes_a_row > total * _USABLE:
        rows //= 2
    return rows


def total_bytes(device: str) -> int | None:
    """All memory of a CUDA device; None elsewhere."""
    return int(torch.cuda.mem_get_info(torch.device(device))[1]) if device.startswith("cuda") else None


def halving_rows(
    work: Callable[[Sequence[T], int], list[R]], items: Sequence[T], rows: int
) -> tuple[list[R], int]:
    """``work`` on ``items``, at most ``rows`` at once, with half as many each time memory runs out.

    Returns the results and the number of rows that fitted. Raises `GenerationError` when not even one fits.
    """
    done: list[R] = []
    while len(done) < len(items):
        part = items[len(done) : len(done) + rows]
        results = _attempt(partial(work, part, rows))
        # Past the except block: there the traceback would still hold every tensor of the attempt.
        if results is not None:
            done += results
            continue
        free_memory()
        if rows == 1:
            raise out_of_memory_error()
        rows //= 2
    return done, rows


def next_or_none(items: Iterator[T]) -> T | None:
    """The next of ``items``; None at their end, and when memory ran out."""
    return _attempt(lambda: next(items, None))


def out_of_memory_error() -> GenerationError:
    """What is said of a take that does not fit even alone."""
    return GenerationError(
        "the device has too little memory for this take alone; ask for less than "
        "its duration, a smaller model, or another device"
    )


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether ``error``, or one that it came of, says that memory ran out.

    A capture that runs out of memory ends with another error, and the CPU's allocator has no error class of its own.
    """
    while error is not None:
        if isinstance(error, torch.OutOfMemoryError | MemoryError):
            return True
        if isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY):
            return True
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return False


def _attempt(work: Callable[[], T]) -> T | None:
    try:
        return work()
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            return None
        raise


def free_memory() -> None:
    """Give back to the device what nothing holds any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def parameter_bytes(model: Any) -> int:
    """Bytes that a module's weights take."""
    return sum(value.numel() * value.element_size() for value in model.parameters())
