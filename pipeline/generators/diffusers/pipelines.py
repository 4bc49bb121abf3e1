"""The pipelines of diffusers behind one interface: create a sound, or generate a part of one again. Imports torch.

All tensors of sound are float32 on the CPU, shape [channels, samples].
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import diffusers
import torch

from pipeline.errors import GenerationError
from pipeline.generators.diffusers.manifest_keys import Task
from pipeline.generators.diffusers.models import Family
from pipeline.recipe import Scalar

INSTRUMENTAL = "[Instrumental]"
"""The lyrics of music without a voice, as ACE-Step's authors write them."""
_ACE_STEP_SHIFT = 3.0
"""Of the noise schedule: the pipeline's own value."""


@dataclass(frozen=True)
class Request:
    """What to create."""

    prompt: str
    samples: int
    settings: Mapping[str, Scalar]
    generator: torch.Generator
    """The take's random numbers, on the CPU, so that they are the same for every device."""
    start: torch.Tensor | None = None
    """A sound to start from, or to edit."""
    task: Task | None = None
    """How to edit ``start``."""

    def get(self, name: str, default: Any = None) -> Any:
        """A setting."""
        return self.settings.get(name, default)


class Pipeline(Protocol):
    """A loaded pipeline of one family."""

    rate: int
    channels: int
    frame: int
    """Samples of one latent: the grain in which parts are generated again."""

    def create(self, request: Request) -> torch.Tensor:
        """A new sound of ``request.samples``."""

    def inpaint(self, request: Request, source: torch.Tensor, part: tuple[int, int]) -> torch.Tensor:
        """``source`` with the samples from ``part[0]`` to ``part[1]``, whole latents, generated again.

        The rest of the result is only similar to ``source``: the autoencoder loses a little.
        """


def exact_seconds(samples: int, rate: int) -> float:
    """Seconds of which a pipeline makes at least ``samples`` when it truncates ``seconds * rate``.

    >>> int(exact_seconds(4410, 44100) * 44100)
    4410
    """
    seconds = samples / rate
    while int(seconds * rate) < samples:
        seconds = math.nextafter(seconds, math.inf)
    return seconds


class _Base:
    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._autoencoder = pipe.vae
        self.rate = int(pipe.vae.config.sampling_rate)
        self.channels = int(pipe.vae.config.audio_channels)

    def _on_device(self, sound: torch.Tensor) -> torch.Tensor:
        weights = next(self._autoencoder.parameters())
        return sound.to(device=weights.device, dtype=weights.dtype)

    @staticmethod
    def _sound(audio: torch.Tensor, samples: int) -> torch.Tensor:
        """The only row of ``audio``, of exactly ``samples``."""
        sound = audio[0].float().cpu()[:, :samples]
        return torch.nn.functional.pad(sound, (0, samples - sound.shape[1]))


class StableAudioOpen(_Base):
    """Stable Audio Open: always generates its whole window, and returns the beginning."""

    def __init__(self, pipe: Any) -> None:
        super().__init__(pipe)
        self.frame = int(pipe.vae.hop_length)
        self._scheduler_class, self._schedule = type(pipe.scheduler), dict(pipe.scheduler.config)

    def create(self, request: Request) -> torch.Tensor:
        """See `Pipeline.create`."""
        # A scheduler has the state of a run, so each take gets its own.
        self._pipe.scheduler = self._scheduler(request)
        window = int(self._pipe.transformer.config.sample_size) * self.frame / self.rate
        more: dict[str, Any] = {}
        if request.start is not None:
            more = {
                "initial_audio_waveforms": self._on_device(request.start)[None],
                "initial_audio_sampling_rate": self.rate,
            }
        with warnings.catch_warnings():
            # The scheduler asks for noise a rounding error outside its range.
            warnings.filterwarnings("ignore", module="torchsde")
            audio = self._pipe(
                prompt=request.prompt,
                negative_prompt=request.get("negative"),
                audio_end_in_s=min(exact_seconds(request.samples, self.rate), window),
                num_inference_steps=request.get("steps"),
                guidance_scale=float(request.get("guidance", 1.0)),
                generator=request.generator,
                **more,
            ).audios
        return self._sound(audio, request.samples)

    def _scheduler(self, request: Request) -> Any:
        """A scheduler whose first noise level keeps as much of ``request.start`` as its strength says."""
        changes: dict[str, float] = {}
        if request.start is not None:
            lowest, highest = self._schedule["sigma_min"], self._schedule["sigma_max"]
            strength = float(request.get("strength"))
            changes["sigma_max"] = lowest ** (1.0 - strength) * highest**strength
        return self._scheduler_class.from_config(self._schedule, **changes)

    def inpaint(self, request: Request, source: torch.Tensor, part: tuple[int, int]) -> torch.Tensor:
        """Never called: requirements refuse what would need it."""
        raise GenerationError("Stable Audio Open cannot generate a part of a sound again; use another model")


