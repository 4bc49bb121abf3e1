"""Builds are killed at random moments; what is left must be whole, and the next build must go on from it."""

from __future__ import annotations

import errno
import logging
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import prefect
import psutil
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from toys import HEAD, ToyProject
from waiting import wait_until

from flows import api, private_server
from pipeline.build.workers import Worker, WorkerDied
from pipeline.catalog import Catalog
from pipeline.errors import MachineError
from pipeline.jobs.work_items import Give, MasterSession
from pipeline.store import Store, verify

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process groups and SIGKILL are POSIX's")

# A shell that starts this suite in the background has all of its processes ignore interrupts.
BUILD = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from flows.cli import main; main()"
ASSETS = "".join(
    f"  - {{id: k/{name}, kind: sfx, prompt: sound {name}, duration: 0.3s, variations: 3}}\n"
    for name in "abcdefgh"
)


class Victim:
    """A project that is built in processes of its own, to be killed."""

    def __init__(self, folder: Path) -> None:
        self.toys = ToyProject(folder)
        self.toys.write(ASSETS, HEAD.replace("[wav]", "[wav, ogg]"))
        self.log = folder / "generated.log"
        self.mark = uuid.uuid4().hex
        self.store = Store.open(self.toys.outputs)

    def start(self, folder: Path | None = None, **environment: str) -> subprocess.Popen[bytes]:
        """Begin a build, in ``folder`` if given; -P, as the console script does not look there for packages."""
        self.log.write_text("")
        return subprocess.Popen(
            [
                *(sys.executable, "-P", "-c", BUILD, "build", str(self.toys.manifest)),
                *("--outputs", str(self.toys.outputs), "--devices", "cpu:2", "--quiet"),
            ],
            env={
                **os.environ,
                "TOY_LOG": str(self.log),
                "TOY_SECONDS": "0.02",
                "CUESMITH_TEST_MARK": self.mark,
                **environment,
            },
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def takes_made(self) -> int:
        return len(self.log.read_text().split())

    def wait_for(self, takes: int, patience_s: float = 60.0) -> None:
        """Return when a build that is running has made so many takes."""
        enough = wait_until(lambda: self.takes_made() >= takes, patience_s)
        assert enough, f"{self.takes_made()} takes in {patience_s:g} s"

    def running(self) -> list[psutil.Process]:
        """Processes of this project's builds."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def left_running(self, patience_s: float = 15.0) -> list[str]:
        """Processes of killed builds that are still there after a while."""
        wait_until(lambda: not self.running(), patience_s)
        return [" ".join(process.cmdline()) for process in self.running()]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("CUESMITH_TEST_MARK") == self.mark
        except psutil.Error:
            return False

    def harm(self) -> list[str]:
        """What is torn, missing or damaged; reading every version is part of it."""
        catalog = Catalog(self.store)
        for number in catalog.numbers():
            catalog.read(number)
        catalog.latest()
        return [str(finding) for finding in verify(self.store) if finding.harmful]


def _kill(victim: Victim, chance: random.Random, longest_s: float | None, server: str) -> bool:
    """Start a build and kill it after a random time, if any; True when it had ended before."""
    finished = victim.store.records("takes")
    process = victim.start(PREFECT_API_URL=server)
    try:
        process.wait(timeout=None if longest_s is None else chance.uniform(0.0, longest_s))
        ended = True
    except subprocess.TimeoutExpired:
        ended = False
        if chance.random() < 0.5:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    _, output = process.communicate()
    if ended:
        assert process.returncode == 0, output.decode()
    assert victim.left_running() == []
    assert victim.harm() == []
    again = finished & set(victim.log.read_text().split())
    assert not again, f"finished takes were made again: {again}"
    return ended


def _kill_many(folder: Path, kills: int, server: str) -> int:
    """Kill builds until ``kills`` have died, starting over whenever one got through; returns how many did."""
    chance = random.Random(20)
    reference = Victim(folder / "reference")
    began = time.monotonic()
    assert reference.start(PREFECT_API_URL=server).wait() == 0
    whole_s = time.monotonic() - began
    victim = Victim(folder / "victim")
    died = through = 0
    while died < kills:
        if _kill(victim, chance, whole_s, server):
            through += 1
            assert victim.toys.library() == reference.toys.library()
            shutil.rmtree(victim.toys.outputs)
        else:
            died += 1
    assert _kill(victim, chance, None, server)
    assert victim.toys.library() == reference.toys.library()
    return through


def test_killed_builds_leave_everything_whole_and_go_on(tmp_path: Path, prefect_server: str) -> None:
    _kill_many(tmp_path, kills=1, server=prefect_server)


@pytest.fixture
def own_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Builds start private servers; their folders lie in the folder that this gives."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def victim(tmp_path: Path, own_server: Path) -> Victim:
    """A build that starts a Prefect server of its own, below `own_server`."""
    return Victim(tmp_path / "toys")


@pytest.mark.slow
def test_a_killed_build_takes_its_own_prefect_server_with_it(victim: Victim) -> None:
    process = victim.start()
    victim.wait_for(takes=1)
    process.kill()
    process.communicate()
    assert victim.left_running() == []
    assert victim.harm() == []


@pytest.mark.slow
def test_where_a_build_is_called_does_not_reach_its_processes(
    victim: Victim, tmp_path: Path, own_server: Path
) -> None:
    stale = own_server / "cuesmith-prefect-killed"
    stale.mkdir()
    (stale / "lock").touch()
    game = tmp_path / "game"
    (game / "pipeline").mkdir(parents=True)
    (game / "pipeline" / "__init__.py").touch()
    (game / "queue.py").write_text("raise SystemExit('the module of the game')")
    nobody = "http://127.0.0.1:9"
    proxies = dict.fromkeys(["http_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"], nobody)
    process = victim.start(game, **proxies)
    _, output = process.communicate()
    assert process.returncode == 0, output.decode()
    assert list(own_server.iterdir()) == []


def assert_complete_without_prefect(victim: Victim, process: subprocess.Popen[bytes]) -> None:
    """The build published its version, and warns that Prefect could not record its end."""
    _, stderr = process.communicate()
    assert process.returncode == 0, stderr.decode()
    assert "the build is complete, but Prefect could not record its end" in stderr.decode()
    assert "Traceback" not in stderr.decode()
    assert Catalog(victim.store).numbers() == [1]
    assert victim.left_running() == []


@pytest.mark.slow
def test_a_private_prefect_server_that_ends_within_a_build_does_not_unmake_what_it_published(
    victim: Victim,
) -> None:
    process = victim.start(TOY_SECONDS="0.1")
    victim.wait_for(takes=3)
    (server,) = [one for one in victim.running() if "flows.api_server" in one.cmdline()]
    server.kill()
    assert_complete_without_prefect(victim, process)
    assert victim.harm() == []


@pytest.mark.slow
def test_a_prefect_server_of_the_persons_own_that_ends_within_a_build_does_not_either(victim: Victim) -> None:
    with temporary_settings({PREFECT_API_URL: None}), api.prefect_api() as url:
        process = victim.start(PREFECT_API_URL=url, TOY_SECONDS="0.1")
        victim.wait_for(takes=3, patience_s=180.0)
        (server,) = [
            one
            for one in psutil.Process().children()
            if "flows.api_server" in one.cmdline()
            and url.partition("/api")[0].rpartition(":")[2]
            in {str(at.laddr.port) for at in one.net_connections()}
        ]
        server.kill()
        assert_complete_without_prefect(victim, process)


def test_a_temporary_folder_without_room_is_reported_with_the_remedy(
    tmp_path: Path, own_server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_server, "user_cache_path", lambda *names, **options: tmp_path)
    (tmp_path / f"prefect-{prefect.__version__}.db").touch()

    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(shutil, "copyfile", refuse)
    with (
        temporary_settings({PREFECT_API_URL: None}),
        pytest.raises(MachineError, match="free some space there, or set TMPDIR"),
        api.prefect_api(),
    ):
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupt_at_the_terminal_reaches_every_process_and_ends_with_130(
    victim: Victim, own_server: Path, number: int
) -> None:
    process = victim.start(TOY_SECONDS="0.3")
    victim.wait_for(takes=3)
    os.killpg(process.pid, number)
    _, output = process.communicate()
    assert process.returncode == 130, output.decode()
    assert "Traceback" not in output.decode()
    assert victim.left_running() == []
    assert victim.harm() == []
    assert list(own_server.iterdir()) == []


def test_a_worker_ends_with_a_parent_that_was_killed_in_the_midst_of_sending_a_message(
    tmp_path: Path,
) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "pipeline.build.worker", str(tmp_path), str(logging.WARNING)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    message = pickle.dumps(list(range(100_000)))
    worker.communicate(message[: len(message) // 2], timeout=60)
    assert worker.returncode == 0


def _stop(worker: Worker, together: Barrier) -> None:
    together.wait()
    worker.stop()


def _work(worker: Worker, together: Barrier) -> None:
    def converse() -> None:
        worker.send(MasterSession("cpu", "run", None))
        worker.send(Give(()))
        while True:
            worker.receive()

    together.wait()
    with pytest.raises(WorkerDied, match="the worker on cpu"):
        converse()


@pytest.mark.parametrize("_again", range(10))
def test_a_worker_may_be_stopped_from_many_sides_at_once(_again: int, tmp_path: Path) -> None:
    worker, together = Worker(str(tmp_path), "cpu"), Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(one, worker, together) for one in (_work, *[_stop] * 7)]:
            done.result()


@pytest.mark.slow
def test_two_hundred_kills(tmp_path: Path, prefect_server: str) -> None:
    through = _kill_many(tmp_path, kills=200, server=prefect_server)
    print(f"200 killed, {through} came through between")


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_an_interrupt_ends_everything_with_130_and_keeps_what_is_finished(
    tmp_path: Path, prefect_server: str, number: int
) -> None:
    victim = Victim(tmp_path)
    process = victim.start(PREFECT_API_URL=prefect_server, TOY_SECONDS="0.3")
    assert wait_until(lambda: len(victim.store.records("takes")) >= 3)
    os.kill(process.pid, number)
    _, output = process.communicate(timeout=60)
    assert process.returncode == 130, output.decode()
    assert output.decode().strip().endswith("run the same command again to continue")
    assert "Traceback" not in output.decode()
    assert victim.left_running() == []
    assert victim.harm() == []
    assert len(victim.store.records("takes")) >= 3
