"""Out of memory: fewer rows, nothing lost, nothing held."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Sequence

import pytest
import torch

from pipeline.generators import GeneratedTake
from pipeline.generators.audiocraft import batch_decoding, memory
from pipeline.generators.audiocraft.generator import AudioCraftGenerator
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.rows import Row
from pipeline.generators.torch_device import none_if_full
from pipeline.recipe import Recipe


class _Tensors:
    """Stands for what an attempt had allocated."""


def test_what_the_failed_attempt_held_is_free_before_the_next() -> None:
    held: list[weakref.ref[_Tensors]] = []
    alive: list[bool] = []

    def work() -> str:
        alive.extend(ref() is not None for ref in held)
        big = _Tensors()
        held.append(weakref.ref(big))
        if len(held) < 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return "done"

    gc.disable()
    try:
        assert [none_if_full(work) for _ in range(3)] == [None, None, "done"]
    finally:
        gc.enable()
    assert alive
    assert not any(alive)


def test_other_errors_are_not_taken_for_memory() -> None:
    def work() -> None:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        none_if_full(work)


def test_a_row_that_does_not_fit_alone_fails_its_take_with_a_remedy(
    recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = batch_decoding.decode

    def tight(loaded: Loaded, rows: Sequence[Row], slots: int) -> list[torch.Tensor | None]:
        if slots > 1 or rows[0].seed == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(loaded, rows, slots)

    monkeypatch.setattr(batch_decoding, "decode", tight)
    asked = [recipe("magnet", seed=seed) for seed in (1, 2, 3)]
    made = {one.seed: outcome for one, outcome in AudioCraftGenerator("cpu").generate(asked, {})}
    assert "too little memory for this take alone; use a shorter" in str(made[2])
    assert isinstance(made[1], GeneratedTake)
    assert isinstance(made[3], GeneratedTake)


def test_rows_follow_the_devices_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    row = memory.lm_bytes_per_row(1536, 48, 1500, 2)
    for total, rows in ((140e9, 32), (24e9, 8), (8e9, 1)):
        monkeypatch.setattr(memory, "total_bytes", lambda device, total=total: int(total))
        assert memory.rows_that_fit("cuda:0", row, 3_000_000_000) == rows
    monkeypatch.setattr(memory, "total_bytes", lambda device: None)
    assert memory.rows_that_fit("cpu", row, 0) == 8
