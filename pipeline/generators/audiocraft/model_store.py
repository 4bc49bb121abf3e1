"""The model store: converted checkpoints on this machine, each file with its SHA-256. Light: no torch.

```
<root>/<name>/<revision>/model.json      what the checkpoint is, and the SHA-256 of every file beside it
<root>/<name>/pin_commit.json                   the commit that a published model was fetched at
<root>/seen/<digest>.json                local folders by path, size and time, so that they are hashed once
```
``<root>`` is ``CUESMITH_MODELS``, or the platform's cache folder. A folder appears whole, by one rename.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from pipeline.errors import MachineError, VerificationError
from pipeline.generators.audiocraft.models import Model
from pipeline.store.disk import write_atomically

SCHEMA = "cuesmith.model/1"
LOCAL = "sha256:"
"""What the revision of a local folder begins with; the hash of its content follows."""
_BLOCK = 1 << 20


class StoreNotReady(MachineError):
    """Nothing can be brought into the model store on this machine, whatever the checkpoint: no room, no torch."""


def root() -> Path:
    """Where converted checkpoints lie."""
    named = os.environ.get("CUESMITH_MODELS")
    return Path(named) if named else user_cache_path("cuesmith", appauthor=False) / "models"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A checkpoint in the model store."""

    folder: Path
    model: Model | None
    """None for a helper: a text encoder or a codec of its own."""
    name: str
    revision: str
    files: Mapping[str, str]
    """SHA-256 of each file of the folder, by its path with ``/``."""
    sources: Mapping[str, str]
    """SHA-256 of each file that it was converted from."""
    size: int

    @property
    def checkpoint_sha256(self) -> str:
        """One digest over the source files: the checkpoint's identity whatever it is called."""
        return content_digest(self.sources)


def content_digest(files: Mapping[str, str]) -> str:
    """SHA-256 over the sorted names and hashes of ``files``."""
    lines = "".join(f"{name}\0{files[name]}\n" for name in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def model_folder(name: str, revision: str) -> Path:
    """The folder of a model at a revision, whether or not it is there."""
    return root() / _folder(name) / _folder(revision)


def find(name: str, revision: str) -> StoredModel | None:
    """The stored checkpoint, or None when it is not here. Its files are not hashed: see `verify`."""
    folder = model_folder(name, revision)
    try:
        return _read(folder)
    except (FileNotFoundError, NotADirectoryError):
        return None


def require(name: str, revision: str) -> StoredModel:
    """The stored checkpoint. Raises `MachineError` that names the command which brings it."""
    found = find(name, revision)
    if found is None:
        remedy = (
            "build again from the folder that has it"
            if revision.startswith(LOCAL)
            else f"run: cuesmith models fetch {name}"
        )
        raise MachineError(f"the weights of {name} ({revision[:19]}) are not on this machine; {remedy}")
    return found


def all_stored() -> tuple[list[StoredModel], list[MachineError]]:
    """Every checkpoint in the store, by name, and why others cannot be read."""
    stored, faults = [], []
    for path in sorted(root().glob("*/*/model.json")):
        try:
            stored.append(_read(path.parent))
        except MachineError as error:
            faults.append(error)
    return stored, faults


def verify(stored: StoredModel, unused: Collection[str] = ()) -> None:
    """Hash every file again but those ``unused``.

    Raises `VerificationError` naming the first that is missing or differs.
    """
    for name, expected in stored.files.items():
        if name in unused:
            continue
        path = stored.folder / name
        if not path.is_file():
            raise VerificationError(f"{path}: missing; remove {stored.folder} and {_again(stored)}")
        found = sha256_of(path)
        if found != expected:
            raise VerificationError(
                f"{path}: SHA-256 is {found[:12]}..., {expected[:12]}... was recorded; the file changed: remove "
                f"{stored.folder} and {_again(stored)}"
            )


def _again(stored: StoredModel) -> str:
    if stored.revision.startswith(LOCAL):
        return "build again from the folder that it was converted from"
    return f"run cuesmith models fetch {stored.name}"


@contextmanager
def new_folder(name: str, revision: str) -> Iterator[Path]:
    """A temporary folder that becomes the model's when the block ends well. The first to finish wins."""
    target = model_folder(name, revision)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
    except OSError as error:
        raise _no_room(target, error) from error
    try:
        try:
            yield made
            if not target.exists():
                os.replace(made, target)
        except OSError as error:
            if not target.exists():
                raise _no_room(target, error) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def write_record(
    folder: Path, name: str, revision: str, model: Model | None, sources: Mapping[str, str]
) -> None:
    """Hash what ``folder`` holds and write its ``model.json``."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    described = None if model is None else {**asdict(model), "hears": sorted(model.hears)}
    record = {
        "schema": SCHEMA,
        "name": name,
        "revision": revision,
        "model": described,
        "files": {path.relative_to(folder).as_posix(): sha256_of(path) for path in files},
        "sources": dict(sorted(sources.items())),
        "size": sum(path.stat().st_size for path in files),
    }
    (folder / "model.json").write_text(json.dumps(record, indent=1), encoding="utf-8")


def pinned_commit(name: str) -> str | None:
    """The commit that ``name`` was fetched at on this machine."""
    try:
        found: str = json.loads((root() / _folder(name) / "pin_commit.json").read_text(encoding="utf-8"))[
            "revision"
        ]
    except (OSError, ValueError, KeyError):
        return None
    return found


def pin_commit(name: str, revision: str) -> None:
    """Remember the commit of ``name``, so that later fetches and plans mean the same."""
    write_json(root() / _folder(name) / "pin_commit.json", {"name": name, "revision": revision})


def read_json(path: Path) -> Any:
    """A small JSON file of the store."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write a small JSON file whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(value, indent=1).encode())
    except OSError as error:
        raise _no_room(path, error) from error


def _read(folder: Path) -> StoredModel:
    try:
        record = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        if record["schema"] != SCHEMA:
            raise MachineError(
                f"{folder}: written by another release of Cuesmith ({record['schema']}); remove it and fetch again"
            )
        described = record["model"]
        model = None if described is None else Model(**{**described, "hears": frozenset(described["hears"])})
        return StoredModel(
            folder,
            model,
            record["name"],
            record["revision"],
            record["files"],
            record["sources"],
            record["size"],
        )
    except (ValueError, LookupError, TypeError) as error:
        raise MachineError(
            f"{folder / 'model.json'}: no record of a model that can be read; remove {folder}, then fetch the model "
            "again, or build again from its own folder"
        ) from error


def _folder(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "--", name)


def _no_room(path: Path, error: OSError) -> StoreNotReady:
    # Copying a folder gives a list of (from, to, why).
    why = error.args[0][0][2] if isinstance(error, shutil.Error) else error.strerror or str(error)
    return StoreNotReady(
        f"the model store cannot be written at {path}: {why.partition(': ')[0].partition('] ')[2] or why}; free space, "
        "or set CUESMITH_MODELS to a folder on a larger disk"
    )
