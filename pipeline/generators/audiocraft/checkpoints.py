"""Which checkpoint a name in a manifest means, and what of it this machine lacks. Light: no torch.

A local folder is identified by the hash of its content, not by its path. It is converted into the model store the first
time, by a process of its own, so that planning never imports torch. Later the sizes and times of its files show that
it is the same. A local checkpoint may have its own MultiBand Diffusion in a folder ``multiband-diffusion`` beside its
files; every other is decoded by the one that AudioCraft publishes for mono MusicGen.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import MachineError
from pipeline.generators.audiocraft.model_store import STORE, StoredModel, find_helper
from pipeline.generators.audiocraft.models import HELPERS, MBD, MERT, Model
from pipeline.generators.model_store import (
    StoreNotReady,
    existing_folder,
    folder_of,
    local_id,
    looks_like_path,
    read_json,
)

_PROJECT = Path(__file__).resolve().parents[3]


def is_path(name: str, start: str = "") -> bool:
    """Whether ``name`` is a folder: it looks like a path, or ``start`` has a checkpoint folder of that name."""
    return looks_like_path(name) or (folder_of(name, start) / "state_dict.bin").is_file()


def read_folder(name: str, start: str = "") -> Model:
    """The model in the folder ``name``, see `folder_of`.

    Raises `MachineError` if there is no such checkpoint, or it is damaged.
    """
    folder = existing_folder(name, start)
    stored = read_part(folder)
    if stored.model is None:
        raise MachineError(f"{folder}: not a music or sound model; use a folder with state_dict.bin")
    return stored.model


def read_part(folder: Path) -> StoredModel:
    """The model or part of a model in ``folder``, as in the model store.

    Raises `MachineError` with what is wrong with it.
    """
    return STORE.add_local(folder, local_id(folder), _convert)


def _convert(folder: Path, model_id: str) -> str:
    paths = [str(_PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.generators.audiocraft.conversion", str(folder), model_id],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    try:
        answer = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        lines = done.stderr.strip().splitlines()
        reason = lines[-1] if lines else f"exit code {done.returncode}"
        if "ModuleNotFoundError" in reason:
            raise StoreNotReady(
                f"engine audiocraft is not installed ({reason}); run: make setup-audiocraft, or see docs/audiocraft.md"
            ) from None
        raise MachineError(f"{folder}: cannot be read as a checkpoint: {reason}") from None
    if "error" in answer:
        raise (StoreNotReady if answer["unready"] else MachineError)(str(answer["error"]))
    return str(answer["revision"])


MBD_FILE = "mbd_musicgen_32khz.th"
MBD_FOLDER = "multiband-diffusion"


def decoder_weights_for(model: str, start: str = "") -> str:
    """``<name>@<revision>`` of the diffusion models for ``model`` of a manifest; a path is relative to ``start``.

    Raises `MachineError` if a local checkpoint's own are damaged.
    """
    if is_path(model, start):
        folder = folder_of(model, start) / MBD_FOLDER
        if (folder / MBD_FILE).is_file():
            stored = read_part(folder)
            return f"{stored.id}@{stored.revision}"
    return f"{MBD}@{HELPERS[MBD][1]}"


def split_weights(weights: str) -> tuple[str, str]:
    """The name and the revision of `decoder_weights_for`.

    >>> split_weights("local/own@sha256:12")
    ('local/own', 'sha256:12')
    """
    name, _, revision = weights.partition("@")
    return name, revision


def helpers_of(stored: StoredModel) -> list[str]:
    """Text encoders and codecs that a checkpoint's configuration names and that are not in its folder."""
    lm, codec = (read_json(stored.folder / f"{part}.json") for part in ("lm", "codec"))
    conditioners = (lm.get("conditioners") or {}).values()
    helpers = [one["t5"]["name"] for one in conditioners if one.get("model") == "t5"]
    helpers += [MERT for one in conditioners if one.get("model") == "style"]
    helpers += [codec["pretrained"]] if "pretrained" in codec else []
    return sorted({name for name in helpers if not (stored.folder / name.rpartition("/")[2]).is_dir()})


def missing_parts(stored: StoredModel) -> Iterator[str]:
    """The models that a stored one needs and that are neither in its folder nor in the model store."""
    try:
        helpers = helpers_of(stored)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return  # loading the model reports what is wrong
    for name in helpers:
        if find_helper(name) is None:
            yield f"{stored.id} needs {name}, which is not installed; run: cuesmith models fetch {name}"
