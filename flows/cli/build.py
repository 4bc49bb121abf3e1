"""The build command: its options and its first line. It imports little, so that the line comes at once."""

from __future__ import annotations

import contextlib
import gc
import time
from typing import Annotated

import typer

from flows.cli.options import (
    DEFAULT_OUTPUTS,
    AsJson,
    Ci,
    Devices,
    Junit,
    Manifest,
    Only,
    Outputs,
    Profile,
    RefreshModels,
    Summary,
    find_manifest,
)
from flows.cli.output import command, gc_disabled, print_stderr
from flows.stages import heading


@command
@gc_disabled()
def build_command(
    manifest: Manifest = None,
    outputs: Outputs = DEFAULT_OUTPUTS,
    profile: Profile = None,
    only: Only = None,
    devices: Devices = "auto",
    runner: Annotated[
        str, typer.Option("--runner", help="Where the workers run: local, or ray for a Ray cluster.")
    ] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(
            "--ray-address",
            help="Address of the Ray cluster, such as 10.0.0.5:6379. Default: RAY_ADDRESS, else one on this machine.",
            show_default=False,
        ),
    ] = None,
    wait: Annotated[
        bool,
        typer.Option("--wait/--no-wait", help="If another build of this project runs: wait for it, or fail."),
    ] = True,
    allow_removals: Annotated[
        bool,
        typer.Option(
            "--allow-removals",
            help="Allow the removal of approved masters, or of many masters, that the manifest no longer lists.",
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Hide the progress.")] = False,
    ci: Ci = False,
    summary: Summary = None,
    junit: Junit = None,
    refresh_models: RefreshModels = False,
    max_minutes: Annotated[
        float | None,
        typer.Option(
            "--max-minutes",
            min=0.0,
            help="Begin no take and no master after so many minutes; the next build makes what is left.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make what is missing or changed and publish a new version.

    A build makes only what changed. If a build is killed, the next one continues from there and keeps every finished
    take. A project runs one build at a time: a second one waits and then makes only what is still missing.
    """
    start = time.monotonic()
    path = find_manifest(manifest)
    progress = _no_output if quiet else print_stderr
    progress(f"{heading('Plan')}: {path}")

    from flows.cli.building import (
        finish,
        locked,
        planned,
        prepare,
        settings_error,
        silence_prefect,
        unchanged,
    )
    from pipeline.build.devices import parse_devices
    from pipeline.build.journal import new_run_id
    from pipeline.build.prepare import LOCAL, BuildRequest, up_to_date

    request = BuildRequest(
        path,
        outputs,
        profile,
        tuple(only or ()),
        devices,
        allow_removals,
        refresh_models,
        max_minutes,
        runner,
        ray_address,
    )
    deadline = None if max_minutes is None else start + 60 * max_minutes
    if ci or summary or junit:
        from flows.cli.ci import check_report_files, report_build

        check_report_files(ci, summary, junit)
    chosen_devices = parse_devices(devices)
    run_id = new_run_id()
    with contextlib.ExitStack() as stack:
        prepared = stack.enter_context(locked(prepare(request, chosen_devices), request, run_id, wait))
        if prepared.plan.stale:
            from flows.private_server import early_api, masked
            from pipeline.build.start import Start, warm_workers

            progress(f"  {planned(prepared)}; starting Prefect and workers")
            began = time.monotonic()
            server = stack.enter_context(early_api())
            workers = stack.enter_context(warm_workers(prepared, chosen_devices)) if runner == LOCAL else None
            silence_prefect()
            try:
                from flows.command import run_build
            except ValueError as error:
                raise settings_error(masked(str(error))) from error

            gc.enable()
            result = run_build(
                request,
                quiet=quiet,
                plain=as_json,
                run_id=run_id,
                start=Start(began, deadline, prepared, workers),
                server=server,
                warn=print_stderr,
            )
        elif up_to_date(prepared) and prepared.latest is not None:
            from pipeline.build.quarantine import quarantine_report, record_quarantine

            result = unchanged(prepared)
            if record_quarantine(prepared, prepared.latest.run):
                from pipeline.report import write_report

                write_report(prepared.store)
            if result["failed"]:
                result["report"] = quarantine_report(prepared)
        else:
            from pipeline.build.publish import publish_only

            result = publish_only(prepared, run_id)
    result["seconds"] = round(time.monotonic() - start, 3)
    if ci or summary or junit:
        report_build(prepared, result, ci, summary, junit)
    raise typer.Exit(finish(prepared, result, as_json))


def _no_output(text: str) -> None:
    """Print nothing."""
