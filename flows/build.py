"""The build as a Prefect flow: plan, generate, master, publish.

The flow reads as the build goes; `flows.run` holds what it works on, and knows no Prefect. Tasks are coarse (a
shard of takes, a chunk of assets), because what must survive is in the store as soon as it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import Task

from flows.journal import listener, new_run_id
from flows.prepare import prepare
from flows.removals import check_removals
from flows.run import AssetChunk, BuildRun
from pipeline.errors import CuesmithError
from pipeline.plan import Shard

_TASK_THREADS = 64


def _worth_retrying(task: Task[Any, Any], run: Any, state: State[Any]) -> bool:
    """Errors that name their remedy will be the same at once; anything else may pass."""
    return not isinstance(state.result(raise_on_failure=False), CuesmithError)


@task(name="generate", retries=1, retry_condition_fn=_worth_retrying, cache_policy=NO_CACHE)
def generate(run: BuildRun, shard: Shard) -> None:
    """Make one shard's takes on the first device that is free."""
    run.generate(shard)


@task(name="master", retries=1, retry_condition_fn=_worth_retrying, cache_policy=NO_CACHE)
def master(run: BuildRun, chunk: AssetChunk) -> None:
    """Master one chunk of assets in the first process that is free."""
    run.master(chunk)


@task(name="publish", cache_policy=NO_CACHE)
def publish(run: BuildRun) -> None:
    """Write the catalog version, move the pointer, show the library."""
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
    allow_removals: bool = False,
) -> dict[str, Any]:
    """Bring the catalog at ``outputs`` up to date with ``manifest``; returns the object of ``build --json``."""
    context = FlowRunContext.get()
    prefect_run = str(context.flow_run.id) if context and context.flow_run else None
    prepared = prepare(Path(manifest), outputs, profile, only, allow_removals)
    check_removals(prepared, prepared.latest)
    with BuildRun(prepared, devices, new_run_id(), prefect_run, listener()) as run:
        _all([generate.submit(run, shard) for shard in run.shards()])
        _all([master.submit(run, chunk) for chunk in run.chunks()])
        publish(run)
        create_markdown_artifact(run.summary(), key="cuesmith-build", description="What the build made")
        return run.result()


def _all(futures: list[Any]) -> None:
    """Wait for every future, then raise the first failure: the others' work is kept."""
    wait(futures)
    for future in futures:
        future.result()
