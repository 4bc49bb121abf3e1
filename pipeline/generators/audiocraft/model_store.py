"""The store of AudioCraft's checkpoints, converted; see `pipeline.generators.model_store`. Light: no torch."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, TypeAlias

from pipeline.generators import model_store
from pipeline.generators.audiocraft.models import BY_ID, HELPERS, Model
from pipeline.generators.model_store import (
    LOCAL,
    FolderStore,
    StoreNotReady,
    content_digest,
    read_json,
    root,
    sha256_of,
    write_json,
)

__all__ = ["LOCAL", "StoreNotReady", "content_digest", "read_json", "root", "sha256_of", "write_json"]

StoredModel: TypeAlias = model_store.StoredModel[Model]


def _to_json(model: Model) -> dict[str, Any]:
    return {**asdict(model), "hears": sorted(model.hears)}


def _from_json(described: dict[str, Any]) -> Model:
    return Model(**{**described, "hears": frozenset(described["hears"])})


def _published_commit(name: str) -> str | None:
    if name in HELPERS:
        return HELPERS[name][1]
    return BY_ID[name].revision if name in BY_ID else None


STORE: FolderStore[Model] = FolderStore(_to_json, _from_json, "cuesmith models fetch", _published_commit)

model_folder = STORE.model_folder
find = STORE.find
require = STORE.require
all_stored = STORE.all_stored
verify = STORE.verify
new_folder = STORE.new_folder
write_record = STORE.write_record
pinned_commit = STORE.pinned_commit
pin_commit = STORE.pin_commit


def find_helper(name: str) -> StoredModel | None:
    """The stored text encoder or codec that configurations call ``name``, or None if it is not installed."""
    _, commit = HELPERS.get(name, (name, None))
    return find(name, commit or pinned_commit(name) or "")
