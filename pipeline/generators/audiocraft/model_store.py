"""The store of AudioCraft's checkpoints, converted; see `pipeline.generators.model_store`. Light: no torch."""

from __future__ import annotations

from typing import TypeAlias

from pipeline.generators import model_store
from pipeline.generators.audiocraft.models import BY_ID, HELPERS, Model, full_id

StoredModel: TypeAlias = model_store.StoredModel[Model]


def _published_commit(name: str) -> str | None:
    if name in HELPERS:
        return HELPERS[name][1]
    return BY_ID[name].revision if name in BY_ID else None


STORE: model_store.FolderStore[Model] = model_store.FolderStore(
    Model.to_json, Model.from_json, "cuesmith models fetch", _published_commit, full_id=full_id
)


def find_helper(name: str) -> StoredModel | None:
    """The stored text encoder or codec that configurations call ``name``, or None if it is not installed."""
    return STORE.find(name, STORE.commit_of(name) or "")
