"""Commands for authors of manifests: init, validate, schema, plan."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.files import write_file
from flows.cli.options import (
    DEFAULT_OUTPUTS,
    MANY_NAMES,
    AsJson,
    Ci,
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
    one_line,
    print_json,
    print_stderr,
    print_stdout,
    print_table,
    print_warning,
    problems_json,
    warn,
)
from flows.cli.terminal import Column, paint
from pipeline.build.devices import devices_for, mastering_devices
from pipeline.build.plan_rows import PlannedRow, RowAction, grouped, licenses_of, planned_rows, totals_of
from pipeline.build.prepare import BuildRequest, Prepared, prepare, removal_problem, unchanged_result
from pipeline.build.readiness import unmet_requirements
from pipeline.errors import UsageError
from pipeline.export import changed_files
from pipeline.generators import engine_keys, find_engine
from pipeline.manifest.problems import list_names
from pipeline.plan import BuildEstimate, check_profiles, estimate, recorded_speeds
from pipeline.provenance import master_name

_STALE = 1
_PLAN_COLUMNS = (Column(10), Column(40, gap=1), Column(gap=1))
_MANY_ROWS = 40
"""A plan with more lines than this is grouped."""


@command
def init_command(
    folder: Annotated[Path, typer.Argument(help="The folder of the project.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Create a small project that you can build right away.

    Writes a manifest, its schema for the editor, and a .gitignore. The project takes the name of the folder.
    """
    from pipeline.manifest.starter import starter_files

    if folder.is_file():
        raise UsageError(f"{folder} is a file; choose an empty folder: cuesmith init mygame")
    files = starter_files(folder.resolve().name, engine_keys)
    present = [name for name in files if os.path.lexists(folder / name)]
    if present:
        raise UsageError(
            f"{folder / present[0]} already exists; choose an empty folder: cuesmith init mygame"
        )
    written = []
    for name, text in files.items():
        path = folder / name
        write_file(path, text.encode(), "folder")
        written.append(path.as_posix())
    if as_json:
        print_json({"written": written})
        return
    for name in written:
        print_stdout(f"wrote {one_line(name)}")
    shown = f'"{folder}"' if " " in str(folder) else folder
    step = "" if folder == Path() else f"cd {shown} && "
    print_stdout(f"Next: {step}cuesmith build")


@command
def validate_command(
    manifest: Manifest = None, profile: Profile = None, ci: Ci = False, as_json: AsJson = False
) -> None:
    """Check a manifest; show every error with its line and a fix.

    Checks the manifest without a profile and with each of its profiles, or only with the given one.
    """
    path = find_manifest(manifest)
    projects = check_profiles(path, profile)
    assets = {project.profile or "default": len(project.assets) for project in projects}
    warnings = list(dict.fromkeys(warning for project in projects for warning in project.warnings))
    if ci:
        from flows.cli.ci import annotate_problems

        annotate_problems(warnings, "warning")
    if as_json:
        result = {"valid": True, "manifest": str(path), "assets": assets}
        print_json(result | ({"warnings": problems_json(warnings)} if warnings else {}))
    else:
        warn(warnings)
        print_stdout(
            f"{path}: {counted(assets[profile or 'default'], 'asset')}, no problems (profiles: {', '.join(assets)})"
        )


