"""A small project that builds in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from quick import QuickProject


@pytest.fixture
def built(tmp_path: Path) -> QuickProject:
    project = QuickProject(tmp_path / "toys")
    project.first_build()
    return project
