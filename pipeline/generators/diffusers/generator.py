"""The opened engine: takes from recipes by pipelines of diffusers on one device. Imports torch and diffusers.

Takes are made one at a time: a row of a batch differs in its last bits from the same row alone, and a take never
depends on its company.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers.utils import logging as diffusers_logging
from safetensors import SafetensorError
from transformers.utils import logging as transformers_logging

from pipeline.audio import Clip
from pipeline.errors import GenerationError, MachineError
from pipeline.generators.diffusers.model_store import STORE
from pipeline.generators.diffusers.models import FAMILIES, Family, Model
from pipeline.generators.diffusers.pipelines import ADAPTERS, Pipeline, random_numbers
from pipeline.generators.diffusers.takes import Made, make_take
from pipeline.generators.model_store import StoredModel
from pipeline.generators.protocol import GeneratedTake, Outcome
from pipeline.generators.torch_device import (
    DoesNotFit,
    checked_device,
    device_versions,
    free_memory,
    is_out_of_memory,
    load_in_room,
    none_if_full,
    out_of_memory_error,
)
from pipeline.recipe import Recipe

_CUDA_DTYPES: Mapping[Family, torch.dtype] = {
    "stable-audio-open": torch.float16,
    "stable-audio-3": torch.float16,
    "ace-step": torch.bfloat16,
}
"""The precision in which the authors run them; other devices compute in float32."""
_LOAD_ERRORS = (RuntimeError, LookupError, ValueError, TypeError, AttributeError, OSError, SafetensorError)
"""Errors of torch, diffusers and transformers for a pipeline that is damaged or of another kind."""
_TAKE_ERRORS = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class _Loaded:
    stored: StoredModel[Model]
    model: Model
    pipeline: Pipeline
    pipe: Any
    """diffusers' own object."""
    dtype: torch.dtype


class DiffusersGenerator:
    """Pipelines on one device, each loaded when a recipe first needs it."""

    def __init__(self, device: str) -> None:
        """Raises `MachineError` if this machine does not have ``device``."""
        self._device = checked_device(device)
        self._loaded: dict[tuple[str, str], _Loaded] = {}

    def generate(self, recipes: Sequence[Recipe], audio: Mapping[str, Clip]) -> Iterator[Outcome]:
        """Yield each recipe's take, one model after the other; see `Generator.generate`."""
        for recipe in sorted(recipes, key=lambda recipe: (recipe.model, recipe.revision)):
            loaded = self._model(recipe.model, recipe.revision)
            yield recipe, self._take(loaded, recipe, audio)

    def software(self) -> Mapping[str, str]:
        """Versions of what the audio depends on besides the recipe."""
        packages = ("torch", "diffusers", "transformers", "torchsde")
        return {name: version(name) for name in packages} | device_versions(self._device)

    def close(self) -> None:
        """Free the device."""
        self._loaded.clear()
        free_memory()

    def _model(self, name: str, revision: str) -> _Loaded:
        key = (name, revision)
        if key not in self._loaded:
            self._loaded[key] = load_in_room(
                lambda: _load(name, revision, self._device), self._loaded, self._loaded.clear
            )
        return self._loaded[key]

    def _take(
        self, loaded: _Loaded, recipe: Recipe, audio: Mapping[str, Clip]
    ) -> GeneratedTake | GenerationError:
        """The take; if memory runs out, again without other models, then with its audio decoded in tiles."""
        for tiled in (False, False, True):
            try:
                made = self._attempt(loaded, recipe, audio, tiled)
            except GenerationError as problem:
                return problem
            except _TAKE_ERRORS as problem:
                return GenerationError(
                    f"diffusers could not make {recipe.prompt!r}: {type(problem).__name__}: {problem}; change the "
                    "asset, or use another model"
                )
            if made is not None:
                return _generated(loaded, recipe, made, tiled)
            self._loaded = {key: one for key, one in self._loaded.items() if one is loaded}
            free_memory()
        return out_of_memory_error()

    def _attempt(
        self, loaded: _Loaded, recipe: Recipe, audio: Mapping[str, Clip], tiled: bool
    ) -> Made | None:
        """The take, or None if memory ran out."""
        autoencoder = loaded.pipe.vae
        if tiled and not hasattr(autoencoder, "enable_tiling"):
            return None
        try:
            if tiled:
                autoencoder.enable_tiling()
            with random_numbers(recipe.seed, self._device) as generator:
                return none_if_full(lambda: make_take(loaded.pipeline, recipe, audio, generator))
        finally:
            if tiled:
                autoencoder.disable_tiling()


def _generated(loaded: _Loaded, recipe: Recipe, made: Made, tiled: bool) -> GeneratedTake | GenerationError:
    samples = made.sound.numpy()
    if not np.isfinite(samples).all():
        return GenerationError(
            f"{loaded.model.id} gave samples that are not finite; generate with another seed or fewer steps"
        )
    notes: dict[str, Any] = {
        "checkpoint": loaded.stored.record(loaded.model.license),
        "pipeline": type(loaded.pipe).__name__,
        "scheduler": type(loaded.pipe.scheduler).__name__,
        "dtype": str(loaded.dtype).removeprefix("torch."),
        "seed": recipe.seed,
        "decoding": "tiles" if tiled else "whole",
        **made.notes,
    }
    clip = Clip(np.ascontiguousarray(samples, dtype=np.float32), loaded.pipeline.rate)
    return GeneratedTake(clip, made.loop, notes=notes)


def _dtype_of(family: Family, device: str) -> torch.dtype:
    return _CUDA_DTYPES[family] if device.startswith("cuda") else torch.float32


def _load(name: str, revision: str, device: str) -> _Loaded:
    """The pipeline on ``device``; every file is verified first.

    Raises `MachineError` if the weights are not installed, differ from their record, or do not fit.
    """
    stored = STORE.require_verified(name, revision)
    model = stored.model
    if model is None:
        raise MachineError(f"{name}: not a pipeline; remove {stored.folder} and fetch the model again")
    dtype = _dtype_of(model.family, device)
    diffusers_logging.set_verbosity_error()
    diffusers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        pipe = getattr(diffusers, FAMILIES[model.family].classes[0]).from_pretrained(
            str(stored.folder),
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            low_cpu_mem_usage=False,
        )
        pipe.set_progress_bar_config(disable=True)
        return _Loaded(stored, model, ADAPTERS[model.family](pipe.to(device)), pipe, dtype)
    except _LOAD_ERRORS as error:
        if is_out_of_memory(error):
            raise DoesNotFit(
                f"{name} does not fit on {device}; use a smaller model, or another device: --devices cpu"
            ) from error
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise MachineError(
            f"{name}: the pipeline in {stored.folder} cannot be loaded: {reason}; remove that folder and fetch or "
            "convert the model again"
        ) from error


GENERATOR = DiffusersGenerator
