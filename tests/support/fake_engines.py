"""Engines that exist for one test only, found by name as those of other packages are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import toy_engine

from pipeline.generators import Engine, Requirements, find_engine, registry
from pipeline.manifest.spec import AssetSpec


class FakeEngine(toy_engine.ToyEngine):
    """The toy engine under another name, with other facts about its model."""

    def __init__(self, name: str, **facts: Any) -> None:
        self.name = name
        self.facts = {"id": f"{name}/model", "placeholder": False, **facts}

    def requirements(self, asset: AssetSpec) -> Requirements:
        stated = super().requirements(asset)
        return replace(stated, model=replace(stated.model, **self.facts))


@dataclass(frozen=True)
class _EntryPoint:
    engine: Engine

    def load(self) -> Engine:
        return self.engine


class _EntryPoints(dict[str, Any]):
    names = property(dict.keys)


@contextmanager
def installed(*engines: Engine) -> Iterator[Mapping[str, Engine]]:
    """``engines`` can be found by name, beside those that are really installed."""
    by_name = {engine.name: engine for engine in engines}
    real = registry.Plugins._entry_points

    def entry_points(plugins: registry.Plugins[Any]) -> _EntryPoints:
        fakes = by_name if plugins.word == "engine" else {}
        found = {entry.name: entry for entry in real(plugins)}
        return _EntryPoints(found | {name: _EntryPoint(engine) for name, engine in fakes.items()})

    find_engine.cache_clear()
    with patch.object(registry.Plugins, "_entry_points", entry_points):
        yield by_name
    find_engine.cache_clear()
