"""The one published model of a score or a watermark: what is missing of it, and how it is fetched, listed and verified.

Its weights are pinned and installed like those of engines. Light: no torch, and the hub only to fetch.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.errors import MachineError, UsageError
from pipeline.generators.model_store import FolderStore, StoredModel, StoredModels, sha256_of
from pipeline.generators.protocol import InstalledModel, ModelList


class PublishedModel(StoredModels[dict[str, Any]]):
    """A `ModelStore` of one model. A subclass gives the facts."""

    kind: str
    """``score`` or ``watermark``."""
    name: str
    """Of the score or the watermark."""
    model: str
    """The repository."""
    revision: str
    """The commit."""
    license: str
    weights: tuple[str, ...]
    """Files of the repository that must be there."""
    others: tuple[str, ...] = ()
    """Files that are used if they are there."""
    packages: tuple[str, ...]
    extra: str
    """The extra that installs the packages."""

    @cached_property
    def store(self) -> FolderStore[dict[str, Any]]:  # type: ignore[override]
        """Where the model is installed."""
        fetch = f"cuesmith models fetch --engine {self.name}"
        return FolderStore(dict, dict, fetch, {self.model: self.revision}.get, self.name)

    def missing(self) -> Iterable[str]:
        """Packages and weights that are not on this machine."""
        yield from self._missing_packages(self.packages)
        try:
            self.store.require(self.model, self.revision)
        except MachineError as error:
            yield str(error)

    def verified_folder(self) -> Path:
        """The folder of the model. Raises `MachineError` if a package or a file is missing, or a file was changed."""
        for lack in self.missing():
            raise MachineError(lack)
        return self.store.require_verified(self.model, self.revision).folder

    def list_models(self) -> ModelList:
        """See `ModelStore.list_models`."""
        stored, faults = self.store.all_stored()
        installed = any(model.revision == self.revision for model in stored)
        row = {
            "id": self.model,
            "revision": self.revision,
            "license": self.license,
            "installed": installed,
        }
        state = "installed" if installed else "not installed"
        line = f"{self.model}  {self.license}  {self.revision[:12]}  {state}"
        return ModelList([line], {"models": [row]}, [str(fault) for fault in faults])

    def fetch_model(self, name: str, progress: Callable[[str], None]) -> Sequence[InstalledModel]:
        """See `ModelStore.fetch_model`."""
        if name not in (self.model, self.name):
            raise UsageError(f"unknown model {name!r} of {self.kind} {self.name}; available: {self.model}")
        for lack in self._missing_packages(("huggingface_hub", *self.packages)):
            raise MachineError(lack)
        hub = importlib.import_module("pipeline.generators.hub")

        def bring(folder: Path) -> StoredModel[dict[str, Any]]:
            remote = hub.list_files(self.model, self.revision)
            for file in sorted(set(self.weights) - set(remote)):
                raise MachineError(
                    f"{self.model} at {self.revision[:12]} has no {file}; report this as a bug"
                )
            files = [remote[file] for file in (*self.weights, *self.others) if file in remote]
            hub.download(folder, self.model, self.revision, files, progress)
            return self.install(folder, [file.rfilename for file in files], progress)

        return [hub.fetch(self.store, self.model, self.revision, progress, bring)]

    def install(
        self, folder: Path, files: Sequence[str], progress: Callable[[str], None]
    ) -> StoredModel[dict[str, Any]]:
        """Bring the downloaded ``files`` in ``folder`` into the store, as they are. Raises `MachineError`."""
        sources = {file: sha256_of(folder / file) for file in files}

        def write(target: Path, revision: str) -> None:
            for file in files:
                shutil.move(folder / file, target / file)

        return self.store.add(self.model, self.revision, sources, write)

    def _missing_packages(self, packages: Iterable[str]) -> Iterator[str]:
        for package in packages:
            if find_spec(package) is None:
                yield (
                    f"{self.kind} {self.name!r} needs {package}, which is not installed; "
                    f"install it: pip install 'cuesmith[{self.extra}]'"
                )
