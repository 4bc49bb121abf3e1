"""Finding engines by name: those that Cuesmith brings, then those of the entry point group ``cuesmith.engines``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from pipeline.errors import MachineError, UsageError
from pipeline.generators.protocol import Engine
from pipeline.manifest.structure import EngineKeys

_OWN = {"audiocraft": "pipeline.generators.audiocraft.engine", "sketch": "pipeline.generators.sketch.engine"}
_KEYS = {"audiocraft": "pipeline.generators.audiocraft.manifest_keys"}
"""Where the engines that Cuesmith brings declare keys of the manifest."""
_PLUGINS = "pipeline.generators.plugins"


def engine_keys() -> Mapping[str, EngineKeys]:
    """The manifest keys of the engines that Cuesmith brings, by the engine's name."""
    return {name: import_module(module).KEYS for name, module in _KEYS.items()}


def engine_names() -> tuple[str, ...]:
    """Names of every installed engine, sorted."""
    return tuple(sorted({*_OWN, *import_module(_PLUGINS).names()}))


@cache
def find_engine(name: str) -> Engine:
    """The engine called ``name``; only its light description is imported.

    Raises `UsageError` when there is none, `MachineError` when it cannot be imported.
    """
    try:
        engine = import_module(_OWN[name]).ENGINE if name in _OWN else import_module(_PLUGINS).load(name)
    except ImportError as error:
        raise MachineError(
            f"engine {name!r} cannot be imported: {error}; reinstall the package that has it"
        ) from error
    except KeyError:
        known = ", ".join(engine_names())
        raise UsageError(f"engine {name!r} is not installed; installed engines: {known}") from None
    if not isinstance(engine, Engine):
        raise MachineError(
            f"{engine!r}, named as engine {name!r}, is not an Engine; docs/architecture.md has the contract"
        )
    return engine
