"""Checkpoint files as AudioCraft publishes them, converted once: safetensors and JSON, and no pickle after that.

A published checkpoint is two torch pickles: ``state_dict.bin`` and ``compression_state_dict.bin``, each with
``best_state`` (tensors) and ``xp.cfg`` (YAML text); the second may only say ``{'pretrained': <codec>}``. Text
encoders, and codecs that are models of their own, may be beside them in a folder of their name.

MultiBand Diffusion for mono MusicGen is one torch pickle: ``sample_rate`` in Hz, ``n_bands``, and for each band from 0
its ``cfg`` (OmegaConf's objects, read as data), the ``model_state`` of its U-net and the ``processor_state`` of its
normalisation.

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
from pipeline.generators.audiocraft.checkpoints import MBD_FILE
from pipeline.generators.audiocraft.model_store import STORE, StoredModel
from pipeline.generators.audiocraft.models import LOCAL_LICENSE, Family, Input, Model
from pipeline.generators.model_store import StoreNotReady, sha256_of
from pipeline.generators.pickles import (
    OMEGACONF_NAMES,
    PICKLE,
    WEIGHTS,
    add_safetensors,
    first_line,
    read_pickle,
    save_weights,
    state_tensors,
    to_plain,
    write_json,
)
from pipeline.manifest.spec import Kind

MBD_CONFIG, MBD_WEIGHTS = "bands.json", "bands.safetensors"
_MOST_BANDS = 64
_MBD_PARTS = ("model", "processor")


def convert_mbd(folder: Path, name: str, revision: str | None) -> StoredModel:
    """Bring the diffusion models in ``folder`` into the model store.

    ``revision`` None: a local folder, identified by the hash of its content. Raises `MachineError` with the file
    and what is wrong with it.
    """
    path = folder / MBD_FILE
    if not path.is_file():
        raise MachineError(f"{path}: no such file; copy it as AudioCraft publishes it")
    sources = {MBD_FILE: sha256_of(path)}

    def write(target: Path, revision: str) -> None:
        config, weights = _read_mbd(path)
        write_json(target / MBD_CONFIG, config)
        save_weights(weights, target / MBD_WEIGHTS)

    return STORE.add(name, revision, sources, write)


def _read_mbd(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    package = read_pickle(path, OMEGACONF_NAMES)
    rate, count = package.get("sample_rate"), package.get("n_bands")
    if not isinstance(rate, int) or not isinstance(count, int) or not 0 < count <= _MOST_BANDS:
        raise _not_mbd(path, "it has no sample_rate and n_bands")
    bands: list[Any] = []
    weights: dict[str, torch.Tensor] = {}
    for index in range(count):
        band = package.get(index)
        if not isinstance(band, Mapping):
            raise _not_mbd(path, f"it has no band {index}")
        try:
            config = to_plain(band.get("cfg"))
        except ValueError as error:
            raise _not_mbd(path, f"band {index}: {error}") from error
        if not isinstance(config, dict):
            raise _not_mbd(path, f"band {index} has no configuration")
        bands.append(config)
        for part in _MBD_PARTS:
            state = state_tensors(band.get(f"{part}_state"))
            if state is None:
                raise _not_mbd(path, f"band {index} has no {part}_state of tensors")
            weights |= {f"{index}.{part}.{key}": value for key, value in state.items()}
    return {"sample_rate": rate, "bands": bands}, weights


def _not_mbd(path: Path, why: str) -> MachineError:
    return MachineError(f"{path}: not the diffusion models that AudioCraft publishes ({why}); fetch it again")


def mbd_package(config: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> dict[Any, Any]:
    """What `convert_mbd` stored, in the form that AudioCraft's loader expects."""
    bands = config["bands"]
    package: dict[Any, Any] = {"sample_rate": config["sample_rate"], "n_bands": len(bands)}
    for index, band in enumerate(bands):
        package[index] = {"cfg": band} | {
            f"{part}_state": {
                key.removeprefix(f"{index}.{part}."): value
                for key, value in weights.items()
                if key.startswith(f"{index}.{part}.")
            }
            for part in _MBD_PARTS
        }
    return package


LM, CODEC = "state_dict.bin", "compression_state_dict.bin"
_COPIED = (".json", ".safetensors", ".model", ".txt")
_CONDITIONERS = ("t5", "lut", "chroma_stem", "style")


def convert(folder: Path, name: str, revision: str | None, model: Model | None) -> StoredModel:
    """Bring the checkpoint in ``folder`` into the model store.

    ``revision`` None: a local folder, identified by the hash of its content. ``model`` None: described from
    its configuration. Raises `MachineError` with the file and what is wrong with it.
    """
    sources = _sources(folder)

    def write(target: Path, revision: str) -> Model:
        lm, codec = read_pickle(folder / LM), read_pickle(folder / CODEC)
        config = read_config(folder / LM, lm)
        described = model or describe(folder / LM, config, name, revision)
        _write(target, "lm", config, _tensors(folder / LM, lm))
        if "pretrained" in codec:
            write_json(target / "codec.json", {"pretrained": str(codec["pretrained"])})
        else:
            _write(target, "codec", read_config(folder / CODEC, codec), _tensors(folder / CODEC, codec))
        for part in _helper_folders(folder):
            shutil.copytree(part, target / part.name, ignore=_ignored)
            add_safetensors(part, target / part.name)
        return described

    return STORE.add(name, revision, sources, write)


