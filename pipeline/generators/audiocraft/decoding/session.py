"""The decoding loop: cues get slots, all slots step together, and a cue that ends frees its slot."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch

from pipeline.generators.audiocraft.conditions import BUCKET, Condition
from pipeline.generators.audiocraft.decoding import backends
from pipeline.generators.audiocraft.decoding.cuda.host import (
    HostCopy,
    StepGraphs,
    StepLimiter,
    on_device,
    to_device,
)
from pipeline.generators.audiocraft.decoding.schedule import Queue
from pipeline.generators.audiocraft.decoding.weights import Weights
from pipeline.generators.audiocraft.rows import Row, RowTokens, layout_of
from pipeline.generators.audiocraft.sampling import Sampling

Cue = TypeVar("Cue")


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How much a decoder decodes at once."""

    slots: int
    """Cues at once; the number is part of what decides a take's bits."""
    capacity: int
    """Positions of the longest cue, with prepended conditions."""
    budget: int
    """Positions of all cues together."""
    text: int = BUCKET
    """Positions of the longest text."""
    branches: int = 2
    """Rows of a cue: 2 under guidance, 3 under double guidance."""


@dataclass(slots=True)
class _Slot(Generic[Cue]):
    cue: Cue
    tokens: RowTokens
    size: int
    position: int
    left: int


_Ended = tuple[_Slot[Cue], HostCopy]
"""A slot's state at its end, and its codes in the layout of the pattern with whether a logit was NaN."""


