"""How a build starts: what it says first, the server that it starts early, and a configured server that is dead."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import psutil
import pytest
from loopback import LoopbackServer
from prefect.settings import PREFECT_API_URL, temporary_settings
from toys import ToyProject
from typer.testing import CliRunner
from waiting import wait_until

from flows.api import _answering, prefect_api
from flows.cli.app import app
from flows.private_server import early_api
from pipeline.build.start import warm_workers
from pipeline.errors import MachineError
from pipeline.jobs.work_items import Broken, TakeSession

LISTED = "import json, sys; print(json.dumps(sorted(sys.modules)))"
BUILD = f"from flows.cli import main\ntry: main()\nfinally: {LISTED}"


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port of this machine that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def apart(code: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def build_against(toys: ToyProject, url: str) -> tuple[list[str], set[str]]:
    """Build with a dead server; return the lines of standard error, and the modules that the process imported."""
    toys.write("  - {id: a/one, kind: sfx, prompt: one, duration: 0.3s}\n")
    done = apart(
        BUILD, "build", str(toys.manifest), "--outputs", str(toys.outputs), "--json", PREFECT_API_URL=url
    )
    result, modules = map(json.loads, done.stdout.splitlines())
    assert (done.returncode, result["exit_code"]) == (4, 4), done.stderr
    return done.stderr.splitlines(), set(modules)


@pytest.mark.parametrize(
    ("number", "line"), [(signal.SIGTERM, "1/4 Plan"), (signal.SIGINT, "starting Prefect")]
)
def test_an_interrupt_while_a_build_starts_ends_with_130(toys: ToyProject, number: int, line: str) -> None:
    toys.write("  - {id: a/one, kind: sfx, prompt: one, duration: 0.3s}\n")
    words = (
        # A shell in the background passes on an ignored SIGINT.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from flows.cli import main; main()",
        "build",
        str(toys.manifest),
        "--outputs",
        str(toys.outputs),
    )
    with subprocess.Popen([sys.executable, "-P", "-c", *words], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for output in process.stderr:
            if line in output:
                break
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        rest = process.stderr.read()
    assert process.returncode == 130, rest
    assert "Traceback" not in rest
    assert rest.endswith("run the same command again to continue\n")
    assert psutil.wait_procs(children, timeout=20)[1] == []


def test_a_build_says_what_starts_and_that_a_silent_server_does_not_answer_before_it_imports_prefect(
    toys: ToyProject, silent_port: int
) -> None:
    url = f"http://127.0.0.1:{silent_port}/api"
    lines, modules = build_against(toys, url)
    assert lines == [
        f"1/4 Plan: {toys.manifest}",
        "  1 generate; starting Prefect and workers",
        f"error: the Prefect API at {url} does not answer (no answer within 3 s); start it, check the address, which "
        "ends in /api, or unset PREFECT_API_URL (and api.url in the Prefect profile) to build with a private server",
    ]
    assert "prefect" not in modules


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://127.0.0.1:9/api", "Connection refused"),
        ("http://nowhere.invalid/api", "nowhere.invalid|resolution|not known|No address|no answer"),
        ("127.0.0.1/api", "missing an 'http://' or 'https://' protocol"),
    ],
)
def test_a_server_that_cannot_be_reached_is_reported_with_the_reason(
    url: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", url)
    with pytest.raises(MachineError, match=rf"{url} does not answer \(.*({problem})"), early_api():
        pass


@pytest.fixture
def answering() -> Iterator[Callable[..., str]]:
    """Start a server that answers every request with an error's HTTP status, or with a text; returns the URL."""
    with contextlib.ExitStack() as servers:

        def start(status: int, text: str = "") -> str:
            def answer_with_text(self: BaseHTTPRequestHandler) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            answer = {
                "do_GET": answer_with_text if text else lambda self: self.send_error(status),
                "log_message": lambda *words: None,
            }
            handler = type("Answer", (BaseHTTPRequestHandler,), answer)
            return f"{servers.enter_context(LoopbackServer(handler)).url}/api"

        yield start


