"""Checkpoint files as AudioCraft publishes them, converted once: safetensors and JSON, and no pickle after that.

A published checkpoint is two torch pickles: ``state_dict.bin`` and ``compression_state_dict.bin``, each with
``best_state`` (tensors) and ``xp.cfg`` (YAML text); the second may only say ``{'pretrained': <codec>}``. Text
encoders, and codecs that are models of their own, may lie beside them in a folder of their name.

MultiBand Diffusion for mono MusicGen is one torch pickle: ``sample_rate`` in Hz, ``n_bands``, and for each band from 0
its ``cfg`` (OmegaConf's objects, read as data), the ``model_state`` of its U-net and the ``processor_state`` of its
normalisation. No OmegaConf object is created: each of its names stands for a class of this file that stores its state
and does nothing, so a file can only contain a tree of values. Their layout (``_content``, ``_val``) is that of
OmegaConf 2.1 to 2.4.

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
from types import MappingProxyType
from typing import Any

import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline.errors import CuesmithError, MachineError
from pipeline.generators.audiocraft import model_store
from pipeline.generators.audiocraft.checkpoints import MBD_FILE
from pipeline.generators.audiocraft.models import LOCAL_LICENSE, Family, Input, Model
from pipeline.generators.audiocraft.pickles import (
    PICKLE,
    WEIGHTS,
    AllowedNames,
    add_safetensors,
    first_line,
    read_pickle,
    save_weights,
    state_tensors,
    write_json,
)
from pipeline.manifest.spec import Kind

MBD_CONFIG, MBD_WEIGHTS = "bands.json", "bands.safetensors"
_MOST_BANDS = 64
_MBD_PARTS = ("model", "processor")


MAX_DEPTH = 32
MAX_VALUES = 100_000

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]


class PickledObject:
    """Keeps its state, whatever that is."""

    state: Mapping[Any, Any] = MappingProxyType({})

    def __new__(cls, *_: object) -> PickledObject:
        """One without state, whatever arguments the file gives."""
        return object.__new__(cls)

    def __setstate__(self, state: object) -> None:
        self.state = state if isinstance(state, Mapping) else {}


class Container(PickledObject):
    """A mapping or a list: its content stands in ``_content``."""


class Value(PickledObject):
    """A leaf: its value stands in ``_val``."""


def _mapping(*_: object) -> dict[Any, Any]:
    """For ``collections.defaultdict``, which holds what resolvers gave."""
    return {}


OMEGACONF_NAMES: AllowedNames = (
    (Container, "omegaconf.dictconfig.DictConfig"),
    (Container, "omegaconf.listconfig.ListConfig"),
    *(
        (Value, f"omegaconf.nodes.{name}")
        for name in ("AnyNode", "BooleanNode", "FloatNode", "IntegerNode", "StringNode")
    ),
    (PickledObject, "omegaconf.base.ContainerMetadata"),
    (PickledObject, "omegaconf.base.Metadata"),
    (PickledObject, "typing.Any"),
    *((PickledObject, f"builtins.{name}") for name in ("bool", "dict", "float", "int", "list", "str")),
    (_mapping, "collections.defaultdict"),
)


def to_plain(value: object) -> Plain:
    """The tree of values that an object of the file says.

    Interpolations stay text. Raises `ValueError` for what is none: other objects, and trees too deep or too large.
    """
    return _Reader().read(value, 0)


class _Reader:
    """Counts, since a small file can name one branch many times."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def read(self, value: object, depth: int) -> Plain:
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise ValueError("its configuration is nested too deep or has too many values")
        if isinstance(value, Container):
            return self.read(value.state.get("_content"), depth + 1)
        if isinstance(value, Value):
            return self.read(value.state.get("_val"), depth + 1)
        if isinstance(value, dict):
            return {str(key): self.read(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.read(item, depth + 1) for item in value]
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise ValueError(f"its configuration holds a {type(value).__name__}")


def convert_mbd(folder: Path, name: str, revision: str | None) -> model_store.StoredModel:
    """Bring the diffusion models in ``folder`` into the model store.

    ``revision`` None: a local folder, known by the hash of its content. Raises `MachineError` that names the file and
    what is wrong with it.
    """
    path = folder / MBD_FILE
    if not path.is_file():
        raise MachineError(f"{path}: no such file; copy it as AudioCraft publishes it")
    sources = {MBD_FILE: model_store.sha256_of(path)}
    if revision is None:
        revision = f"{model_store.LOCAL}{model_store.content_digest(sources)}"
    stored = model_store.find(name, revision)
    if stored is not None:
        return stored
    config, weights = _read_mbd(path)
    with model_store.new_folder(name, revision) as made:
        write_json(made / MBD_CONFIG, config)
        save_weights(weights, made / MBD_WEIGHTS)
        model_store.write_record(made, name, revision, None, sources)
    return model_store.require(name, revision)


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
    """What `convert_mbd` stored, in the form in which AudioCraft's loader takes it."""
    bands = config["bands"]
    found: dict[Any, Any] = {"sample_rate": config["sample_rate"], "n_bands": len(bands)}
    for index, band in enumerate(bands):
        found[index] = {"cfg": band} | {
            f"{part}_state": {
                key.removeprefix(f"{index}.{part}."): value
                for key, value in weights.items()
                if key.startswith(f"{index}.{part}.")
            }
            for part in _MBD_PARTS
        }
    return found


LM, CODEC = "state_dict.bin", "compression_state_dict.bin"
_COPIED = (".json", ".safetensors", ".model", ".txt")
_CONDITIONERS = ("t5", "lut", "chroma_stem", "style")


def convert(folder: Path, name: str, revision: str | None, model: Model | None) -> model_store.StoredModel:
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
            write_json(made / "codec.json", {"pretrained": str(codec["pretrained"])})
        else:
            _write(made, "codec", read_config(folder / CODEC, codec), _tensors(folder / CODEC, codec))
        for part in _helper_folders(folder):
            shutil.copytree(part, made / part.name, ignore=_ignored)
            add_safetensors(part, made / part.name)
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
        if not (part / WEIGHTS).is_file():
            paths += part.glob(PICKLE)
    return {path.relative_to(folder).as_posix(): model_store.sha256_of(path) for path in sorted(paths)}


def _helper_folders(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("*/config.json"))


def _ignored(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if not name.endswith(_COPIED)}


def _tensors(path: Path, package: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    found = state_tensors(package.get("best_state"))
    if found is None:
        raise MachineError(f"{path}: has no best_state of tensors; export it with audiocraft.utils.export")
    return found


def _write(made: Path, part: str, config: Mapping[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    write_json(made / f"{part}.json", config)
    save_weights(tensors, made / f"{part}.safetensors")


def import_folder(folder: Path, name: str) -> model_store.StoredModel:
    """Bring a local folder into the model store: a checkpoint, or the diffusion models that decode for one."""
    if (folder / MBD_FILE).is_file():
        return convert_mbd(folder, name, None)
    return convert(folder, name, None, None)


def main(folder: str, name: str) -> int:
    """Convert ``folder`` under ``name``; prints the revision, or the error and whether any checkpoint would
    have had it."""
    try:
        answer: dict[str, Any] = {"revision": import_folder(Path(folder), name).revision}
    except CuesmithError as error:
        answer = {"error": str(error), "unready": isinstance(error, model_store.StoreNotReady)}
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
