"""Decoding takes with the slot decoder: MusicGen and AudioGen.

A group always has the same number of slots, and a worker lays out the model's weights once. All slots of a session have
the same number of rows: takes with double guidance, which have three, are decoded in a session of their own. So are
takes with a very long text, since on CUDA the text's width is part of every slot's bits.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch

from pipeline.generators.audiocraft.conditions import max_branches, padded_length
from pipeline.generators.audiocraft.decoding import backends
from pipeline.generators.audiocraft.decoding.cpu.groups import SlotGroups
from pipeline.generators.audiocraft.decoding.sampling import covers
from pipeline.generators.audiocraft.decoding.schedule import Queue
from pipeline.generators.audiocraft.decoding.session import (
    SessionLimits,
    SlotDecoder,
    check_null_text,
    positions_needed,
)
from pipeline.generators.audiocraft.decoding.weights import read_weights, unsupported_feature
from pipeline.generators.audiocraft.estimates import SLOTS_WHEN_SMALL, SMALL_WEIGHTS, USUAL_SLOTS, group_count
from pipeline.generators.audiocraft.feed import TakeFeed
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.memory import parameter_bytes, rows_that_fit
from pipeline.generators.audiocraft.rows import Row
from pipeline.generators.audiocraft.sampling import Sampling
from pipeline.generators.audiocraft.takes import Take, nan_error

_CACHE_SHARE = 0.4
"""Share of a CPU machine's memory that cached keys and values may fill."""
_UNKNOWN_MEMORY = 8 << 30
_WAITING = 8
"""Takes that may wait for memory, so that a shorter one can go first."""


def supports(loaded: Loaded) -> bool:
    """Whether the slot decoder supports the model; if not, `batch_decoding` decodes with AudioCraft's own layers."""
    return loaded.model.family != "magnet" and unsupported_feature(loaded.generator.lm) is None


def _dtype_for(loaded: Loaded) -> torch.dtype:
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

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._weights = read_weights(loaded.generator.lm, _dtype_for(loaded))
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

    @property
    def groups(self) -> int:
        """Groups of slots that step side by side."""
        return group_count(self._loaded.device.partition(":")[0], torch.get_num_threads())

    def decoder(
        self, slots: int, capacity: int, shape: tuple[int, int], all_sampling: Sequence[Sampling]
    ) -> SlotGroups[Take] | SlotDecoder:
        """A decoder of ``slots`` a group for cues of at most ``capacity`` positions, of one `shape_of`."""
        branches, width = shape
        budget = self._budget(branches) // self.groups
        limits = SessionLimits(slots, capacity, max(capacity, budget), width, branches)

        def make_decoder() -> SlotDecoder:
            return SlotDecoder(self._loaded.generator.lm, self._weights, limits, all_sampling)

        return SlotGroups(make_decoder, self.groups) if self.groups > 1 else make_decoder()

    def positions(self, take: Take) -> int:
        """Positions that the next pass of ``take`` fills."""
        return positions_needed(self._loaded.generator.lm, take.row)

    def check(self, take: Take) -> None:
        """Raise `ValueError` if the take's condition cannot be decoded in slots."""
        check_null_text(self._loaded.generator.lm, take.row.condition)

    def _budget(self, branches: int) -> int:
        """Positions of all slots together that fit into memory. It decides when a cue starts, but none of its bits."""
        if not self._loaded.device.startswith("cpu"):
            return 1 << 40
        return int(_CACHE_SHARE * _memory_bytes() / (branches * self._row_bytes))


class SlotSession:
    """Takes of one shape that are decoded together, with those that join while slots get free."""

    def __init__(self, model: SlotModel, feed: TakeFeed, first: Take, slots: int) -> None:
        self._model = model
        self._feed = feed
        self._shape = shape_of(first)
        takes = [first]
        while len(takes) < slots * model.groups and (take := feed.next(self._has_shape)) is not None:
            takes.append(take)
        self._capacity = max(self._most_positions(take) for take in takes)
        self._all_sampling = [take.sampling for take in takes]
        self._queue = _SessionQueue(takes, partial(feed.next, self._fits), model.positions)

    @property
    def unfinished(self) -> int:
        """Takes that are left after `run`, which ends early when memory runs out."""
        return self._queue.unfinished

    def run(self, slots: int) -> Iterator[Take]:
        """Yield each take with its codes or its error as soon as it ends. Raises as `SlotDecoder.run`."""
        decoder = self._model.decoder(slots, self._capacity, self._shape, self._all_sampling)
        for take, codes in decoder.run(self._queue, self._row_of):
            if codes is None:
                take.error = nan_error(self._model.dtype)
            else:
                take.advance(codes)
            if take.done or take.error:
                self._feed.end(take)
                yield take
            else:
                self._queue.put(take, self._model.positions(take))

    def drop_longest(self) -> Take:
        """Remove the take that needs the most positions."""
        taken = self._queue.take(self._capacity)
        assert taken is not None
        return taken[0]

    def _row_of(self, take: Take) -> Row:
        self._feed.begin(take)
        return take.row

    def _has_shape(self, take: Take) -> bool:
        return shape_of(take) == self._shape

    def _fits(self, take: Take) -> bool:
        """Whether the decoder of this session can decode ``take``."""
        return (
            self._has_shape(take)
            and self._most_positions(take) <= self._capacity
            and covers(self._all_sampling, take.sampling)
        )

    def _most_positions(self, take: Take) -> int:
        """Positions of the longest pass of ``take``."""
        longest = max(window.length for window in take.windows)
        return self._model.positions(take) - take.row.length + longest


class _SessionQueue(Queue[Take]):
    """A queue that fetches takes from ``more`` when it has none that fits."""

    def __init__(
        self, takes: Sequence[Take], more: Callable[[], Take | None], positions: Callable[[Take], int]
    ) -> None:
        super().__init__((take, positions(take)) for take in takes)
        self._more, self._positions = more, positions

    def __len__(self) -> int:
        if self.unfinished == 0:
            self._fetch()
        return self.unfinished

    @property
    def unfinished(self) -> int:
        """Takes in the queue, without those to come."""
        return super().__len__()

    def take(self, limit: int) -> tuple[Take, int] | None:
        """See `Queue.take`."""
        taken = super().take(limit)
        while taken is None and self.unfinished < _WAITING and self._fetch():
            taken = super().take(limit)
        return taken

    def _fetch(self) -> bool:
        take = self._more()
        if take is not None:
            self.put(take, self._positions(take))
        return take is not None


def shape_of(take: Take) -> tuple[int, int]:
    """Rows of a take's cue and the padded length of its text: equal for all takes of a session."""
    condition = take.row.condition
    return condition.branches, padded_length(max(condition.text, 1))


def _is_small(lm: Any) -> bool:
    """Whether the model fits into the processor's cache, and so gains nothing from bfloat16 or many rows."""
    return int(sum(value.numel() for value in lm.parameters())) < SMALL_WEIGHTS


def _memory_bytes() -> int:
    if not hasattr(os, "sysconf"):
        return _UNKNOWN_MEMORY
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
