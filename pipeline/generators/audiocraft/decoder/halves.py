"""A step on one thread of a CPU: while half of the slots multiply, the past of the other half is brought near and read.

Products keep the arithmetic units busy and leave memory idle, attention waits for memory. A thread has one of them at a
time, so the slots are two halves, half a layer apart: with every few multiplications for one half a line of the other's
past is asked for, and when a unit of it is in the processor's caches, it is read from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pipeline.generators.audiocraft.decoder.norms import CompiledTransformer
from pipeline.generators.audiocraft.decoder.products import ROWS
from pipeline.generators.audiocraft.decoder.slabs import Reading, SlabCache, SlabText
from pipeline.generators.audiocraft.decoder.weights import Weights

_LEAST_ROWS = 32
"""Of a half: with fewer, products wait for weights and have no time for anything else."""


@dataclass(frozen=True)
class _Half:
    reading: Reading
    text: Reading | None

    def take(self, slots: Sequence[int]) -> None:
        """Step for ``slots``."""
        self.reading.take(slots)
        if self.text is not None:
            self.text.take(slots)


class HalvesTransformer(CompiledTransformer):
    """`CompiledTransformer` whose slots step in two halves; a row's bits are the same."""

    def __init__(
        self,
        weights: Weights,
        cache: SlabCache,
        text: SlabText | None,
        capacity: int,
        branches: int,
        first: int,
        slots: int,
    ) -> None:
        """``first`` is how many slots the first half has: see `first_half`."""
        super().__init__(weights, cache, text, capacity, branches)
        self._past, self._counts = cache, (first, slots - first)
        self._halves = [
            _Half(cache.reading(count), None if text is None else text.reading(count))
            for count in self._counts
        ]

    def step(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """See `Transformer.step`."""
        weights, branches = self._weights, self._branches
        order = halves_of(self._past.lengths, self._counts[0])
        x = self.embed(tokens) + self._places[positions]
        parts = [x[slots].repeat_interleave(branches, dim=0) for slots in order]
        for half, slots, other in zip(self._halves, order, reversed(parts), strict=True):
            half.take(slots)
            half.reading.spread(_turns(weights, len(other), branches))
        asked = torch.cat(self._through(parts)).view(-1, branches, weights.codebooks, weights.card)
        logits = torch.empty_like(asked)
        logits[order[0] + order[1]] = asked
        return logits

    def _through(self, parts: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """All layers of both halves, ``parts`` [rows, dim] changed where they are; their logits."""
        layers, (first, second) = self._weights.layers, self._halves
        rows = [self._normed(part, None, layers[0].norm_self) for part in parts]
        first.reading.begin(0, layers[0].query_keys_values(rows[0]))
        asked = layers[0].query_keys_values(rows[1], first.reading.at)
        for index in range(len(layers)):
            seen = first.reading.end()
            second.reading.begin(index, asked)
            ended = self._after(index, parts[0], seen, first.text, second.reading.at)
            seen, beside = second.reading.end(), 0
            if index + 1 < len(layers):
                first.reading.begin(index + 1, ended)
                beside = first.reading.at
            asked = self._after(index, parts[1], seen, second.text, beside)
        return [ended, asked]


def halves_of(lengths: Sequence[int], first: int) -> tuple[list[int], list[int]]:
    """Slots in two halves, ``first`` of them in the first one, with about as much behind each half's."""
    room, behind = [first, len(lengths) - first], [0, 0]
    halves: tuple[list[int], list[int]] = ([], [])
    for slot in sorted(range(len(lengths)), key=lambda slot: -lengths[slot]):
        side = min((0, 1), key=lambda side: (len(halves[side]) >= room[side], behind[side]))
        halves[side].append(slot)
        behind[side] += lengths[slot]
    return halves


def first_half(weights: Weights, slots: int, branches: int) -> int | None:
    """How many of ``slots`` to put into the first half; None where halves make nothing faster."""
    even = min(range(slots + 1), key=lambda first: (first * branches % ROWS, abs(2 * first - slots)))
    first = even if 0 < even < slots else slots // 2
    least = min(first, slots - first) * branches
    reads = torch.get_num_threads() == 1 and _turns(weights, least, branches) > 0
    return first if least >= _LEAST_ROWS and reads else None


def _turns(weights: Weights, rows: int, branches: int) -> int:
    """Words of tiles of a layer's products for ``rows`` rows."""
    layer = weights.layers[0]
    turns = sum(one.turns(rows) for one in (layer.query_keys_values, layer.out, layer.up, layer.down))
    if layer.cross is not None:
        turns += sum(one.turns(rows // branches) for one in (layer.cross.query, layer.cross.out))
    return turns
