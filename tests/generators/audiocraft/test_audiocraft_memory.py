"""Out of memory: fewer rows, nothing lost, nothing held."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from unittest.mock import patch

import pytest
import torch

from pipeline.errors import GenerationError
from pipeline.generators.audiocraft import memory
from pipeline.generators.audiocraft.memory import halving_rows


class _Tensors:
    """Stands for what an attempt had allocated."""


def test_running_out_halves_the_rows_and_every_item_is_done_in_order() -> None:
    tried = []

    def work(part: Sequence[int], rows: int) -> list[int]:
        tried.append(rows)
        if rows > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [item * 10 for item in part]

    done, rows = halving_rows(work, [1, 2, 3, 4, 5], 8)
    assert (done, rows) == ([10, 20, 30, 40, 50], 2)
    assert tried == [8, 4, 2, 2, 2]


def test_what_the_failed_attempt_held_is_free_before_the_next() -> None:
    held: list[weakref.ref[_Tensors]] = []
    alive: list[bool] = []

    def work(part: Sequence[int], rows: int) -> list[int]:
        alive.extend(ref() is not None for ref in held)
        big = _Tensors()
        held.append(weakref.ref(big))
        if rows > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return list(part)

    with patch.object(memory, "free_memory", lambda: None):
        gc.disable()
        try:
            halving_rows(work, [1], 4)
        finally:
            gc.enable()
    assert alive
    assert not any(alive)


def test_when_not_one_row_fits_the_take_fails_with_a_remedy() -> None:
    def work(part: Sequence[int], rows: int) -> list[int]:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(GenerationError, match="too little memory for this take alone; ask for less"):
        halving_rows(work, [1, 2], 4)


def test_other_errors_are_not_taken_for_memory() -> None:
    def work(part: Sequence[int], rows: int) -> list[int]:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        halving_rows(work, [1, 2], 4)


def test_rows_follow_the_devices_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    row = memory.lm_bytes_a_row(1536, 48, 1500, 2)
    for total, rows in ((140e9, 32), (24e9, 8), (8e9, 1)):
        monkeypatch.setattr(memory, "total_bytes", lambda device, total=total: int(total))
        assert memory.rows_that_fit("cuda:0", row, 3_000_000_000) == rows
    monkeypatch.setattr(memory, "total_bytes", lambda device: None)
    assert memory.rows_that_fit("cpu", row, 0) == 8
