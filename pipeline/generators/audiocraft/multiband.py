"""MultiBand Diffusion's weights, converted once like a checkpoint's.

AudioCraft publishes them for the codes of mono MusicGen as one torch pickle: ``sample_rate`` in Hz, ``n_bands``, and
for each band from 0 its ``cfg`` (OmegaConf's objects, read as data), the ``model_state`` of its U-net and
the ``processor_state`` of its normalisation.

None of OmegaConf's objects is made: each of its names stands for a class of this file that keeps what it is given and
does nothing, so a file can say no more than a tree of values. Their layout (``_content``, ``_val``) is that of
OmegaConf 2.1 to 2.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from pipeline.errors import MachineError
from pipeline.generators.audiocraft import model_store
from pipeline.generators.audiocraft.multiband_choice import FILE
from pipeline.generators.audiocraft.pickles import Known, dump, read_pickle, save, tensors

CONFIG, WEIGHTS = "bands.json", "bands.safetensors"
_MOST_BANDS = 64
_PARTS = ("model", "processor")


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


KNOWN: Known = (
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


def plain(value: object) -> Plain:
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
    package = read_pickle(path, KNOWN)
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
            config = plain(band.get("cfg"))
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
