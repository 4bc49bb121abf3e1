"""A take in the making: from its recipe through the passes of the language model to codes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from pipeline.audio import Clip
from pipeline.errors import GenerationError
from pipeline.generators.audiocraft import codec
from pipeline.generators.audiocraft.conditions import Condition, encode_condition
from pipeline.generators.audiocraft.estimates import branch_count
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.models import Window, windows
from pipeline.generators.audiocraft.rows import Row
from pipeline.generators.audiocraft.sampling import Sampling
from pipeline.recipe import Recipe

Conditions = dict[tuple[Any, ...], Condition]
"""Conditions by what decides them: variations of an asset share one."""


def nan_error(dtype: str) -> GenerationError:
    """What a person is told of a take whose model gave NaN."""
    wider = "a checkpoint that is whole" if dtype == "float32" else "--devices cpu, which works in float32"
    return GenerationError(
        f"the model gave numbers that are none (NaN) in {dtype}; try another seed, a lower cfg, or {wider}"
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
        self.excerpt: tuple[float, float] | None = None
        """Where the excerpt that a style is heard from begins and how long it is, in seconds; None without a style."""
        self._melody = self._hear_melody(audio)
        self._style = self._hear_style(audio)
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

    def free_tensors(self) -> None:
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
        codebooks = int(self.recipe.settings.get("style_codebooks") or 0)
        double = branch_count(self.recipe) == 3
        sounds = (self.recipe.conditioning.get("melody"), self.recipe.conditioning.get("style"), self.excerpt)
        key = (self.recipe.prompt, *sounds, codebooks, double, start)
        if key not in self._conditions:
            heard = self._melody_from(start) if self._style is None else self._style
            self._conditions[key] = encode_condition(
                self._loaded.generator, self.recipe.prompt, heard, codebooks, double
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
        samples = codec.waveform(audio[sha256], generator.sample_rate, generator.audio_channels)
        return self._long_enough(samples, "melody")

    def _long_enough(self, samples: torch.Tensor, role: str) -> torch.Tensor:
        generator = self._loaded.generator
        if samples.shape[1] < generator.sample_rate // generator.frame_rate:
            raise GenerationError(f"{role}: the file is shorter than a frame; give one of a second or more")
        return samples

    def _hear_style(self, audio: Mapping[str, Clip]) -> torch.Tensor | None:
        """The excerpt that every pass hears. Where the manifest names no place, the take's seed finds one."""
        sha256 = self.recipe.conditioning.get("style")
        if sha256 is None:
            return None
        asked, rate = self.recipe.settings, self._loaded.generator.sample_rate
        samples = codec.waveform(audio[sha256], rate, 1)
        seconds = float(asked["style_excerpt_s"] or 0)
        span = round(seconds * rate)
        room = samples.shape[1] - span
        at = asked.get("style_at_s")
        first = _place(self.recipe.seed, room) if at is None else round(float(at) * rate)
        if room < 0 or first > room:
            what = f"of {seconds:g}s" if at is None else f"of {seconds:g}s at {float(at):g}s"
            raise GenerationError(
                f"style: the file has {samples.shape[1] / rate:g}s, too little for an excerpt {what}; give a longer "
                "file, a shorter excerpt, or another place"
            )
        self.excerpt = (first / rate, seconds)
        return samples[:, first : first + span]

    def _hear_prompt(self, audio: Mapping[str, Clip]) -> torch.Tensor:
        generator = self._loaded.generator
        sha256 = self.recipe.conditioning.get("continue_from")
        if sha256 is None:
            return torch.zeros((generator.lm.num_codebooks, 0), dtype=torch.long, device=generator.device)
        samples = codec.waveform(audio[sha256], generator.sample_rate, generator.audio_channels)
        span = round(float(self.recipe.settings["prompt_s"] or 0) * generator.sample_rate)
        heard = self._long_enough(samples, "continue_from")[:, -span:]
        # Of a part of a frame the codec makes a whole one, with silence after the file's end.
        part = heard.shape[1] % int(generator.sample_rate / generator.frame_rate)
        return codec.encode(self._loaded, heard[:, part:])


def _place(seed: int, room: int) -> int:
    """A whole number from 0 to ``room``, always the same for one seed."""
    return int.from_bytes(hashlib.sha256(f"style {seed}".encode()).digest()[:8], "big") % (max(room, 0) + 1)


def _sampling(recipe: Recipe) -> Sampling:
    asked = recipe.settings
    return Sampling(
        temperature=float(asked["temperature"] or 0),
        top_k=int(asked["top_k"] or 0),
        top_p=float(asked["top_p"] or 0),
        cfg=float(asked["cfg"] or 0),
        cfg_text=float(asked.get("cfg_text") or 1),
    )
