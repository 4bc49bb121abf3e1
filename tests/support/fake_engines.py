"""Engines that exist for one test only, found by name as those of other packages are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import toy_engine

from pipeline.generators import Engine, Requirements, find_engine, plugins
from pipeline.manifest.spec import AssetSpec


class FakeEngine(toy_engine.ToyEngine):
    """The toy engine under another name, with other facts about its model."""

    def __init__(self, name: str, **facts: Any) -> None:
        self.name = name
        self.facts = {"id": f"{name}/model", "placeholder": False, **facts}

    def requirements(self, asset: AssetSpec) -> Requirements:
        stated = super().requirements(asset)
        return replace(stated, model=replace(stated.model, **self.facts))


@contextmanager
def installed(*engines: Engine) -> Iterator[Mapping[str, Engine]]:
    """``engines`` can be found by name, beside those that are really installed."""
    by_name = {engine.name: engine for engine in engines}
    real_load, real_names = plugins.load, plugins.names

    def load(name: str, group: str) -> object:
        return by_name[name] if name in by_name and group == "cuesmith.engines" else real_load(name, group)

    def names(group: str) -> tuple[str, ...]:
        return (*real_names(group), *(by_name if group == "cuesmith.engines" else ()))

    find_engine.cache_clear()
    with (
        patch.object(plugins, "load", load),
        patch.object(plugins, "names", names),
    ):
        yield by_name
    find_engine.cache_clear()
