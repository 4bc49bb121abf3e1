"""Finding engines by name through the entry point group ``cuesmith.engines``."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from pipeline.errors import MachineError, UsageError
from pipeline.generators.protocol import Engine

GROUP = "cuesmith.engines"


@cache
def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def engine_names() -> tuple[str, ...]:
    """Names of every installed engine, sorted."""
    return tuple(sorted(_entries()))


@cache
def find_engine(name: str) -> Engine:
    """The engine called ``name``; only its light description is imported."""
    entry = _entries().get(name)
    if entry is None:
        known = ", ".join(engine_names()) or "none"
        raise UsageError(f"engine {name!r} is not installed; installed engines: {known}")
    try:
        engine = entry.load()
    except ImportError as error:
        raise MachineError(f"engine {name!r} cannot be imported: {error}; reinstall {entry.value}") from error
    if not isinstance(engine, Engine):
        raise MachineError(f"entry point {entry.value} of engine {name!r} is not an Engine; see docs/engines.md")
    return engine
