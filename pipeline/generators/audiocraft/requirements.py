"""From an asset to what it asks of a model: the recipe's settings, or what the model cannot do and which can."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from pipeline.errors import MachineError
from pipeline.generators.audiocraft.checkpoints import decoder_weights_for, is_path, read_folder
from pipeline.generators.audiocraft.manifest_keys import AudioCraftKeys, keys_of
from pipeline.generators.audiocraft.models import (
    BY_ID,
    DEFAULTS,
    FRAMES_A_SECOND,
    PUBLISHED,
    Model,
    names,
    unknown_model,
)
from pipeline.generators.model_store import StoreNotReady
from pipeline.generators.protocol import RequirementProblem, Requirements
from pipeline.manifest.spec import AssetSpec
from pipeline.recipe import Scalar

LEAST_PROMPT_S = 1.0
"""Less audio than this says too little to be carried on."""
_WRAP_S = 0.5
"""Of sound after a loop's end, for mastering to fade into its start: its longest crossfade."""


_AUTOREGRESSIVE: Mapping[str, float] = {"temperature": 1.0, "top_k": 250, "top_p": 0.0, "cfg": 3.0}
_SAMPLING: Mapping[str, Mapping[str, float]] = {
    "musicgen": _AUTOREGRESSIVE,
    "audiogen": _AUTOREGRESSIVE,
    "magnet": {"temperature": 3.0, "top_k": 0, "top_p": 0.9, "cfg": 10.0},
}
"""AudioCraft's own sampling."""
_MAGNET: dict[str, Scalar] = {"cfg_min": 1.0, "decoding_steps": "20,10,10,10", "spans": "nonoverlap"}


def requirements_of(asset: AssetSpec) -> Requirements:
    """What making ``asset`` takes. What cannot be made is in the problems of the result.

    Raises `StoreNotReady` where no local checkpoint can be read on this machine.
    """
    try:
        model = _find(asset)
    except StoreNotReady:
        raise
    except MachineError as error:
        nobody = unknown_model(asset.model or "", asset.kind, None)
        others = "cuesmith models list" if is_path(asset.model or "", asset.model_folder) else _suited(asset)
        problem = RequirementProblem("model", str(error), f"or use a published model: {others}")
        return Requirements(nobody.info(), asset.duration_s, problems=(problem,))
    settings = _settings(asset, model)
    problems = [*_problems(asset, model), *_decoder(asset, model, settings)]
    conditioning: dict[str, str] = {role: audio.sha256 for role, audio in keys_of(asset).inputs.items()}
    return Requirements(
        model=model.info(),
        seconds=_seconds(asset, model),
        settings=settings,
        conditioning=conditioning,
        ignored=_ignored(asset),
        problems=tuple(problems),
    )


def _ignored(asset: AssetSpec) -> tuple[str, ...]:
    tempo = ("bpm",) if asset.bpm is not None and not asset.loop else ()
    return (*tempo, *(key for key in asset.engine_keys if key not in AudioCraftKeys.__slots__))


def _find(asset: AssetSpec) -> Model:
    wanted = asset.model or DEFAULTS[asset.kind]
    model = BY_ID.get(wanted) or BY_ID.get(f"facebook/{wanted}")
    if model is None and is_path(wanted, asset.model_folder):
        model = read_folder(wanted, asset.model_folder)
    if model is None:
        raise MachineError(
            f"{wanted!r} is no model that AudioCraft publishes, and no folder with state_dict.bin "
            "(a path starts at the folder of the file that names it)"
        )
    return model


def _suited(asset: AssetSpec) -> str:
    return names(one for one in PUBLISHED if one.kind == asset.kind)


def _problems(asset: AssetSpec, model: Model) -> Iterator[RequirementProblem]:
    others = f"use one of: {_suited(asset)}"
    if model.missing is not None:
        yield RequirementProblem("model", f"{model.id} cannot run: {model.missing}", others)
    if asset.kind != model.kind:
        what = f"{model.id} makes {model.kind}, and this asset is {asset.kind}"
        yield RequirementProblem("model", what, others)
    for role in keys_of(asset).inputs:
        if role not in model.hears:
            can = names(one for one in PUBLISHED if role in one.hears and one.kind == asset.kind)
            remedy = f"use one of: {can}" if can else f"no {asset.kind} model hears one: remove {role}"
            yield RequirementProblem(role, f"{model.id} does not hear {role}", remedy)
    yield from _length(asset, model)


