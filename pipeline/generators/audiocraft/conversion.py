"""Checkpoint files as AudioCraft publishes them, converted once: safetensors and JSON, and no pickle after that.

A published checkpoint is two torch pickles: ``state_dict.bin`` and ``compression_state_dict.bin``, each with
``best_state`` (tensors) and ``xp.cfg`` (YAML text); the second may only say ``{'pretrained': <codec>}``. Text
encoders, and codecs that are models of their own, may lie beside them in a folder of their name.

Run as a program on a folder (``python -m ...conversion FOLDER``) it converts a local checkpoint apart from the
caller, who needs no torch, and prints a JSON object.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline.errors import CuesmithError, MachineError
from pipeline.generators.audiocraft import mert, model_store, multiband
from pipeline.generators.audiocraft.models import LOCAL_LICENSE, Family, Input, Model
from pipeline.generators.audiocraft.multiband_choice import FILE
from pipeline.generators.audiocraft.pickles import dump, first_line, read_pickle, save, tensors
from pipeline.manifest.spec import Kind

LM, CODEC = "state_dict.bin", "compression_state_dict.bin"
_COPIED = (".json", ".safetensors", ".model", ".txt")
_CONDITIONERS = ("t5", "lut", "chroma_stem", "style")


def convert(folder: Path, name: str, revision: str | None, model: Model | None) -> model_store.Stored:
    """Bring the checkpoint in ``folder`` into the model store.

    ``revision`` None: a local folder, known by the hash of its content. ``model`` None: described from its
    configuration. Raises `MachineError` that names the file and what is wrong with it.
    """
    sources = _sources(folder)
    if revision is None:
        revision = f"{model_store.LOCAL}{model_store.content_digest(sources)}"
    stored = model_store.find(name, revision)
    if stored is not None:
        return stored
    lm, codec = read_pickle(folder / LM), read_pickle(folder / CODEC)
    config = read_config(folder / LM, lm)
    described = model or describe(folder / LM, config, name, revision)
    with model_store.new_folder(name, revision) as made:
        _write(made, "lm", config, _tensors(folder / LM, lm))
        if "pretrained" in codec:
            dump(made / "codec.json", {"pretrained": str(codec["pretrained"])})
        else:
            _write(made, "codec", read_config(folder / CODEC, codec), _tensors(folder / CODEC, codec))
        for part in _helper_folders(folder):
            shutil.copytree(part, made / part.name, ignore=_ignored)
            mert.add_converted(part, made / part.name)
        model_store.write_record(made, name, revision, described, sources)
    return model_store.require(name, revision)


def read_config(path: Path, package: Mapping[str, Any]) -> dict[str, Any]:
    """The ``xp.cfg`` of a checkpoint as a plain object."""
    try:
        config = OmegaConf.to_container(OmegaConf.create(package["xp.cfg"]), resolve=False)
    except Exception as error:  # a YAML library of OmegaConf's own choice raises its own
        raise MachineError(
            f"{path}: has no configuration (xp.cfg) that can be read; export it with audiocraft.utils.export"
        ) from error
    if not isinstance(config, dict):
        raise MachineError(f"{path}: its configuration (xp.cfg) is no mapping; export it again")
    return {str(key): value for key, value in config.items()}


def describe(path: Path, config: Mapping[str, Any], name: str, revision: str) -> Model:
    """What a local checkpoint is, from its configuration. Raises `MachineError` for a kind that is none of ours."""
    cfg = OmegaConf.create(dict(config))
    try:
        kind_of_lm, window = str(cfg.lm_model), float(cfg.dataset.segment_duration)
        rate, channels = int(cfg.sample_rate), int(cfg.channels)
        conditioners = {key: one.model for key, one in cfg.conditioners.items() if key != "args"}
        size = int(cfg.transformer_lm.dim), int(cfg.transformer_lm.num_layers)
    except (OmegaConfBaseException, AttributeError, TypeError, ValueError) as error:
        raise MachineError(
            f"{path}: not a MusicGen, AudioGen or MAGNeT checkpoint (its configuration lacks what those have: "
            f"{first_line(error)}); give the folder of one"
        ) from error
    if not (0 < window < math.inf and rate > 0 and channels > 0):
        raise MachineError(
            f"{path}: its configuration says a window of {window:g} s, {rate} Hz, {channels} channels; export it again"
        )
    if kind_of_lm not in ("transformer_lm", "transformer_lm_magnet"):
        raise MachineError(
            f"{path}: a {kind_of_lm!r}, not a MusicGen, AudioGen or MAGNeT; give the folder of one"
        )
    solver = str(cfg.get("solver", ""))
    makes: Kind = (
        "sfx" if solver in ("audiogen", "audio_magnet") or (not solver and rate <= 16_000) else "music"
    )
    family: Family = (
        "magnet" if kind_of_lm.endswith("magnet") else "audiogen" if makes == "sfx" else "musicgen"
    )
    hears: set[Input] = set() if family == "magnet" else {"continue_from"}
    if "chroma_stem" in conditioners.values():
        hears.add("melody")
    if "style" in conditioners.values():
        hears.add("style")
    strange = sorted(set(conditioners.values()) - set(_CONDITIONERS)) + _strange_style(cfg)
    stereo = cfg.get("interleave_stereo_codebooks")
    return Model(
        id=name,
        family=family,
        kind=makes,
        sample_rate_hz=rate,
        channels=2 if stereo and stereo.use else channels,
        window_s=window,
        text_encoder=next(
            (str(cfg.conditioners[k].t5.name) for k, v in conditioners.items() if v == "t5"), None
        ),
        hears=frozenset(hears),
        revision=revision,
        license=_license(config),
        commercial=False,
        dim=size[0],
        layers=size[1],
        missing=f"it has a {strange[0]} conditioner, which AudioCraft cannot run here" if strange else None,
    )


def _license(config: Mapping[str, Any]) -> str:
    """As the configuration spells it out: to resolve a reference would let a file read this machine's environment."""
    said = config.get("license")
    return LOCAL_LICENSE if not isinstance(said, str) or "${" in said else said


