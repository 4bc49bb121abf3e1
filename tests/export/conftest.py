"""Small projects that build in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from packs import build_looped
from quick import QuickProject


@pytest.fixture
def project(tmp_path: Path) -> QuickProject:
    return QuickProject(tmp_path / "toys")


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> QuickProject:
    """A project that tests export and never build again."""
    return build_looped(tmp_path_factory.mktemp("toys"))
