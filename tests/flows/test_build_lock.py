"""One build of a project at a time, by real processes; a killed one is in nobody's way."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from uuid import uuid4

import pytest
from test_kills import Victim
from toys import ToyProject

from pipeline.build.lock import build_lock
from pipeline.catalog import Catalog
from pipeline.store import Busy, Store
from pipeline.store.remote import FsspecBackend

HOLD = """
import sys
from pipeline.build.lock import build_lock
from pipeline.store import Store
with build_lock(Store.open(sys.argv[1]), "toys", "20260101T000000-abcd"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(toys: ToyProject) -> subprocess.Popen[bytes]:
    """A process that builds project toys, until it is killed or its input closes."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(toys.outputs)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def build(toys: ToyProject, *words: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from flows.cli import main; main()", "build", str(toys.manifest)]
    return subprocess.run(
        [*program, "--outputs", str(toys.outputs), *words], capture_output=True, text=True, check=False
    )


def test_a_second_build_that_does_not_wait_names_the_first(
    toys: ToyProject, holder: subprocess.Popen[bytes]
) -> None:
    said = build(toys, "--no-wait")
    holder.communicate()
    assert said.returncode == 1, said.stderr
    assert "another build is running (run 20260101T000000-abcd, since 20" in said.stderr
    assert f"process {holder.pid}); wait until it ends" in said.stderr
    assert Catalog(Store.open(toys.outputs)).numbers() == []


def test_a_killed_build_is_in_nobodys_way(toys: ToyProject, holder: subprocess.Popen[bytes]) -> None:
    holder.kill()
    holder.communicate()
    with build_lock(Store.open(toys.outputs), "toys", "next", wait=False) as fresh:
        assert fresh


def test_another_project_of_the_same_outputs_does_not_wait(
    toys: ToyProject, holder: subprocess.Popen[bytes]
) -> None:
    with build_lock(Store.open(toys.outputs), "other", "next", wait=False):
        pass
    holder.communicate()


def test_a_second_build_waits_says_so_and_makes_nothing_again(tmp_path: Path, prefect_server: str) -> None:
    victim = Victim(tmp_path)
    first = victim.start(PREFECT_API_URL=prefect_server, TOY_SECONDS="0.2")
    victim.wait_for(takes=1, patience_s=180.0)
    second = build(victim.toys, "--devices", "cpu:2")
    first.communicate()
    assert (first.returncode, second.returncode) == (0, 0), second.stderr
    assert "another build is running (run 20" in second.stderr
    assert "waiting until it ends" in second.stderr
    assert "version 1 unchanged: 0 takes generated" in second.stdout
    made = victim.log.read_text().split()
    assert len(made) == len(set(made)) == 24
    assert Catalog(victim.store).numbers() == [1]


@pytest.mark.slow
def test_what_a_killed_build_made_while_another_waited_is_not_made_again(
    tmp_path: Path, prefect_server: str
) -> None:
    victim = Victim(tmp_path)
    first = victim.start(PREFECT_API_URL=prefect_server, TOY_SECONDS="0.2")
    victim.wait_for(takes=1, patience_s=180.0)
    program = [sys.executable, "-c", "from flows.cli import main; main()", "build", str(victim.toys.manifest)]
    words = ["--outputs", str(victim.toys.outputs), "--devices", "cpu:2", "--json"]
    second = subprocess.Popen([*program, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert second.stderr is not None
    assert any("waiting until it ends" in line for line in iter(second.stderr.readline, ""))
    # More than the second can have seen when it planned.
    victim.wait_for(victim.takes_made() + 5)
    made = len(victim.store.records("takes"))
    first.kill()
    first.communicate()
    out, errors = second.communicate()
    assert second.returncode == 0, errors
    assert 0 < made < 24, "the first build ended too early or too late for this test"
    assert json.loads(out)["generated"] <= 24 - made
    assert len(victim.store.records("takes")) == 24


@pytest.fixture
def remote() -> Store:
    url = f"memory://{uuid4().hex}"
    return Store(FsspecBackend(url, lease_seconds=1.0), url)


def test_in_an_object_store_the_second_waits_for_the_first(remote: Store) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def heard(text: str) -> None:
        order.append(text)
        waiting.set()

    def second() -> None:
        with build_lock(Store(FsspecBackend(remote.root), remote.root), "toys", "run-2", notify=heard):
            order.append("second")

    thread = threading.Thread(target=second)
    with build_lock(remote, "toys", "run-1"):
        thread.start()
        assert waiting.wait(60)
        order.append("first ends")
    thread.join(60)
    assert "another build is running (run run-1, since " in order[0]
    assert order[1:] == ["first ends", "second"]


def test_in_an_object_store_a_killed_build_is_in_the_way_for_its_lease_alone(remote: Store) -> None:
    term = b'{"schema": "cuesmith.lease/1", "holder": "dead", "expires": %f}'
    remote.backend.write("locks/building/project-toys.lock/00000007.json", term % (time.time() + 1.0))
    with (
        pytest.raises(Busy, match="another build is running; wait"),
        build_lock(remote, "toys", "x", wait=False),
    ):
        pass
    with build_lock(remote, "toys", "next") as fresh:
        assert fresh


def test_a_lock_within_its_own_build_is_the_same_lock(remote: Store) -> None:
    with build_lock(remote, "toys", "run-1") as outer, build_lock(remote, "toys", "run-1") as inner:
        assert inner is outer


def test_a_lease_that_ran_out_unmakes_nothing(remote: Store) -> None:
    with build_lock(remote, "toys", "run-1"):
        remote.backend.write("locks/building/project-toys.lock/00000002.json", b"{}")
