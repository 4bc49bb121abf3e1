"""Two processes publish at the same time; the system stops one of them for longer than its lease."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline.catalog import Catalog
from pipeline.store import Store

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGSTOP is POSIX's")

LEASE_S = 2.0
NAMES = ("build.json", "catalog.csv")
PUBLISH = f"""
import sys
from pipeline.build.lock import build_lock
from pipeline.catalog import BuildFacts, Catalog
from pipeline.errors import CuesmithError
from pipeline.store import Store
from pipeline.store.remote import FsspecBackend

root, run, pause_before = sys.argv[1:]
store = Store(FsspecBackend(root, lease_seconds={LEASE_S}), root) if "://" in root else Store.open(root)


def pausing(real):
    def call(key, *rest):
        if key == pause_before:
            print("here", flush=True)
            sys.stdin.readline()
        return real(key, *rest)
    return call


for name in ("create", "compare_and_swap"):
    setattr(store.backend, name, pausing(getattr(store.backend, name)))
companions = lambda version: {{name: f"{{name}} of {{run}}".encode() for name in {NAMES}}}
try:
    with build_lock(store, "toys", run, notify=lambda text: print("waits", flush=True)) as fence:
        contents = lambda before: (fence(), ((), ()))[1]
        facts = BuildFacts(run, "2026-01-01T00:00:00Z", run, {{}})
        print("published", Catalog(store).publish(contents, facts, companions)[0].number, flush=True)
except CuesmithError as error:
    print("failed:", error, flush=True)
"""


class Publisher:
    """A process that publishes one version, and waits before it writes the file ``pause_before``."""

    def __init__(self, root: str, run: str, pause_before: str = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PUBLISH, root, run, pause_before],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def stop_at_pause(self) -> None:
        """Stop every thread of it, also the one that renews its leases."""
        self.hear("here")
        self.process.send_signal(signal.SIGSTOP)

    def hear(self, word: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"{word}\n"

    def go_on(self) -> str:
        self.process.send_signal(signal.SIGCONT)
        return self.end()

    def end(self) -> str:
        """The last line that it prints."""
        out, _ = self.process.communicate("\n", timeout=60)
        return out.splitlines()[-1]


@pytest.fixture
def paused(request: pytest.FixtureRequest, any_root: str) -> Iterator[Publisher]:
    publisher = Publisher(any_root, "loser", request.param)
    publisher.stop_at_pause()
    yield publisher
    with suppress(ProcessLookupError):
        os.kill(publisher.process.pid, signal.SIGKILL)


@pytest.fixture
def any_root(tmp_path: Path) -> str:
    return str(tmp_path / "outputs")


def files_of(store: Store, number: int) -> dict[str, bytes]:
    folder = f"catalog/{number:06d}"
    return {name: store.backend.read(f"{folder}/{name}") for name in store.backend.names(folder)}


def assert_whole(store: Store, number: int, run: str) -> None:
    """The version has every file, and each is of this run."""
    files = files_of(store, number)
    assert {name: files[name] for name in NAMES} == {name: f"{name} of {run}".encode() for name in NAMES}
    assert Catalog(store).read(number).run == run


class TestObjectStore:
    @pytest.fixture
    def any_root(self, s3_bucket: str) -> str:
        return f"{s3_bucket}/{uuid4().hex}"

    @pytest.mark.parametrize(
        ("paused", "number"),
        [
            ("catalog/000001/build.json", 1),
            pytest.param("catalog/000001/catalog.csv", 2, marks=pytest.mark.slow),
            pytest.param("catalog/000001/catalog.json", 2, marks=pytest.mark.slow),
            ("channels/latest.json", 2),
        ],
        indirect=["paused"],
    )
    def test_the_winner_publishes_and_the_loser_changes_nothing_of_it(
        self, any_root: str, paused: Publisher, number: int
    ) -> None:
        store = Store.open(any_root)
        assert Publisher(any_root, "winner").end() == f"published {number}"
        before = files_of(store, number), store.backend.read("channels/latest.json")
        assert "run" in paused.go_on()
        assert (files_of(store, number), store.backend.read("channels/latest.json")) == before
        assert_whole(store, number, "winner")
        assert Catalog(store).channel("latest")["history"][0]["by"] == "winner"  # type: ignore[index]

    @pytest.mark.parametrize("paused", ["channels/latest.json"], indirect=True)
    def test_a_pointer_that_moved_meanwhile_keeps_its_history(self, any_root: str, paused: Publisher) -> None:
        winners = [Publisher(any_root, run).end() for run in ("second", "third")]
        assert winners == ["published 2", "published 3"]
        assert "channels/latest.json was changed by another command" in paused.go_on()
        history = Catalog(Store.open(any_root)).channel("latest")["history"]  # type: ignore[index]
        assert [move["by"] for move in history] == ["second", "third"]


@pytest.mark.parametrize("paused", ["catalog/000001/build.json", "channels/latest.json"], indirect=True)
def test_in_a_folder_the_other_waits_and_both_publish(any_root: str, paused: Publisher) -> None:
    other = Publisher(any_root, "other")
    other.hear("waits")
    assert paused.go_on() == "published 1"
    assert other.end() == "published 2"
    store = Store.open(any_root)
    assert_whole(store, 1, "loser")
    assert_whole(store, 2, "other")
    history = Catalog(store).channel("latest")["history"]  # type: ignore[index]
    assert [move["by"] for move in history] == ["loser", "other"]
