"""Pipelines on this machine: the engine's model store, local folders, and what their configurations say. No torch.

A pipeline is a folder in the format of diffusers: ``model_index.json``, and a folder for each component with its
configuration and its weights as safetensors. Nothing else is taken: no pickles, and no code. A folder that a person
converted from a published model says so in ``cuesmith.json``: ``{"model": "stabilityai/stable-audio-3-medium"}``.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.errors import MachineError
from pipeline.generators.diffusers.models import (
    BY_ID,
    CLASSES,
    FAMILIES,
    UNKNOWN,
    Family,
    Model,
    full_id,
    model_of,
)
from pipeline.generators.model_store import (
    FolderStore,
    StoredModel,
    existing_folder,
    folder_of,
    local_id,
    read_json,
    sha256_of,
)

INDEX = "model_index.json"
DECLARATION = "cuesmith.json"
FETCH = "cuesmith models fetch --engine diffusers"


STORE: FolderStore[Model] = FolderStore(
    Model.to_json,
    Model.from_json,
    FETCH,
    lambda name: BY_ID[name].revision if name in BY_ID else None,
    "diffusers",
    full_id,
)

_LIBRARIES = frozenset({"diffusers", "transformers", "stable_audio", "stable_audio_3", "ace_step"})
"""Where components may come from: packages of the engine, and parts of diffusers."""
_SUFFIXES = frozenset({".json", ".txt", ".jinja", ".model", ".safetensors"})
_VARIANTS = (".fp16", ".bf16", ".non_ema")
"""Marks of further files with the same weights in another precision."""
_PICKLES = frozenset({".bin", ".ckpt", ".pt", ".pth", ".pkl"})


def is_pipeline(name: str, start: str = "") -> bool:
    """Whether ``start`` has a folder ``name`` with a pipeline."""
    return (folder_of(name, start) / INDEX).is_file()


def read_folder(name: str, start: str = "") -> StoredModel[Model]:
    """The pipeline in the folder ``name``, copied into the model store the first time.

    A folder is identified by the hash of its content, not by its path. Raises `MachineError` if there is no such
    pipeline, or it cannot be used.
    """
    folder = existing_folder(name, start)
    name = _declared_id(folder) or local_id(folder)
    return STORE.add_local(folder, name, _import_local)


def _import_local(folder: Path, name: str) -> str:
    return import_folder(folder, name, None).revision


def _declared_id(folder: Path) -> str | None:
    """The published model that a folder was converted from, if a person says so in the folder."""
    path = folder / DECLARATION
    if not path.is_file():
        return None
    try:
        name = full_id(str(read_json(path)["model"]))
    except (ValueError, LookupError, TypeError):
        name = ""
    if name not in BY_ID or BY_ID[name].family != CLASSES.get(str(_index_of(folder).get("_class_name"))):
        raise MachineError(
            f'{path}: does not name the published model of this pipeline; write {{"model": "ID"}} with an id of: '
            "cuesmith models list --engine diffusers"
        )
    return name


def import_folder(folder: Path, model_id: str, revision: str | None) -> StoredModel[Model]:
    """Copy the pipeline in ``folder`` into the store; without ``revision`` the hash of its content is the revision.

    Raises `MachineError` if the engine cannot use it.
    """
    files = needed_files(
        (path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()),
        _index_of(folder),
        str(folder),
    )
    sources = {name: sha256_of(folder / name) for name in files}

    def write(target: Path, revision: str) -> Model:
        model = BY_ID.get(model_id) or _describe(folder, model_id)
        for name in files:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, target / name)
        return model

    return STORE.add(model_id, revision, sources, write)


def needed_files(files: Iterable[str], index: dict[str, Any], place: str) -> list[str]:
    """Those of ``files`` that the pipeline with this ``model_index.json`` is made of.

    Raises `MachineError` for a pipeline of another kind, with foreign code, or without safetensors.
    """
    class_name = str(index.get("_class_name"))
    if class_name not in CLASSES:
        raise MachineError(
            f"{place}: {INDEX} names {class_name}, which this engine does not run; use one of: {', '.join(CLASSES)}"
        )
    components = {
        name: part[0]
        for name, part in index.items()
        if isinstance(part, list) and len(part) == 2 and part[0] is not None
    }
    foreign = sorted(
        f"{name} ({library})"
        for name, library in components.items()
        if library not in _LIBRARIES or not name.isidentifier()
    )
    if foreign:
        raise MachineError(
            f"{place}: {foreign[0]} needs code of its own, which is never run; use another model"
        )
    everything = list(files)
    for name in components:
        _check_weights(name, [file for file in everything if file.startswith(f"{name}/")], place)
    return [INDEX, *(file for file in everything if _is_needed(file, components))]


def _is_needed(file: str, components: Collection[str]) -> bool:
    path = PurePosixPath(file)
    return (
        len(path.parts) == 2
        and path.parts[0] in components
        and path.suffix in _SUFFIXES
        and not any(mark in path.name for mark in _VARIANTS)
    )


def _check_weights(component: str, files: Collection[str], place: str) -> None:
    if not files:
        raise MachineError(f"{place}: the folder {component} is missing; fetch or convert the model again")
    suffixes = {PurePosixPath(file).suffix for file in files}
    if suffixes & _PICKLES and ".safetensors" not in suffixes:
        raise MachineError(
            f"{place}: the weights of {component} are pickles, which can run code; convert them to safetensors"
        )


def _index_of(folder: Path) -> dict[str, Any]:
    try:
        index = read_json(folder / INDEX)
        if not isinstance(index, dict):
            raise ValueError(INDEX)
        return index
    except FileNotFoundError:
        raise MachineError(
            f"{folder}: no {INDEX}, so not a pipeline in the format of diffusers; see docs/diffusers.md on converting"
        ) from None
    except ValueError as error:
        raise MachineError(
            f"{folder / INDEX}: not readable JSON; fetch or convert the model again"
        ) from error


def _describe(folder: Path, model_id: str) -> Model:
    """The model in a folder of which nothing is published, by its configurations."""
    try:
        index = _index_of(folder)
        family = CLASSES[str(index["_class_name"])]
        vae, transformer, scheduler = (
            read_json(folder / part / name)
            for part, name in (
                ("vae", "config.json"),
                ("transformer", "config.json"),
                ("scheduler", "scheduler_config.json"),
            )
        )
        distilled = _is_distilled(family, transformer, scheduler)
        shortest, longest = _seconds_range(folder, family, vae, transformer)
        weights = sum(path.stat().st_size for path in (folder / "transformer").glob("*.safetensors"))
        model = model_of(family, model_id, round(weights / 4e9, 6), distilled=distilled)
        has_tokenizer = (index.get("audio_tokenizer") or [None])[0] is not None
        return replace(
            model,
            sample_rate_hz=int(vae["sampling_rate"]),
            channels=int(vae["audio_channels"]),
            shortest_s=shortest,
            longest_s=longest,
            abilities=model.abilities
            - ({"start_from"} if family == "ace-step" and not has_tokenizer else set()),
            license=UNKNOWN.name,
        )
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise MachineError(
            f"{folder}: a configuration of the pipeline is missing or damaged ({error}); fetch or convert the model "
            "again"
        ) from error


def _is_distilled(family: Family, transformer: dict[str, Any], scheduler: dict[str, Any]) -> bool:
    """Whether guidance is trained into the weights, so that few steps suffice."""
    if family == "stable-audio-3":
        return bool(scheduler.get("stochastic_sampling"))
    return family == "ace-step" and (
        bool(transformer.get("is_turbo")) or transformer.get("model_version") == "turbo"
    )


def _seconds_range(
    folder: Path, family: Family, vae: dict[str, Any], transformer: dict[str, Any]
) -> tuple[float, float]:
    if family == "stable-audio-open":
        samples = int(transformer["sample_size"]) * math.prod(vae["downsampling_ratios"])
        return 0.0, math.floor(samples / int(vae["sampling_rate"]) * 1000) / 1000
    shortest, longest = FAMILIES[family].shortest_s, FAMILIES[family].longest_s
    if family == "stable-audio-3":
        embedder = read_json(folder / "duration_embedder" / "config.json")
        longest = min(longest, float(embedder["max_val"]))
    return shortest, longest
