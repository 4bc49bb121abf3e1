"""Codes into audio on one device, by the decoder that each recipe names, with or without the language model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from pipeline.errors import GenerationError
from pipeline.generators.audiocraft import codec
from pipeline.generators.audiocraft.diffusion import Diffusion, stored_weights
from pipeline.generators.audiocraft.loading import load_codec
from pipeline.generators.audiocraft.memory import stepping_down
from pipeline.generators.audiocraft.models import LICENSE, LOCAL_LICENSE, MBD
from pipeline.recipe import Recipe

Key = tuple[str, str]
"""A model's name and revision."""


class Renderer:
    """Codecs and diffusion models on one device, each loaded once."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._codecs: dict[Key, Any] = {}
        self._diffusion: dict[tuple[Key, str], Diffusion] = {}

    def adopt(self, key: Key, compression_model: Any) -> None:
        """Decode with the codec of a model that is loaded anyway."""
        self._codecs[key] = compression_model

    def forget(self) -> None:
        """Let go of everything."""
        self._codecs.clear()
        self._diffusion.clear()

    def prepare(self, recipe: Recipe) -> None:
        """Load what ``recipe``'s codes need to become audio. Raises `MachineError` naming what is missing."""
        self._codec(recipe)
        self._bands(recipe)

    def decoding(self, recipe: Recipe) -> Callable[[torch.Tensor], torch.Tensor]:
        """What makes audio [channels, samples], on the device, of ``recipe``'s codes [codebooks, frames]."""
        bands = self._bands(recipe)
        if bands is not None:
            return partial(bands.decode, seed=recipe.seed)
        return partial(codec.decode, self._codec(recipe))

    def render(self, recipe: Recipe, codes: torch.Tensor) -> torch.Tensor:
        """Audio float32 [channels, samples] of ``codes`` [codebooks, frames], on the CPU.

        Raises `GenerationError` where memory does not hold it.
        """
        decode = self.decoding(recipe)
        [audio], _ = stepping_down(lambda part, _: [decode(one).float().cpu() for one in part], [codes], 1)
        return audio

    def about(self, recipe: Recipe) -> dict[str, Any]:
        """What a take's record says of its decoder."""
        bands = self._bands(recipe)
        found: dict[str, Any] = {"decoder": recipe.settings["decoder"]}
        if bands is not None:
            stored = bands.stored
            found["decoder_checkpoint"] = {
                "name": stored.name,
                "sha256": stored.checkpoint_sha256,
                "files": dict(stored.sources),
                "revision": stored.revision,
                "license": LICENSE if stored.name == MBD else LOCAL_LICENSE,
            }
        return found

    def rates(self, recipe: Recipe) -> tuple[int, float]:
        """Samples and frames a second of ``recipe``'s model."""
        model = self._codec(recipe)
        return int(model.sample_rate), float(model.frame_rate)

    def _codec(self, recipe: Recipe) -> Any:
        key = (recipe.model, recipe.revision)
        if key not in self._codecs:
            self._codecs[key] = load_codec(*key, self._device)
        return self._codecs[key]

    def _bands(self, recipe: Recipe) -> Diffusion | None:
        weights = _weights(recipe)
        if weights is None:
            return None
        key = ((recipe.model, recipe.revision), weights)
        if key not in self._diffusion:
            self._diffusion[key] = Diffusion(stored_weights(weights), self._codec(recipe), self._device)
        return self._diffusion[key]


def _weights(recipe: Recipe) -> str | None:
    """The diffusion models that a recipe names; None for one that EnCodec alone decodes."""
    decoder = recipe.settings.get("decoder")
    if decoder not in ("encodec", "mbd"):
        raise GenerationError(f"decoder {decoder!r} is not known to this release; there are: encodec, mbd")
    return str(recipe.settings["decoder_weights"]) if decoder == "mbd" else None
