"""A toy project that is built in this very process: the command's own steps, without Prefect and processes."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from reviewing import add
from toys import ToyProject

from pipeline.build.journal import new_run_id
from pipeline.build.prepare import Prepared, unchanged_result, up_to_date
from pipeline.build.publish import publish_only
from pipeline.build.run import BuildRun
from pipeline.build.runner import LocalRunner
from pipeline.build.worker import serve
from pipeline.build.workers import Seat
from pipeline.catalog import Catalog, ReviewEvent, Reviews, Version, check_store
from pipeline.jobs.work_items import EndSession
from pipeline.provenance import MasterRow
from pipeline.store import Store


class HereWorker:
    """A worker that is a thread of this process."""

    def __init__(self, outputs: str) -> None:
        self.inbox: SimpleQueue[Any] = SimpleQueue()
        self.outbox: SimpleQueue[Any] = SimpleQueue()
        self.send, self.receive = self.inbox.put, self.outbox.get
        threading.Thread(target=serve, args=(self.inbox, self.outbox.put, outputs), daemon=True).start()

    def stop(self) -> None:
        self.send(EndSession())


class HereRunner(LocalRunner):
    """Runs workers as threads of this process."""

    def start(self, seat: Seat) -> HereWorker:
        return HereWorker(self._store.root)


def build_prepared(prepared: Prepared) -> dict[str, Any]:
    """What the build command does with a plan."""
    if not prepared.plan.stale:
        return unchanged_result(prepared) if up_to_date(prepared) else publish_only(prepared)
    with BuildRun(prepared, HereRunner(prepared.store, ("cpu",)), new_run_id(), None) as run:
        for seat in run.begin():
            run.serve(seat)
        run.publish()
        return run.result()


@cache
def _built(manifest: str) -> tuple[QuickProject, dict[str, Any]]:
    """A project that was built once, which nobody changes, and the build's result."""
    folder = tempfile.TemporaryDirectory(prefix="cuesmith-built-")
    project = QuickProject(Path(folder.name))
    project.temporary = folder
    project.manifest.write_text(manifest)
    return project, project.build()


class QuickProject(ToyProject):
    """A toy project with people who review it."""

    temporary: tempfile.TemporaryDirectory[str] | None = None
    """A folder that lasts as long as this project."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.moment = 0

    @property
    def store(self) -> Store:
        return Store.open(self.outputs)

    @property
    def catalog(self) -> Catalog:
        return Catalog(self.store)

    @property
    def latest(self) -> Version:
        version = self.catalog.latest()
        assert version is not None
        return version

    def build(self, devices: str = "cpu", **options: Any) -> dict[str, Any]:
        return build_prepared(self.prepare(**options))

    def first_build(self) -> dict[str, Any]:
        """What `build` does in a new project; tests with the same manifest get copies of one build's outputs."""
        assert not self.outputs.exists()
        project, result = _built(self.manifest.read_text())
        shutil.copytree(project.outputs, self.outputs)
        return dict(result)

    def copy(self, folder: Path) -> QuickProject:
        """A copy in ``folder``, which a test may change."""
        copy = QuickProject(folder)
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        copy.moment = self.moment
        return copy

    def row(self, asset: str, variation: int = 1) -> MasterRow:
        return self.latest.by_variation[asset, variation]

    def say(self, action: Any, row: MasterRow, by: str = "lead", comment: str = "") -> ReviewEvent:
        """One review of a row's master."""
        self.moment += 1
        event = ReviewEvent(
            f"2026-01-01T00:{self.moment // 60:02d}:{self.moment % 60:02d}Z",
            by,
            action,
            row["asset"],
            row["variation"],
            row["take"],
            row["master"],
            comment,
        )
        add(Reviews(self.store), event)
        return event

    def build_and_reject(self, asset: str) -> MasterRow:
        """Build, reject the asset's first master, and build again; returns the rejected row."""
        self.build()
        row = self.row(asset)
        self.say("reject", row)
        self.build()
        return row

    def say_all(self, action: Any) -> None:
        """The same about every master of the latest version."""
        for row in self.latest.masters:
            self.say(action, row)

    def forget_hashes(self) -> None:
        """Remove the hashes of versions from the channels, as if these had been recovered."""
        for path in (self.outputs / "channels").glob("*.json"):
            channel = json.loads(path.read_text())
            for move in channel["history"]:
                move.pop("files", None)
            path.write_text(json.dumps(channel))

    def harm(self) -> list[str]:
        return [str(finding) for finding in check_store(self.store) if finding.harmful]
