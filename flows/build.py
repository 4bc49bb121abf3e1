"""The build as a Prefect flow: plan, generate, master, publish.

The flow shows the order of the steps; `pipeline.build.run` does the work and does not import Prefect. A task is a shard
of takes or a chunk of assets; smaller tasks would save nothing, because each finished file is in the store at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext, TaskRunContext
from prefect.futures import wait
from prefect.logging.handlers import APILogHandler
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import Task

from flows.api import api_answers
from pipeline.build.devices import parse_devices
from pipeline.build.journal import new_run_id
from pipeline.build.lock import build_lock
from pipeline.build.prepare import BuildRequest, Prepared, is_outdated, prepare_build
from pipeline.build.readiness import require
from pipeline.build.run import AssetChunk, BuildRun
from pipeline.errors import CuesmithError
from pipeline.plan import Shard

_TASK_THREADS = 64
_LOGGERS = ("flows", "pipeline")
_plan_to_use: ContextVar[Prepared | None] = ContextVar("use_plan", default=None)


def _worth_retrying(task: Task[Any, Any], run: Any, state: State[Any]) -> bool:
    """Retry unexpected errors only: an error with a remedy would occur again at once."""
    return not isinstance(state.result(raise_on_failure=False), CuesmithError)


@task(name="generate", retries=1, retry_condition_fn=_worth_retrying, cache_policy=NO_CACHE)
def generate(run: BuildRun, shard: Shard) -> None:
    """Generate the takes of one shard on the first free device."""
    run.generate(shard)


@task(name="master", retries=1, retry_condition_fn=_worth_retrying, cache_policy=NO_CACHE)
def master(run: BuildRun, chunk: AssetChunk) -> None:
    """Master one chunk of assets in the first free process."""
    run.master(chunk)


@task(name="publish", cache_policy=NO_CACHE)
def publish(run: BuildRun) -> None:
    """Write the catalog version, move the channel, sync the library."""
    run.publish()


@flow(
    name="cuesmith build",
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
) -> dict[str, Any]:
    """Bring the catalog at ``outputs`` up to date with ``manifest``; returns the object of ``build --json``.

    Waits while another build of the same project runs there. ``run_id`` names the run; default: a new name.
    """
    run_id = run_id or new_run_id()
    request = BuildRequest(Path(manifest), outputs, profile, tuple(only), devices, allow_removals)
    prepared = _plan_to_use.get()
    if prepared is None:
        chosen_devices = parse_devices(devices)
        prepared = prepare_build(request)
        require(prepared, chosen_devices)
    with build_lock(prepared.store, prepared.project.name, run_id):
        if is_outdated(prepared):
            prepared = prepare_build(request)
        return _build(prepared, devices, run_id)


def _build(prepared: Prepared, devices: str, run_id: str) -> dict[str, Any]:
    context = FlowRunContext.get()
    prefect_run = str(context.flow_run.id) if context and context.flow_run else None
    with _log_in_prefect(), BuildRun(prepared, devices, run_id, prefect_run) as run:
        _all([generate.submit(run, shard) for shard in run.shards()])
        _all([master.submit(run, chunk) for chunk in run.chunks()])
        publish(run)
        if api_answers():
            create_markdown_artifact(run.summary(), key="cuesmith-build", description="Result of the build")
        return run.result()


@contextmanager
def _log_in_prefect() -> Iterator[None]:
    """Show the log of this flow run and of its tasks in Prefect."""
    handler = APILogHandler()
    # Prefect cannot place a line from a thread that belongs to no run.
    handler.addFilter(lambda record: bool(FlowRunContext.get() or TaskRunContext.get()))
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
def use_plan(prepared: Prepared | None) -> Iterator[None]:
    """Inside the context, `build` uses the plan ``prepared``; with None it makes its own.

    Not a parameter of the flow, because Prefect writes parameters to its database as JSON.
    """
    token = _plan_to_use.set(prepared)
    try:
        yield
    finally:
        _plan_to_use.reset(token)


def _all(futures: list[Any]) -> None:
    """Wait for every future, then raise the first failure, so that the other tasks finish their work."""
    wait(futures)
    for future in futures:
        future.result()
