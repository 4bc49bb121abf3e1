"""What engines on torch have in common: devices, packages, installed models. Light: torch itself is not imported."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from typing import cast

from pipeline.errors import MachineError, UsageError
from pipeline.generators import devices
from pipeline.generators.model_store import M, StoredModel, StoredModels
from pipeline.generators.protocol import Generator, InstalledModel
from pipeline.recipe import Recipe


class TorchEngine(StoredModels[M]):
    """An engine whose models are in a model store. A subclass gives the facts."""

    name: str
    package: str
    """Its package, with the modules `generator`, which has the opened engine as ``GENERATOR``, and `fetching`."""
    packages: Sequence[str]
    """What must be installed to generate."""
    not_installed: str
    """What to say of a package that is not, with its name in place of ``{}``."""
    device_kinds = ("cuda", "mps", "cpu")

    def devices(self) -> Sequence[str]:
        """Every CUDA device; else MPS; else the CPU, once, since torch uses all its cores."""
        return tuple(devices.torch_devices())

    def missing(self, recipes: Sequence[Recipe]) -> Iterator[str]:
        """Packages and weights that are not on this machine, without loading or hashing any."""
        yield from map(self.not_installed.format, self.absent_packages()[:1])
        for name, revision in self.weights_of(recipes):
            try:
                yield from self.missing_parts(self.store.require(name, revision))
            except MachineError as error:
                yield str(error)

    def weights_of(self, recipes: Sequence[Recipe]) -> Sequence[tuple[str, str]]:
        """Names and revisions of the stored models that ``recipes`` need."""
        return sorted({(recipe.model, recipe.revision) for recipe in recipes})

    def missing_parts(self, stored: StoredModel[M]) -> Iterable[str]:
        """Other models that ``stored`` needs and that are not installed, each with its remedy."""
        return ()

    def open(self, device: str) -> Generator:
        """Import torch and the engine's package; models are loaded when recipes need them."""
        if devices.kind_of(device) not in self.device_kinds:
            raise MachineError(f"engine {self.name!r} has no device {device!r}; use cuda, mps or cpu")
        for package in self.absent_packages():
            raise MachineError(self.not_installed.format(package))
        module = importlib.import_module(f"{self.package}.generator")
        return cast(Generator, module.GENERATOR(device))

    def fetch_model(self, name: str, progress: Callable[[str], None]) -> Sequence[InstalledModel]:
        """See `ModelStore.fetch_model`."""
        try:
            fetching = importlib.import_module(f"{self.package}.fetching")
        except ImportError as error:
            raise UsageError(self.not_installed.format(error.name)) from error
        fetched: Sequence[InstalledModel] = fetching.fetch(name, progress)
        return fetched

    def absent_packages(self) -> list[str]:
        """Those of `packages` that are not installed."""
        return [name for name in self.packages if find_spec(name) is None]