class SlotDecoder:
    """Decodes cues with one model, ``limits.slots`` at a time.

    ``all_sampling`` are the settings of all cues to come. ``backend`` computes the steps, by default the best for the
    device; ``graphs`` replays a step as one launch, by default on CUDA alone.
    """

    def __init__(
        self,
        lm: Any,
        weights: Weights,
        limits: SessionLimits,
        all_sampling: Sequence[Sampling],
        *,
        backend: backends.Backend | None = None,
        graphs: Callable[[Sequence[torch.Tensor]], StepGraphs] | None = None,
    ) -> None:
        self._lm = lm
        self._limits = limits
        self._device = device = weights.device
        slots, size = limits.slots, limits.capacity + 1
        backend = backend or backends.default_backend(weights)
        parts = backends.step_parts(backend, weights, slots, limits.capacity, limits.text, limits.branches)
        self._cache, self._text, self._transformer = parts
        self._sampler = backends.sampler_class(backend)(slots, weights.card, all_sampling, device)
        special = int(lm.special_token_id)
        self._special = special
        self._codes = torch.full((slots, weights.codebooks, size), special, dtype=torch.int64, device=device)
        self._numbers = torch.zeros((3, slots), dtype=torch.int64, device=device)
        self._steps, self._positions, self._moves = self._numbers
        self._broken = torch.zeros(slots, dtype=torch.bool, device=device)
        make_graphs = graphs or (StepGraphs if device.type == "cuda" else None)
        self._graphs = (
            None if make_graphs is None else make_graphs((self._codes, self._numbers, self._broken))
        )
        self.steps_taken = 0

    @torch.no_grad()
    def run(
        self, queue: Queue[Cue], row_of: Callable[[Cue], Row], stop: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[Cue, torch.Tensor | None]]:
        """Codes int64 [codebooks, frames] of each cue of ``queue``, as soon as it ends; None after NaN logits.

        Cues may be added to the queue meanwhile. After an error, or when ``stop`` returns True, unfinished cues are put
        back into the queue. Raises `torch.OutOfMemoryError`.
        """
        slots: list[_Slot[Cue] | None] = [None] * self._limits.slots
        ended: deque[_Ended[Cue]] = deque()
        limiter = StepLimiter(self._device)
        try:
            while not stop():
                self._fill(slots, queue, row_of)
                if all(slot is None for slot in slots):
                    if not ended:
                        return
                    yield from self._read(ended, len(ended))
                    continue
                with on_device(self._device):
                    self._step(slots)
                    for index, slot in enumerate(slots):
                        if slot is not None and slot.left == 0:
                            codes = self._codes[index, :, : slot.tokens.steps]
                            copy = HostCopy(codes, self._broken[index])
                            ended.append((slot, copy))
                            slots[index] = None
                            self._release(index)
                    limiter.step()
                yield from self._read(ended, 0)
            yield from self._read(ended, len(ended))
        finally:
            for index, slot in enumerate(slots):
                if slot is not None:
                    self._release(index)
                    queue.put(slot.cue, slot.size)
            for unread, _ in ended:
                queue.put(unread.cue, unread.size)

    def _read(self, ended: deque[_Ended[Cue]], wait_for: int) -> Iterator[tuple[Cue, torch.Tensor | None]]:
        """Results of ``ended`` that have been copied; the first ``wait_for`` are waited for."""
        while ended and (wait_for > 0 or ended[0][1].is_done()):
            wait_for -= 1
            slot, copy = ended.popleft()
            codes, broken = copy.wait()
            yield slot.cue, None if bool(broken) else to_device(slot.tokens.frames(codes), self._device)

    def _fill(self, slots: list[_Slot[Cue] | None], queue: Queue[Cue], row_of: Callable[[Cue], Row]) -> None:
        for index, slot in enumerate(slots):
            if slot is not None:
                continue
            free = self._limits.budget - sum(other.size for other in slots if other is not None)
            if all(other is None for other in slots):
                free = self._limits.capacity
            taken = queue.take(free)
            if taken is None:
                return
            cue, size = taken
            try:
                slots[index] = self._admit(index, cue, size, row_of(cue))
            except BaseException:
                self._release(index)
                queue.put(cue, size)
                raise

    def _admit(self, index: int, cue: Cue, size: int, row: Row) -> _Slot[Cue]:
        """Give slot ``index`` to ``cue``: store its conditions and known codes, and prefill up to its first draw."""
        if row.condition.branches != self._limits.branches:
            raise ValueError(
                f"a cue of {row.condition.branches} rows in a decoder for {self._limits.branches}"
            )
        tokens = RowTokens(self._lm, row, "cpu")
        self._codes[index] = self._special
        self._codes[index, :, : tokens.steps] = to_device(tokens.codes, self._device)
        prefix, text = conditioning_inputs(self._lm, row)
        position = prefix.shape[1] + tokens.first - 1
        self._cache.admit(index, prefix.shape[1] + tokens.steps)
        if self._text is not None and text is not None:
            self._text.admit(index, text)
        if position:
            known = self._transformer.embed(self._codes[index, :, : tokens.first - 1].T)
            self._transformer.prefill(
                index, torch.cat([prefix, known.expand(self._limits.branches, -1, -1)], dim=1)
            )
        self._sampler.admit(index, row)
        self._broken[index] = False
        self._steps[index], self._positions[index], self._moves[index] = tokens.first - 1, position, 1
        return _Slot(cue, tokens, size, position, tokens.steps - tokens.first)

    def _release(self, index: int) -> None:
        self._cache.release(index)
        self._numbers[:, index] = 0

    def _step(self, slots: list[_Slot[Cue] | None]) -> None:
        key = self._cache.begin([None if slot is None else slot.position for slot in slots])
        if self._graphs is None:
            self._advance()
        else:
            self._graphs.run(key, self._advance)
        self.steps_taken += 1
        for slot in slots:
            if slot is not None:
                slot.position += 1
                slot.left -= 1

    def _advance(self) -> None:
        """One step of every slot, with nothing read back: from a step's codes draw the next step's.

        On CUDA this is captured once and replayed, so it may change only tensors that keep their address, and no
        value of a tensor may decide what Python does.
        """
        steps = self._steps[:, None, None].expand(-1, self._codes.shape[1], 1)
        logits = self._transformer.step(self._codes.gather(2, steps).squeeze(2), self._positions)
        self._sampler.write(logits, self._codes, self._steps, self._broken)
        self._numbers[:2] += self._moves


def conditioning_inputs(lm: Any, row: Row) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The inputs of the model besides tokens, combined by AudioCraft's own fuser.

    Returns the prepended conditions, float32 [branches, n, dim], and the text for cross-attention,
    [positions, dim] or None.
    """
    joined, cross = _fused(lm, row.condition)
    return joined[:, :-1].float(), None if cross is None else cross[0]


def check_null_text(lm: Any, condition: Condition) -> None:
    """Raise `ValueError` if a branch other than the first has a text that is not zero."""
    _, cross = _fused(lm, condition)
    if cross is not None and bool(cross[1:].any()):
        raise ValueError("the null condition is not zero, so its cross-attention cannot be left out")


def _fused(lm: Any, condition: Condition) -> tuple[torch.Tensor, torch.Tensor | None]:
    device = next(iter(condition.tensors.values()))[0].device
    start = torch.zeros((condition.branches, 1, lm.dim), device=device)
    joined, cross = lm.fuser(start, condition.tensors)
    return joined, cross


def positions_needed(lm: Any, row: Row) -> int:
    """Positions that ``row`` fills: prepended conditions and steps."""
    prepended = sum(row.condition.tensors[name][0].shape[1] for name in lm.fuser.fuse2cond["prepend"])
    return int(prepended) + layout_of(lm.pattern_provider, row.length).steps
