"""One device of torch: whether it can be used, and when its memory ran out. Imports torch; only generators use it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sized
from typing import TypeVar

import torch

from pipeline.errors import GenerationError, MachineError

_T = TypeVar("_T")
_NO_MEMORY = ("not enough memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


class DoesNotFit(MachineError):
    """The device has too little memory for a model."""


def checked_device(device: str) -> str:
    """``device``, ready for deterministic work. Raises `MachineError` if this machine does not have it."""
    kind = device.partition(":")[0]
    if kind == "cuda":
        if not torch.cuda.is_available():
            raise MachineError(
                f"device {device}: torch {torch.__version__} sees no CUDA device; install the CUDA build of torch and "
                "a driver, or use --devices cpu"
            )
        index = torch.device(device).index or 0
        if index >= torch.cuda.device_count():
            raise MachineError(
                f"device {device}: this machine has {torch.cuda.device_count()} CUDA devices, counted from 0; "
                "cuesmith doctor lists them"
            )
        # Makes this the device of streams and graphs that name none.
        torch.cuda.set_device(index)
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
    if kind == "mps" and not torch.backends.mps.is_available():
        raise MachineError(f"device {device}: this machine has no MPS; use --devices cpu")
    return device


def device_versions(device: str) -> dict[str, str]:
    """What decides a take's bits on ``device`` besides packages."""
    if device.startswith("cuda"):
        return {"cuda": str(torch.version.cuda), "gpu": torch.cuda.get_device_name(torch.device(device))}
    # The number of threads decides the order of sums in a product.
    return {"threads": str(torch.get_num_threads())}


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether ``error`` or one of its causes says that memory ran out.

    A graph capture that runs out of memory raises another error, and the CPU's allocator has no error class of its own.
    """
    while error is not None:
        if isinstance(error, torch.OutOfMemoryError | MemoryError):
            return True
        if isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY):
            return True
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return False


def none_if_full(work: Callable[[], _T]) -> _T | None:
    """The result of ``work``; None if memory ran out.

    Then nothing holds the tensors of the attempt: in an except block the traceback would.
    """
    try:
        return work()
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            return None
        raise


def out_of_memory_error() -> GenerationError:
    """The error of a take that does not fit into memory alone."""
    return GenerationError(
        "the device has too little memory for this take alone; use a shorter duration, a smaller model, or another "
        "device"
    )


def free_memory() -> None:
    """Return unused memory to the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def load_in_room(load: Callable[[], _T], others: Sized, unload: Callable[[], None]) -> _T:
    """The model that ``load`` returns; if it does not fit beside ``others``, again after ``unload``.

    Raises `DoesNotFit` if it does not fit alone.
    """
    try:
        return load()
    except DoesNotFit:
        if not others:
            raise
    # Not in the handler: the error holds what was loaded.
    unload()
    free_memory()
    return load()
