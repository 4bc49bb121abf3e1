"""Kernels that follow closely: the next one is there and waits when the last is done.

Programmatic dependent launch, of compute capability 9.0 and above (CUDA C++ Programming Guide, "Programmatic Dependent
Launch and Synchronization"). A kernel of a chain calls `after_the_last` before it reads what another kernel of the step
wrote, and before it writes: all that came before is then done and can be seen.
"""

from __future__ import annotations

from functools import cache

import torch
import triton
import triton.language as tl

_FIRST_CAPABILITY = (9, 0)


@cache
def link(device: torch.device) -> dict[str, bool]:
    """What a launch on ``device`` is told of the chain: whether its kernel may begin before the last one has ended."""
    in_chain = device.type == "cuda" and torch.cuda.get_device_capability(device) >= _FIRST_CAPABILITY
    return {"CHAINED": in_chain, "launch_pdl": in_chain}


@triton.jit
def after_the_last(CHAINED: tl.constexpr):
    """Wait until the last kernel is done, and let the next one begin."""
    if CHAINED:
        tl.extra.cuda.gdc_wait()
        tl.extra.cuda.gdc_launch_dependents()
