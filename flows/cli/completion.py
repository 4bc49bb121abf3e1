"""Words that a shell offers when a user presses Tab: asset ids, versions, channels, manifests.

A store that cannot be read offers no words, and neither does one at a URL: a key must not wait for a network.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pipeline.errors import CuesmithError

if TYPE_CHECKING:
    from pipeline.catalog import Catalog


def matching(words: Iterable[str], incomplete: str) -> list[str]:
    """Those of ``words`` that begin with ``incomplete``, each once."""
    return [word for word in dict.fromkeys(words) if word.startswith(incomplete)]


def asset_ids(ctx: typer.Context, incomplete: str) -> list[str]:
    """The ids of the latest version's assets, and of those that it misses."""

    def ids(catalog: Catalog) -> Iterable[str]:
        version = catalog.latest()
        return sorted({row["asset"] for row in (*version.masters, *version.missing)} if version else ())

    return _from_catalog(ctx, ids, incomplete)


def version_numbers(ctx: typer.Context, incomplete: str) -> list[str]:
    """The numbers of all versions, the newest first."""
    return _from_catalog(ctx, lambda catalog: map(str, reversed(catalog.numbers())), incomplete)


def channel_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of all channels."""
    return _from_catalog(ctx, lambda catalog: catalog.channels.names(), incomplete)


def manifests(incomplete: str) -> list[str]:
    """The YAML files that begin with ``incomplete``, also those one folder below; if there is none, the shell's own."""
    start = glob.escape(incomplete)
    found = [path for pattern in ("*.y*ml", "*/*.y*ml") for path in sorted(glob.glob(start + pattern))]
    return [Path(path).as_posix() for path in found if Path(path).is_file()]


def _from_catalog(
    ctx: typer.Context, words: Callable[[Catalog], Iterable[str]], incomplete: str
) -> list[str]:
    outputs = _outputs(ctx)
    if "://" in outputs or not os.path.isdir(outputs):
        return []
    catalog, store = import_module("pipeline.catalog"), import_module("pipeline.store")
    try:
        return matching(words(catalog.Catalog(store.Store.open(outputs))), incomplete)
    except (CuesmithError, OSError):
        return []


def _outputs(ctx: typer.Context) -> str:
    """The store of the command that is being typed."""
    option = next((param for param in ctx.command.params if param.name == "outputs"), None)
    default = option.value_from_envvar(ctx) or option.default if option is not None else None
    return str(ctx.params.get("outputs") or default or "")
