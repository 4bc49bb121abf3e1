"""One pass of one take as a decoder gets it, and its codes laid out by the model's pattern: codebooks by steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from pipeline.generators.audiocraft.audiocraft_modules import patterns
from pipeline.generators.audiocraft.conditions import Condition
from pipeline.generators.audiocraft.sampling import Sampling


@dataclass(frozen=True)
class Row:
    """One pass of one take; nothing of it depends on other rows."""

    seed: int
    number: int
    """Which pass of its take: random numbers of passes differ."""
    length: int
    """Frames at the end of the pass, with the prompt."""
    prompt: torch.Tensor
    """Codes to begin with, int64 [codebooks, frames]; no frames for none."""
    condition: Condition
    sampling: Sampling

    @property
    def shape(self) -> tuple[Any, ...]:
        """Rows of equal shape can share a batch."""
        return (self.prompt.shape[1], self.condition.shape, self.condition.branches)


UNKNOWN = -1
"""Marks a code that is still to be drawn."""


class RowTokens:
    """The codes of one row as AudioCraft's `LMModel` reads and writes them.

    ``codes`` and ``valid`` are [codebooks, steps]: the known codes, and where the pattern has a code.
    ``first`` is the first step with a code to draw, ``steps`` is the number of all steps.
    """

    def __init__(self, lm: Any, row: Row, device: torch.device | str) -> None:
        self._layout = layout_of(lm.pattern_provider, row.length)
        self.steps = self._layout.steps
        codes = torch.full((lm.num_codebooks, row.length), UNKNOWN, dtype=torch.long, device=device)
        known = row.prompt.shape[1]
        codes[:, :known] = row.prompt
        self.codes, self.valid = self._layout.arrange(codes, lm.special_token_id)
        self.first = self._layout.step_of(known)

    @staticmethod
    def padded(tensor: torch.Tensor, steps: int, value: int | bool) -> torch.Tensor:
        """``tensor`` [codebooks, steps] with ``value`` up to ``steps``."""
        return torch.nn.functional.pad(tensor, (0, steps - tensor.shape[1]), value=value)

    def frames(self, codes: torch.Tensor) -> torch.Tensor:
        """``codes`` [codebooks, steps] back as [codebooks, frames]."""
        return self._layout.frames(codes[:, : self.steps])


class Layout:
    """The step of each code in a pattern, for a number of frames, by AudioCraft's own functions."""

    def __init__(self, pattern: Any, frames: int) -> None:
        self._pattern, self._frames = pattern, frames
        self.steps = len(pattern.layout)
        """Steps of the pattern, with the empty first one."""

    def arrange(self, codes: torch.Tensor, special: int) -> tuple[torch.Tensor, torch.Tensor]:
        """``codes`` [codebooks, frames] as [codebooks, steps], ``special`` elsewhere; also where there is a code."""
        sequence, _, valid = self._pattern.build_pattern_sequence(codes[None], special)
        return sequence[0], valid

    def step_of(self, frame: int) -> int:
        """The first step that has a code of ``frame``."""
        return int(self._pattern.get_first_step_with_timesteps(frame))

    def frames(self, codes: torch.Tensor) -> torch.Tensor:
        """The reverse: [codebooks, steps] to [codebooks, frames]."""
        codes_by_frame, _, _ = self._pattern.revert_pattern_sequence(
            codes[None].contiguous(), special_token=UNKNOWN
        )
        frames: torch.Tensor = codes_by_frame[0, :, : self._frames]
        return frames


def layout_of(provider: Any, frames: int) -> Layout:
    """The layout of AudioCraft's pattern ``provider`` for ``frames``."""
    is_delay = type(provider) in (patterns.DelayedPatternProvider, patterns.ParallelPatternProvider)
    if is_delay and not provider.flatten_first and not provider.empty_initial:
        return _DelayLayout(provider.delays, frames)
    return Layout(provider.get_pattern(frames), frames)


class _DelayLayout(Layout):
    """The delay pattern of the published models: each codebook starts some steps later, after one empty step.

    AudioCraft builds its patterns coordinate by coordinate, which takes longer than a step on a large device.
    """

    def __init__(self, delays: list[int], frames: int) -> None:
        self._starts = [1 + delay for delay in delays]
        self._frames = frames
        self.steps = max(self._starts) + frames

    def arrange(self, codes: torch.Tensor, special: int) -> tuple[torch.Tensor, torch.Tensor]:
        shape = (len(self._starts), self.steps)
        sequence = codes.new_full(shape, special)
        valid = torch.zeros_like(sequence, dtype=torch.bool)
        for codebook, start in enumerate(self._starts):
            sequence[codebook, start : start + self._frames] = codes[codebook]
            valid[codebook, start : start + self._frames] = True
        return sequence, valid

    def step_of(self, frame: int) -> int:
        return min(self._starts) + frame

    def frames(self, codes: torch.Tensor) -> torch.Tensor:
        rows = [codes[codebook, start : start + self._frames] for codebook, start in enumerate(self._starts)]
        return torch.stack(rows)
