"""A real Prefect server for the session, and a small project to build."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from quick import QuickProject
from toys import ToyProject


@pytest.fixture(scope="session", autouse=True)
def _server(prefect_server: str) -> None:
    """Every build has the session's server."""


@pytest.fixture
def toys(tmp_path: Path) -> ToyProject:
    return ToyProject(tmp_path / "toys")


@pytest.fixture(scope="session")
def built_once(prefect_server: str, tmp_path_factory: pytest.TempPathFactory) -> ToyProject:
    """The small project as its first build leaves it; to be copied."""
    project = ToyProject(tmp_path_factory.mktemp("built") / "toys")
    project.build(devices="cpu:2")
    return project


@pytest.fixture
def built(built_once: ToyProject, tmp_path: Path) -> ToyProject:
    """The small project after its first build."""
    project = ToyProject(tmp_path / "toys")
    shutil.copytree(built_once.folder, project.folder, dirs_exist_ok=True)
    return project


@pytest.fixture
def project(tmp_path: Path) -> QuickProject:
    """The small project, built within this process."""
    project = QuickProject(tmp_path / "toys")
    project.first_build()
    return project
