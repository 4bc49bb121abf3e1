"""Model stores: models of engines as files on this machine, each file with its SHA-256. Light: no torch.

```
<root>/<name>/<revision>/model.json      description of the model, and the SHA-256 of every file beside it
<root>/<name>/pin.json                   the commit at which a published model was fetched
<root>/seen/<digest>.json                local folders by path, size and time, so that they are hashed once
<root>/downloads/                        what a fetch has downloaded so far
```
``<root>`` is ``CUESMITH_MODELS``, or the platform's cache folder; an engine may have a folder of its own in it. A
model's folder appears complete, by one rename.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from platformdirs import user_cache_path

from pipeline.errors import CuesmithError, MachineError, UsageError, VerificationError
from pipeline.generators.protocol import InstalledModel
from pipeline.store.disk import write_atomically

M = TypeVar("M")

SCHEMA = "cuesmith.model/1"
LOCAL = "sha256:"
"""Prefix of the revision of a local folder, before the hash of its content."""


class StoreNotReady(MachineError):
    """This machine cannot add any model to its store: the disk is full, or a package is not installed."""


def root() -> Path:
    """The folder of all models."""
    folder = os.environ.get("CUESMITH_MODELS")
    return Path(folder) if folder else user_cache_path("cuesmith", appauthor=False) / "models"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_digest(files: Mapping[str, str]) -> str:
    """SHA-256 over the sorted names and hashes of ``files``."""
    lines = "".join(f"{name}\0{files[name]}\n" for name in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def fingerprint(folder: Path) -> str:
    """A hash of the names, sizes and times of the files; far cheaper than hashing gigabytes."""
    digest = hashlib.sha256(str(folder).encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            state = path.stat()
            name = path.relative_to(folder).as_posix()
            digest.update(f"\n{name}\0{state.st_size}\0{state.st_mtime_ns}".encode())
    return digest.hexdigest()


def looks_like_path(name: str) -> bool:
    """Whether ``name`` of a manifest can only be a path.

    >>> looks_like_path("./ours"), looks_like_path("facebook/musicgen-small")
    (True, False)
    """
    starts = ("./", "../", "/", "~", ".\\", "..\\")
    return name.startswith(starts) or bool(re.match(r"^[A-Za-z]:[\\/]", name)) or name in (".", "..")


def folder_of(name: str, start: str = "") -> Path:
    """The folder ``name``: a path from ``start``, or from the working directory if that is empty; ``~`` is the home
    folder."""
    return (Path(start) / os.path.expanduser(name)).resolve()


def existing_folder(name: str, start: str) -> Path:
    """`folder_of` ``name``. Raises `MachineError` if there is none."""
    folder = folder_of(name, start)
    if not folder.is_dir():
        raise MachineError(
            f"{name}: no such folder (looked for {folder}); a path starts at the folder of the file that names it"
        )
    return folder


def local_id(folder: Path) -> str:
    """The id of the model in a local folder.

    >>> local_id(Path("/models/Our theme"))
    'local/Our-theme'
    """
    folded = unicodedata.normalize("NFC", folder.name)
    safe = re.sub(r"[^\w.-]+", "-", folded, flags=re.ASCII).strip("-.")
    return f"local/{safe or 'checkpoint'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel(InstalledModel, Generic[M]):
    """A model in a store, with its description."""

    model: M | None
    """None for a helper: a text encoder or a codec of its own."""

    @property
    def checkpoint_sha256(self) -> str:
        """One digest over the source files, which identifies the model independently of its name."""
        return content_digest(self.sources)

    def record(self, license: str) -> dict[str, Any]:
        """The model in a take's record."""
        return {
            "sha256": self.checkpoint_sha256,
            "files": dict(self.sources),
            "revision": self.revision,
            "license": license,
        }


def is_commit(revision: str) -> bool:
    """Whether ``revision`` is a full commit of a published repository.

    >>> is_commit("a9723ea7f1b39c1eae772870f3b547bf6ef7e6c1"), is_commit("main")
    (True, False)
    """
    return re.fullmatch("[0-9a-f]{40}", revision) is not None