def test_a_server_that_wants_a_key_or_has_another_service_is_told_apart(
    answering: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", answering(401))
    with early_api() as server:
        assert server is None
    monkeypatch.setenv("PREFECT_API_URL", answering(404))
    with pytest.raises(MachineError, match=r"does not answer \(HTTP 404 Not Found\); start it"), early_api():
        pass


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<html>A page</html>", "it is no Prefect server"),
        ('"2.20.1"', "Found incompatible versions: client: .* server: 2.20.1. Major versions must match."),
    ],
)
def test_a_server_that_cannot_be_used_is_reported_with_the_reason(
    text: str, problem: str, answering: Callable[..., str]
) -> None:
    url = answering(200, text)
    remedy = (
        "check the address, which ends in /api, and the version of that server, or unset PREFECT_API_URL "
    )
    with (
        temporary_settings({PREFECT_API_URL: url}),
        pytest.raises(MachineError, match=rf"{url} cannot be used \({problem}\); {remedy}"),
        prefect_api(),
    ):
        pass


def test_no_message_repeats_the_password_of_a_server(
    answering: Callable[..., str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def with_user(url: str) -> str:
        return url.replace("http://", "http://user:p%40ss:w@rd@")

    monkeypatch.setenv("PREFECT_API_URL", with_user("http://127.0.0.1:9/api"))
    with (
        pytest.raises(MachineError, match=r"at http://user:\*\*\*@127\.0\.0\.1:9/api does not") as silent,
        early_api(),
    ):
        pass
    monkeypatch.setenv("PREFECT_API_URL", "user:p%40ss:w@rd@127.0.0.1/api")
    with (
        pytest.raises(MachineError, match=r"at user:\*\*\*@127\.0\.0\.1/api does not") as unclear,
        early_api(),
    ):
        pass
    url = with_user(answering(200, "<html>A page</html>"))
    with (
        caplog.at_level("INFO", "flows"),
        temporary_settings({PREFECT_API_URL: url}),
        pytest.raises(MachineError, match=r"http://user:\*\*\*@\S+/api cannot be used") as unusable,
        prefect_api(),
    ):
        pass
    answer = httpx.Response(500, request=httpx.Request("GET", f"{url}/flows"))
    with (
        pytest.raises(MachineError, match=r"failed while the build ran \(.*user:\*\*\*@") as failing,
        _answering(url, "wait"),
    ):
        answer.raise_for_status()
    output = [str(problem.value) for problem in (silent, unclear, unusable, failing)]
    assert not any("ss:w" in text for text in (*output, caplog.text))


def test_a_server_that_is_busy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    is_over = threading.Event()

    def answer(self: BaseHTTPRequestHandler) -> None:
        if self.path.endswith("version"):
            is_over.wait()
        self.send_response(200)
        self.end_headers()

    handler = type("Busy", (BaseHTTPRequestHandler,), {"do_GET": answer, "log_message": lambda *words: None})
    monkeypatch.setattr("flows.api.ANSWER_WITHIN_S", 0.3)
    with LoopbackServer(handler) as server:
        try:
            with temporary_settings({PREFECT_API_URL: f"{server.url}/api"}), prefect_api() as url:
                assert url == f"{server.url}/api"
        finally:
            is_over.set()


def test_a_dead_server_of_a_profile_is_reported_and_no_private_one_is_started(
    toys: ToyProject, tmp_path: Path
) -> None:
    (tmp_path / "profiles.toml").write_text(
        'active = "studio"\n[profiles.studio]\nPREFECT_API_URL = "http://127.0.0.1:9/api"\n'
    )
    (tmp_path / "temporary").mkdir()
    toys.write("  - {id: a/one, kind: sfx, prompt: one, duration: 0.3s}\n")
    words = ("build", str(toys.manifest), "--outputs", str(toys.outputs))
    place = {"PREFECT_HOME": str(tmp_path), "TMPDIR": str(tmp_path / "temporary")}
    done = apart("from flows.cli import main; main()", *words, **place)
    assert done.returncode == 4, done.stderr
    assert "the Prefect API at http://127.0.0.1:9/api does not answer" in done.stderr.splitlines()[-1]
    assert list((tmp_path / "temporary").iterdir()) == []


EARLY = """
import sys
from flows.cli.app import app
from flows.private_server import early_api
with early_api() as server:
    print(server._process.pid, server.url(), "prefect" in sys.modules, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")
def test_a_private_server_starts_before_prefect_is_imported_on_loopback_only_and_ends_with_a_killed_build() -> (
    None
):
    build = subprocess.Popen(
        [sys.executable, "-P", "-c", EARLY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert build.stdout is not None
    number, url, imported = build.stdout.readline().split()
    assert imported == "False"
    server = psutil.Process(int(number))
    addresses = {at.laddr.ip for at in server.net_connections() if at.status == psutil.CONN_LISTEN}
    assert addresses == {"127.0.0.1"}
    assert url.startswith("http://127.0.0.1:")
    build.send_signal(signal.SIGKILL)
    build.communicate()
    assert wait_until(lambda: not psutil.pid_exists(server.pid), 30.0)


@pytest.mark.parametrize("option", ["--junit", "--summary"])
@pytest.mark.parametrize("place", ["cues.yaml/report", "outputs"])
def test_a_report_that_cannot_be_written_is_reported_before_the_build(
    toys: ToyProject, option: str, place: str
) -> None:
    toys.outputs.mkdir()
    words = ["build", str(toys.manifest), "--outputs", str(toys.outputs), option, str(toys.folder / place)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 4
    assert f"error: cannot write {toys.folder / place}: " in result.stderr
    assert list(toys.outputs.iterdir()) == []


@pytest.mark.parametrize("command", ["plan", "build"])
def test_a_steps_summary_that_cannot_be_written_is_reported_before_the_build(
    command: str, toys: ToyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "gone/summary.md")
    words = [command, str(toys.manifest), "--outputs", str(toys.outputs), "--ci"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 4
    assert "error: cannot write gone/summary.md: " in result.stderr
    assert "choose another file in GITHUB_STEP_SUMMARY" in result.stderr
    assert not toys.outputs.exists()


def test_workers_and_server_start_before_prefect_is_imported_and_the_build_uses_those_workers(
    toys: ToyProject,
) -> None:
    words = ["build", str(toys.manifest), "--outputs", str(toys.outputs), "--devices", "cpu:2", "--verbose"]
    done = apart("from flows.cli import main; main()", *words)
    assert done.returncode == 0, done.stderr
    events = (
        "1/4 Plan",
        "starting Prefect and workers",
        "started on cpu",
        "Prefect API answers",
        "version 1 published",
    )
    seen = [event for line in done.stderr.splitlines() for event in events if event in line]
    assert seen == [*events[:2], events[2], events[2], *events[3:]]


def test_a_worker_that_nobody_takes_ends(toys: ToyProject) -> None:
    prepared = toys.prepare()
    before = set(psutil.Process().children())
    with warm_workers(prepared, ("cpu", "cpu")) as warm:
        worker = warm.take("cpu", 2)
        assert worker is not None
        assert warm.take("cpu", 1) is None, "its libraries would use too many threads"
        assert len(set(psutil.Process().children()) - before) == 2
    assert len(set(psutil.Process().children()) - before) == 1
    worker.stop()
    assert set(psutil.Process().children()) == before


def test_an_engine_that_cannot_be_opened_early_is_reported_when_it_is_needed(
    toys: ToyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_CLOSED", "the toy is locked; unlock it")
    with warm_workers(toys.prepare(), ("cpu",)) as warm:
        worker = warm.take("cpu", 1)
    assert worker is not None
    worker.send(TakeSession("cpu", "run", None, "toy"))
    assert worker.receive() == Broken("the toy is locked; unlock it", MachineError.exit_code)
    worker.stop()
