"""Bringing published models to this machine: pinned, resumable, hashed, converted. The only part that uses a network.

A model's repository is asked once which commit its main branch is at, unless the table knows one; that commit is
remembered, and every later fetch takes it. What a checkpoint leans on (text encoder, codec) comes with it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub.errors import OfflineModeIsEnabled

from pipeline.errors import CuesmithError, MachineError, UsageError
from pipeline.generators.audiocraft import conversion, model_store
from pipeline.generators.audiocraft.checkpoints import MBD_FILE
from pipeline.generators.audiocraft.models import BY_ID, HELPERS, MBD, MERT, PUBLISHED, full_id, names
from pipeline.generators.audiocraft.pickles import PICKLE, WEIGHTS, add_safetensors

HELPER_FILES = (
    "config.json",
    "model.safetensors",
    "preprocessor_config.json",
    "pytorch_model.bin",
    "spiece.model",
    "tokenizer.json",
    "tokenizer_config.json",
)

Tell = Callable[[str], None]


def fetch(name: str, tell: Tell) -> list[model_store.StoredModel]:
    """Bring ``name`` and all that it leans on; what is here already is verified instead.

    ``tell`` hears one line a step. Raises `UsageError` for a name that is not published, `MachineError` where the
    network or the disk fails; what was downloaded so far is kept, and the next call goes on from there.
    """
    name = full_id(name)
    if name == MBD:
        return [_fetch_bands(tell)]
    if name in HELPERS:
        return [_fetch_helper(name, tell)]
    if name not in BY_ID:
        raise UsageError(f"{name!r} is no published AudioCraft model; there are: {names(PUBLISHED)}, {MBD}")
    model = BY_ID[name]
    if model.missing is not None:
        raise UsageError(f"{name} cannot run: {model.missing}")
    revision = _revision(name, name, model.revision)
    stored = model_store.find(name, revision)
    if stored is not None:
        model_store.verify(stored)
        tell(f"{name}: here and whole ({revision[:12]})")
    else:
        folder = _download(name, name, revision, (conversion.LM, conversion.CODEC), tell)
        tell(f"{name}: converting")
        pinned = type(model)(**{**_fields(model), "revision": revision})
        stored = conversion.convert(folder, name, revision, pinned)
        shutil.rmtree(folder, ignore_errors=True)
        tell(f"{name}: ready, {stored.size / 1e9:.2f} GB ({revision[:12]})")
    return [stored, *(_fetch_helper(helper, tell) for helper in helpers_of(stored))]


def _fetch_bands(tell: Tell) -> model_store.StoredModel:
    """The diffusion models of ``decoder: mbd``."""
    revision = _revision(MBD, MBD, HELPERS[MBD][1])
    stored = model_store.find(MBD, revision)
    if stored is not None:
        model_store.verify(stored)
        tell(f"{MBD}: here and whole ({revision[:12]})")
        return stored
    folder = _download(MBD, MBD, revision, (MBD_FILE,), tell)
    tell(f"{MBD}: converting")
    stored = conversion.convert_mbd(folder, MBD, revision)
    shutil.rmtree(folder, ignore_errors=True)
    tell(f"{MBD}: ready, {stored.size / 1e9:.2f} GB ({revision[:12]})")
    return stored


def helpers_of(stored: model_store.StoredModel) -> list[str]:
    """Text encoders and codecs that a checkpoint's configuration names and that do not lie beside it."""
    lm, codec = (model_store.read_json(stored.folder / f"{part}.json") for part in ("lm", "codec"))
    conditioners = lm.get("conditioners") or {}
    found = [one["t5"]["name"] for one in conditioners.values() if one.get("model") == "t5"]
    found += [MERT for one in conditioners.values() if one.get("model") == "style"]
    found += [codec["pretrained"]] if "pretrained" in codec else []
    return sorted({name for name in found if not (stored.folder / name.rpartition("/")[2]).is_dir()})


def _fetch_helper(name: str, tell: Tell) -> model_store.StoredModel:
    repository, known = HELPERS.get(name, (name, None))
    revision = _revision(name, repository, known)
    stored = model_store.find(name, revision)
    if stored is not None:
        model_store.verify(stored)
        tell(f"{name}: here and whole ({revision[:12]})")
        return stored
    folder = _download(name, repository, revision, HELPER_FILES, tell)
    with model_store.new_folder(name, revision) as made:
        files = [path for path in folder.iterdir() if path.is_file()]
        sources = {path.name: model_store.sha256_of(path) for path in files}
        add_safetensors(folder, made)
        for path in files:
            if path.name != PICKLE:
                shutil.move(path, made / path.name)
        model_store.write_record(made, name, revision, None, sources)
    shutil.rmtree(folder, ignore_errors=True)
    tell(f"{name}: ready ({revision[:12]})")
    return model_store.require(name, revision)


def _revision(name: str, repository: str, known: str | None) -> str:
    found = known or model_store.pinned_commit(name)
    if found is None:
        with _told(repository):
            found = str(_hub().model_info(repository).sha)
        model_store.pin_commit(name, found)
    return found


def _download(name: str, repository: str, revision: str, wanted: tuple[str, ...], tell: Tell) -> Path:
    """The files ``wanted`` that the repository has, in a folder that survives until they are converted."""
    folder = model_store.root() / "downloads" / f"{name.replace('/', '--')}-{revision[:12]}"
    with _told(repository):
        info = _hub().model_info(repository, revision=revision, files_metadata=True)
        there = {one.rfilename: one for one in info.siblings or ()}
        for file in (file for file in wanted if file in there and not _spare(file, there)):
            size = (there[file].size or 0) / 1e9
            tell(f"{name}: {file}, {size:.2f} GB")
            path = _hub().hf_hub_download(repository, file, revision=revision, local_dir=folder)
            _check(Path(path), there[file].lfs)
    needed = (conversion.LM, conversion.CODEC, MBD_FILE)
    missing = [file for file in needed if file in wanted and file not in there]
    if missing:
        raise MachineError(f"{repository} at {revision[:12]} has no {missing[0]}; report this as a bug")
    return folder


def _spare(file: str, there: Container[str]) -> bool:
    """Whether a file has the same weights as another."""
    return file == PICKLE and WEIGHTS in there


def _hub() -> huggingface_hub.HfApi:
    return huggingface_hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)


def _check(path: Path, lfs: Any) -> None:
    """The hub says the hash of every large file: what came must have it."""
    expected = lfs.sha256 if lfs else None
    found = model_store.sha256_of(path) if expected else None
    if expected and found != expected:
        path.unlink()
        raise MachineError(
            f"{path}: SHA-256 is {found}, the hub says {expected}; it was removed: fetch again"
        )


@contextmanager
def _told(repository: str) -> Iterator[None]:
    """Turns the hub's errors, and those of the HTTP library below it, into ours."""
    try:
        yield
    except CuesmithError:
        raise
    except OfflineModeIsEnabled as error:
        raise MachineError(
            f"{repository}: not fetched, HF_HUB_OFFLINE is set; unset it while you fetch"
        ) from error
    except Exception as error:
        why = next(iter(str(error).splitlines()), type(error).__name__)
        raise MachineError(
            f"{repository}: cannot be fetched: {why}; check the network and the space on the disk, then run the same "
            "command again: it goes on where it was"
        ) from error


def _fields(model: Any) -> dict[str, Any]:
    return {name: getattr(model, name) for name in type(model).__slots__}
