"""The deployments of prefect.yaml on a real server, run by a real worker, and read back through the API."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
    LogFilter,
    LogFilterFlowRunId,
    TaskRunFilter,
    TaskRunFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from prefect.states import Crashed, Failed
from quick import QuickProject
from toys import HEAD, ONE, TWO
from webhook import Webhook

from flows import artifacts
from flows.artifacts import ProgressArtifact
from flows.build import PARTLY_FAILED, _notify_failure, build
from pipeline.build.lock import build_lock
from pipeline.catalog import Catalog
from pipeline.errors import CuesmithError
from pipeline.store import Store

ROOT = Path(__file__).parents[2]
FAILS = "  - {id: b/fails, kind: sfx, prompt: please fail, duration: 0.3s}\n"


class Studio:
    """A machine with a game's repository, whose deployments are on the server at ``api``."""

    def __init__(self, folder: Path, api: str, webhook: Webhook, suffix: str = "") -> None:
        self.folder = folder
        self.outputs = folder / "outputs"
        (folder / "manifests").mkdir(parents=True)
        text = (ROOT / "prefect.yaml").read_text().replace("/srv/game", str(folder))
        (folder / "prefect.yaml").write_text(re.sub(r"(- name: \w+)", rf"\1{suffix}", text))
        self._environment = {
            **os.environ,
            "PREFECT_API_URL": api,
            "CUESMITH_WEBHOOK_URL": webhook.url,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "plugins")]),
        }
        self.prefect("work-pool", "create", "cuesmith", "--type", "process", "--overwrite")
        self.prefect("deploy", "--all", "--no-prompt")

    def prefect(self, *words: str) -> str:
        """Run Prefect's command line in the repository."""
        done = subprocess.run(
            [sys.executable, "-m", "prefect", *words],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, deployment: str, assets: str) -> FlowRun:
        """Run a deployment with these assets in the manifest; a worker does it and ends."""
        head = HEAD.replace("profiles:", "profiles:\n  nightly: {}")
        (self.folder / "manifests" / "game.yaml").write_text(head + assets)
        with get_client(sync_client=True) as client:
            found = client.read_deployment_by_name(f"cuesmith build/{deployment}")
            started = client.create_flow_run_from_deployment(found.id)
            self.prefect("worker", "start", "--pool", "cuesmith", "--run-once")
            return client.read_flow_run(started.id)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as hook:
        yield hook


@pytest.fixture(scope="module")
def studio_hook() -> Iterator[Webhook]:
    with Webhook() as hook:
        yield hook


@pytest.fixture(scope="module")
def studio_once(
    tmp_path_factory: pytest.TempPathFactory, prefect_server: str, studio_hook: Webhook
) -> Studio:
    return Studio(tmp_path_factory.mktemp("studio") / "game", prefect_server, studio_hook)


@pytest.fixture
def studio(studio_once: Studio, studio_hook: Webhook) -> Studio:
    """A studio that has built nothing yet."""
    studio_hook.received.clear()
    shutil.rmtree(studio_once.outputs, ignore_errors=True)
    return studio_once


def test_a_nightly_build_is_named_shown_and_reported(studio: Studio, studio_hook: Webhook) -> None:
    before = {one.pid for one in psutil.Process().children(recursive=True)}
    run = studio.run("nightly", ONE + TWO)
    assert run.state is not None
    assert run.state.is_completed()
    assert run.name == "toys · nightly · v1"
    assert {"cuesmith", "nightly"} <= set(run.tags)
    latest = Catalog(Store.open(str(studio.outputs))).latest()
    assert latest is not None
    assert len(latest.masters) == 3
    only_mine = {"any_": [run.id]}
    with get_client(sync_client=True) as client:
        logs = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(**only_mine)), limit=200)
        tasks = client.read_task_runs(
            task_run_filter=TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(**only_mine))
        )
        artifacts: list[Any] = client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(**only_mine))
        )
    assert "version 1 published" in {log.message for log in logs}
    assert any(task.name.startswith("work on cpu") and " takes, " in task.name for task in tasks)
    by_key = {artifact.key: artifact for artifact in artifacts}
    assert "catalog version 1 is published" in by_key["cuesmith-build"].data
    assert by_key["cuesmith-changes"].data.count('"sound"') == 3
    assert "reports/000001/index.html" in by_key["cuesmith-report"].data
    [(_, message)] = studio_hook.received
    assert message["text"] == "toys: catalog version 1 is published"
    assert {one.pid for one in psutil.Process().children(recursive=True)} == before


