"""Finding engines by name: the built-in ones, then those of the entry point group ``cuesmith.engines``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from pipeline.errors import MachineError, UsageError
from pipeline.generators.protocol import Engine

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

    from pipeline.manifest.structure import EngineKeys

_BUILT_IN = {name: f"pipeline.generators.{name}.engine" for name in ("audiocraft", "diffusers", "sketch")}
_WITH_KEYS = ("audiocraft", "diffusers")
"""Built-in engines that declare keys of the manifest."""
_Plugin = TypeVar("_Plugin")


def engine_keys() -> Mapping[str, EngineKeys]:
    """The manifest keys of the built-in engines, by the engine's name."""
    return {name: import_module(f"pipeline.generators.{name}.manifest_keys").KEYS for name in _WITH_KEYS}


@dataclass(frozen=True, slots=True)
class Plugins(Generic[_Plugin]):
    """Something that packages can add, each in an entry point of the group ``cuesmith.<word>s``."""

    word: str
    """Singular: ``engine``. A module of a built-in one has the object under this name in capitals."""
    built_in: Mapping[str, str]
    """Module of each built-in one, by its name."""
    interface: type
    """What every object implements."""
    page: str
    """Handbook page about it."""

    def names(self) -> tuple[str, ...]:
        """Names of every installed one, sorted."""
        return tuple(sorted({*self.built_in, *self._entry_points().names}))

    def find(self, name: str) -> _Plugin:
        """The object ``name``; only its light part is imported.

        Raises `UsageError` if there is none, `MachineError` if it cannot be imported.
        """
        try:
            if name in self.built_in:
                found = getattr(import_module(self.built_in[name]), self.word.upper())
            else:
                found = self._entry_points()[name].load()
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
        return cast(_Plugin, found)

    def _entry_points(self) -> EntryPoints:
        # Imported here, since it takes longer than a whole plan with built-in engines.
        found: EntryPoints = import_module("importlib.metadata").entry_points(group=f"cuesmith.{self.word}s")
        return found


_ENGINES: Plugins[Engine] = Plugins("engine", _BUILT_IN, Engine, "docs/architecture.md")

engine_names = _ENGINES.names
find_engine = cache(_ENGINES.find)
"""See `Plugins.find`."""
