"""One take from a pipeline: created, continued in further passes, and closed to a loop. Imports torch.

A loop is made, not cut: the sound is rotated by half, so that its seam is in the middle; the part around the seam is
generated again with the sound on both sides in view; and it is rotated back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from pipeline.audio import Clip, Loop, resample
from pipeline.errors import GenerationError
from pipeline.generators.diffusers.manifest_keys import TASKS, Task
from pipeline.generators.diffusers.pipelines import Pipeline, Request
from pipeline.recipe import Recipe

FADE_S = 0.01
"""Crossfade between kept and new sound, inside the new part."""
LEAST_CONTEXT_S = 0.5
"""Less sound than this says too little to be continued."""


@dataclass(frozen=True)
class Made:
    """A take's sound and what was decided."""

    sound: torch.Tensor
    """Float32, shape [channels, samples]."""
    loop: Loop | None = None
    notes: dict[str, Any] = field(default_factory=dict)


def make_take(
    pipeline: Pipeline, recipe: Recipe, audio: Mapping[str, Clip], generator: torch.Generator
) -> Made:
    """The take of ``recipe``. Raises `GenerationError` for audio that cannot be used."""
    start, context = (
        _conditioning(pipeline, recipe, audio, role) for role in ("start_from", "continue_from")
    )
    request = Request(
        prompt=recipe.prompt,
        samples=round(recipe.seconds * pipeline.rate),
        settings=recipe.settings,
        generator=generator,
        start=start,
    )
    for task in TASKS:
        source = _conditioning(pipeline, recipe, audio, task)
        if source is not None:
            return _edited(pipeline, request, task, source)
    made = _make_passes(pipeline, request, context)
    return _closed(pipeline, request, made) if request.get("seam_s") is not None else made


def _conditioning(
    pipeline: Pipeline, recipe: Recipe, audio: Mapping[str, Clip], role: str
) -> torch.Tensor | None:
    """The audio of a role at the pipeline's rate and channels."""
    sha256 = recipe.conditioning.get(role)
    if sha256 is None:
        return None
    clip = resample(audio[sha256], pipeline.rate)
    if clip.channels != pipeline.channels:
        middle = clip.samples.mean(axis=0, keepdims=True, dtype=np.float32)
        clip = Clip(np.ascontiguousarray(middle.repeat(pipeline.channels, axis=0)), clip.rate)
    return torch.from_numpy(np.array(clip.samples, np.float32))