@dataclass(frozen=True, slots=True)
class FolderStore(Generic[M]):
    """The models of one engine."""

    to_json: Callable[[M], dict[str, Any]]
    """A model as ``model.json`` has it."""
    from_json: Callable[[dict[str, Any]], M]
    fetch_command: str
    """What a person runs to install a model, before its name."""
    published_commit: Callable[[str], str | None]
    """The commit that the engine's table has for a model; None if it has none."""
    subfolder: str = ""
    """The engine's own folder below `root`."""
    full_id: Callable[[str], str] = str
    """The id of the model that a person calls by a name."""

    def root(self) -> Path:
        """The folder of the engine's models."""
        return root() / self.subfolder

    def model_folder(self, name: str, revision: str) -> Path:
        """The folder of a model at a revision, whether or not it exists."""
        return self.root() / _folder(name) / _folder(revision)

    def find(self, name: str, revision: str) -> StoredModel[M] | None:
        """The stored model, or None if it is not installed. Its files are not hashed: see `verify`."""
        folder = self.model_folder(name, revision)
        try:
            return self._read(folder)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def require(self, name: str, revision: str) -> StoredModel[M]:
        """The stored model. Raises `MachineError` with the command that installs it."""
        stored = self.find(name, revision)
        if stored is None:
            remedy = (
                "build again from the folder that has it"
                if revision.startswith(LOCAL)
                else f"run: {self._fetch_of(name, revision)}"
            )
            raise MachineError(f"the weights of {name} ({revision[:19]}) are not installed; {remedy}")
        return stored

    def require_verified(self, name: str, revision: str, unused: Collection[str] = ()) -> StoredModel[M]:
        """The stored model, with every file hashed again except ``unused``.

        Raises `MachineError` with the remedy if it is not installed or differs from its record.
        """
        stored = self.require(name, revision)
        try:
            self.verify(stored, unused)
        except VerificationError as error:
            # This machine lacks weights that can be used; another may have them.
            raise MachineError(str(error)) from error
        return stored

    def add(
        self,
        name: str,
        revision: str | None,
        sources: Mapping[str, str],
        write: Callable[[Path, str], M | None],
    ) -> StoredModel[M]:
        """The model of these source files, stored now if it is not yet.

        ``revision`` None: a local folder, identified by the hash of its content. ``write`` gets the new folder and the
        revision; it writes the model's files there and returns the model.
        """
        revision = revision or LOCAL + content_digest(sources)
        if self.find(name, revision) is None:
            with self.new_folder(name, revision) as target:
                self.write_record(target, name, revision, write(target, revision), sources)
        return self.require(name, revision)

    def add_local(self, folder: Path, name: str, add: Callable[[Path, str], str]) -> StoredModel[M]:
        """The model of a local ``folder``, known by its `fingerprint`.

        The first time, ``add`` stores it as ``name`` and returns its revision.
        """
        return added_local(self, folder, fingerprint(folder), name, add)

    def all_stored(self) -> tuple[list[StoredModel[M]], list[MachineError]]:
        """Every model in the store, by name, and the errors of unreadable ones."""
        stored, faults = [], []
        for path in sorted(self.root().glob("*/*/model.json")):
            try:
                stored.append(self._read(path.parent))
            except MachineError as error:
                faults.append(error)
        return stored, faults

    def verify(self, stored: StoredModel[M], unused: Collection[str] = ()) -> None:
        """Hash every file again except ``unused``.

        Raises `VerificationError` with the first file that is missing or differs.
        """
        for name, expected in stored.files.items():
            if name in unused:
                continue
            path = stored.folder / name
            if not path.is_file():
                raise VerificationError(
                    f"{path}: missing; remove {stored.folder} and {self._fetch_again(stored)}"
                )
            actual = sha256_of(path)
            if actual != expected:
                raise VerificationError(
                    f"{path}: SHA-256 is {actual[:12]}..., recorded was {expected[:12]}...; the file changed: remove "
                    f"{stored.folder} and {self._fetch_again(stored)}"
                )

    def verify_all(self, names: Collection[str]) -> tuple[list[StoredModel[M]], list[str]]:
        """Hash the files of the models ``names``, or of all; also which models cannot be read.

        Raises `UsageError` for a name that is not installed.
        """
        ids = {self.full_id(name) for name in names}
        stored, faults = self.all_stored()
        chosen = [model for model in stored if not ids or model.id in ids]
        unknown = sorted(ids - {model.id for model in chosen})
        if unknown:
            list_command = self.fetch_command.replace(" fetch", " list")
            raise UsageError(
                f"{unknown[0]} is not installed; to list models: {list_command}; to download one: "
                f"{self.fetch_command}"
            )
        checked = [replace(model, fault=self._fault(model)) for model in chosen]
        return checked, [] if ids else [str(fault) for fault in faults]

    @contextmanager
    def new_folder(self, name: str, revision: str) -> Iterator[Path]:
        """A temporary folder that becomes the model's if the block raises nothing. The first to finish wins."""
        target = self.model_folder(name, revision)
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
        self, folder: Path, name: str, revision: str, model: M | None, sources: Mapping[str, str]
    ) -> None:
        """Hash the files of ``folder`` and write its ``model.json``."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        record = {
            "schema": SCHEMA,
            "name": name,
            "revision": revision,
            "model": None if model is None else self.to_json(model),
            "files": {path.relative_to(folder).as_posix(): sha256_of(path) for path in files},
            "sources": dict(sorted(sources.items())),
            "size": sum(path.stat().st_size for path in files),
        }
        (folder / "model.json").write_text(json.dumps(record, indent=1), encoding="utf-8")

    def commit_of(self, name: str) -> str | None:
        """The commit that a build takes ``name`` from: that of the engine's table, else that of the first fetch."""
        return self.published_commit(name) or self.pinned_commit(name)

    def pinned_commit(self, name: str) -> str | None:
        """The commit at which ``name`` was fetched on this machine."""
        try:
            return str(read_json(self.root() / _folder(name) / "pin.json")["revision"])
        except (OSError, ValueError, KeyError):
            return None

    def pin_commit(self, name: str, revision: str) -> None:
        """Record the commit of ``name`` for later fetches and plans."""
        write_json(self.root() / _folder(name) / "pin.json", {"name": name, "revision": revision})

    def _fault(self, stored: StoredModel[M]) -> str | None:
        try:
            self.verify(stored)
        except CuesmithError as error:
            return str(error)
        return None

    def _fetch_again(self, stored: StoredModel[M]) -> str:
        if stored.revision.startswith(LOCAL):
            return "build again from the folder that it was converted from"
        return f"run {self._fetch_of(stored.id, stored.revision)}"

    def _fetch_of(self, name: str, revision: str) -> str:
        """The command that fetches ``name`` at ``revision``."""
        at = f"@{revision}" if is_commit(revision) and revision != self.commit_of(name) else ""
        return f"{self.fetch_command} {name}{at}"

    def _read(self, folder: Path) -> StoredModel[M]:
        try:
            record = read_json(folder / "model.json")
            if record["schema"] != SCHEMA:
                raise MachineError(
                    f"{folder}: written by another release of Cuesmith ({record['schema']}); remove it and fetch the "
                    "model again"
                )
            described = record["model"]
            model = None if described is None else self.from_json(described)
            facts = (record[name] for name in ("size", "files", "sources"))
            return StoredModel(record["name"], record["revision"], folder, *facts, model=model)
        except (ValueError, LookupError, TypeError) as error:
            raise MachineError(
                f"{folder / 'model.json'}: not a readable record of a model; remove {folder}, then fetch the model "
                "again, or build again from its own folder"
            ) from error


