"""Finding engines by name: the built-in ones, then those of the entry point group ``cuesmith.engines``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

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


def engine_names() -> tuple[str, ...]:
    """Names of every installed engine, sorted."""
    return tuple(sorted({*_BUILT_IN, *import_module(_PLUGINS).names()}))


@cache
def find_engine(name: str) -> Engine:
    """The engine ``name``; only its light part is imported.

    Raises `UsageError` if there is none, `MachineError` if it cannot be imported.
    """
    try:
        engine = (
            import_module(_BUILT_IN[name]).ENGINE if name in _BUILT_IN else import_module(_PLUGINS).load(name)
        )
    except ImportError as error:
        raise MachineError(f"engine {name!r} cannot be imported: {error}; reinstall its package") from error
    except KeyError:
        installed = ", ".join(engine_names())
        raise UsageError(f"engine {name!r} is not installed; installed engines: {installed}") from None
    if not isinstance(engine, Engine):
        raise MachineError(
            f"engine {name!r} is {engine!r}, which does not implement Engine; see docs/architecture.md"
        )
    return engine