@pytest.mark.slow
def test_a_build_that_fails_in_part_or_whole_says_so_in_its_state(
    studio: Studio, studio_hook: Webhook
) -> None:
    failed = studio.run("ci", FAILS)
    assert failed.state is not None
    assert failed.state.is_failed()
    assert "nothing was published" in str(failed.state.message)
    partly = studio.run("ci", ONE + FAILS)
    assert partly.state is not None
    assert (partly.state.name, partly.state.is_completed()) == (PARTLY_FAILED, True)
    first, second = (message for _, message in studio_hook.received)
    assert "Failed" in first["text"]
    assert "b/fails_01" in str(second["blocks"])


@pytest.mark.slow
def test_a_second_project_with_other_names_leaves_the_deployments_of_the_first(
    studio: Studio, prefect_server: str, webhook: Webhook, tmp_path: Path
) -> None:
    other = Studio(tmp_path / "forest", prefect_server, webhook, suffix="-forest")
    with get_client(sync_client=True) as client:
        for name in ("nightly", "ci", "prototype"):
            for end, folder in (("", studio.folder), ("-forest", other.folder)):
                steps = client.read_deployment_by_name(f"cuesmith build/{name}{end}").pull_steps
                assert str(folder) in str(steps)


def test_every_deployment_describes_its_parameters(studio: Studio) -> None:
    with get_client(sync_client=True) as client:
        for name in ("nightly", "ci", "prototype"):
            found = client.read_deployment_by_name(f"cuesmith build/{name}")
            assert found.description
            schema = found.parameter_openapi_schema
            assert schema is not None
            assert {
                key for key, value in schema["properties"].items() if not value.get("description")
            } == set()
            assert set(schema["required"]) == {"manifest", "outputs"}
            if name == "nightly":
                assert found.global_concurrency_limit is not None
                assert found.global_concurrency_limit.limit == 1
                assert len(found.schedules) == 1


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({}, "cues.yaml:1: there is no such file; check the path"),
        ({"only": "music/*"}, "only: 'music/*' is one text, not a list; give ['music/*']"),
        ({"max_minutes": -3}, "--max-minutes -3 is not a time; give minutes, such as 60"),
        ({"max_minutes": float("nan")}, "--max-minutes nan is not a time; give minutes, such as 60"),
    ],
)
def test_a_run_with_wrong_parameters_fails_with_the_reason_and_no_traceback(
    parameters: dict[str, Any],
    reason: str,
    tmp_path: Path,
    prefect_server: str,
    webhook: Webhook,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUESMITH_WEBHOOK_URL", webhook.url)
    monkeypatch.setattr(logging.getLogger("prefect.flow_runs"), "handlers", [caplog.handler])
    caplog.set_level(logging.INFO, "prefect.flow_runs")
    with temporary_settings({PREFECT_API_URL: prefect_server}):
        state = build("cues.yaml", "outputs", **parameters, return_state=True)
        assert (state.name, state.message) == ("Failed", reason)
        with pytest.raises(CuesmithError, match=re.escape(reason)):
            build("cues.yaml", "outputs", **parameters)
    lines = [record for record in caplog.records if record.name == "prefect.flow_runs"]
    assert any("Finished in state Failed" in record.getMessage() for record in lines)
    assert not any(record.exc_info for record in lines)
    assert reason in webhook.received[0][1]["blocks"][1]["text"]["text"]


def test_prefect_shows_what_a_build_waits_for_and_every_warning(
    project: QuickProject, prefect_server: str, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.manifest.write_text(project.manifest.read_text() + FAILS.replace("kind", "was: a/gone, kind"))
    webhook.status = 404
    monkeypatch.setenv("CUESMITH_WEBHOOK_URL", webhook.url)
    held, seen = threading.Event(), threading.Event()

    def hold() -> None:
        with build_lock(project.store, "toys", "20260101T000000-abcd"):
            held.set()
            seen.wait()

    def look(record: logging.LogRecord) -> bool:
        seen.set()
        return True

    lock_log = logging.getLogger("pipeline.build.lock")
    lock_log.addFilter(look)
    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    with temporary_settings({PREFECT_API_URL: prefect_server, PREFECT_LOGGING_TO_API_ENABLED: True}):
        state = build(str(project.manifest), str(project.outputs), max_minutes=0.0, return_state=True)
        failed = build("gone.yaml", str(project.outputs), return_state=True)
        lock_log.removeFilter(look)
        with get_client(sync_client=True) as client:
            first, second = (
                [
                    log.message
                    for log in client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run])))
                ]
                for run in (state.state_details.flow_run_id, failed.state_details.flow_run_id)
            )
    holder.join()
    waits = "another build is running (run 20260101T000000-abcd, since "
    assert any(waits in line and line.endswith("; waiting until it ends") for line in first)
    assert any("a/gone" in line for line in first)
    output = "the message to the webhook in CUESMITH_WEBHOOK_URL was not sent (HTTP 404); check the address"
    assert output in first
    assert output in second


