"""The build as a Prefect flow: plan, work, publish.

The flow shows the order of the steps; `pipeline.build.run` does the work and does not import Prefect. A task is a
worker on one device for the whole build; smaller tasks would save nothing, because each finished file is in the store
at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from prefect import Flow, flow, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext, TaskRunContext
from prefect.futures import wait
from prefect.logging.handlers import APILogHandler
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.api import api_answers
from flows.artifacts import ProgressArtifact, show_result
from flows.runners import open_runner
from pipeline.build.ci import build_summary
from pipeline.build.devices import parse_devices
from pipeline.build.journal import listening, new_run_id
from pipeline.build.lock import build_lock
from pipeline.build.notify import message, notify
from pipeline.build.plan_rows import changed_rows, left_names
from pipeline.build.prepare import LOCAL, BuildRequest, Prepared, is_outdated, prepare_build
from pipeline.build.readiness import require
from pipeline.build.run import BuildRun
from pipeline.build.start import Start, start_now
from pipeline.build.workers import Seat
from pipeline.errors import CuesmithError, UsageError
from pipeline.provenance import name_of

_logger = logging.getLogger(__name__)
_TASK_THREADS = 256
PARTLY_FAILED = "PartlyFailed"
"""Name of the completed state of a build that published, or kept, a version although some sounds failed."""
_LOGGERS = ("flows", "pipeline")
TIME_UP = "TimeUp"
"""Name of the completed state of a build that left work for the next one, because its time was up."""
_start: ContextVar[Start | None] = ContextVar("use_start", default=None)


class NothingPublished(CuesmithError):
    """Every sound failed, and the catalog has no version: the flow run fails."""

    def __init__(self, project: str, result: dict[str, Any]) -> None:
        """``result`` is the object of ``build --json``."""
        first = result["failed"][0]
        super().__init__(
            f"{project}: nothing was published; {len(result['failed'])} sounds failed, the first: "
            f"{first['asset']} variation {first['variation']} ({first['stage']}): {first['reason']}"
        )
        self.result = result


def _run_name() -> str:
    return _name_of(runtime.flow_run.parameters)


def _name_of(parameters: Mapping[str, Any]) -> str:
    # A run with wrong parameters may have no manifest.
    manifest = parameters.get("manifest") or "no manifest"
    return f"{Path(str(manifest)).stem} · {parameters.get('profile') or 'default'}"


def _notify_result(prepared: Prepared, result: dict[str, Any]) -> None:
    """Tell the webhook what a build published, what failed and what is left; nothing if none of these."""
    left = left_names(result)
    if result["published"] or result["failed"] or left:
        headline, *_ = build_summary(prepared.project.name, result)
        changed = [f"{name}: {action} ({why})" for name, action, why in changed_rows(prepared, result)]
        failed = [f"{name_of(one)} ({one['stage']}): {one['reason']}" for one in result["failed"]]
        notify(
            message(
                headline.lstrip("# "),
                {
                    "Failed": failed,
                    "Left for the next build, because the time was up": left,
                    "Changed": changed if result["published"] else [],
                },
            )
        )


def _notify_failure(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Tell the webhook that a flow run failed, crashed or was cancelled."""
    with _log_in_prefect(flow_run):
        # A run that crashed may still have the name that Prefect gave it.
        notify(
            message(
                f"{_name_of(flow_run.parameters)}: {state.name}",
                {"Reason": [state.message or "no reason is known"]},
            )
        )


@task(name="work", task_run_name="work on {seat.name}", cache_policy=NO_CACHE)
def work(run: BuildRun, seat: Seat) -> State[None]:
    """Generate and master on one device, until the queue has nothing left for it."""
    done = run.serve(seat)
    if context := TaskRunContext.get():
        # Prefect stores the name with the state that follows.
        context.task_run.name = f"work on {seat.name}: {done}"
    return Completed(message=done)


@task(name="publish", cache_policy=NO_CACHE)
def publish(run: BuildRun) -> None:
    """Write the catalog version, move the channel, sync the library."""
    run.publish()


