"""One pass of one take as a decoder gets it, and its codes laid out by the model's pattern: codebooks by steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch

from pipeline.generators.audiocraft.audiocraft_modules import patterns
from pipeline.generators.audiocraft.conditions import Condition
from pipeline.generators.audiocraft.sampling import Sampling


@dataclass(frozen=True)
class Row:
    """What one pass of one take needs; nothing of it depends on other rows."""

    seed: int
    number: int
    """Which pass of its take: random numbers of passes differ."""
    length: int
    """Frames to end with."""
    prompt: torch.Tensor
    """Codes to begin with, int64 [codebooks, frames]; no frames for none."""
    condition: Condition
    sampling: Sampling

    @property
    def shape(self) -> tuple[Any, ...]:
        """Rows of equal shape can share a batch."""
        return (self.prompt.shape[1], self.condition.shape, self.condition.branches)


UNKNOWN = -1
"""Stands where a code is still to be drawn."""


class RowTokens:
    """The codes of one row as AudioCraft's `LMModel` reads and writes them.

    ``codes`` and ``valid`` are [codebooks, steps]: what is known, and where the pattern has a code at all.
    ``first`` is the first step that has anything to draw.
    """

    def __init__(self, lm: Any, row: Row, device: torch.device | str) -> None:
        self._layout = layout_of(lm.pattern_provider, row.length)
        codes = torch.full((lm.num_codebooks, row.length), UNKNOWN, dtype=torch.long, device=device)
        known = row.prompt.shape[1]
        if known:
            codes[:, :known] = row.prompt
        self.codes, self.valid = self._layout.laid(codes, lm.special_token_id)
        self.first = self._layout.step_of(known)

    @property
    def steps(self) -> int:
        """Steps of the pattern, with the first, which is empty."""
        return self._layout.steps

    @staticmethod
    def padded(tensor: torch.Tensor, steps: int, value: int | bool) -> torch.Tensor:
        """``tensor`` [codebooks, steps] with ``value`` up to ``steps``."""
        out = tensor.new_full((tensor.shape[0], steps), value)
        out[:, : tensor.shape[1]] = tensor
        return out

    def frames(self, codes: torch.Tensor) -> torch.Tensor:
        """The codes [codebooks, frames] that the pattern laid out."""
        return self._layout.frames(codes[:, : self.steps])


class Layout(Protocol):
    """Where a pattern has which code, for a number of frames."""

    steps: int
    """Steps of the pattern, with the first, which is empty."""

    def laid(self, codes: torch.Tensor, special: int) -> tuple[torch.Tensor, torch.Tensor]:
        """``codes`` [codebooks, frames] by steps, ``special`` where there is none; and where there is one."""
        ...

    def step_of(self, frame: int) -> int:
        """The first step that has a code of ``frame``."""
        ...

    def frames(self, codes: torch.Tensor) -> torch.Tensor:
        """The other way round: [codebooks, steps] to [codebooks, frames]."""
        ...


def layout_of(provider: Any, frames: int) -> Layout:
    """What AudioCraft's ``provider`` of patterns lays out for ``frames``."""
    is_delay = type(provider) in (patterns.DelayedPatternProvider, patterns.ParallelPatternProvider)
    if is_delay and not provider.flatten_first and not provider.empty_initial:
        return _Delayed(provider.delays, frames)
    return _Any(provider.get_pattern(frames), frames)


class _Delayed:
    """The delay pattern of the published models: codebooks by so many steps, after one that is empty.

    AudioCraft walks through its patterns coordinate by coordinate, which takes longer than a step of a large device.
    """

    def __init__(self, delays: list[int], frames: int) -> None:
        self._begins = [1 + delay for delay in delays]
        self._frames = frames
        self.steps = max(self._begins) + frames

    def laid(self, codes: torch.Tensor, special: int) -> tuple[torch.Tensor, torch.Tensor]:
        shape = (len(self._begins), self.steps)
        found = codes.new_full(shape, special)
        valid = torch.zeros_like(found, dtype=torch.bool)
        for codebook, begin in enumerate(self._begins):
            found[codebook, begin : begin + self._frames] = codes[codebook]
            valid[codebook, begin : begin + self._frames] = True
        return found, valid

    def step_of(self, frame: int) -> int:
        return min(self._begins) + frame

    def frames(self, codes: torch.Tensor) -> torch.Tensor:
        rows = [codes[codebook, begin : begin + self._frames] for codebook, begin in enumerate(self._begins)]
        return torch.stack(rows)


class _Any:
    """Any pattern, by AudioCraft's own means."""

    def __init__(self, pattern: Any, frames: int) -> None:
        self._pattern, self._frames = pattern, frames
        self.steps = len(pattern.layout)

    def laid(self, codes: torch.Tensor, special: int) -> tuple[torch.Tensor, torch.Tensor]:
        found, _, valid = self._pattern.build_pattern_sequence(codes[None], special)
        return found[0], valid

    def step_of(self, frame: int) -> int:
        return int(self._pattern.get_first_step_with_timesteps(frame))

    def frames(self, codes: torch.Tensor) -> torch.Tensor:
        found, _, _ = self._pattern.revert_pattern_sequence(codes[None].contiguous(), special_token=UNKNOWN)
        own: torch.Tensor = found[0, :, : self._frames]
        return own
