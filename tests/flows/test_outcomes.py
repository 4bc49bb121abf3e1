"""What becomes of a build when something around it fails; with `test_kills`, the table of docs/operations.md."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from quick import QuickProject
from test_kills import Victim
from toys import ONE, THREE, TWO, ToyProject
from typer.testing import CliRunner, Result
from webhook import Webhook

from flows.cli.app import app
from pipeline.build import notify as notifying
from pipeline.catalog import Catalog
from pipeline.errors import CuesmithError, MachineError
from pipeline.provenance import clock
from pipeline.store import Store, verify


def harm(toys: ToyProject) -> list[str]:
    return [str(finding) for finding in verify(Store.open(toys.outputs)) if finding.harmful]


def versions(toys: ToyProject) -> list[int]:
    return Catalog(Store.open(toys.outputs)).numbers()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")
def test_each_worker_may_be_killed_once(tmp_path: Path, prefect_server: str) -> None:
    victim = Victim(tmp_path)
    process = victim.start(PREFECT_API_URL=prefect_server, TOY_SECONDS="0.1")
    killed: set[int] = set()
    for takes in (2, 8):
        victim.wait_for(takes, patience_s=180.0)
        workers = {one.pid: one for one in victim.running() if "pipeline.build.worker" in one.cmdline()}
        for worker in [worker for pid, worker in workers.items() if pid not in killed][:1]:
            worker.kill()
            killed.add(worker.pid)
    _, output = process.communicate()
    assert (process.returncode, len(killed)) == (0, 2), output.decode()
    assert len(victim.store.records("takes")) == 24
    assert victim.left_running() == []
    assert victim.harm() == []


class Disk:
    """A file system of its own that can be made smaller, larger and read-only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mount(self, options: str) -> bool:
        words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk")
    disk.folder.mkdir()
    if not sys.platform.startswith("linux") or os.geteuid() != 0 or not disk.mount("size=600k"):
        pytest.skip("this machine does not let us mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk.folder)], check=True)


def test_a_build_on_a_full_disk_goes_on_when_there_is_room(tmp_path: Path, disk: Disk) -> None:
    toys = ToyProject(tmp_path / "toys")
    toys.outputs = disk.folder / "outputs"
    with pytest.raises(CuesmithError, match="no space is left") as raised:
        toys.build()
    assert raised.value.exit_code == MachineError.exit_code
    assert harm(toys) == []
    kept = Store.open(toys.outputs).records("takes")
    assert disk.mount("remount,size=64m")
    result = toys.build()
    assert (result["version"], result["failed"], result["generated"]) == (1, [], 4 - len(kept))
    assert harm(toys) == []


def test_a_build_on_a_read_only_disk_changes_nothing_and_says_so(tmp_path: Path, disk: Disk) -> None:
    assert disk.mount("remount,size=64m")
    toys = QuickProject(tmp_path / "toys")
    toys.outputs = disk.folder / "outputs"
    toys.build()
    toys.write(ONE + TWO)
    assert disk.mount("remount,ro")
    with pytest.raises(MachineError, match="read-only"):
        ToyProject.build(toys)
    assert (versions(toys), harm(toys)) == ([1], [])
    assert disk.mount("remount,rw")
    assert toys.build()["version"] == 2


def test_a_read_only_store_is_exported_and_reported(tmp_path: Path, disk: Disk) -> None:
    assert disk.mount("remount,size=64m")
    toys = QuickProject(tmp_path / "toys")
    toys.outputs = disk.folder / "outputs"
    toys.build()
    row = toys.row("a/two")
    assert disk.mount("remount,ro")

    def run(*words: object) -> Result:
        return CliRunner().invoke(app, [*map(str, words), "--outputs", str(toys.outputs)])

    game, sent = tmp_path / "game", tmp_path / "sent"
    for words in (
        ("plan", toys.manifest, "--check"),
        ("export", "godot", "--to", game),
        ("report",),
        ("report", "--self-contained", sent),
        ("verify",),
    ):
        done = run(*words)
        assert done.exit_code == 0, (words, done.output)
    assert {path.stem for path in game.rglob("*.wav")} >= {"two_01", "three_01"}
    assert (sent / "index.html").is_file()
    assert disk.mount("remount,rw")
    toys.say("approve", row)
    assert disk.mount("remount,ro")
    refused = run("report")
    assert refused.exit_code == 4
    assert "read-only" in refused.stderr
    assert "--self-contained FOLDER" in refused.stderr
    assert run("report", "--self-contained", sent).exit_code == 0


class JumpingClock(datetime):
    """Goes back by a day after a few looks at it."""

    looks = 0

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        cls.looks += 1
        return datetime.now(UTC) - timedelta(days=cls.looks > 3)


def test_a_clock_that_jumps_back_within_a_build_changes_nothing_but_times(
    project: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    JumpingClock.looks = 0
    monkeypatch.setattr(clock, "datetime", JumpingClock)
    project.write(ONE + TWO.replace("second", "another") + THREE)
    result = project.build()
    assert (result["version"], result["generated"], result["failed"]) == (2, 1, [])
    assert JumpingClock.looks > 3
    catalog = project.catalog
    first, second = map(catalog.read, catalog.numbers())
    assert second.created < first.created
    assert catalog.latest() == second
    assert project.harm() == []
    assert project.build()["published"] is False


def test_a_webhook_that_does_not_answer_holds_no_build_up(
    toys: ToyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifying, "TIMEOUT_SECONDS", 0.2)
    with Webhook() as webhook:
        webhook.status = None
        monkeypatch.setenv(notifying.WEBHOOK_VARIABLE, webhook.url)
        assert toys.build()["version"] == 1
        assert len(webhook.received) == 1
