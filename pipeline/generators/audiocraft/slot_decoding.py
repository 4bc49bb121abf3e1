"""Takes through the slot decoder: the way by which MusicGen and AudioGen are decoded.

The slots of a group are always the same number, and the numbers of the model are laid out once a worker. All slots of
a session have as many rows: takes under double guidance, with three, have a session of their own. So have takes with a
very long text, since on CUDA the text's width is part of every slot's bits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from pipeline.generators.audiocraft.conditions import most_branches
from pipeline.generators.audiocraft.decoding import backends
from pipeline.generators.audiocraft.decoding import weights as reading
from pipeline.generators.audiocraft.decoding.cache import TEXT_BUCKET
from pipeline.generators.audiocraft.decoding.cpu.groups import Groups
from pipeline.generators.audiocraft.decoding.schedule import Queue
from pipeline.generators.audiocraft.decoding.session import Room, SlotDecoder, check, size_of
from pipeline.generators.audiocraft.estimates import SLOTS_WHEN_SMALL, SMALL_WEIGHTS, USUAL_SLOTS, groups_of
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.memory import lm_rows, parameter_bytes
from pipeline.generators.audiocraft.takes import Take, not_numbers

_MOST_OF_MEMORY = 0.4
_UNKNOWN_MEMORY = 8 << 30


def served(loaded: Loaded) -> bool:
    """Whether the slot decoder decodes the model; else AudioCraft's own layers do (`batch_decoding`)."""
    return loaded.model.family != "magnet" and reading.unsupported(loaded.generator.lm) is None


def dtype_for(loaded: Loaded) -> torch.dtype:
    """The numbers' format: the model's own on CUDA, bfloat16 on CPUs that multiply it natively, else float32."""
    lm = loaded.generator.lm
    own: torch.dtype = next(iter(lm.parameters())).dtype
    if not loaded.device.startswith("cpu"):
        return own
    can = torch.cpu.get_capabilities()
    native = bool(can.get("avx512_bf16") or can.get("amx_bf16"))
    return torch.bfloat16 if native and not _is_small(lm) else own


class Slotted:
    """A model of `Loaded` laid out for its slots."""

    def __init__(self, loaded: Loaded, dtype: torch.dtype | None = None) -> None:
        self._loaded = loaded
        self._weights = reading.read(loaded.generator.lm, dtype or dtype_for(loaded))
        bytes_a_value = torch.finfo(self._weights.cache_dtype).bits // 8
        self._row_bytes = 2 * len(self._weights.layers) * self._weights.dim * bytes_a_value

    @property
    def dtype(self) -> str:
        """Format of the weights and of the cache."""
        return str(self._weights.dtype).removeprefix("torch.")

    @property
    def backend(self) -> backends.Backend:
        """What computes the steps; another one sums in another order."""
        return backends.default(self._weights)

    @property
    def slots(self) -> int:
        """Cues at once in each group: the usual number, halved until a window of each fits the device.

        One number for all takes of a model, for the most rows that a cue of it may have.
        """
        loaded = self._loaded
        kind = loaded.device.partition(":")[0]
        window = int(loaded.model.window_s * loaded.generator.frame_rate)
        usual = SLOTS_WHEN_SMALL if _is_small(loaded.generator.lm) else USUAL_SLOTS[kind]
        cue_bytes = most_branches(loaded.generator) * window * self._row_bytes
        return lm_rows(loaded.device, cue_bytes, 2 * parameter_bytes(loaded.generator.lm), usual)

    def run(self, takes: Sequence[Take], slots: int) -> Iterator[Take]:
        """Every take of ``takes`` with its codes or its error, each as soon as it ends. Raises as `SlotDecoder.run`."""
        sessions: dict[tuple[int, int], list[Take]] = {}
        # Variations of an asset share one.
        for condition in {id(take.row.condition): take.row.condition for take in takes}.values():
            check(self._loaded.generator.lm, condition)
        for take in takes:
            condition = take.row.condition
            width = -(-max(condition.text, 1) // TEXT_BUCKET) * TEXT_BUCKET
            sessions.setdefault((condition.branches, width), []).append(take)
        for branches, width in sorted(sessions):
            yield from self._session(sessions[branches, width], slots, branches, width)

    def _session(self, takes: Sequence[Take], slots: int, branches: int, width: int) -> Iterator[Take]:
        lm = self._loaded.generator.lm
        window = int(self._loaded.model.window_s * self._loaded.generator.frame_rate)
        sizes = [(take, size_of(lm, take.row)) for take in takes]
        # A take of several passes may come back longer than it is now.
        capacity = max(size for _, size in sizes) + max(window - take.row.length for take in takes)
        count = groups_of(self._loaded.device.partition(":")[0], torch.get_num_threads())
        budget = self._budget(branches) // count
        room = Room(slots, capacity, max(capacity, budget), width, branches)
        everyone = [take.sampling for take in takes]

        def make() -> SlotDecoder:
            return SlotDecoder(lm, self._weights, room, everyone)

        decoder: Groups[Take] | SlotDecoder = Groups(make, count) if count > 1 else make()
        queue = Queue(sizes)
        for take, codes in decoder.run(queue, lambda take: take.row):
            if codes is None:
                take.error = not_numbers(self.dtype)
            else:
                take.advance(codes)
            if take.done or take.error:
                yield take
            else:
                queue.put(take, size_of(lm, take.row))

    def _budget(self, branches: int) -> int:
        """Positions of all slots together that memory holds. It changes when a cue starts, and none of its bits."""
        if not self._loaded.device.startswith("cpu"):
            return 1 << 40
        return int(_MOST_OF_MEMORY * _memory_bytes() / (branches * self._row_bytes))


def _is_small(lm: Any) -> bool:
    """Whether the model stays in the processor's cache: it gains nothing from fewer bits or from many rows."""
    return int(sum(value.numel() for value in lm.parameters())) < SMALL_WEIGHTS


def _memory_bytes() -> int:
    if not hasattr(os, "sysconf"):
        return _UNKNOWN_MEMORY
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
