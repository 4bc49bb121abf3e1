"""Engines and scores of other packages, in entry point groups.

Separate from the registry because reading package metadata takes longer than a whole `plan`.
"""

from __future__ import annotations

from importlib.metadata import entry_points


def names(group: str) -> tuple[str, ...]:
    """Names of the entry points of a group."""
    return tuple(entry.name for entry in entry_points(group=group))


def load(name: str, group: str) -> object:
    """The object of the entry point ``name``. Raises `KeyError` if no package has it."""
    for entry in entry_points(group=group, name=name):
        found: object = entry.load()
        return found
    raise KeyError(name)
