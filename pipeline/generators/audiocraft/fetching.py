"""Fetching published models: pinned, resumable, hashed, converted. The only part that uses a network.

The commit of a model is in the table; without one, the main branch's at the first fetch is recorded and used from then
on. The models that a checkpoint needs (text encoder, codec) are fetched with it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipeline.errors import MachineError, UsageError
from pipeline.generators import hub
from pipeline.generators.audiocraft import conversion
from pipeline.generators.audiocraft.checkpoints import MBD_FILE, helpers_of
from pipeline.generators.audiocraft.model_store import STORE, StoredModel
from pipeline.generators.audiocraft.models import BY_ID, HELPERS, MBD, PUBLISHED, full_id, names
from pipeline.generators.hub import Progress
from pipeline.generators.model_store import sha256_of
from pipeline.generators.pickles import PICKLE, WEIGHTS, add_safetensors

HELPER_FILES = (
    "config.json",
    "model.safetensors",
    "preprocessor_config.json",
    "pytorch_model.bin",
    "spiece.model",
    "tokenizer.json",
    "tokenizer_config.json",
)

Convert = Callable[[Path, str, str], StoredModel]
"""Brings the downloaded files of a folder into the model store, by name and revision."""


def fetch(name: str, progress: Progress) -> list[StoredModel]:
    """Fetch ``name``, or ``name@commit``, and the models that it needs; installed ones are verified instead.

    Raises `UsageError` for an unknown name, `MachineError` if the network or the disk fails; the next call resumes the
    download.
    """
    name, asked = hub.split_revision(name)
    name = full_id(name)
    if name == MBD:
        return [_fetch(name, asked, (MBD_FILE,), conversion.convert_mbd, progress)]
    if name in HELPERS:
        return [_fetch_helper(name, asked, progress)]
    if name not in BY_ID:
        raise UsageError(f"unknown AudioCraft model {name!r}; available: {names(PUBLISHED)}, {MBD}")
    model = BY_ID[name]

    def convert(folder: Path, name: str, revision: str) -> StoredModel:
        return conversion.convert(folder, name, revision, replace(model, revision=revision))

    stored = _fetch(name, asked, (conversion.LM, conversion.CODEC), convert, progress)
    return [stored, *(_fetch_helper(helper, None, progress) for helper in helpers_of(stored))]


def _fetch_helper(name: str, asked: str | None, progress: Progress) -> StoredModel:
    return _fetch(name, asked, HELPER_FILES, _move_helper, progress)


def _move_helper(folder: Path, name: str, revision: str) -> StoredModel:
    """Move the files of a text encoder or codec in ``folder`` into the model store."""
    files = [path for path in folder.iterdir() if path.is_file()]
    sources = {path.name: sha256_of(path) for path in files}

    def write(target: Path, revision: str) -> None:
        add_safetensors(folder, target)
        for path in files:
            if path.name != PICKLE:
                shutil.move(path, target / path.name)

    return STORE.add(name, revision, sources, write)


def _fetch(
    name: str,
    asked: str | None,
    files: tuple[str, ...],
    convert: Convert,
    progress: Progress,
) -> StoredModel:
    """The model ``name``: verified if it is installed, else downloaded at its commit and converted."""
    repository, _ = HELPERS.get(name, (name, None))
    revision = hub.find_commit(STORE, name, repository, asked)

    def bring(folder: Path) -> StoredModel:
        """Download those of ``files`` that the repository has."""
        remote = hub.list_files(repository, revision)
        # The torch file of a helper has the same weights as its safetensors.
        redundant = {PICKLE} if WEIGHTS in remote else set()
        wanted = [remote[file] for file in files if file in remote and file not in redundant]
        hub.download(folder, repository, revision, wanted, progress)
        needed = (conversion.LM, conversion.CODEC, MBD_FILE)
        missing = [file for file in needed if file in files and file not in remote]
        if missing:
            raise MachineError(f"{repository} at {revision[:12]} has no {missing[0]}; report this as a bug")
        progress(f"{name}: converting")
        return convert(folder, name, revision)

    return hub.fetch(STORE, name, revision, progress, bring)
