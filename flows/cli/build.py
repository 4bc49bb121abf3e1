"""The build command."""

from __future__ import annotations

import contextlib
import gc
import os
import time
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from flows.cli.options import (
    DEFAULT_OUTPUTS,
    MANY_NAMES,
    AsJson,
    Ci,
    Junit,
    Manifest,
    Only,
    Outputs,
    Profile,
    RefreshModels,
    Summary,
    find_manifest,
)
from flows.cli.output import (
    command,
    counted,
    duration,
    gc_disabled,
    print_json,
    print_stderr,
    print_stdout,
    print_warning,
    warn,
)
from flows.cli.terminal import paint
from flows.stages import heading
from pipeline.build.devices import parse_devices
from pipeline.build.journal import new_run_id
from pipeline.build.lock import build_lock
from pipeline.build.plan_rows import left_names
from pipeline.build.prepare import (
    LOCAL,
    BuildRequest,
    Prepared,
    is_outdated,
    prepare_build,
    unchanged_result,
    up_to_date,
)
from pipeline.build.readiness import require
from pipeline.catalog import REMEDIES, missed_in
from pipeline.credentials import DEVELOPMENT
from pipeline.errors import MachineError
from pipeline.export import LIBRARY, export_latest
from pipeline.manifest.problems import list_names
from pipeline.plan import Stage

_NOTHING_PUBLISHED = 1
_SOME_FAILED = 3


