"""The model store: converted checkpoints on this machine, each file with its SHA-256. Light: no torch.

```
<root>/<name>/<revision>/model.json      description of the checkpoint, and the SHA-256 of every file beside it
<root>/<name>/pin.json                   the commit at which a published model was fetched
<root>/seen/<digest>.json                local folders by path, size and time, so that they are hashed once
```
``<root>`` is ``CUESMITH_MODELS``, or the platform's cache folder. A model's folder appears complete, by one rename.
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
from pipeline.generators.audiocraft.models import HELPERS, Model
from pipeline.store.disk import write_atomically

SCHEMA = "cuesmith.model/1"
LOCAL = "sha256:"
"""Prefix of the revision of a local folder, before the hash of its content."""


class StoreNotReady(MachineError):
    """This machine cannot add any checkpoint to the model store: the disk is full, or torch is not installed."""


def root() -> Path:
    """The folder of the converted checkpoints."""
    folder = os.environ.get("CUESMITH_MODELS")
    return Path(folder) if folder else user_cache_path("cuesmith", appauthor=False) / "models"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
        """One digest over the source files, which identifies the checkpoint independently of its name."""
        return content_digest(self.sources)

    def record(self, license: str) -> dict[str, Any]:
        """The checkpoint in a take's record."""
        return {
            "sha256": self.checkpoint_sha256,
            "files": dict(self.sources),
            "revision": self.revision,
            "license": license,
        }


def content_digest(files: Mapping[str, str]) -> str:
    """SHA-256 over the sorted names and hashes of ``files``."""
    lines = "".join(f"{name}\0{files[name]}\n" for name in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def model_folder(name: str, revision: str) -> Path:
    """The folder of a model at a revision, whether or not it exists."""
    return root() / _folder(name) / _folder(revision)


def find(name: str, revision: str) -> StoredModel | None:
    """The stored checkpoint, or None if it is not installed. Its files are not hashed: see `verify`."""
    folder = model_folder(name, revision)
    try:
        return _read(folder)
    except (FileNotFoundError, NotADirectoryError):
        return None


def require(name: str, revision: str) -> StoredModel:
    """The stored checkpoint. Raises `MachineError` with the command that installs it."""
    stored = find(name, revision)
    if stored is None:
        remedy = (
            "build again from the folder that has it"
            if revision.startswith(LOCAL)
            else f"run: cuesmith models fetch {name}"
        )
        raise MachineError(f"the weights of {name} ({revision[:19]}) are not installed; {remedy}")
    return stored


def find_helper(name: str) -> StoredModel | None:
    """The stored text encoder or codec that configurations call ``name``, or None if it is not installed."""
    _, commit = HELPERS.get(name, (name, None))
    return find(name, commit or pinned_commit(name) or "")


def all_stored() -> tuple[list[StoredModel], list[MachineError]]:
    """Every checkpoint in the store, by name, and the errors of unreadable ones."""
    stored, faults = [], []
    for path in sorted(root().glob("*/*/model.json")):
        try:
            stored.append(_read(path.parent))
        except MachineError as error:
            faults.append(error)
    return stored, faults


def verify(stored: StoredModel, unused: Collection[str] = ()) -> None:
    """Hash every file again except ``unused``.

    Raises `VerificationError` with the first file that is missing or differs.
    """
    for name, expected in stored.files.items():
        if name in unused:
            continue
        path = stored.folder / name
        if not path.is_file():
            raise VerificationError(f"{path}: missing; remove {stored.folder} and {_fetch_again(stored)}")
        actual = sha256_of(path)
        if actual != expected:
            raise VerificationError(
                f"{path}: SHA-256 is {actual[:12]}..., recorded was {expected[:12]}...; the file changed: remove "
                f"{stored.folder} and {_fetch_again(stored)}"
            )


def _fetch_again(stored: StoredModel) -> str:
    if stored.revision.startswith(LOCAL):
        return "build again from the folder that it was converted from"
    return f"run cuesmith models fetch {stored.name}"


@contextmanager
def new_folder(name: str, revision: str) -> Iterator[Path]:
    """A temporary folder that becomes the model's if the block raises nothing. The first to finish wins."""
    target = model_folder(name, revision)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
    except OSError as error:
        raise _write_error(target, error) from error
    try:
        yield temporary
        if not target.exists():
            os.replace(temporary, target)
    except OSError as error:
        if not target.exists():
            raise _write_error(target, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_record(
    folder: Path, name: str, revision: str, model: Model | None, sources: Mapping[str, str]
) -> None:
    """Hash the files of ``folder`` and write its ``model.json``."""
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
    """The commit at which ``name`` was fetched on this machine."""
    try:
        return str(read_json(root() / _folder(name) / "pin.json")["revision"])
    except (OSError, ValueError, KeyError):
        return None


def pin_commit(name: str, revision: str) -> None:
    """Record the commit of ``name`` for later fetches and plans."""
    write_json(root() / _folder(name) / "pin.json", {"name": name, "revision": revision})


def read_json(path: Path) -> Any:
    """A small JSON file of the store."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write a small JSON file atomically."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(value, indent=1).encode())
    except OSError as error:
        raise _write_error(path, error) from error


def _read(folder: Path) -> StoredModel:
    try:
        record = read_json(folder / "model.json")
        if record["schema"] != SCHEMA:
            raise MachineError(
                f"{folder}: written by another release of Cuesmith ({record['schema']}); remove it and fetch the model "
                "again"
            )
        described = record["model"]
        model = None if described is None else Model(**{**described, "hears": frozenset(described["hears"])})
        names = ("name", "revision", "files", "sources", "size")
        return StoredModel(folder, model, *(record[name] for name in names))
    except (ValueError, LookupError, TypeError) as error:
        raise MachineError(
            f"{folder / 'model.json'}: not a readable record of a model; remove {folder}, then fetch the model "
            "again, or build again from its own folder"
        ) from error


def _folder(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "--", name)


def _write_error(path: Path, error: OSError) -> StoreNotReady:
    # shutil.Error has a list of (source, target, reason).
    reason = error.args[0][0][2] if isinstance(error, shutil.Error) else error.strerror or str(error)
    reason = reason.partition(": ")[0].partition("] ")[2] or reason
    return StoreNotReady(
        f"cannot write to the model store at {path}: {reason}; free space, or set CUESMITH_MODELS to a folder on a "
        "larger disk"
    )
