"""A model store with a small AudioSeal pair that works, and a config folder of each test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from one_thread import one_thread
from quick import QuickProject
from tiny_audioseal import use_small_cards, write_audioseal

from pipeline.watermarks import audioseal_model
from pipeline.watermarks.registry import open_watermarker

__all__ = ["one_thread"]


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository's files."""
    return write_audioseal(tmp_path_factory.mktemp("hub") / "audioseal")


@pytest.fixture(scope="session")
def models(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store with the pair installed."""
    root = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        use_small_cards(patch)
        patch.setenv("CUESMITH_MODELS", str(root))
        audioseal_model.convert(published)
    return root


@pytest.fixture(autouse=True)
def installed(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CUESMITH_MODELS", str(models))
    monkeypatch.setenv("CUESMITH_CONFIG", str(tmp_path / "config"))
    open_watermarker.cache_clear()
    yield
    open_watermarker.cache_clear()


@pytest.fixture
def project(tmp_path: Path) -> QuickProject:
    return QuickProject(tmp_path / "toys")