@cache
def added_local(
    store: FolderStore[M], folder: Path, mark: str, name: str, add: Callable[[Path, str], str]
) -> StoredModel[M]:
    """See `FolderStore.add_local`; every asset of a manifest may ask for the same model."""
    seen = store.root() / "seen" / f"{mark}.json"
    try:
        revision = str(read_json(seen)["revision"])
    except (OSError, ValueError, KeyError):
        revision = ""
    stored = store.find(name, revision) if revision else None
    if stored is None:
        revision = add(folder, name)
        write_json(seen, {"revision": revision})
        stored = store.require(name, revision)
    return stored


class StoredModels(Generic[M]):
    """What every `ModelStore` does with its `FolderStore`."""

    store: FolderStore[M]

    def models_folder(self) -> Path:
        """See `ModelStore.models_folder`."""
        return self.store.root()

    def verify_models(self, names: Collection[str] = ()) -> tuple[Sequence[InstalledModel], Sequence[str]]:
        """See `ModelStore.verify_models`."""
        return self.store.verify_all(names)


def read_json(path: Path) -> Any:
    """A small JSON file of a store. Raises `OSError` and `ValueError`."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(f"{path}: nested too deeply") from error


def write_json(path: Path, value: Any) -> None:
    """Write a small JSON file atomically."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(value, indent=1).encode())
    except OSError as error:
        raise _write_error(path, error) from error


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
