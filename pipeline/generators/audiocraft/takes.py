"""A take while it is generated: from its recipe through the passes of the language model to codes."""

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
from pipeline.generators.audiocraft.models import Input, Window, windows
from pipeline.generators.audiocraft.rows import Row
from pipeline.generators.audiocraft.sampling import Sampling
from pipeline.recipe import Recipe

Conditions = dict[tuple[Any, ...], Condition]
"""Conditions by the inputs that decide them: variations of an asset share one."""
_MOST_CONDITIONS = 256
"""Conditions in memory beside those of takes in progress."""


def nan_error(dtype: str) -> GenerationError:
    """The error of a take whose model returned NaN."""
    other = "another checkpoint" if dtype == "float32" else "--devices cpu, which works in float32"
    return GenerationError(f"the model returned NaN in {dtype}; try another seed, a lower cfg, or {other}")


class Take:
    """One recipe in progress: `row` is the next pass, `advance` takes its codes."""

    def __init__(
        self, recipe: Recipe, loaded: Loaded, audio: Mapping[str, Clip], conditions: Conditions
    ) -> None:
        self.recipe = recipe
        self._loaded = loaded
        self._conditions = conditions
        generator = loaded.generator
        rate = float(generator.frame_rate)
        self.excerpt: tuple[float, float] | None = None
        """Start and length of the style's excerpt in seconds; None without a style."""
        self._melody = self._load(audio, "melody")
        self._style = self._load_style(audio)
        self._known = self._encode_prompt(audio)
        self.prompt_frames = int(self._known.shape[1])
        self.sampling = _sampling(recipe)
        stride = recipe.settings.get("stride_s")
        frames = max(1, math.ceil(recipe.seconds * rate - 1e-6))
        window = int(loaded.model.window_s * rate)
        if loaded.model.family == "magnet":
            # Its attention was trained on whole windows; the rest is cut off.
            frames = window
        self.windows: tuple[Window, ...] = windows(
            self.prompt_frames + frames,
            self.prompt_frames,
            window,
            int(float(stride) * rate) if stride else None,
        )
        self._codes = [self._known]
        self._passes = 0
        self.error: GenerationError | None = None
        """Why the take failed; nothing more is decoded for it."""
        self.row = self._next_row()

    @property
    def frames_left(self) -> int:
        """Frames still to be decoded."""
        return sum(window.length - window.prompt for window in self.windows[self._passes :])

    @property
    def done(self) -> bool:
        """Whether every pass is decoded."""
        return self._passes == len(self.windows)

    @property
    def codes(self) -> torch.Tensor:
        """The codes so far, int64 [codebooks, frames], with the audio that the take continues."""
        return torch.cat(self._codes, dim=1)

    def advance(self, codes: torch.Tensor) -> None:
        """Add the codes of the pass `row`."""
        window = self.windows[self._passes]
        self._codes.append(codes[:, window.prompt :])
        self._passes += 1
        if not self.done:
            self._known = codes[:, codes.shape[1] - self.windows[self._passes].prompt :]
            self.row = self._next_row()

    def free_tensors(self) -> None:
        """Free every tensor: the take is done, and a manifest may have thousands."""
        self._codes, self._melody = [], None
        self._known = self._known.new_zeros((len(self._known), 0), device="cpu")
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
        audio = (self.recipe.conditioning.get("melody"), self.recipe.conditioning.get("style"), self.excerpt)
        key = (self.recipe.prompt, *audio, codebooks, double, start)
        if key not in self._conditions:
            if len(self._conditions) >= _MOST_CONDITIONS:
                # Another pass that needs it encodes it again, to the same values.
                del self._conditions[next(iter(self._conditions))]
            waveform = self._melody_from(start) if self._style is None else self._style
            self._conditions[key] = encode_condition(
                self._loaded.generator, self.recipe.prompt, waveform, codebooks, double
            )
        return self._conditions[key]

    def _melody_from(self, start: int | None) -> torch.Tensor | None:
        """The melody of a pass: with several passes it is repeated and cut to the pass's window."""
        if self._melody is None or start is None:
            return self._melody
        generator = self._loaded.generator
        first = int(start / generator.frame_rate * generator.sample_rate)
        span = int(generator.max_duration * generator.sample_rate)
        return self._melody[:, torch.arange(first, first + span) % self._melody.shape[1]]

    def _load(self, audio: Mapping[str, Clip], role: Input) -> torch.Tensor | None:
        """The audio file of ``role``, [channels, samples] at the model's rate; None if the take has none."""
        sha256 = self.recipe.conditioning.get(role)
        if sha256 is None:
            return None
        generator = self._loaded.generator
        channels = 1 if role == "style" else generator.audio_channels
        samples = codec.waveform(audio[sha256], generator.sample_rate, channels)
        if role != "style" and samples.shape[1] < generator.sample_rate // generator.frame_rate:
            raise GenerationError(
                f"{role}: the file is shorter than a frame of the codec; use one of at least a second"
            )
        return samples

    def _load_style(self, audio: Mapping[str, Clip]) -> torch.Tensor | None:
        """The excerpt of every pass. Without a position in the manifest the take's seed chooses one."""
        samples = self._load(audio, "style")
        if samples is None:
            return None
        settings, rate = self.recipe.settings, self._loaded.generator.sample_rate
        seconds = float(settings["style_excerpt_s"] or 0)
        span = round(seconds * rate)
        room = samples.shape[1] - span
        at = settings.get("style_at_s")
        first = _position_from_seed(self.recipe.seed, room) if at is None else round(float(at) * rate)
        if room < 0 or first > room:
            what = f"of {seconds:g}s" if at is None else f"of {seconds:g}s at {float(at):g}s"
            raise GenerationError(
                f"style: the file has {samples.shape[1] / rate:g}s, too little for an excerpt {what}; use a longer "
                "file, a shorter excerpt, or another position"
            )
        self.excerpt = (first / rate, seconds)
        return samples[:, first : first + span]

    def _encode_prompt(self, audio: Mapping[str, Clip]) -> torch.Tensor:
        generator = self._loaded.generator
        samples = self._load(audio, "continue_from")
        if samples is None:
            return torch.zeros((generator.lm.num_codebooks, 0), dtype=torch.long, device=generator.device)
        span = round(float(self.recipe.settings["prompt_s"] or 0) * generator.sample_rate)
        end = samples[:, -span:]
        # The codec would pad a partial frame with silence after the file's end.
        part = end.shape[1] % int(generator.sample_rate / generator.frame_rate)
        return codec.encode(self._loaded, end[:, part:])


def _position_from_seed(seed: int, room: int) -> int:
    """A whole number from 0 to ``room``, always the same for one seed."""
    return int.from_bytes(hashlib.sha256(f"style {seed}".encode()).digest()[:8], "big") % (max(room, 0) + 1)


def _sampling(recipe: Recipe) -> Sampling:
    settings = recipe.settings
    return Sampling(
        temperature=float(settings["temperature"] or 0),
        top_k=int(settings["top_k"] or 0),
        top_p=float(settings["top_p"] or 0),
        cfg=float(settings["cfg"] or 0),
        cfg_text=float(settings.get("cfg_text") or 1),
    )
