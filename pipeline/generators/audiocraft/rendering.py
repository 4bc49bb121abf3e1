"""Codes into audio on one device, by EnCodec or MultiBand Diffusion, with or without the language model.

San Roman, Adi, Deleforge, Serizel, Synnaeve, Défossez: "From Discrete Tokens to High-Fidelity Audio Using Multi-Band
Diffusion" (2023). Each band starts from noise and is denoised in twenty steps, conditioned on the codec's latents; at
the end the bands of a filter bank get the levels that EnCodec's own decoding has. AudioCraft's `MultiBandDiffusion`
does it with random numbers that belong to the take.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file

from pipeline.audio import Clip
from pipeline.errors import GenerationError, MachineError, UsageError
from pipeline.generators.audiocraft import codec, conversion
from pipeline.generators.audiocraft.audiocraft_modules import (
    diffusion_schedule,
    loaders,
    multibanddiffusion,
    replaced,
)
from pipeline.generators.audiocraft.checkpoints import decoder_weights_for, split_weights
from pipeline.generators.audiocraft.loading import load_codec, translate_errors
from pipeline.generators.audiocraft.model_store import STORE, StoredModel
from pipeline.generators.audiocraft.models import LICENSE, LOCAL_LICENSE, MBD
from pipeline.generators.audiocraft.sampling import noise_keys, normal_noise
from pipeline.generators.model_store import read_json
from pipeline.generators.protocol import GeneratedTake, StoredTake
from pipeline.generators.torch_device import free_memory, none_if_full, out_of_memory_error
from pipeline.recipe import Recipe

DECODERS = ("encodec", "mbd")
DIFFUSION_PASS = 1 << 20
"""Used in place of the number of a language model's pass, which is always smaller."""


class MultiBandDecoder:
    """The diffusion models of all bands, with the codec whose codes they decode."""

    def __init__(self, stored: StoredModel, codec: Any, device: str) -> None:
        """``codec`` is an AudioCraft ``CompressionModel`` on ``device``.

        Raises `MachineError` if the weights do not fit their configuration, the codec, or the device.
        """
        self.stored = stored
        remedy = " beside its model; use decoder: encodec, or another device"
        with translate_errors(stored.id, device, remedy):
            self._model = _build(stored, codec, device)

    @torch.no_grad()
    def decode(self, codes: torch.Tensor, seed: int) -> torch.Tensor:
        """Audio float32 [channels, samples] of ``codes`` [codebooks, frames], on the CPU.

        One take at a time: AudioCraft sets the levels for all audio that is decoded together.
        """
        noise = _diffusion_noise(seed, self._model.device)
        with replaced(torch, "randn_like", noise):
            audio: torch.Tensor = self._model.tokens_to_wav(codes[None].to(self._model.device))
        return audio[0].float().cpu()


def _build(stored: StoredModel, codec: Any, device: str) -> Any:
    config = read_json(stored.folder / conversion.MBD_CONFIG)
    package = conversion.mbd_package(config, load_file(stored.folder / conversion.MBD_WEIGHTS, device="cpu"))
    for index in range(package["n_bands"]):
        package[index]["cfg"] = OmegaConf.create(package[index]["cfg"])
    with replaced(loaders, "load_mbd_ckpt", lambda *_, **__: package):
        models, processors, configs = loaders.load_diffusion_models(stored.id, device=device)
    _check_codec(stored, config["sample_rate"], models, codec, device)
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
def _check_codec(stored: StoredModel, rate: int, models: list[Any], codec: Any, device: str) -> None:
    """Raise `MachineError` if the models were trained on another codec's latents."""
    frame = torch.zeros((1, codec.num_codebooks, 1), dtype=torch.long, device=device)
    actual = (int(codec.sample_rate), codec.decode_latent(frame).shape[1])
    for model in models:
        trained = (rate, model.conv_codec.in_channels if model.use_codec else actual[1])
        if trained != actual:
            raise MachineError(
                f"{stored.id}: its models are for another codec ({trained[0]} Hz, latents of size {trained[1]}; the "
                f"model's codec has {actual[0]} Hz and {actual[1]}); set decoder: encodec, or use another model"
            )


def _diffusion_noise(seed: int, device: torch.device) -> Callable[[torch.Tensor], torch.Tensor]:
    """Replaces ``torch.randn_like``: random numbers of one take, different for each call."""
    key, calls = noise_keys([seed], [DIFFUSION_PASS], device), count(1)
    return lambda like: normal_noise(key, next(calls), like.shape[1:]).to(like.dtype)


Key = tuple[str, str]
"""A model's name and revision."""


