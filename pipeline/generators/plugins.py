"""Engines that other packages bring through the entry point group ``cuesmith.engines``.

Apart from the registry because reading package metadata takes longer than a whole `plan`.
"""

from __future__ import annotations

from importlib.metadata import entry_points

GROUP = "cuesmith.engines"


def names() -> tuple[str, ...]:
    """Names of the engines that other packages bring."""
    return tuple(entry.name for entry in entry_points(group=GROUP))


def load(name: str) -> object:
    """The object that the entry point ``name`` stands for; KeyError when no package has it."""
    for entry in entry_points(group=GROUP, name=name):
        found: object = entry.load()
        return found
    raise KeyError(name)
