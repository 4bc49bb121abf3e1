"""MultiBand Diffusion's weights, converted once like a checkpoint's.

AudioCraft publishes them for the codes of mono MusicGen as one torch pickle: ``sample_rate`` in Hz, ``n_bands``, and
for each band from 0 its ``cfg`` (OmegaConf's objects, read as data: see `inert`), the ``model_state`` of its U-net and
the ``processor_state`` of its normalisation.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import MachineError
from pipeline.generators.audiocraft import inert, model_store
from pipeline.generators.audiocraft.multiband_choice import FILE
from pipeline.generators.audiocraft.pickles import dump, read_pickle, save, tensors

CONFIG, WEIGHTS = "bands.json", "bands.safetensors"
_MOST_BANDS = 64
_PARTS = ("model", "processor")


def convert(folder: Path, name: str, revision: str | None) -> model_store.Stored:
    """Bring the diffusion models in ``folder`` into the model store.

    ``revision`` None: a local folder, known by the hash of its content. Raises `MachineError` that names the file and
    what is wrong with it.
    """
    path = folder / FILE
    if not path.is_file():
        raise MachineError(f"{path}: no such file; copy it as AudioCraft publishes it")
    sources = {FILE: model_store.sha256_of(path)}
    if revision is None:
        revision = f"{model_store.LOCAL}{model_store.content_digest(sources)}"
    stored = model_store.find(name, revision)
    if stored is not None:
        return stored
    config, weights = _read(path)
    with model_store.new_folder(name, revision) as made:
        dump(made / CONFIG, config)
        save(weights, made / WEIGHTS)
        model_store.write_record(made, name, revision, None, sources)
    return model_store.require(name, revision)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    package = read_pickle(path, inert.KNOWN)
    rate, count = package.get("sample_rate"), package.get("n_bands")
    if not isinstance(rate, int) or not isinstance(count, int) or not 0 < count <= _MOST_BANDS:
        raise _other(path, "it has no sample_rate and n_bands")
    bands: list[Any] = []
    weights: dict[str, torch.Tensor] = {}
    for index in range(count):
        band = package.get(index)
        if not isinstance(band, Mapping):
            raise _other(path, f"it has no band {index}")
        try:
            config = inert.plain(band.get("cfg"))
        except ValueError as error:
            raise _other(path, f"band {index}: {error}") from error
        if not isinstance(config, dict):
            raise _other(path, f"band {index} has no configuration")
        bands.append(config)
        for part in _PARTS:
            state = tensors(band.get(f"{part}_state"))
            if state is None:
                raise _other(path, f"band {index} has no {part}_state of tensors")
            weights |= {f"{index}.{part}.{key}": value for key, value in state.items()}
    return {"sample_rate": rate, "bands": bands}, weights


def _other(path: Path, why: str) -> MachineError:
    return MachineError(f"{path}: not the diffusion models that AudioCraft publishes ({why}); fetch it again")


def package(config: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> dict[Any, Any]:
    """What `convert` stored, in the form in which AudioCraft's loader takes it."""
    bands = config["bands"]
    found: dict[Any, Any] = {"sample_rate": config["sample_rate"], "n_bands": len(bands)}
    for index, band in enumerate(bands):
        found[index] = {"cfg": band} | {
            f"{part}_state": {
                key.removeprefix(f"{index}.{part}."): value
                for key, value in weights.items()
                if key.startswith(f"{index}.{part}.")
            }
            for part in _PARTS
        }
    return found