@command
def schema_command(
    write: Annotated[
        Path | None, typer.Option("--write", help="Write the schema to this file instead of printing it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the JSON Schema of manifests, for completion in an editor."""
    from pipeline.manifest.schema import json_schema_text

    text = json_schema_text(engine_keys)
    if write is None:
        typer.echo(text, nl=False)
        return
    write_file(write, text.encode(), "folder")
    if as_json:
        print_json({"written": [str(write)]})
    else:
        print_stdout(f"wrote {one_line(write)}")


@command
@gc_disabled()
def plan_command(
    manifest: Manifest = None,
    outputs: Outputs = DEFAULT_OUTPUTS,
    profile: Profile = None,
    only: Only = None,
    check_only: Annotated[
        bool,
        typer.Option(
            "--check",
            help="For CI: exit with 1 if a build would make or publish anything, or if a sound is missing.",
        ),
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also list what is up to date.")] = False,
    full: Annotated[bool, typer.Option("--full", help="List every variation, even in a long plan.")] = False,
    refresh_models: RefreshModels = False,
    ci: Ci = False,
    summary: Summary = None,
    as_json: AsJson = False,
) -> None:
    """Show what a build would do, and why.

    Lists every variation that would change, with all reasons; a long plan is grouped by folder and reasons. Estimates
    the time to generate on this machine's devices, from earlier builds or by calculation. Needs no GPU, no model
    weights and no network.
    """
    path = find_manifest(manifest)
    prepared = prepare(BuildRequest(path, outputs, profile, tuple(only or ()), refresh_models=refresh_models))
    build_estimate = estimate(
        prepared.plan,
        lambda name: devices_for(find_engine(name), None),
        mastering_devices(None),
        recorded_speeds(prepared.store),
    )
    rows = planned_rows(prepared)
    totals = totals_of(prepared, rows)
    leaving = [row.name for row in rows if row.action is RowAction.REMOVE]
    refused = removal_problem(prepared, prepared.latest)
    missing = unchanged_result(prepared)["failed"]
    library = changed_files(prepared.store)
    licenses = licenses_of(prepared)
    unmet = unmet_requirements(prepared)
    result = {
        "assets": [row.to_json() for row in rows],
        "totals": totals,
        "leaving": leaving,
        "missing": missing,
        "removals": refused,
        "library": library,
        "estimate": build_estimate.to_json(),
    }
    if ci or summary:
        from flows.cli.ci import report_plan

        report_plan(prepared, rows, result, ci, summary)
    if as_json:
        optional = {
            "renamed": dict(prepared.renamed),
            "lacks": unmet,
            "licenses": licenses,
            "warnings": problems_json(prepared.warnings),
            "newer_models": [asdict(newer) for newer in prepared.plan.newer_models],
        }
        print_json(result | {key: value for key, value in optional.items() if value})
    else:
        warn(prepared.warnings)
        shown = [row for row in rows if everything or row.action is not RowAction.REUSE]
        _print_rows(shown, full=full or everything)
        renamed = [(paint("rename"), new, f"was {old}") for old, new in prepared.renamed.items()]
        print_table(renamed, _PLAN_COLUMNS)
        _print_totals(totals)
        for newer in prepared.plan.newer_models:
            print_stderr(str(newer))
        _print_new_name(prepared)
        _print_missing(missing)
        _print_leaving(leaving)
        if refused:
            print_stderr(f"the build will stop: {refused}")
        _print_library(library)
        _print_licenses(licenses)
        _print_estimate(build_estimate)
        for problem in unmet:
            print_warning(f"this machine cannot run the build yet: {problem}")
    if check_only and (prepared.publishes or missing or library):
        raise typer.Exit(_STALE)


def _print_rows(rows: Sequence[PlannedRow], *, full: bool) -> None:
    is_grouped = not full and len(rows) > _MANY_ROWS
    lines = grouped(rows) if is_grouped else rows
    print_table([(paint(line.action), line.name, ", ".join(line.reasons)) for line in lines], _PLAN_COLUMNS)
    if is_grouped:
        print_stderr("grouped by folder and reasons; for one line per variation: cuesmith plan --full")


def _print_totals(totals: Mapping[str, Any]) -> None:
    counts = ", ".join(f"{count} {action}" for action, count in totals["actions"].items() if count)
    print_stderr(
        f"{counted(totals['variations'], 'variation')} of {counted(totals['assets'], 'asset')}: {counts or 'nothing'}"
    )
    for line in totals["generate"]:
        print_stderr(
            f"  {line['engine']} {line['model']}: {counted(line['takes'], 'take')}, "
            f"{line['audio_seconds']:.1f} s of audio"
        )


def _print_new_name(prepared: Prepared) -> None:
    if prepared.latest is not None and prepared.latest.project != prepared.project.name:
        print_stderr(f"project changed: {prepared.latest.project} -> {prepared.project.name}")


def _print_missing(quarantined: list[dict[str, Any]]) -> None:
    if quarantined:
        names = [f"{master_name(row['asset'], row['variation'])} ({row['reason']})" for row in quarantined]
        print_stderr(f"not published, failed a quality gate: {list_names(names, limit=MANY_NAMES)}")
        print_stderr("to see how to fix them: cuesmith catalog quarantine")


def _print_leaving(leaving: list[str]) -> None:
    if leaving:
        print_stderr(
            f"no longer in the manifest, to be removed from the next version: {list_names(leaving, limit=MANY_NAMES)}"
        )


def _print_library(faults: list[str]) -> None:
    if faults:
        names = list_names(faults, limit=MANY_NAMES)
        print_stderr(f"{names}; cuesmith build restores its own files and keeps other files")


def _print_licenses(licenses: list[dict[str, Any]]) -> None:
    for row in licenses:
        if row["refused"]:
            print_stderr(f"the release gate will refuse {row['model']}: {row['refused']}")
        for duty in row["duties"]:
            print_stderr(f"the license of {row['model']} asks you to {duty}")


def _print_estimate(build_estimate: BuildEstimate) -> None:
    if not build_estimate.seconds:
        return
    print_stderr(
        f"the build will take about {duration(build_estimate.seconds)}: "
        f"generating {duration(build_estimate.generate_seconds)}, "
        f"mastering {duration(build_estimate.master_seconds)}, "
        f"Prefect, publishing and report {duration(build_estimate.overhead_seconds)}"
    )
    for model in build_estimate.models:
        devices = [
            f"{device} x {count}" if count > 1 else device for device, count in Counter(model.devices).items()
        ]
        print_stderr(
            f"  {model.engine} {model.model}: {duration(model.device_seconds)} of {', '.join(devices)}, "
            f"from {model.basis}"
        )
