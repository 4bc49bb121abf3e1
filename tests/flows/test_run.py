"""What a run leaves behind when it breaks."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from quick import HereRunner, QuickProject, build_prepared

from pipeline.build.journal import Journal, new_run_id
from pipeline.build.publish import publish_only
from pipeline.build.run import BuildRun
from pipeline.errors import MachineError, StoreError
from pipeline.provenance.facts import git_commit
from pipeline.store import Busy, gc


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
    prepared = project.prepare()
    with (
        pytest.raises(MachineError, match="for the take"),
        BuildRun(prepared, HereRunner(prepared.store, ("cpu",)), new_run_id(), None),
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


_FIRST = "  - {id: a/one, kind: sfx, prompt: first, duration: 0.3s}\n"
_SECOND = "  - {id: a/two, kind: sfx, prompt: second, duration: 0.3s}\n"


def _with_unused_takes(tmp_path: Path) -> QuickProject:
    """Two takes are stored, and no version names them any more."""
    project = QuickProject(tmp_path / "toys")
    project.write(_FIRST + _SECOND)
    project.build()
    shutil.rmtree(project.outputs / "catalog")
    shutil.rmtree(project.outputs / "channels")
    return project


def test_takes_removed_after_the_plan_was_made_are_made_by_the_build(tmp_path: Path) -> None:
    project = _with_unused_takes(tmp_path)
    project.write(_FIRST + _SECOND.replace("duration: 0.3s", "duration: 0.3s, loudness: -30 LUFS"))
    prepared = project.prepare()
    assert [order.recipe.prompt for order in prepared.plan.orders()] == []
    gc(project.store, set(), grace=0)
    result = build_prepared(prepared)
    assert (result["generated"], result["failed"]) == (2, [])
    assert project.harm() == []


def test_a_version_is_not_published_from_masters_that_were_removed_since_the_plan(tmp_path: Path) -> None:
    project = _with_unused_takes(tmp_path)
    prepared = project.prepare()
    assert not prepared.plan.stale
    gc(project.store, set(), grace=0)
    with pytest.raises(StoreError, match="removed while this build was planned; run the same command again"):
        publish_only(prepared)
    assert project.catalog.latest() is None
    assert project.build()["version"] == 1
    assert project.harm() == []


def test_nothing_is_removed_while_labels_are_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = _with_unused_takes(tmp_path)
    prepared = project.prepare()
    publish = prepared.catalog.publish

    def while_publishing(*args: Any, **options: Any) -> Any:
        with pytest.raises(Busy):
            gc(project.store, set(), grace=0)
        return publish(*args, **options)

    monkeypatch.setattr(type(prepared.catalog), "publish", lambda self, *a, **o: while_publishing(*a, **o))
    assert publish_only(prepared)["version"] == 1
