"""Writes manifests into a folder of their own and loads them."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from manifest_texts import HEAD, Complain, Load

from manifests import load
from pipeline.errors import ManifestError
from pipeline.manifest import Project


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is also the working folder, so that messages name plain file names."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def loaded(folder: Path) -> Load:
    """Load a text as ``m.yaml``; ``head=True`` puts `HEAD` before it."""

    def load_text(text: str, *, head: bool = True, profile: str | None = None) -> Project:
        (folder / "m.yaml").write_text((HEAD if head else "") + textwrap.dedent(text), encoding="utf-8")
        return load(Path("m.yaml"), profile)

    return load_text


@pytest.fixture
def complaints(loaded: Load) -> Complain:
    """The messages that loading a text gives, one string a problem."""

    def complain(text: str, *, head: bool = True, profile: str | None = None) -> list[str]:
        with pytest.raises(ManifestError) as caught:
            loaded(text, head=head, profile=profile)
        assert caught.value.exit_code == 2
        return [str(problem) for problem in caught.value.problems]

    return complain