class StableAudio3(_Base):
    """Stable Audio 3, distilled or base; inpainting hears neither guidance nor a negative prompt."""

    def __init__(self, pipe: Any) -> None:
        super().__init__(pipe)
        self.frame = int(pipe.vae.downsampling_ratio)
        self._variation = diffusers.StableAudio3AudioToAudioPipeline(**pipe.components)
        self._inpainting = diffusers.StableAudio3InpaintPipeline(**pipe.components)
        for other in (self._variation, self._inpainting):
            other.set_progress_bar_config(disable=True)

    def create(self, request: Request) -> torch.Tensor:
        """See `Pipeline.create`."""
        common = self._common(request)
        if request.start is not None:
            audio = self._variation(
                **common,
                audio=self._whole_frames(request.start)[None],
                init_noise_level=float(request.get("strength")),
            ).audios
        else:
            audio = self._pipe(
                **common,
                guidance_scale=float(request.get("guidance", 1.0)),
                negative_prompt=request.get("negative"),
            ).audios
        return self._sound(audio, request.samples)

    def inpaint(self, request: Request, source: torch.Tensor, part: tuple[int, int]) -> torch.Tensor:
        """See `Pipeline.inpaint`."""
        common = self._common(request)
        frames = math.ceil(common["duration"] * self.rate / self.frame)
        mask = torch.ones(1, 1, frames)
        mask[..., part[0] // self.frame : part[1] // self.frame] = 0.0
        audio = self._inpainting(**common, audio=self._whole_frames(source)[None], mask=mask).audios
        return self._sound(audio, source.shape[1])

    def _common(self, request: Request) -> dict[str, Any]:
        return {
            "prompt": request.prompt,
            "duration": exact_seconds(request.samples, self.rate),
            "num_inference_steps": request.get("steps"),
            "generator": request.generator,
        }

    def _whole_frames(self, sound: torch.Tensor) -> torch.Tensor:
        return self._on_device(torch.nn.functional.pad(sound, (0, -sound.shape[1] % self.frame)))


class AceStep(_Base):
    """ACE-Step 1.5."""

    def __init__(self, pipe: Any) -> None:
        super().__init__(pipe)
        self.frame = int(pipe.vae.hop_length)

    def create(self, request: Request) -> torch.Tensor:
        """See `Pipeline.create`; the peak is at -1 dBFS, as the authors have it."""
        more: dict[str, Any] = {}
        if request.task is not None:
            assert request.start is not None
            tracks = str(request.get("tracks")).split(", ")
            more = {"task_type": request.task, "src_audio": self._fitted(request.start, request.samples)}
            more |= (
                {"complete_track_classes": tracks}
                if request.task == "complete"
                else {"track_name": tracks[0]}
            )
        elif request.start is not None:
            if self._pipe.audio_tokenizer is None or self._pipe.audio_token_detokenizer is None:
                raise GenerationError(
                    "this ACE-Step pipeline has no audio_tokenizer, which start_from needs; remove start_from, or "
                    "use a model that has it"
                )
            more = {
                "task_type": "cover",
                "src_audio": self._fitted(request.start, request.samples),
                "audio_cover_strength": 1.0 - float(request.get("strength")),
            }
        audio = self._pipe(**self._common(request), **more).audios
        return self._sound(audio, request.samples)

    def inpaint(self, request: Request, source: torch.Tensor, part: tuple[int, int]) -> torch.Tensor:
        """See `Pipeline.inpaint`. Decoded here: the pipeline would change the level of what it keeps."""
        latents = self._pipe(
            **self._common(request),
            task_type="repaint",
            src_audio=self._fitted(source, source.shape[1]),
            repainting_start=self._place(part[0]),
            repainting_end=self._place(part[1]),
            output_type="latent",
        ).audios
        with torch.no_grad():
            audio = self._autoencoder.decode(latents.transpose(1, 2).to(self._autoencoder.dtype)).sample
        return self._sound(audio, source.shape[1])

    def _place(self, sample: int) -> float:
        """Seconds that the pipeline truncates to the latent at ``sample``."""
        return (sample // self.frame + 0.5) * self.frame / self.rate

    def _fitted(self, sound: torch.Tensor, samples: int) -> torch.Tensor:
        """``sound`` cut or padded to the latents of ``samples``."""
        length = math.ceil(samples / self.frame) * self.frame
        return torch.nn.functional.pad(sound[:, :length], (0, max(0, length - sound.shape[1])))

    def _common(self, request: Request) -> dict[str, Any]:
        bpm, meter = request.get("bpm"), request.get("time_signature")
        return {
            "prompt": request.prompt,
            "lyrics": request.get("lyrics", INSTRUMENTAL),
            "vocal_language": request.get("language", "en"),
            "audio_duration": request.samples / self.rate,
            "num_inference_steps": request.get("steps"),
            "guidance_scale": float(request.get("guidance", 1.0)),
            "shift": _ACE_STEP_SHIFT,
            "bpm": None if bpm is None else round(bpm),
            "keyscale": request.get("key"),
            "timesignature": None if meter is None else meter.partition("/")[0],
            "generator": request.generator,
        }


ADAPTERS: Mapping[Family, Callable[[Any], Pipeline]] = {
    "stable-audio-open": StableAudioOpen,
    "stable-audio-3": StableAudio3,
    "ace-step": AceStep,
}
"""By family."""


@contextmanager
def random_numbers(seed: int, device: str) -> Iterator[torch.Generator]:
    """The random numbers of one take, also for code that draws from torch's global generators."""
    cuda = [torch.device(device).index or 0] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(seed)
        yield torch.Generator("cpu").manual_seed(seed)
