"""What a run leaves behind when it breaks."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from quick import HereRun, QuickProject

from flows.journal import Journal, listener, new_run_id
from flows.prepare import prepare
from pipeline.errors import MachineError
from pipeline.provenance.facts import git_commit


def test_a_journal_that_finds_no_room_hides_neither_the_reason_nor_holds_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = QuickProject(tmp_path / "toys")
    write = Journal.write

    def full(self: Journal, event: str, **facts: Any) -> None:
        if event == "build-broken":
            raise MachineError("no space is left for the journal")
        write(self, event, **facts)

    monkeypatch.setattr(Journal, "write", full)
    prepared = prepare(project.manifest, str(project.outputs))
    with (
        pytest.raises(MachineError, match="for the take"),
        HereRun(prepared, "cpu", new_run_id(), None, listener()),
    ):
        raise MachineError("no space is left for the take")
    with project.store.alone():
        pass


def test_looking_up_the_commit_writes_nothing_into_the_repository(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True)

    manifest = tmp_path / "cues.yaml"
    manifest.write_text("cuesmith: 1\n")
    git("init")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-m", "first")
    os.utime(manifest, (1.0, 1.0))
    index = (tmp_path / ".git" / "index").read_bytes()
    assert git_commit(tmp_path) is not None
    assert (tmp_path / ".git" / "index").read_bytes() == index