def _length(asset: AssetSpec, model: Model) -> Iterator[RequirementProblem]:
    prompt = (
        LEAST_PROMPT_S if "continue_from" in keys_of(asset).inputs and "continue_from" in model.hears else 0.0
    )
    if asset.duration_s + prompt <= model.window_s or (keys_of(asset).extend and model.stride_s is not None):
        return
    most = model.window_s - prompt
    with_prompt = " with the audio that it carries on" if prompt else ""
    what = f"{asset.duration_s:g}s is longer than {model.id}'s window of {model.window_s:g}s{with_prompt}"
    if model.stride_s is None:
        longer = names(one for one in PUBLISHED if one.kind == asset.kind and one.stride_s is not None)
        remedy = f"ask for {most:g}s or less, or extend: true with one of: {longer}"
    else:
        again = model.window_s - model.stride_s
        cost = f"each further {model.stride_s:g}s is made with the {again:g}s before it read again"
        remedy = f"set extend: true ({cost}), or ask for {most:g}s or less"
    yield RequirementProblem("duration", what, remedy)


def _decoder(asset: AssetSpec, model: Model, settings: dict[str, Scalar]) -> list[RequirementProblem]:
    """Put the weights of another decoder than the model's own codec into ``settings``."""
    decoder = keys_of(asset).decoder
    if decoder == "encodec":
        return []
    if decoder not in model.decoders:
        can = names(one for one in PUBLISHED if decoder in one.decoders and one.kind == asset.kind)
        what = f"{model.id}'s codes are not what {decoder} was trained for: mono MusicGen at 32 kHz"
        remedy = f"set decoder: encodec{f', or use one of: {can}' if can else ''}"
        return [RequirementProblem("decoder", what, remedy)]
    try:
        settings["decoder_weights"] = decoder_weights_for(
            asset.model or DEFAULTS[asset.kind], asset.model_folder
        )
    except StoreNotReady:
        raise
    except MachineError as error:
        return [RequirementProblem("decoder", str(error), "or set decoder: encodec")]
    return []


def _settings(asset: AssetSpec, model: Model) -> dict[str, Scalar]:
    keys = keys_of(asset)
    asked = dict(keys.sampling)
    if "top_k" in asked:
        asked.setdefault("top_p", 0.0)
    settings: dict[str, Scalar] = {**_SAMPLING[model.family], **asked, "decoder": keys.decoder}
    if model.family == "magnet":
        settings |= _MAGNET
    if keys.style is not None:
        settings |= keys.style.settings
    heard = 0.0
    if keys.continue_from is not None:
        heard = settings["prompt_s"] = _prompt_seconds(asset, model)
    if _seconds(asset, model) + heard > model.window_s:
        settings["stride_s"] = model.stride_s
    return settings


def _prompt_seconds(asset: AssetSpec, model: Model) -> float:
    """How much of the end of ``continue_from`` is heard: a third of the window, or what the window has left.

    Whole frames, as the model counts them, so that with those to be made they never are more than the window.
    """
    window = int(model.window_s * FRAMES_A_SECOND)
    third, left = window // 3, window - math.ceil(_seconds(asset, model) * FRAMES_A_SECOND - 1e-6)
    frames = third if left < LEAST_PROMPT_S * FRAMES_A_SECOND else min(third, left)
    return frames / FRAMES_A_SECOND


def _seconds(asset: AssetSpec, model: Model) -> float:
    """What is generated: of a loop also what its end is faded into, where the window has room for it.

    The material before an intro's loop serves as that already.
    """
    if not asset.loop or asset.mastering.intro_s:
        return asset.duration_s
    room = (
        model.window_s
        - asset.duration_s
        - (LEAST_PROMPT_S if keys_of(asset).continue_from is not None else 0.0)
    )
    return round(asset.duration_s + (min(_WRAP_S, room) if room >= 0.0 else _WRAP_S), 6)
