"""A small project that builds in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from quick import QuickProject


@pytest.fixture
def project(tmp_path: Path) -> QuickProject:
    return QuickProject(tmp_path / "toys")
