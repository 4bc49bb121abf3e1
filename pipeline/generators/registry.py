"""Finding engines by name: the built-in ones, then those of the entry point group ``cuesmith.engines``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from pipeline.errors import MachineError, UsageError
from pipeline.generators.protocol import Engine

if TYPE_CHECKING:
    from pipeline.manifest.structure import EngineKeys

_BUILT_IN = {
    "audiocraft": "pipeline.generators.audiocraft.engine",
    "diffusers": "pipeline.generators.diffusers.engine",
    "sketch": "pipeline.generators.sketch.engine",
}
_KEYS = {
    "audiocraft": "pipeline.generators.audiocraft.manifest_keys",
    "diffusers": "pipeline.generators.diffusers.manifest_keys",
}
"""Modules in which built-in engines declare keys of the manifest."""
_PLUGINS = "pipeline.generators.plugins"


def engine_keys() -> Mapping[str, EngineKeys]:
    """The manifest keys of the built-in engines, by the engine's name."""
    return {name: import_module(module).KEYS for name, module in _KEYS.items()}


@dataclass(frozen=True, slots=True)
class PluginKind:
    """Something that packages can add: engines, scores."""

    word: str
    """Singular, for messages."""
    group: str
    """Entry point group of other packages."""
    built_in: Mapping[str, str]
    """Module of each built-in one, by its name."""
    attribute: str
    """Name of the object in such a module."""
    interface: type
    """What every object implements."""
    page: str
    """Handbook page about it."""

    def names(self) -> tuple[str, ...]:
        """Names of every installed one, sorted."""
        return tuple(sorted({*self.built_in, *import_module(_PLUGINS).names(self.group)}))

    def find(self, name: str) -> Any:
        """The object ``name``; only its light part is imported.

        Raises `UsageError` if there is none, `MachineError` if it cannot be imported.
        """
        try:
            if name in self.built_in:
                found = getattr(import_module(self.built_in[name]), self.attribute)
            else:
                found = import_module(_PLUGINS).load(name, self.group)
        except ImportError as error:
            raise MachineError(
                f"{self.word} {name!r} cannot be imported: {error}; reinstall its package"
            ) from error
        except KeyError:
            installed = ", ".join(self.names())
            raise UsageError(
                f"{self.word} {name!r} is not installed; installed {self.word}s: {installed}"
            ) from None
        if not isinstance(found, self.interface):
            raise MachineError(
                f"{self.word} {name!r} is {found!r}, which does not implement {self.interface.__name__}; "
                f"see {self.page}"
            )
        return found


_ENGINES = PluginKind("engine", "cuesmith.engines", _BUILT_IN, "ENGINE", Engine, "docs/architecture.md")


def engine_names() -> tuple[str, ...]:
    """Names of every installed engine, sorted."""
    return _ENGINES.names()


@cache
def find_engine(name: str) -> Engine:
    """The engine ``name``; only its light part is imported.

    Raises `UsageError` if there is none, `MachineError` if it cannot be imported.
    """
    return cast(Engine, _ENGINES.find(name))