def test_the_message_about_a_crash_names_manifest_and_profile(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUESMITH_WEBHOOK_URL", webhook.url)
    parameters = {"manifest": "manifests/game.yaml", "outputs": "outputs", "profile": "nightly"}
    run = FlowRun(flow_id=uuid4(), name="stylish-hawk", parameters=parameters)
    _notify_failure(build, run, Crashed(message="Process exited with status code: -9."))
    [(_, output)] = webhook.received
    assert output["text"] == "game · nightly: Crashed"


def test_the_message_about_a_run_without_a_manifest_says_so(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUESMITH_WEBHOOK_URL", webhook.url)
    _notify_failure(build, FlowRun(flow_id=uuid4(), name="stylish-hawk"), Failed(message="no argument"))
    [(_, output)] = webhook.received
    assert output["text"] == "no manifest · default: Failed"


@pytest.mark.parametrize("answers", [True, False])
def test_progress_is_shown_and_a_lost_server_is_left_alone(
    answers: bool, prefect_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "_UPDATE_SECONDS", 0.0)
    shown: list[Any] = []

    def update(artifact: Any, progress: float) -> None:
        shown.append(progress)
        if not answers:
            raise OSError("no server")

    monkeypatch.setattr(artifacts, "update_progress_artifact", update)
    progress = ProgressArtifact()
    totals = {"actions": {"generate": 2, "re-master": 0}, "generate": [{"takes": 2}]}

    @flow
    def work() -> None:
        for event in ({"event": "build-began", "totals": totals}, *[{"event": "take"}] * 4):
            progress(event)
            if progress._thread:
                progress._thread.join()

    with temporary_settings({PREFECT_API_URL: prefect_server}):
        work()
        with get_client(sync_client=True) as client:
            key = ArtifactFilter(key=ArtifactFilterKey(any_=[artifacts.PROGRESS_KEY]))
            [newest, *_] = client.read_artifacts(artifact_filter=key, sort="CREATED_DESC", limit=1)
    assert newest.data == 25.0
    assert shown == ([50.0, 75.0, 100.0] if answers else [50.0])
