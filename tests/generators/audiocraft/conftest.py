"""Tiny checkpoints of every class, written once, in a model store of the tests' own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from one_thread import one_thread
from tiny_checkpoints import write_checkpoint

from pipeline.generators.audiocraft import conversion
from pipeline.generators.audiocraft.generator import AudioCraftGenerator
from pipeline.generators.audiocraft.loading import Loaded, load
from pipeline.recipe import Recipe

__all__ = ["one_thread"]

SETTINGS: dict[str, Any] = {"temperature": 1.0, "top_k": 20, "top_p": 0.0, "cfg": 3.0, "decoder": "encodec"}
MAGNET: dict[str, Any] = {**SETTINGS, "temperature": 3.0, "top_k": 0, "top_p": 0.9, "cfg": 10.0}


@pytest.fixture(scope="session", autouse=True)
def model_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUESMITH_MODELS", str(folder))
        yield folder


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    root = tmp_path_factory.mktemp("checkpoints")

    def folder(kind: str) -> Path:
        found = root / kind
        return found if found.exists() else write_checkpoint(found, kind)

    return folder


@pytest.fixture(scope="session")
def loaded(checkpoint: Callable[[str], Path], model_store: Path) -> Callable[[str], Loaded]:
    models: dict[str, Loaded] = {}

    def of(kind: str) -> Loaded:
        if kind not in models:
            stored = conversion.convert(checkpoint(kind), f"local/{kind}", None, None)
            models[kind] = load(stored.id, stored.revision, "cpu")
        return models[kind]

    return of


@pytest.fixture(scope="session")
def generator(loaded: Callable[[str], Loaded]) -> AudioCraftGenerator:
    return AudioCraftGenerator("cpu")


@pytest.fixture(scope="session")
def recipe(loaded: Callable[[str], Loaded]) -> Callable[..., Recipe]:
    def make(
        kind: str, prompt: str = "calm flute", seconds: float = 0.5, seed: int = 1, **changes: Any
    ) -> Recipe:
        model = loaded(kind).model
        conditioning = changes.pop("conditioning", {})
        settings = (MAGNET if model.family == "magnet" else SETTINGS) | changes
        return Recipe(
            engine="audiocraft",
            engine_version="1",
            model=model.id,
            revision=loaded(kind).stored.revision,
            kind=model.kind,
            prompt=prompt,
            seconds=seconds,
            seed=seed,
            settings=settings,
            conditioning=conditioning,
        )

    return make