def _edited(pipeline: Pipeline, request: Request, task: Task, source: torch.Tensor) -> Made:
    """The beginning of ``source``, edited; a loop if the asset is one."""
    if source.shape[1] < request.samples:
        raise GenerationError(
            f"{task}: the file lasts {source.shape[1] / pipeline.rate:.4g} s, and the sound "
            f"{request.samples / pipeline.rate:.4g} s; ask for a shorter duration, or give a longer file"
        )
    source = source[:, : request.samples].contiguous()
    loop = Loop(0, request.samples) if request.get("file_loops") else None
    if task != "repaint":
        return Made(pipeline.create(replace(request, start=source, task=task)), loop)
    begin, stop = (round(float(request.get(name)) * pipeline.rate) for name in ("from_s", "to_s"))
    frame, stop = pipeline.frame, min(stop, request.samples)
    result = pipeline.inpaint(request, source, (begin // frame * frame, -(-stop // frame) * frame))
    fade = round(FADE_S * pipeline.rate)
    fades = (fade if begin else 0, fade if stop < request.samples else 0)
    sound = source.clone()
    sound[:, begin:stop] = _spliced(source[:, begin:stop], result[:, begin:stop], fades)
    return Made(sound, loop, {"repainted_samples": [begin, stop]})


def _make_passes(pipeline: Pipeline, request: Request, context: torch.Tensor | None) -> Made:
    """The sound in as many passes as its length needs; each further one hears the end of the one before it."""
    window = _window(pipeline, request)
    if context is None:
        sound = pipeline.create(replace(request, samples=min(request.samples, window)))
        passes = [sound.shape[1]]
        heard = 0
    else:
        if context.shape[1] < LEAST_CONTEXT_S * pipeline.rate:
            raise GenerationError(
                f"continue_from lasts {context.shape[1] / pipeline.rate:.3g} s; give {LEAST_CONTEXT_S:g} s or more"
            )
        sound, heard, passes = context, context.shape[1], []
    while sound.shape[1] - heard < request.samples:
        known = sound[:, -_context_samples(pipeline, request, sound.shape[1]) :]
        new = min(request.samples - (sound.shape[1] - heard), window - known.shape[1])
        sound = _extended(pipeline, request, sound, known, new)
        passes.append(new)
    notes: dict[str, Any] = {"passes": passes}
    if heard:
        notes["continued_from_s"] = round(heard / pipeline.rate, 6)
    return Made(sound[:, heard : heard + request.samples].contiguous(), notes=notes)


def _window(pipeline: Pipeline, request: Request) -> int:
    """Most samples of one pass."""
    seconds = request.get("window_s")
    return request.samples if seconds is None else int(float(seconds) * pipeline.rate)


def _context_samples(pipeline: Pipeline, request: Request, available: int) -> int:
    """Samples that a further pass hears: whole latents."""
    most = min(int(float(request.get("context_s")) * pipeline.rate), available)
    return max(1, most // pipeline.frame) * pipeline.frame


def _extended(
    pipeline: Pipeline, request: Request, sound: torch.Tensor, known: torch.Tensor, new: int
) -> torch.Tensor:
    """``sound`` with ``new`` samples more, which follow from ``known``, its end."""
    begin, length = known.shape[1], known.shape[1] + new
    source = torch.nn.functional.pad(known, (0, new))
    stop = -(-length // pipeline.frame) * pipeline.frame
    result = pipeline.inpaint(replace(request, samples=length), source, (begin, stop))
    fade = min(round(FADE_S * pipeline.rate), begin)
    rising = _rising(fade)
    joint = sound[:, -fade:] * (1.0 - rising) + result[:, begin - fade : begin] * rising
    return torch.cat([sound[:, :-fade], joint, result[:, begin:length]], dim=1)


def _closed(pipeline: Pipeline, request: Request, made: Made) -> Made:
    """The sound as a loop: only the part around its seam differs."""
    sound, samples = made.sound, made.sound.shape[1]
    half = samples // 2
    rotated = torch.roll(sound, half, dims=1)
    window = min(samples, _window(pipeline, request))
    first = half - window // 2
    source = rotated[:, first : first + window]
    begin, stop = seam_part(window // 2, window, float(request.get("seam_s")) * pipeline.rate, pipeline.frame)
    result = pipeline.inpaint(replace(request, samples=window), source, (begin, stop))
    fade = round(FADE_S * pipeline.rate)
    new = _spliced(source[:, begin:stop], result[:, begin:stop], (fade, fade))
    rotated[:, first + begin : first + stop] = new
    part = [first + begin - half, first + stop - half]
    notes = made.notes | {"loop": {"how": "seam generated again", "samples_around_seam": part}}
    return Made(torch.roll(rotated, -half, dims=1).contiguous(), Loop(0, samples), notes)


def seam_part(seam: int, samples: int, width: float, frame: int) -> tuple[int, int]:
    """Whole latents around ``seam``, about ``width`` samples and at least two latents, within ``samples``.

    >>> seam_part(1000, 2000, 400.0, 100), seam_part(1001, 2003, 10.0, 100)
    ((800, 1200), (900, 1100))
    """
    least = max(width / 2.0, float(frame) / 2.0)
    begin = max(0, int((seam - least) // frame))
    stop = min(samples // frame, -int(-(seam + least) // frame))
    return begin * frame, stop * frame


def _spliced(old: torch.Tensor, new: torch.Tensor, fades: tuple[int, int]) -> torch.Tensor:
    """``new`` with crossfades of so many samples from ``old`` at its start and to ``old`` at its end."""
    start, end = (min(fade, old.shape[1] // 4) for fade in fades)
    weight = torch.ones(old.shape[1])
    weight[:start] = _rising(start)
    weight[old.shape[1] - end :] = _rising(end).flip(0)
    return old * (1.0 - weight) + new * weight


def _rising(samples: int) -> torch.Tensor:
    """A raised cosine from 0 to 1, without its ends."""
    place = torch.arange(1, samples + 1) / (samples + 1)
    return 0.5 - 0.5 * torch.cos(torch.pi * place)
