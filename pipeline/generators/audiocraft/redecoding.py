"""Audio again from the codes that a take keeps, with no language model."""

from __future__ import annotations

from typing import Any

import torch

from pipeline.audio import Clip
from pipeline.errors import GenerationError, UsageError
from pipeline.generators.audiocraft import codec
from pipeline.generators.audiocraft.multiband_choice import weights_for
from pipeline.generators.audiocraft.rendering import Renderer
from pipeline.generators.protocol import GeneratedTake, Kept
from pipeline.recipe import Recipe

DECODERS = ("encodec", "mbd")


def redecode(data: bytes, decoder: str = "encodec", device: str = "cpu", seed: int = 0) -> Clip:
    """The audio of a take's attachment ``codes``, by EnCodec (``encodec``) or MultiBand Diffusion (``mbd``).

    ``seed`` is the take's; EnCodec has no use for it. The audio begins with what a take carried on (its notes'
    ``prompt_frames``), where it did. Raises `MachineError` where weights are not on this machine.
    """
    if decoder not in DECODERS:
        raise UsageError(f"decoder {decoder!r} is not known; there are: {', '.join(DECODERS)}")
    codes, about = codec.unpack(data)
    settings: dict[str, Any] = {"decoder": decoder}
    if decoder == "mbd":
        settings["decoder_weights"] = weights_for(about["model"])
    recipe = Recipe("audiocraft", "", about["model"], about["revision"], "music", "", 0.0, seed, settings)
    audio = Renderer(device).render(recipe, codes)
    return Clip(audio.contiguous().numpy(), int(about["sample_rate_hz"]))


def cut(audio: torch.Tensor, recipe: Recipe, prompt_frames: int, rates: tuple[int, float]) -> Clip:
    """The take itself in decoded ``audio`` [channels, samples]: past the audio that it carries on, at its length.

    ``rates`` are samples and frames a second.
    """
    rate, frame_rate = rates
    first = round(prompt_frames * rate / frame_rate)
    return Clip(audio[:, first : first + round(recipe.seconds * rate)].contiguous().numpy(), rate)


def remake(renderer: Renderer, recipe: Recipe, kept: Kept) -> GeneratedTake:
    """The take of ``recipe`` from the codes of one that differs in its decoder alone.

    Raises `GenerationError` where those are not its codes.
    """
    data = kept.attachments["codes"]
    codes, about = codec.unpack(data)
    if (about["model"], about["revision"]) != (recipe.model, recipe.revision):
        raise GenerationError(
            f"the codes of take {kept.take[:12]} are {about['model']}'s; report this as a bug"
        )
    audio = renderer.render(recipe, codes)
    clip = cut(audio, recipe, int(kept.notes.get("prompt_frames", 0)), renderer.rates(recipe))
    notes = {key: value for key, value in kept.notes.items() if key != "decoder_checkpoint"}
    notes |= {**renderer.about(recipe), "codes_of": kept.notes.get("codes_of", kept.take)}
    return GeneratedTake(clip, attachments={"codes": data}, notes=notes)
