"""How many rows fit into memory, by an estimate for the language model; decoders halve them when it was wrong.

The number of rows is part of what decides a take's bits, so it depends on the device and a short list, never on the
work at hand.
"""

from __future__ import annotations

from typing import Any

import torch

from pipeline.generators.audiocraft.estimates import USUAL_ROWS

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


def parameter_bytes(model: Any) -> int:
    """Bytes of a module's weights."""
    return sum(value.numel() * value.element_size() for value in model.parameters())
