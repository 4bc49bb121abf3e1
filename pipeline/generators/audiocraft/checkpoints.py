"""Which checkpoint a name in a manifest means, and what of it this machine lacks. Light: no torch.

A local folder is known by the hash of its content, wherever it lies. It is converted into the model store the first
time, by a process of its own, so that planning never imports torch. Later the sizes and times of its files show that
it is the same. A local checkpoint may have its own MultiBand Diffusion in a folder ``multiband-diffusion`` beside its
files; every other is decoded by the one that AudioCraft publishes for mono MusicGen.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import MachineError
from pipeline.generators.audiocraft import model_store
from pipeline.generators.audiocraft.models import HELPERS, MBD, MERT, UNPINNED, Model
from pipeline.recipe import Recipe

_HOME = Path(__file__).resolve().parents[3]


def is_path(name: str, start: str = "") -> bool:
    """Whether ``name`` means a folder: it begins like a path, or ``start`` has a checkpoint folder of that name."""
    looks = name.startswith(("./", "../", "/", "~", ".\\", "..\\")) or re.match(r"^[A-Za-z]:[\\/]", name)
    return bool(looks) or name in (".", "..") or (folder_of(name, start) / "state_dict.bin").is_file()


def folder_of(name: str, start: str = "") -> Path:
    """The folder that ``name`` means: a path from ``start``, or from the working directory where that is empty; ``~``
    is the home folder."""
    return (Path(start) / os.path.expanduser(name)).resolve()


def read_folder(name: str, start: str = "") -> Model:
    """The model in the folder ``name``, see `folder_of`.

    Raises `MachineError` with what is wrong with it.
    """
    folder = folder_of(name, start)
    if not folder.is_dir():
        raise MachineError(
            f"{name}: no such folder (looked for {folder}); a path starts at the folder of the file that names it"
        )
    stored = read_part(folder)
    if stored.model is None:
        raise MachineError(f"{folder}: not a music or sound model; give a folder with state_dict.bin")
    return stored.model


def read_part(folder: Path) -> model_store.StoredModel:
    """What ``folder`` holds, a model or a part of one, as it lies in the model store.

    Raises `MachineError` with what is wrong with it.
    """
    return _known(folder, _fingerprint(folder))


@cache
def _known(folder: Path, fingerprint: str) -> model_store.StoredModel:
    seen = model_store.root() / "seen" / f"{fingerprint}.json"
    model_id = f"local/{_plain(folder.name)}"
    try:
        revision = str(json.loads(seen.read_text(encoding="utf-8"))["revision"])
    except (OSError, ValueError, KeyError):
        revision = ""
    stored = model_store.find(model_id, revision) if revision else None
    if stored is None:
        revision = _convert(folder, model_id)
        model_store.write_json(seen, {"revision": revision})
        stored = model_store.require(model_id, revision)
    return stored


def _convert(folder: Path, model_id: str) -> str:
    paths = [str(_HOME), *filter(None, [os.environ.get("PYTHONPATH")])]
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
        why = lines[-1] if lines else f"exit code {done.returncode}"
        if "ModuleNotFoundError" in why:
            raise model_store.StoreNotReady(
                f"engine audiocraft is not installed ({why}); run: make setup-audiocraft, or see docs/audiocraft.md"
            ) from None
        raise MachineError(f"{folder}: cannot be read as a checkpoint: {why}") from None
    if "error" in answer:
        raise (model_store.StoreNotReady if answer["unready"] else MachineError)(str(answer["error"]))
    return str(answer["revision"])


def _fingerprint(folder: Path) -> str:
    """Changes with any file's name, size or time; cheap where a hash of gigabytes is not."""
    digest = hashlib.sha256(str(folder).encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            state = path.stat()
            name = path.relative_to(folder).as_posix()
            digest.update(f"\n{name}\0{state.st_size}\0{state.st_mtime_ns}".encode())
    return digest.hexdigest()


def _plain(name: str) -> str:
    folded = unicodedata.normalize("NFC", name)
    return re.sub(r"[^\w.-]+", "-", folded, flags=re.ASCII).strip("-.") or "checkpoint"


MBD_FILE = "mbd_musicgen_32khz.th"
MBD_FOLDER = "multiband-diffusion"


def decoder_weights_for(model: str, start: str = "") -> str:
    """``<name>@<revision>`` of the weights that decode for the model that a manifest calls ``model``,
    which as a path begins at the folder ``start``.

    Raises `MachineError` with what is wrong with a local checkpoint's own.
    """
    if is_path(model, start):
        own = folder_of(model, start) / MBD_FOLDER
        if (own / MBD_FILE).is_file():
            stored = read_part(own)
            return f"{stored.name}@{stored.revision}"
    revision = HELPERS[MBD][1] or model_store.pinned_commit(MBD) or UNPINNED
    return f"{MBD}@{revision}"


def split_weights(weights: str) -> tuple[str, str]:
    """The name and the revision that `decoder_weights_for` put together.

    >>> split_weights("local/own@sha256:12")
    ('local/own', 'sha256:12')
    """
    name, _, revision = weights.partition("@")
    return name, revision


NOT_INSTALLED = (
    "engine audiocraft is not installed (no {}); run: make setup-audiocraft, or see docs/audiocraft.md"
)


def missing(recipes: Sequence[Recipe]) -> Iterator[str]:
    """What ``recipes`` need and this machine lacks, each with its remedy."""
    for package in ("torch", "audiocraft"):
        if find_spec(package) is None:
            yield NOT_INSTALLED.format(package)
            break
    for model, revision in sorted({(recipe.model, recipe.revision) for recipe in recipes}):
        try:
            yield from _missing_parts(model_store.require(model, revision))
        except MachineError as error:
            yield str(error)
    decoders = {str(recipe.settings.get("decoder_weights") or "") for recipe in recipes}
    for weights in sorted(decoders - {""}):
        try:
            model_store.require(*split_weights(weights))
        except MachineError as error:
            yield str(error)


def _missing_parts(stored: model_store.StoredModel) -> Iterator[str]:
    """The models that a stored one leans on, where they are neither beside it nor in the model store."""
    for name in _parts(stored):
        if (stored.folder / name.rpartition("/")[2]).is_dir():
            continue
        if (
            model_store.find(
                name, HELPERS.get(name, (name, None))[1] or model_store.pinned_commit(name) or ""
            )
            is None
        ):
            yield f"{stored.name} needs {name}, which is not on this machine; run: cuesmith models fetch {name}"


def _parts(stored: model_store.StoredModel) -> Iterator[str]:
    model = stored.model
    if model is None:
        return
    if model.text_encoder:
        yield model.text_encoder
    if "style" in model.hears:
        yield MERT
    try:
        codec = model_store.read_json(stored.folder / "codec.json")
    except (OSError, ValueError):
        return  # loading the model says what is wrong with it
    if isinstance(codec, dict) and isinstance(codec.get("pretrained"), str):
        yield codec["pretrained"]
