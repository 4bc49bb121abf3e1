"""Reading a torch file without running anything that is in it.

``weights_only`` on a torch in which that is sound; the only classes that a caller may let in besides are inert ones
of our own (see `multiband`).
"""

from __future__ import annotations

import json
import os
import pickle
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
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
"""What stands for a name in a file, and the name: as `torch.serialization.safe_globals` takes them."""


def read_pickle(path: Path, known: AllowedNames = ()) -> Mapping[Any, Any]:
    """A torch file's top level object. No code in the file runs. Raises `MachineError` when it holds any.

    A name in the file that is one of ``known`` means what stands for it there; nothing is imported for it.
    """
    version = tuple(int(part) for part in re.findall(r"\d+", torch.__version__)[:2])
    if version < SAFE_TORCH:
        raise MachineError(
            f"{path}: torch {torch.__version__} cannot read weights safely (fixed in 2.10); run: make setup-audiocraft"
        )
    try:
        with torch.serialization.safe_globals(list(known)):
            value = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise MachineError(
            f"{path}: no such file; fetch the model again, or copy all of its files"
        ) from error
    except pickle.UnpicklingError as error:
        _told_what_else(path)
        what = re.search(r"GLOBAL ([\w.]+)", str(error))
        named = f" ({what[1]})" if what else ""
        raise MachineError(
            f"{path}: refused: it holds more than weights{named}, which could run code; take the checkpoint from "
            "its makers again, and do not use this file"
        ) from error
    except Exception as error:  # torch has as many errors as there are ways to damage a file
        raise MachineError(
            f"{path}: not a torch checkpoint that can be read ({first_line(error)}); it may be cut short: "
            "fetch it again"
        ) from error
    if not isinstance(value, Mapping):
        raise MachineError(
            f"{path}: holds a {type(value).__name__}, not a checkpoint; export it with audiocraft.utils.export"
        )
    return value


def _told_what_else(path: Path) -> None:
    """Raises `MachineError` where ``path`` is no torch file at all, neither a zip archive nor a pickle."""
    with path.open("rb") as file:
        begins = file.read(len(_LFS_POINTER))
    if begins == _LFS_POINTER:
        raise MachineError(
            f"{path}: a pointer of Git LFS, and not the file itself; run git lfs pull in its repository, or download "
            "the file"
        )
    if not begins.startswith((b"PK", b"\x80")):
        raise MachineError(
            f"{path}: not a torch checkpoint (it begins with {begins[:12]!r}); download it again, as a file"
        )


def state_tensors(state: object) -> dict[str, torch.Tensor] | None:
    """A state dict ready to be stored; None where ``state`` is none."""
    if not isinstance(state, Mapping) or not all(isinstance(one, torch.Tensor) for one in state.values()):
        return None
    return {str(key): value.detach().clone().contiguous() for key, value in state.items()}


def save_weights(weights: dict[str, torch.Tensor], path: Path) -> None:
    """Write weights as safetensors. Raises `OSError` where the disk does not take them."""
    try:
        save_file(weights, path)
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error


def convert_state_dict(path: Path, target: Path) -> None:
    """Write the weights of the torch file ``path`` to ``target``. Raises `MachineError` that names what is wrong."""
    state = state_tensors(read_pickle(path))
    if state is None:
        raise MachineError(f"{path}: holds no state dict of tensors; fetch it again")
    save_weights(state, target)


def add_safetensors(folder: Path, made: Path) -> None:
    """Where a helper's ``folder`` has its weights as a torch file alone, put them into ``made`` as safetensors."""
    if (folder / PICKLE).is_file() and not (folder / WEIGHTS).is_file():
        convert_state_dict(folder / PICKLE, made / WEIGHTS)


def write_json(path: Path, value: Any) -> None:
    """Write a small JSON file beside converted weights."""
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")


def first_line(error: BaseException) -> str:
    """What an error says first. torch goes on with advice that nobody should follow."""
    return next(iter(str(error).splitlines()), type(error).__name__).partition(". ")[0]


def mismatch(error: BaseException) -> str:
    """Why weights do not fit: of torch's list, the first thing that is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    first = lines[1] if lines[0].endswith(":") and len(lines) > 1 else lines[0]
    said, *more = first.split(", ") if "key(s) in state_dict" in first else [first]
    return f"{said} and {len(more)} more" if more else said