def read_config(path: Path, package: Mapping[str, Any]) -> dict[str, Any]:
    """The ``xp.cfg`` of a checkpoint as a plain object."""
    try:
        config = OmegaConf.to_container(OmegaConf.create(package["xp.cfg"]), resolve=False)
    except Exception as error:  # OmegaConf's YAML library raises its own errors
        raise MachineError(
            f"{path}: has no readable configuration (xp.cfg); export it with audiocraft.utils.export"
        ) from error
    if not isinstance(config, dict):
        raise MachineError(f"{path}: its configuration (xp.cfg) is not a mapping; export it again")
    return {str(key): value for key, value in config.items()}


def describe(path: Path, config: Mapping[str, Any], name: str, revision: str) -> Model:
    """Describe a local checkpoint from its configuration. Raises `MachineError` for other kinds of models."""
    cfg = OmegaConf.create(dict(config))
    try:
        lm_class, window = str(cfg.lm_model), float(cfg.dataset.segment_duration)
        rate, channels = int(cfg.sample_rate), int(cfg.channels)
        conditioners = {
            key: conditioner.model for key, conditioner in cfg.conditioners.items() if key != "args"
        }
        size = int(cfg.transformer_lm.dim), int(cfg.transformer_lm.num_layers)
    except (OmegaConfBaseException, AttributeError, TypeError, ValueError) as error:
        raise MachineError(
            f"{path}: not a MusicGen, AudioGen or MAGNeT checkpoint (its configuration is incomplete: "
            f"{first_line(error)}); use the folder of one"
        ) from error
    if not (0 < window < math.inf and rate > 0 and channels > 0):
        raise MachineError(
            f"{path}: its configuration has a window of {window:g} s, {rate} Hz, {channels} channels; export it again"
        )
    if lm_class not in ("transformer_lm", "transformer_lm_magnet"):
        raise MachineError(
            f"{path}: a {lm_class!r}, not a MusicGen, AudioGen or MAGNeT; use the folder of one"
        )
    solver = str(cfg.get("solver", ""))
    kind: Kind = (
        "sfx" if solver in ("audiogen", "audio_magnet") or (not solver and rate <= 16_000) else "music"
    )
    family: Family = "magnet" if lm_class.endswith("magnet") else "audiogen" if kind == "sfx" else "musicgen"
    heard: dict[str, Input] = {"chroma_stem": "melody", "style": "style"}
    inputs: set[Input] = {heard[one] for one in conditioners.values() if one in heard}
    if family != "magnet":
        inputs.add("continue_from")
    unsupported = sorted(set(conditioners.values()) - set(_CONDITIONERS)) + _unsupported_style(cfg)
    stereo = cfg.get("interleave_stereo_codebooks")
    return Model(
        id=name,
        family=family,
        kind=kind,
        sample_rate_hz=rate,
        channels=2 if stereo and stereo.use else channels,
        window_s=window,
        text_encoder=next(
            (str(cfg.conditioners[k].t5.name) for k, v in conditioners.items() if v == "t5"), None
        ),
        hears=frozenset(inputs),
        revision=revision,
        license=_license(config),
        commercial=False,
        dim=size[0],
        layers=size[1],
        missing=f"it has a {unsupported[0]} conditioner, which AudioCraft cannot run here"
        if unsupported
        else None,
    )


def _license(config: Mapping[str, Any]) -> str:
    """As written in the configuration: resolving a reference would let a file read this machine's environment."""
    license = config.get("license")
    return LOCAL_LICENSE if not isinstance(license, str) or "${" in license else license


def _unsupported_style(cfg: Any) -> list[str]:
    """Whether a style conditioner differs from MusicGen-Style's, as a list for `describe`."""
    styles = [
        conditioner.style
        for key, conditioner in cfg.conditioners.items()
        if key != "args" and conditioner.model == "style"
    ]
    return [
        "style (without MERT, transformer or quantizer)"
        for style in styles
        if style.model_name != "mert" or style.transformer_scale == "none" or style.n_q_out < 1
    ]


def _sources(folder: Path) -> dict[str, str]:
    for name in (LM, CODEC):
        if not (folder / name).is_file():
            raise MachineError(
                f"{folder}: has no {name}; a checkpoint folder has {LM} and {CODEC}, as AudioCraft publishes them"
            )
    paths = [folder / LM, folder / CODEC]
    for part in _helper_folders(folder):
        paths += [path for path in part.iterdir() if path.suffix in _COPIED]
        if not (part / WEIGHTS).is_file():
            paths += part.glob(PICKLE)
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in sorted(paths)}


def _helper_folders(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("*/config.json"))


def _ignored(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if not name.endswith(_COPIED)}


def _tensors(path: Path, package: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    weights = state_tensors(package.get("best_state"))
    if weights is None:
        raise MachineError(f"{path}: has no best_state of tensors; export it with audiocraft.utils.export")
    return weights


def _write(target: Path, part: str, config: Mapping[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    write_json(target / f"{part}.json", config)
    save_weights(tensors, target / f"{part}.safetensors")


def import_folder(folder: Path, name: str) -> StoredModel:
    """Bring a local folder into the model store: a checkpoint, or diffusion models."""
    if (folder / MBD_FILE).is_file():
        return convert_mbd(folder, name, None)
    return convert(folder, name, None, None)


def main(folder: str, name: str) -> None:
    """Convert ``folder`` under ``name``; print the revision, or the error and whether any checkpoint would
    fail in the same way."""
    try:
        answer: dict[str, Any] = {"revision": import_folder(Path(folder), name).revision}
    except CuesmithError as error:
        answer = {"error": str(error), "unready": isinstance(error, StoreNotReady)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