class Renderer:
    """Codecs and diffusion models on one device, each loaded once."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._codecs: dict[Key, Any] = {}
        self._diffusion: dict[tuple[Key, str], MultiBandDecoder] = {}

    def use_codec(self, key: Key, compression_model: Any) -> None:
        """Use the codec of a model that is already loaded."""
        self._codecs[key] = compression_model

    def clear(self) -> None:
        """Free all models."""
        self._codecs.clear()
        self._diffusion.clear()

    def prepare(self, recipe: Recipe) -> None:
        """Load what decodes ``recipe``'s codes. Raises `MachineError` with what is missing."""
        self._codec(recipe)
        self._bands(recipe)

    def decoding(self, recipe: Recipe) -> Callable[[torch.Tensor], torch.Tensor]:
        """The function from ``recipe``'s codes [codebooks, frames] to audio [channels, samples] on the device."""
        bands = self._bands(recipe)
        if bands is not None:
            return partial(bands.decode, seed=recipe.seed)
        return partial(codec.decode, self._codec(recipe))

    def render(self, recipe: Recipe, codes: torch.Tensor) -> torch.Tensor:
        """Audio float32 [channels, samples] of ``codes`` [codebooks, frames], on the CPU.

        Raises `GenerationError` if it does not fit into memory.
        """
        decode = self.decoding(recipe)
        audio = none_if_full(lambda: decode(codes).float().cpu())
        if audio is None:
            free_memory()
            raise out_of_memory_error()
        return audio

    def decoder_record(self, recipe: Recipe) -> dict[str, Any]:
        """The decoder in a take's record."""
        bands = self._bands(recipe)
        record: dict[str, Any] = {"decoder": recipe.settings["decoder"]}
        if bands is not None:
            stored = bands.stored
            license = LICENSE if stored.id == MBD else LOCAL_LICENSE
            record["decoder_checkpoint"] = {"name": stored.id, **stored.record(license)}
        return record

    def rates(self, recipe: Recipe) -> tuple[int, float]:
        """Samples and frames a second of ``recipe``'s model."""
        model = self._codec(recipe)
        return int(model.sample_rate), float(model.frame_rate)

    def _codec(self, recipe: Recipe) -> Any:
        key = (recipe.model, recipe.revision)
        if key not in self._codecs:
            self._codecs[key] = load_codec(*key, self._device)
        return self._codecs[key]

    def _bands(self, recipe: Recipe) -> MultiBandDecoder | None:
        weights = recipe.settings.get("decoder_weights")
        if weights is None:
            return None
        key = ((recipe.model, recipe.revision), str(weights))
        if key not in self._diffusion:
            self._diffusion[key] = MultiBandDecoder(
                STORE.require_verified(*split_weights(str(weights))), self._codec(recipe), self._device
            )
        return self._diffusion[key]


def redecode(data: bytes, decoder: str = "encodec", device: str = "cpu", seed: int = 0) -> Clip:
    """The audio of a take's attachment ``codes``, by EnCodec (``encodec``) or MultiBand Diffusion (``mbd``).

    ``seed`` is the take's; EnCodec does not use it. The audio starts with the prompt that a take continues (its notes'
    ``prompt_frames``), if any. Raises `MachineError` if weights are not installed.
    """
    if decoder not in DECODERS:
        raise UsageError(f"unknown decoder {decoder!r}; available: {', '.join(DECODERS)}")
    codes, about = codec.unpack(data)
    settings: dict[str, Any] = {"decoder": decoder}
    if decoder == "mbd":
        settings["decoder_weights"] = decoder_weights_for(about["model"])
    recipe = Recipe("audiocraft", "", about["model"], about["revision"], "music", "", 0.0, seed, settings)
    audio = Renderer(device).render(recipe, codes)
    return Clip(audio.contiguous().numpy(), int(about["sample_rate_hz"]))


def trim_take(audio: torch.Tensor, recipe: Recipe, prompt_frames: int, rates: tuple[int, float]) -> Clip:
    """The take in decoded ``audio`` [channels, samples]: after its prompt, at its length.

    ``rates`` are samples and frames per second.
    """
    rate, frame_rate = rates
    first = round(prompt_frames * rate / frame_rate)
    return Clip(audio[:, first : first + round(recipe.seconds * rate)].contiguous().numpy(), rate)


def redecode_take(renderer: Renderer, recipe: Recipe, stored: StoredTake) -> GeneratedTake:
    """The take of ``recipe`` from the codes of one that differs in its decoder alone.

    Raises `GenerationError` if the codes are of another model.
    """
    data = stored.attachments["codes"]
    codes, about = codec.unpack(data)
    if (about["model"], about["revision"]) != (recipe.model, recipe.revision):
        raise GenerationError(
            f"the codes of take {stored.take[:12]} are {about['model']}'s; report this as a bug"
        )
    audio = renderer.render(recipe, codes)
    clip = trim_take(audio, recipe, int(stored.notes.get("prompt_frames", 0)), renderer.rates(recipe))
    notes = {key: value for key, value in stored.notes.items() if key != "decoder_checkpoint"}
    notes |= {**renderer.decoder_record(recipe), "codes_of": stored.notes.get("codes_of", stored.take)}
    return GeneratedTake(clip, attachments={"codes": data}, notes=notes)