def _strange_style(cfg: Any) -> list[str]:
    """What of a style conditioner is not what MusicGen-Style has."""
    found = [one.style for key, one in cfg.conditioners.items() if key != "args" and one.model == "style"]
    odd = [
        one for one in found if one.model_name != "mert" or one.transformer_scale == "none" or one.n_q_out < 1
    ]
    return ["style (without MERT, transformer or quantizer)" for _ in odd]


def _sources(folder: Path) -> dict[str, str]:
    for name in (LM, CODEC):
        if not (folder / name).is_file():
            raise MachineError(
                f"{folder}: has no {name}; a checkpoint folder has {LM} and {CODEC}, as AudioCraft publishes them"
            )
    paths = [folder / LM, folder / CODEC]
    for part in _helper_folders(folder):
        paths += [path for path in part.iterdir() if path.suffix in _COPIED]
        if not (part / mert.WEIGHTS).is_file():
            paths += part.glob(mert.PICKLE)
    return {path.relative_to(folder).as_posix(): model_store.sha256_of(path) for path in sorted(paths)}


def _helper_folders(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("*/config.json"))


def _ignored(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if not name.endswith(_COPIED)}


def _tensors(path: Path, package: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    found = tensors(package.get("best_state"))
    if found is None:
        raise MachineError(f"{path}: has no best_state of tensors; export it with audiocraft.utils.export")
    return found


def _write(made: Path, part: str, config: Mapping[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    dump(made / f"{part}.json", config)
    save(tensors, made / f"{part}.safetensors")


def bring(folder: Path, name: str) -> model_store.Stored:
    """Bring a local folder into the model store: a checkpoint, or the diffusion models that decode for one."""
    if (folder / FILE).is_file():
        return multiband.convert(folder, name, None)
    return convert(folder, name, None, None)


def main(folder: str, name: str) -> int:
    """Convert ``folder`` under ``name``; prints the revision, or the error and whether any checkpoint would
    have had it."""
    try:
        answer: dict[str, Any] = {"revision": bring(Path(folder), name).revision}
    except CuesmithError as error:
        answer = {"error": str(error), "unready": isinstance(error, model_store.Unready)}
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
