"""Codes into audio by MultiBand Diffusion: AudioCraft's own `MultiBandDiffusion`, with a take's own random numbers.

San Roman, Adi, Deleforge, Serizel, Synnaeve, Défossez: "From Discrete Tokens to High-Fidelity Audio Using Multi-Band
Diffusion" (2023). Each band starts from noise and is cleaned in twenty steps towards what the codec's latents say;
at the end the bands of a filter bank get the levels that EnCodec's own decoding has.
"""

from __future__ import annotations

from typing import Any

import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file

from pipeline.errors import MachineError, VerificationError
from pipeline.generators.audiocraft import model_store, multiband, noise
from pipeline.generators.audiocraft.audiocraft_modules import (
    diffusion_schedule,
    loaders,
    multibanddiffusion,
    replaced,
)
from pipeline.generators.audiocraft.multiband_choice import named
from pipeline.generators.audiocraft.pickles import unfit

PASS = 1 << 20
"""In place of the number of a language model's pass, so that no number is used twice."""


def stored_weights(weights: str) -> model_store.Stored:
    """The ``<name>@<revision>`` of a recipe in the model store, every file hashed.

    Raises `MachineError` when it is not here, or differs from its record.
    """
    stored = model_store.require(*named(weights))
    try:
        model_store.verify(stored)
    except VerificationError as error:
        raise MachineError(str(error)) from error
    return stored


class Diffusion:
    """The diffusion models of all bands, beside the codec whose codes they decode."""

    def __init__(self, stored: model_store.Stored, codec: Any, device: str) -> None:
        """``codec`` is an AudioCraft ``CompressionModel`` on ``device``.

        Raises `MachineError` when the weights do not fit their configuration, the codec, or the device.
        """
        self.stored = stored
        try:
            self._model = _build(stored, codec, device)
        except torch.OutOfMemoryError as error:
            raise MachineError(
                f"{stored.name} does not fit on {device} beside its model; use decoder: encodec, or another device"
            ) from error
        except (RuntimeError, KeyError, ValueError, AssertionError, TypeError, AttributeError) as error:
            raise MachineError(
                f"{stored.name}: its weights do not fit its configuration ({unfit(error)}); it is "
                "damaged or of another kind: fetch it again"
            ) from error

    @torch.no_grad()
    def decode(self, codes: torch.Tensor, seed: int) -> torch.Tensor:
        """Audio float32 [channels, samples] of ``codes`` [codebooks, frames], on the CPU.

        One take at a time: the levels at the end are those of all that is decoded together.
        """
        draws = _Draws(seed, self._model.device)
        with replaced(torch, "randn_like", draws):
            audio: torch.Tensor = self._model.tokens_to_wav(codes[None].to(self._model.device))
        return audio[0].float().cpu()


def _build(stored: model_store.Stored, codec: Any, device: str) -> Any:
    config = model_store.read_json(stored.folder / multiband.CONFIG)
    whole = multiband.package(config, load_file(stored.folder / multiband.WEIGHTS, device="cpu"))
    for index in range(whole["n_bands"]):
        whole[index]["cfg"] = OmegaConf.create(whole[index]["cfg"])
    with replaced(loaders, "load_mbd_ckpt", lambda *_, **__: whole):
        models, processors, configs = loaders.load_diffusion_models(stored.name, device=device)
    _suits(stored, config["sample_rate"], models, codec, device)
    processes = [
        multibanddiffusion.DiffusionProcess(
            model=model.eval(),
            noise_schedule=diffusion_schedule.NoiseSchedule(
                **config.schedule, sample_processor=processor, device=device
            ),
        )
        for model, processor, config in zip(models, processors, configs, strict=True)
    ]
    return multibanddiffusion.MultiBandDiffusion(processes, codec)


@torch.no_grad()
def _suits(stored: model_store.Stored, rate: int, models: list[Any], codec: Any, device: str) -> None:
    """Raises `MachineError` where the models were trained on another codec's latents."""
    frame = torch.zeros((1, codec.num_codebooks, 1), dtype=torch.long, device=device)
    found = (int(codec.sample_rate), codec.decode_latent(frame).shape[1])
    for model in models:
        trained = (rate, model.conv_codec.in_channels if model.use_codec else found[1])
        if trained != found:
            raise MachineError(
                f"{stored.name}: its models are for another codec ({trained[0]} Hz, latents of {trained[1]}; the "
                f"model's has {found[0]} Hz and {found[1]}); set decoder: encodec, or name a model they are for"
            )


class _Draws:
    """In place of ``torch.randn_like``: numbers of one take, call by call."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self._key = noise.keys([seed], [PASS], device)
        self._calls = 0

    def __call__(self, like: torch.Tensor) -> torch.Tensor:
        """Noise of the shape [1, ...] and the kind of ``like``."""
        self._calls += 1
        return noise.normal(self._key, self._calls, like.shape[1:]).to(like.dtype)
