"""Engines of other packages, in the entry point group ``cuesmith.engines``.

Separate from the registry because reading package metadata takes longer than a whole `plan`.
"""

from __future__ import annotations

from importlib.metadata import entry_points

GROUP = "cuesmith.engines"


def names() -> tuple[str, ...]:
    """Names of the engines of other packages."""
    return tuple(entry.name for entry in entry_points(group=GROUP))


def load(name: str) -> object:
    """The object of the entry point ``name``. Raises `KeyError` if no package has it."""
    for entry in entry_points(group=GROUP, name=name):
        engine: object = entry.load()
        return engine
    raise KeyError(name)
