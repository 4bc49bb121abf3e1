"""Fetching published pipelines: pinned, resumable, hashed. The only part that uses a network.

The main branch's commit at the first fetch is recorded and used from then on. A token for repositories that ask for
consent comes from the environment (``HF_TOKEN``); it is neither recorded nor shown.
"""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.errors import MachineError, UsageError
from pipeline.generators import hub
from pipeline.generators.diffusers.model_store import INDEX, STORE, import_folder, needed_files
from pipeline.generators.diffusers.models import BY_ID, PUBLISHED, Model, full_id, names
from pipeline.generators.model_store import StoredModel

CONVERTER = "scripts/convert_stable_audio_3_to_diffusers.py of github.com/huggingface/diffusers"


def fetch(name: str, progress: hub.Progress) -> list[StoredModel[Model]]:
    """Fetch ``name``, or ``name@commit``; an installed one is verified instead.

    Raises `UsageError` for an unknown name, `MachineError` if the network or the disk fails, or consent is missing;
    the next call resumes the download.
    """
    name, asked = hub.split_revision(name)
    name = full_id(name)
    if name not in BY_ID:
        raise UsageError(f"unknown model {name!r} of engine diffusers; available: {names(PUBLISHED)}")
    revision = hub.find_commit(STORE, name, name, asked)

    def bring(folder: Path) -> StoredModel[Model]:
        remote = hub.list_files(name, revision)
        if INDEX not in remote:
            raise MachineError(
                f"{name} at {revision[:12]} has no {INDEX}: its files are not in the format of diffusers; convert "
                f"them with {CONVERTER}, and write model: and the path of the converted folder"
            )
        hub.download(folder, name, revision, [remote[INDEX]], progress)
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        wanted = needed_files(remote, index, name)
        hub.download(folder, name, revision, [remote[file] for file in wanted if file != INDEX], progress)
        progress(f"{name}: checking")
        return import_folder(folder, name, revision)

    return [hub.fetch(STORE, name, revision, progress, bring)]
