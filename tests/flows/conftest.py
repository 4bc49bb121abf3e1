"""A real Prefect server for the session, and a small project to build."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from toys import ToyProject

from flows.api import prefect_api


@pytest.fixture(scope="session", autouse=True)
def prefect_server() -> Iterator[str]:
    with prefect_api() as url:
        yield url


@pytest.fixture
def toys(tmp_path: Path) -> ToyProject:
    return ToyProject(tmp_path / "toys")