@flow(
    name="cuesmith build",
    flow_run_name=_run_name,
    on_failure=[_notify_failure],
    on_crashed=[_notify_failure],
    on_cancellation=[_notify_failure],
    task_runner=ThreadPoolTaskRunner(max_workers=_TASK_THREADS),  # type: ignore[arg-type]
    validate_parameters=False,
)
def build(
    manifest: str,
    outputs: str,
    profile: str | None = None,
    only: Sequence[str] = (),
    devices: str = "auto",
    run_id: str | None = None,
    allow_removals: bool = False,
    refresh_models: bool = False,
    max_minutes: float | None = None,
    runner: str = LOCAL,
    ray_address: str | None = None,
) -> dict[str, Any] | State[dict[str, Any]]:
    """Make what is missing or changed and publish a new version of the catalog.

    Waits while another build of the same project runs there. Returns the object of ``build --json``. The flow run ends
    in the state ``PartlyFailed`` if some sounds failed, in ``TimeUp`` if none failed and some are left for the next
    build, and fails if nothing could be published.

    Args:
        manifest: The manifest's path on the worker's machine.
        outputs: Folder or URL (s3://...) of the store and the catalog.
        profile: The profile of the manifest; none for its defaults.
        only: Build only assets whose ids match one of these globs, such as music/*.
        devices: auto, cpu, cpu:4 (four workers), cuda:0,cuda:1 or mps.
        run_id: A name for the run; by default a new one.
        allow_removals: Allow the removal of approved masters, or of many masters, that the manifest no longer lists.
        refresh_models: Use the newest revisions of published models; by default those that the catalog has.
        max_minutes: Begin no take and no master after so many minutes; the next build makes what is left.
        runner: local, or ray for workers on a Ray cluster.
        ray_address: The address of the Ray cluster; none for RAY_ADDRESS, or a cluster on this machine.
    """
    try:
        if isinstance(only, str):
            raise UsageError(f"only: {only!r} is one text, not a list; give [{only!r}]")
        request = BuildRequest(
            Path(manifest),
            outputs,
            profile,
            tuple(only),
            devices,
            allow_removals,
            refresh_models,
            max_minutes,
            runner,
            ray_address,
        )
        with _log_in_prefect():
            return _run(request, run_id or new_run_id())
    except CuesmithError as error:
        # Prefect logs what a flow raises twice, with the traceback; these errors say what to do.
        return Failed(message=str(error), data=error.with_traceback(None))


def _run(request: BuildRequest, run_id: str) -> dict[str, Any] | State[dict[str, Any]]:
    """Plan, build and tell the webhook; return the result, in a state of its own if something is missing."""
    start = _start.get() or start_now(request.max_minutes)
    prepared = start.prepared
    if prepared is None:
        devices = parse_devices(request.devices)
        prepared = prepare_build(request)
        for note in (*prepared.warnings, *prepared.plan.newer_models):
            _logger.warning("%s", note)
        if request.runner == LOCAL:
            require(prepared, devices)
    with build_lock(prepared.store, prepared.project.name, run_id):
        if is_outdated(prepared):
            prepared = prepare_build(request)
        result = _build(prepared, request, run_id, start)
    project = prepared.project.name
    if result["failed"] and result["version"] is None:
        raise NothingPublished(project, result)
    _notify_result(prepared, result)
    if result["failed"]:
        return Completed(name=PARTLY_FAILED, message=f"{len(result['failed'])} sounds failed", data=result)
    if result["left"]:
        return Completed(name=TIME_UP, message=f"{len(result['left'])} masters are left", data=result)
    return result


def _build(prepared: Prepared, request: BuildRequest, run_id: str, start: Start) -> dict[str, Any]:
    context = FlowRunContext.get()
    prefect_run = str(context.flow_run.id) if context and context.flow_run else None
    with (
        listening(ProgressArtifact()),
        open_runner(prepared.store, request, start.workers) as runner,
        BuildRun(prepared, runner, run_id, prefect_run, start) as run,
    ):
        _all([work.submit(run, seat) for seat in run.begin()])
        publish(run)
        result = run.result()
        if api_answers():
            show_result(prepared, result)
        return result


@contextmanager
def _log_in_prefect(flow_run: FlowRun | None = None) -> Iterator[None]:
    """Show the log of a flow run and of its tasks in Prefect; of this one, or of ``flow_run`` after its end."""

    def place(record: logging.LogRecord) -> bool:
        if flow_run:
            record.flow_run_id = flow_run.id
        # Prefect cannot place a line from a thread that belongs to no run.
        return bool(flow_run or FlowRunContext.get() or TaskRunContext.get())

    handler = APILogHandler()
    handler.addFilter(place)
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(min(logger.level or logging.INFO, logging.INFO))
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
        handler.flush()


@contextmanager
def use_start(start: Start) -> Iterator[None]:
    """Inside the context, `build` uses plan, times and workers of ``start``; without a plan it makes its own.

    Not a parameter of the flow, because Prefect writes parameters to its database as JSON.
    """
    token = _start.set(start)
    try:
        yield
    finally:
        _start.reset(token)


def _all(futures: list[Any]) -> None:
    """Wait for every future, then raise the first failure, so that the other tasks finish their work."""
    wait(futures)
    for future in futures:
        future.result()
