"""Reading a torch file without running code in it.

``weights_only`` on a version of torch in which it is safe. A caller may only add classes that do nothing, such as
`OMEGACONF_NAMES`: no OmegaConf object is created, each of its names stands for a class of this file that stores its
state, so a file can only contain a tree of values. Their layout (``_content``, ``_val``) is that of OmegaConf 2.1 to
2.4.
"""

from __future__ import annotations

import json
import os
import pickle
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from pipeline.errors import MachineError

SAFE_TORCH = (2, 10)
"""Before it, ``weights_only=True`` could be bypassed (CVE-2025-32434, CVE-2026-24747)."""

PICKLE, WEIGHTS = "pytorch_model.bin", "model.safetensors"
"""A helper's weights, as a torch file and as safetensors."""
_LFS_POINTER = b"version https://git-lfs"

AllowedNames = Sequence[tuple[Callable[..., Any], str]]
"""Replacements for names in a file, and the names, as `torch.serialization.safe_globals` takes them."""


def read_pickle(path: Path, allowed: AllowedNames = ()) -> Mapping[Any, Any]:
    """A torch file's top level object. No code in the file runs; raises `MachineError` if it has any.

    A name of ``allowed`` in the file gives its replacement; nothing is imported.
    """
    version = tuple(int(part) for part in re.findall(r"\d+", torch.__version__)[:2])
    if version < SAFE_TORCH:
        raise MachineError(
            f"{path}: torch {torch.__version__} cannot read weights safely (fixed in 2.10); install torch 2.10 or later"
        )
    try:
        with torch.serialization.safe_globals(list(allowed)):
            value = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise MachineError(
            f"{path}: no such file; fetch the model again, or copy all of its files"
        ) from error
    except pickle.UnpicklingError as error:
        _raise_if_not_torch(path)
        match = re.search(r"GLOBAL ([\w.]+)", str(error))
        name = f" ({match[1]})" if match else ""
        raise MachineError(
            f"{path}: refused: it contains more than weights{name}, which could run code; do not use this file: "
            "download the checkpoint again from its publisher"
        ) from error
    except Exception as error:  # torch raises many types of error for damaged files
        raise MachineError(
            f"{path}: not a readable torch checkpoint ({first_line(error)}); it may be incomplete: fetch it again"
        ) from error
    if not isinstance(value, Mapping):
        raise MachineError(
            f"{path}: holds a {type(value).__name__}, not a checkpoint; fetch or export it again"
        )
    return value


MAX_DEPTH = 32
MAX_VALUES = 100_000

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]


class PickledObject:
    """Stores its state and does nothing."""

    state: Mapping[Any, Any] = MappingProxyType({})

    def __new__(cls, *_: object) -> PickledObject:
        """An object without state, whatever arguments the file gives."""
        return object.__new__(cls)

    def __setstate__(self, state: object) -> None:
        self.state = state if isinstance(state, Mapping) else {}


class Container(PickledObject):
    """A mapping or a list: its content is in ``_content``."""


class Value(PickledObject):
    """A leaf: its value is in ``_val``."""


def _mapping(*_: object) -> dict[Any, Any]:
    """Replaces ``collections.defaultdict``, which holds values of resolvers."""
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
    """The tree of values in an object of the file.

    Interpolations remain text. Raises `ValueError` for other objects, and for trees that are too deep or too large.
    """
    # Counted, since a small file can repeat a branch many times.
    left = iter(range(MAX_VALUES))

    def read(value: object, depth: int) -> Plain:
        if depth > MAX_DEPTH or next(left, None) is None:
            raise ValueError("its configuration is nested too deep or has too many values")
        match value:
            case Container():
                return read(value.state.get("_content"), depth + 1)
            case Value():
                return read(value.state.get("_val"), depth + 1)
            case dict():
                return {str(key): read(item, depth + 1) for key, item in value.items()}
            case list() | tuple():
                return [read(item, depth + 1) for item in value]
            case None | bool() | int() | float() | str():
                return value
        raise ValueError(f"its configuration contains a {type(value).__name__}")

    return read(value, 0)


def _raise_if_not_torch(path: Path) -> None:
    """Raise `MachineError` if ``path`` is neither a zip archive nor a pickle."""
    with path.open("rb") as file:
        start = file.read(len(_LFS_POINTER))
    if start == _LFS_POINTER:
        raise MachineError(
            f"{path}: a Git LFS pointer, not the file itself; run git lfs pull in its repository, or download the file"
        )
    if not start.startswith((b"PK", b"\x80")):
        raise MachineError(
            f"{path}: not a torch checkpoint (it begins with {start[:12]!r}); download it again, as a file"
        )


def state_tensors(state: object) -> dict[str, torch.Tensor] | None:
    """The tensors of a state dict, ready to be stored; None if ``state`` is not one."""
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        return None
    return {str(key): value.detach().clone().contiguous() for key, value in state.items()}


def save_weights(weights: dict[str, torch.Tensor], path: Path) -> None:
    """Write weights as safetensors. Raises `OSError` if the disk fails."""
    try:
        save_file(weights, path)
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error


def add_safetensors(folder: Path, target: Path) -> None:
    """If a helper's ``folder`` has its weights only as a torch file, write them to ``target`` as safetensors.

    Raises `MachineError` with what is wrong with them.
    """
    path = folder / PICKLE
    if path.is_file() and not (folder / WEIGHTS).is_file():
        state = state_tensors(read_pickle(path))
        if state is None:
            raise MachineError(f"{path}: has no state dict of tensors; fetch it again")
        save_weights(state, target / WEIGHTS)


def write_json(path: Path, value: Any) -> None:
    """Write a small JSON file beside converted weights."""
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")


def first_line(error: BaseException) -> str:
    """The first line of an error, without the advice that torch appends."""
    return next(iter(str(error).splitlines()), type(error).__name__).partition(". ")[0]


def mismatch(error: BaseException) -> str:
    """Why weights do not fit: the first entry of torch's list."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    first = lines[1] if lines[0].endswith(":") and len(lines) > 1 else lines[0]
    reason, *more = first.split(", ") if "key(s) in state_dict" in first else [first]
    return f"{reason} and {len(more)} more" if more else reason
