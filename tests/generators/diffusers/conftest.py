"""Tiny pipelines of every family, written once, in a model store of the tests' own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from one_thread import one_thread
from tiny_pipelines import write_pipeline

from pipeline.generators.diffusers import model_store
from pipeline.generators.diffusers.generator import DiffusersGenerator
from pipeline.recipe import Recipe

__all__ = ["one_thread"]


@pytest.fixture(scope="session")
def store_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(autouse=True)
def models(store_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CUESMITH_MODELS", str(store_folder))
    return store_folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    root = tmp_path_factory.mktemp("pipelines")

    def folder(family: str, name: str = "", **changes: Any) -> Path:
        found = root / (name or family)
        return found if found.exists() else write_pipeline(found, family, **changes)

    return folder


@pytest.fixture(scope="session")
def generator() -> DiffusersGenerator:
    return DiffusersGenerator("cpu")


@pytest.fixture(scope="session")
def recipe(tiny: Callable[..., Path]) -> Callable[..., Recipe]:
    def make(family: str, seconds: float = 1.0, seed: int = 1, **changes: Any) -> Recipe:
        stored = model_store.read_folder(str(tiny(family)))
        return Recipe(
            engine="diffusers",
            engine_version="1",
            model=stored.id,
            revision=stored.revision,
            kind="music",
            prompt=changes.pop("prompt", "calm flute"),
            seconds=seconds,
            seed=seed,
            conditioning=changes.pop("conditioning", {}),
            settings={"steps": 3, **changes},
        )

    return make
