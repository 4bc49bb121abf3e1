"""Importing AudioCraft 1.3.0 unmodified, without the packages that it names and inference hardly uses.

AudioCraft imports training tools and large packages at module level. Each that cannot be imported is stood in
for while AudioCraft is imported: by the few functions that inference calls (`xformers.ops`, torchaudio's
spectrogram, librosa's chroma filters, a pass-through for demucs), or by names that say, when they are used,
which package is missing. A package that can be imported is always used. docs/audiocraft.md lists them.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from abc import ABCMeta
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any, NoReturn

from pipeline.errors import MachineError
from pipeline.generators.audiocraft import shim_functions

AUDIOCRAFT_VERSION = "1.3.0"

REPLACED: tuple[str, ...] = ("demucs", "librosa", "torchaudio", "xformers")
"""Packages whose few functions that inference calls are in `shim_functions`."""

UNUSED: tuple[str, ...] = (
    "av",
    "dora",
    "flashy",
    "hydra",
    "num2words",
    "spacy",
    "torchmetrics",
)
"""Packages that inference imports and never calls."""

_KEPT = ("demucs", "xformers")
"""AudioCraft imports these inside functions too, so that they stay; the others leave `sys.modules` again."""

_FIRST = ("AutoTokenizer", "EncodecModel", "RobertaTokenizer", "T5EncoderModel", "T5Tokenizer")


class _Absent(ABCMeta):
    """Class of the names of a missing package: they can be inherited from and decorate, never used."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _absent(f"{cls.__module__}.{cls.__qualname__}", name)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls.__dict__.get("_stand_in_"):
            _refuse(f"{cls.__module__}.{cls.__qualname__}")
        return super().__call__(*args, **kwargs)


def _absent(module: str, name: str) -> type:
    return _Absent(name, (), {"__module__": module, "_stand_in_": True})


def _refuse(name: str) -> NoReturn:
    package = name.partition(".")[0]
    raise MachineError(
        f"AudioCraft called {name}, and {package} is not installed; run: pip install {package}"
    )


class _StandIn(ModuleType):
    """A module of a missing package."""

    def __init__(self, spec: importlib.machinery.ModuleSpec) -> None:
        super().__init__(spec.name, f"Stands in for {spec.name}, which is not installed.")
        self.__spec__ = spec
        self.__path__: list[str] = []
        self.__dict__.update(shim_functions.NAMES.get(spec.name, {}))
        for name in shim_functions.NAMES:
            parent, _, child = name.rpartition(".")
            if parent == spec.name:
                self.__dict__[child] = _StandIn(
                    importlib.machinery.ModuleSpec(name, spec.loader, is_package=True)
                )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _absent(self.__name__, name)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds every module of the missing packages."""

    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = frozenset(packages)

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] in self._packages:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        parent, _, child = spec.name.rpartition(".")
        made = sys.modules[parent].__dict__.get(child) if parent in sys.modules else None
        return made if isinstance(made, _StandIn) else _StandIn(spec)

    def exec_module(self, module: ModuleType) -> None:
        pass


def missing_packages() -> tuple[str, ...]:
    """Of the packages that may be stood in for, those that cannot be imported here."""
    return tuple(package for package in sorted((*REPLACED, *UNUSED)) if not _imports(package))


def _imports(package: str) -> bool:
    try:
        # A package that is there and cannot load (torchaudio for another torch) raises OSError and worse.
        importlib.import_module(package)
    except Exception:
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]
        return False
    return not isinstance(sys.modules.get(package), _StandIn)


@cache
def import_audiocraft() -> ModuleType:
    """The ``audiocraft`` package with its models. Raises `MachineError` when it or torch is not installed."""
    try:
        found = version("audiocraft")
        importlib.import_module("torch")
        missing = missing_packages()
        # Before the rest is stood in for, so that its search for optional packages sees what is truly there; what is
        # there and cannot load would take it down.
        with _standing_in([package for package in missing if importlib.util.find_spec(package)]):
            transformers = importlib.import_module("transformers")
            for name in _FIRST:
                getattr(transformers, name)
    except (PackageNotFoundError, ImportError) as error:
        raise MachineError(
            f"engine audiocraft is not installed ({error}); run: make setup-audiocraft, or see docs/audiocraft.md"
        ) from error
    with _standing_in(missing):
        try:
            package = importlib.import_module("audiocraft")
            importlib.import_module("audiocraft.models")
        except ImportError as error:
            raise MachineError(
                f"audiocraft {found} cannot be imported: {error}; Cuesmith is tested with {AUDIOCRAFT_VERSION}: "
                "run make setup-audiocraft"
            ) from error
    return package


@contextmanager
def _standing_in(packages: Sequence[str]) -> Iterator[None]:
    finder = _Finder(packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name, module in list(sys.modules.items()):
            if isinstance(module, _StandIn) and name.partition(".")[0] not in _KEPT:
                del sys.modules[name]
        for package in packages:
            if package in _KEPT:
                _keep(importlib.machinery.ModuleSpec(package, finder, is_package=True))


def _keep(spec: importlib.machinery.ModuleSpec) -> None:
    module = sys.modules.setdefault(spec.name, _StandIn(spec))
    for child in (child for child in vars(module).values() if isinstance(child, _StandIn)):
        sys.modules[child.__name__] = child
