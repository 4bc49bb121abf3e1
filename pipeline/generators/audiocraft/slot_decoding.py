"""Decoding takes with the slot decoder: MusicGen and AudioGen.

A group always has the same number of slots, and a worker lays out the model's weights once. All slots of a session have
the same number of rows: takes with double guidance, which have three, are decoded in a session of their own. So are
takes with a very long text, since on CUDA the text's width is part of every slot's bits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from pipeline.generators.audiocraft.conditions import max_branches, padded_length
from pipeline.generators.audiocraft.decoding import backends
from pipeline.generators.audiocraft.decoding.cpu.groups import SlotGroups
from pipeline.generators.audiocraft.decoding.schedule import Queue
from pipeline.generators.audiocraft.decoding.session import (
    SessionLimits,
    SlotDecoder,
    check_null_text,
    positions_needed,
)
from pipeline.generators.audiocraft.decoding.weights import read_weights, unsupported_feature
from pipeline.generators.audiocraft.estimates import SLOTS_WHEN_SMALL, SMALL_WEIGHTS, USUAL_SLOTS, group_count
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.memory import parameter_bytes, rows_that_fit
from pipeline.generators.audiocraft.takes import Take, nan_error

_CACHE_SHARE = 0.4
"""Share of a CPU machine's memory that cached keys and values may fill."""
_UNKNOWN_MEMORY = 8 << 30


def supports(loaded: Loaded) -> bool:
    """Whether the slot decoder supports the model; if not, `batch_decoding` decodes with AudioCraft's own layers."""
    return loaded.model.family != "magnet" and unsupported_feature(loaded.generator.lm) is None


def dtype_for(loaded: Loaded) -> torch.dtype:
    """Format of the weights: the model's own on CUDA, bfloat16 on CPUs that multiply it natively, else float32."""
    lm = loaded.generator.lm
    dtype: torch.dtype = next(iter(lm.parameters())).dtype
    if not loaded.device.startswith("cpu"):
        return dtype
    capabilities = torch.cpu.get_capabilities()
    is_native = bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return torch.bfloat16 if is_native and not _is_small(lm) else dtype


class SlotModel:
    """A loaded model with its weights laid out for the slot decoder."""

    def __init__(self, loaded: Loaded, dtype: torch.dtype | None = None) -> None:
        self._loaded = loaded
        self._weights = read_weights(loaded.generator.lm, dtype or dtype_for(loaded))
        bytes_per_value = torch.finfo(self._weights.cache_dtype).bits // 8
        self._row_bytes = 2 * len(self._weights.layers) * self._weights.dim * bytes_per_value

    @property
    def dtype(self) -> str:
        """Format of the weights and of the cache."""
        return str(self._weights.dtype).removeprefix("torch.")

    @property
    def backend(self) -> backends.Backend:
        """The backend of the steps; another one sums in another order."""
        return backends.default_backend(self._weights)

    @property
    def slots(self) -> int:
        """Cues at once in each group: the usual number, halved until a window of each fits into memory.

        The number is the same for all takes of a model, for the most rows that one of its cues can have.
        """
        loaded = self._loaded
        kind = loaded.device.partition(":")[0]
        window = int(loaded.model.window_s * loaded.generator.frame_rate)
        usual_slots = SLOTS_WHEN_SMALL if _is_small(loaded.generator.lm) else USUAL_SLOTS[kind]
        cue_bytes = max_branches(loaded.generator) * window * self._row_bytes
        return rows_that_fit(loaded.device, cue_bytes, 2 * parameter_bytes(loaded.generator.lm), usual_slots)

    def run(self, takes: Sequence[Take], slots: int) -> Iterator[Take]:
        """Yield each of ``takes`` with its codes or its error as soon as it ends. Raises as `SlotDecoder.run`."""
        sessions: dict[tuple[int, int], list[Take]] = {}
        # Variations of an asset share a condition.
        for condition in {id(take.row.condition): take.row.condition for take in takes}.values():
            check_null_text(self._loaded.generator.lm, condition)
        for take in takes:
            condition = take.row.condition
            shape = condition.branches, padded_length(max(condition.text, 1))
            sessions.setdefault(shape, []).append(take)
        for branches, width in sorted(sessions):
            yield from self._session(sessions[branches, width], slots, branches, width)

    def _session(self, takes: Sequence[Take], slots: int, branches: int, width: int) -> Iterator[Take]:
        lm = self._loaded.generator.lm
        window = int(self._loaded.model.window_s * self._loaded.generator.frame_rate)
        sizes = [(take, positions_needed(lm, take.row)) for take in takes]
        # The next pass of a take may be longer than this one.
        capacity = max(size for _, size in sizes) + max(window - take.row.length for take in takes)
        count = group_count(self._loaded.device.partition(":")[0], torch.get_num_threads())
        budget = self._budget(branches) // count
        limits = SessionLimits(slots, capacity, max(capacity, budget), width, branches)
        all_sampling = [take.sampling for take in takes]

        def make_decoder() -> SlotDecoder:
            return SlotDecoder(lm, self._weights, limits, all_sampling)

        decoder: SlotGroups[Take] | SlotDecoder = (
            SlotGroups(make_decoder, count) if count > 1 else make_decoder()
        )
        queue = Queue(sizes)
        for take, codes in decoder.run(queue, lambda take: take.row):
            if codes is None:
                take.error = nan_error(self.dtype)
            else:
                take.advance(codes)
            if take.done or take.error:
                yield take
            else:
                queue.put(take, positions_needed(lm, take.row))

    def _budget(self, branches: int) -> int:
        """Positions of all slots together that fit into memory. It decides when a cue starts, but none of its bits."""
        if not self._loaded.device.startswith("cpu"):
            return 1 << 40
        return int(_CACHE_SHARE * _memory_bytes() / (branches * self._row_bytes))


def _is_small(lm: Any) -> bool:
    """Whether the model fits into the processor's cache, and so gains nothing from bfloat16 or many rows."""
    return int(sum(value.numel() for value in lm.parameters())) < SMALL_WEIGHTS


def _memory_bytes() -> int:
    if not hasattr(os, "sysconf"):
        return _UNKNOWN_MEMORY
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
