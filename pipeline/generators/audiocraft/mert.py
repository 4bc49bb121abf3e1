"""MERT, which hears a style: its published weights in transformers' `HubertModel`, and no code from its repository.

MERT-v1-95M (Li et al.: "MERT: Acoustic Music Understanding Model with Large-Scale Self-supervised Training", 2023) is
HuBERT's architecture, name by name, as long as the three things that its own code adds are switched off, which its
configuration does: a constant-Q transform beside the convolutions, DeepNorm, and relaxed attention.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import HubertConfig, HubertModel

from pipeline.errors import MachineError
from pipeline.generators.audiocraft import model_store
from pipeline.generators.audiocraft.pickles import read_pickle, save, tensors

RATE_HZ = 24_000
FRAMES_A_SECOND = 75
PICKLE, WEIGHTS, CONFIG = "pytorch_model.bin", "model.safetensors", "config.json"

_RENAMED = {
    "conv.weight_g": "conv.parametrizations.weight.original0",
    "conv.weight_v": "conv.parametrizations.weight.original1",
}
"""How torch calls the parts of a weight norm now."""
_UNHEARD = "masked_spec_embed"
"""Stands for masked frames while MERT is trained."""


def convert(path: Path, target: Path) -> None:
    """Write the weights of the torch file ``path`` to ``target``. Raises `MachineError` that names what is wrong."""
    state = tensors(read_pickle(path))
    if state is None:
        raise MachineError(f"{path}: holds no state dict of tensors; fetch it again")
    save(state, target)


def add_converted(folder: Path, made: Path) -> None:
    """Where a helper's ``folder`` has its weights as a torch file alone, put them into ``made`` as safetensors."""
    if (folder / PICKLE).is_file() and not (folder / WEIGHTS).is_file():
        convert(folder / PICKLE, made / WEIGHTS)


def load(folder: Path, device: str) -> Any:
    """The `HubertModel` of the MERT in ``folder`` on ``device``.

    Raises `MachineError` for another kind of MERT, and for weights that do not fit.
    """
    said = model_store.read_json(folder / CONFIG)
    if said.get("feature_extractor_cqt") or said.get("deepnorm") or said.get("attention_relax", -1) > 0:
        raise MachineError(
            f"{folder}: another MERT than MERT-v1-95M, with layers that HuBERT does not have; put "
            "m-a-p/MERT-v1-95M in its place"
        )
    known = HubertConfig().to_dict()
    config = HubertConfig(
        **{key: value for key, value in said.items() if key in known and key != "model_type"}
    )
    config._attn_implementation = "eager"
    model = HubertModel(config)
    state = {_today(key): value.float() for key, value in load_file(folder / WEIGHTS, device="cpu").items()}
    try:
        missing, _ = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise _unfit(folder, str(error).splitlines()[-1].strip()) from error
    lacking = sorted(set(missing) - {_UNHEARD})
    if lacking:
        raise _unfit(folder, f"no {lacking[0]}")
    return model.eval().to(device)


def _today(key: str) -> str:
    for old, new in _RENAMED.items():
        if key.endswith(old):
            return key.removesuffix(old) + new
    return key


def _unfit(folder: Path, why: str) -> MachineError:
    return MachineError(f"{folder}: its weights are not MERT's ({why}); fetch m-a-p/MERT-v1-95M again")


@torch.no_grad()
def hear(model: Any, samples: torch.Tensor) -> torch.Tensor:
    """Features float32 [rows, frames, width] of ``samples`` [rows, samples] at 24 kHz."""
    features: torch.Tensor = model(samples).last_hidden_state
    return features