@command
@gc_disabled()
def build_command(
    manifest: Manifest = None,
    outputs: Outputs = DEFAULT_OUTPUTS,
    profile: Profile = None,
    only: Only = None,
    devices: Annotated[
        str,
        typer.Option(
            "--devices",
            "-d",
            help="Devices of the workers: auto, cpu, cpu:4 (four workers), cuda:0,cuda:1 or mps.",
        ),
    ] = "auto",
    runner: Annotated[
        str, typer.Option("--runner", help="Where the workers run: local, or ray for a Ray cluster.")
    ] = LOCAL,
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
    request = BuildRequest(
        find_manifest(manifest),
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
    chosen_devices = parse_devices(devices)
    start = time.monotonic()
    announce = _no_output if quiet else print_stderr
    announce(f"{heading('Plan')}: {request.manifest}")
    if ci or summary or junit:
        from flows.cli.ci import check_report_files, report_build

        check_report_files(ci, summary, junit)
    prepared = _prepare(request, chosen_devices)
    with contextlib.ExitStack() as stack:
        run_id = new_run_id()
        if not up_to_date(prepared):
            stack.enter_context(
                build_lock(prepared.store, prepared.project.name, run_id, wait=wait, notify=print_stderr)
            )
            if is_outdated(prepared):
                prepared = prepare_build(request)
        if prepared.plan.stale:
            from flows.private_server import early_api
            from pipeline.build.start import Start, warm_workers

            announce(f"  {_planned(prepared)}; starting Prefect and workers")
            began = time.monotonic()
            server = stack.enter_context(early_api())
            workers = stack.enter_context(warm_workers(prepared, chosen_devices)) if runner == LOCAL else None
            _silence_prefect()
            try:
                from flows.command import run_build
            except ValueError as error:
                raise _settings_error(error) from error

            gc.enable()
            result = run_build(
                request,
                quiet=quiet,
                plain=as_json,
                run_id=run_id,
                start=Start(began, _deadline(start, max_minutes), prepared, workers),
                server=server,
                warn=print_stderr,
            )
        elif up_to_date(prepared) and prepared.latest is not None:
            from pipeline.build.quarantine import quarantine_report, record_quarantine

            library = export_latest(prepared.catalog, LIBRARY)
            result = unchanged_result(prepared) | {"library": library.to_json() if library else None}
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
    if as_json:
        print_json(result)
    else:
        _print_result(result, prepared)
    raise typer.Exit(_exit_code(result))


def _prepare(request: BuildRequest, devices: Sequence[str] | None) -> Prepared:
    """Make the plan, print what to know about it, and check that this machine can build it."""
    prepared = prepare_build(request)
    warn(prepared.warnings)
    for newer in prepared.plan.newer_models:
        print_stderr(str(newer))
    if prepared.plan.stale and request.runner == LOCAL:
        require(prepared, devices)
    return prepared


def _planned(prepared: Prepared) -> str:
    actions = prepared.plan.totals()["actions"]
    return ", ".join(f"{count} {action}" for action, count in actions.items() if count)


def _deadline(start: float, max_minutes: float | None) -> float | None:
    return None if max_minutes is None else start + 60 * max_minutes


def _exit_code(result: dict[str, Any]) -> int:
    if not (result["failed"] or result["left"]):
        return 0
    return _SOME_FAILED if result["version"] else _NOTHING_PUBLISHED


def _no_output(text: str) -> None:
    """Print nothing."""


def _silence_prefect() -> None:
    """Let the progress replace Prefect's log lines and its notice about usage data; send no such data.

    Prefect reads these settings when it is imported.
    """
    os.environ.setdefault("DO_NOT_TRACK", "1")
    for name in ("LEVEL", "INTERNAL_LEVEL", "HANDLERS_CONSOLE_LEVEL"):
        os.environ.setdefault(f"PREFECT_LOGGING_{name}", "CRITICAL")


def _settings_error(error: ValueError) -> MachineError:
    what = ": ".join(line.strip() for line in str(error).splitlines()[:3])
    return MachineError(
        f"Prefect does not accept its settings: {what}; fix the PREFECT_ variables of your environment or "
        "Prefect's profiles.toml, by default in .prefect in your home folder"
    )


def _print_credentials(prepared: Prepared) -> None:
    if set(prepared.policies.values()) <= {"none"}:
        return
    version = prepared.catalog.latest()
    rows = version.masters if version else ()
    credentials = [row["credentials"] for row in rows if "credentials" in row]
    counts = Counter(item["signed_by"] for item in credentials)
    unsigned = counts.pop(None, 0)
    for signer, count in sorted(counts.items(), key=str):
        name = (
            "a development certificate (not for release)"
            if signer == DEVELOPMENT
            else f"certificate {signer}"
        )
        print_stderr(f"Content Credentials: {count} masters are signed with {name}")
    if unsigned:
        reason = next(item["reason"] for item in credentials if item["signed_by"] is None)
        print_stderr(f"Content Credentials: {unsigned} masters are NOT signed: {reason}")


def _print_result(result: dict[str, Any], prepared: Prepared) -> None:
    work = f"{counted(result['generated'], 'take')} generated, {result['mastered']} mastered, {result['reused']} reused"
    for failure in result["failed"]:
        print_stderr(
            f"{paint('failed')}: {failure['asset']} variation {failure['variation']} ({failure['stage']}): "
            f"{failure['reason']}"
        )
    if result["left"]:
        names = list_names(left_names(result), limit=MANY_NAMES)
        print_stderr(
            f"the time was up: {counted(len(result['left']), 'master')} left for the next build ({names}); to make "
            "them now, run the same command again"
        )
    if result["version"] is None:
        print_stderr(f"nothing published: {work}")
        _print_report(result, prepared)
        return
    state = paint("published", "added") if result["published"] else "unchanged"
    print_stdout(f"catalog version {result['version']} {state}: {work} in {result['seconds']:.1f} s")
    spent = result["generate"]
    if result["generated"]:
        print_stderr(
            f"the estimate was {duration(result['estimated_seconds'])}, of which generating "
            f"{duration(spent['estimated_seconds'])} ({spent['basis']}); generating took {duration(spent['seconds'])}"
        )
        for use in spent["devices"]:
            print_stderr(f"  {_use_in_words(use)}")
    _print_credentials(prepared)
    if result["published"] and result["removed"]:
        names = list_names(result["removed"], limit=MANY_NAMES)
        print_stderr(f"no longer in the manifest, removed from version {result['version']}: {names}")
    if result["off_target"]:
        missed = counted(result["off_target"], "master")
        print_stderr(f"{missed} missed the loudness target: cuesmith catalog show --state off-target")
        version = prepared.catalog.latest()
        for deviation, count in sorted(missed_in(version.masters if version else ()).items()):
            print_stderr(f"  {count} because of the {deviation}: {REMEDIES[deviation]}")
    if result["waiting"]:
        print_stderr(f"{result['waiting']} new takes wait for review: cuesmith catalog show --state waiting")
    _print_library(result["library"])
    library = prepared.store.backend.local_path("library/latest")
    if library is not None:
        print_stdout(f"listen: {library}")
    _print_report(result, prepared)


def _use_in_words(use: dict[str, Any]) -> str:
    busy = (
        f"{use['slot_use']:.0%} of {use['slots']} slots in use"
        if use["slots"] > 1
        else f"{use['slot_use']:.0%} busy"
    )
    return (
        f"{use['device']}: {counted(use['takes'], 'take')}, {busy}, idle for {duration(use['idle_seconds'])}"
    )


def _print_library(library: dict[str, Any] | None) -> None:
    if not library:
        return
    if library["restored"]:
        names = list_names(library["restored"], limit=MANY_NAMES)
        print_stderr(f"restored in library/latest (deleted or replaced before): {names}")
    for path, key in library["set_aside"].items():
        print_stderr(f"library/latest/{path} is not from Cuesmith; moved to {key}")


def _print_report(result: dict[str, Any], prepared: Prepared) -> None:
    quarantined = sum(item["stage"] == Stage.QUALITY for item in result["failed"])
    if result["report"]:
        print_stdout(f"review: {prepared.store.backend.local_path(result['report']) or result['report']}")
        if quarantined:
            print_stderr(
                f"quarantined: {quarantined}; open the report and filter by quarantined, or run: "
                "cuesmith catalog quarantine"
            )
    elif result["published"]:
        print_warning(
            f"no report; for the reason see runs/{result['run']}/journal.jsonl, then try: cuesmith report"
        )
