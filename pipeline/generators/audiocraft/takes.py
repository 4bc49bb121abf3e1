"""A take in the making: from its recipe through the passes of the language model to codes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from pipeline.audio import Clip
from pipeline.errors import GenerationError
from pipeline.generators.audiocraft import codec
from pipeline.generators.audiocraft.conditions import Condition, condition_of
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.rows import Row
from pipeline.generators.audiocraft.sampling import Sampling
from pipeline.generators.audiocraft.windows import Window, windows
from pipeline.recipe import Recipe

Conditions = dict[tuple[Any, ...], Condition]
"""Conditions by what decides them: variations of an asset share one."""


def not_numbers(dtype: str) -> GenerationError:
    """What a person is told of a take whose model gave NaN."""
    return GenerationError(
        f"the model gave numbers that are none (NaN) in {dtype}; try another seed, a lower cfg, or "
        "--devices cpu, which works in float32"
    )


class Take:
    """One recipe on its way; `row` gives the next pass, `advance` takes its codes."""

    def __init__(
        self, recipe: Recipe, loaded: Loaded, audio: Mapping[str, Clip], conditions: Conditions
    ) -> None:
        self.recipe = recipe
        self._loaded = loaded
        self._conditions = conditions
        generator = loaded.generator
        rate = float(generator.frame_rate)
        self._melody = self._hear_melody(audio)
        self.prompt = self._hear_prompt(audio)
        self.prompt_frames = int(self.prompt.shape[1])
        self.sampling = _sampling(recipe)
        stride = recipe.settings.get("stride_s")
        frames = max(1, math.ceil(recipe.seconds * rate - 1e-6))
        window = int(loaded.model.window_s * rate)
        if loaded.model.family == "magnet":
            # Its attention was trained on whole windows; what is longer than asked is cut off.
            frames = window
        self.windows: tuple[Window, ...] = windows(
            self.prompt_frames + frames,
            self.prompt_frames,
            window,
            int(float(stride) * rate) if stride else None,
        )
        self._codes = [self.prompt]
        self._known = self.prompt
        self._passes = 0
        self.error: GenerationError | None = None
        """Why the take cannot be made; nothing more is decoded for it."""
        self.row = self._next_row()

    @property
    def left(self) -> int:
        """Frames that are still to be made."""
        return sum(window.length - window.prompt for window in self.windows[self._passes :])

    @property
    def done(self) -> bool:
        """Whether every pass has been made."""
        return self._passes == len(self.windows)

    @property
    def codes(self) -> torch.Tensor:
        """The codes so far, int64 [codebooks, frames], with the audio that is carried on."""
        return torch.cat(self._codes, dim=1)

    def advance(self, codes: torch.Tensor) -> None:
        """Take the codes of the pass that `row` asked for."""
        window = self.windows[self._passes]
        self._codes.append(codes[:, window.prompt :])
        self._passes += 1
        if not self.done:
            self._known = codes[:, codes.shape[1] - self.windows[self._passes].prompt :]
            self.row = self._next_row()

    def let_go(self) -> None:
        """Forget every tensor: the take is made, and a manifest may have thousands."""
        self._codes, self._melody = [], None
        self.prompt = self._known = self.prompt.new_zeros((self.prompt.shape[0], 0), device="cpu")
        self.row = replace(self.row, prompt=self._known, condition=Condition({}, 0, ()))

    def _next_row(self) -> Row:
        window = self.windows[self._passes]
        return Row(
            seed=self.recipe.seed,
            number=self._passes,
            length=window.length,
            prompt=self._known,
            condition=self._condition(window),
            sampling=self.sampling,
        )

    def _condition(self, window: Window) -> Condition:
        start = window.start if self._melody is not None and len(self.windows) > 1 else None
        key = (self.recipe.prompt, self.recipe.conditioning.get("melody"), start)
        if key not in self._conditions:
            self._conditions[key] = condition_of(
                self._loaded.generator, self.recipe.prompt, self._melody_from(start)
            )
        return self._conditions[key]

    def _melody_from(self, start: int | None) -> torch.Tensor | None:
        """The melody as a pass hears it: repeated without end and cut to the window where there are several."""
        if self._melody is None or start is None:
            return self._melody
        generator = self._loaded.generator
        first = int(start / generator.frame_rate * generator.sample_rate)
        span = int(generator.max_duration * generator.sample_rate)
        return self._melody[:, torch.arange(first, first + span) % self._melody.shape[1]]

    def _hear_melody(self, audio: Mapping[str, Clip]) -> torch.Tensor | None:
        sha256 = self.recipe.conditioning.get("melody")
        if sha256 is None:
            return None
        generator = self._loaded.generator
        return codec.waveform(audio[sha256], generator.sample_rate, generator.audio_channels)

    def _hear_prompt(self, audio: Mapping[str, Clip]) -> torch.Tensor:
        generator = self._loaded.generator
        sha256 = self.recipe.conditioning.get("continue_from")
        if sha256 is None:
            return torch.zeros((generator.lm.num_codebooks, 0), dtype=torch.long, device=generator.device)
        samples = codec.waveform(audio[sha256], generator.sample_rate, generator.audio_channels)
        span = round(float(self.recipe.settings["prompt_s"] or 0) * generator.sample_rate)
        if samples.shape[1] < generator.sample_rate // generator.frame_rate:
            raise GenerationError(
                "continue_from: the file is shorter than a frame; give one of a second or more"
            )
        return codec.encode(self._loaded, samples[:, -span:])


def _sampling(recipe: Recipe) -> Sampling:
    asked = recipe.settings
    return Sampling(
        temperature=float(asked["temperature"] or 0),
        top_k=int(asked["top_k"] or 0),
        top_p=float(asked["top_p"] or 0),
        cfg=float(asked["cfg"] or 0),
    )
