"""Modules of this room that are imported when they are first used, as in ``lazy_imports.loader.load``: YAML and the
table of keys would slow down a `plan` of a known manifest.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = ["language", "loader"]

if TYPE_CHECKING:
    from pipeline.manifest import language, loader
else:

    def __getattr__(name: str) -> ModuleType:
        if name in __all__:
            return import_module(f"pipeline.manifest.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
