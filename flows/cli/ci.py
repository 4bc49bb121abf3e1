"""What ``--ci`` adds to validate, plan and build: annotations, summaries and a JUnit report."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.cli.files import write_errors, write_file
from flows.cli.options import JUNIT_FILE
from flows.cli.output import print_stderr
from pipeline.build.ci import (
    COMMENT_CHARACTERS,
    STEP_SUMMARY,
    Annotation,
    Case,
    Level,
    build_summary,
    github_commands,
    junit_xml,
    plan_summary,
    repository_path,
    shortened,
    write_step_summary,
)
from pipeline.build.plan_rows import PlannedRow, RowAction, changed_rows, grouped
from pipeline.build.prepare import Prepared
from pipeline.errors import CuesmithError, ManifestError, Problem
from pipeline.manifest import beside
from pipeline.plan import Action
from pipeline.provenance import master_name, name_of, place_of

UNCHANGED = (RowAction.REUSE, RowAction.LOCKED)


def annotate_problems(problems: Iterable[Problem], level: Level) -> None:
    """Show problems of a manifest on its lines, if this runs in GitHub Actions."""
    _annotate(
        Annotation(
            level,
            problem.where or "manifest",
            f"{problem.what}; {problem.remedy}",
            repository_path(Path(problem.file)),
            problem.line,
        )
        for problem in problems
    )


def annotate_error(error: CuesmithError) -> None:
    """Show what ended a command, if this runs in GitHub Actions: each problem of a manifest on its line."""
    if isinstance(error, ManifestError):
        annotate_problems(error.problems, "error")
    else:
        _annotate([Annotation("error", "cuesmith", str(error))])


def check_report_files(ci: bool, summary: Path | None, junit: Path | None) -> None:
    """Raise `MachineError` if `report_build` could not write one of its files: known before the build, not after it."""
    for path in filter(None, (summary, _junit_file(ci, junit))):
        with write_errors(path, "file"):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            with tempfile.TemporaryFile(dir=path.parent):
                pass
    _summarise_step([], ci)


def report_plan(
    prepared: Prepared, rows: Sequence[PlannedRow], result: Mapping[str, Any], ci: bool, file: Path | None
) -> None:
    """Write the summary of a plan; with ``ci`` also annotations of its warnings."""
    changed = grouped([row for row in rows if row.action not in UNCHANGED])
    groups = [(group.action, group.name, ", ".join(group.reasons)) for group in changed]
    _summarise(plan_summary(prepared.project.name, result, groups), ci, file)
    if ci:
        annotate_problems(prepared.warnings, "warning")


def report_build(
    prepared: Prepared, result: Mapping[str, Any], ci: bool, summary: Path | None, junit: Path | None
) -> None:
    """Write the summary and the JUnit report of a build; with ``ci`` also annotations of what failed."""
    changes = changed_rows(prepared, result)
    _summarise(build_summary(prepared.project.name, result, changes), ci, summary)
    if file := _junit_file(ci, junit):
        facts = {"catalog version": result["version"], "run": result["run"]}
        properties = {name: str(value) for name, value in facts.items() if value is not None}
        xml = junit_xml(prepared.project.name, _cases(prepared, result), result["seconds"], properties)
        write_file(file, xml, "file")
    if ci:
        annotate_problems(prepared.warnings, "warning")
        places = _places(prepared)
        _annotate(
            Annotation(
                "error",
                f"{name_of(one)} ({one['stage']})",
                one["reason"],
                *places[one["asset"]],
            )
            for one in result["failed"]
        )


def _cases(prepared: Prepared, result: Mapping[str, Any]) -> list[Case]:
    failed = {place_of(one): one for one in result["failed"]}
    left = set(map(place_of, result["left"]))
    places = _places(prepared)
    cases = []
    for place, (_, variation) in prepared.plan.by_place().items():
        asset, fault = place[0], failed.get(place)
        name = master_name(*place).rpartition("/")[2]
        if fault is not None:
            file, line = places[asset]
            cases.append(Case(asset, name, (fault["stage"], f"{fault['reason']}\n{file}:{line}")))
        elif place in left:
            cases.append(Case(asset, name, skipped="left for the next build, because the time was up"))
        elif variation.action is Action.LOCKED:
            cases.append(Case(asset, name, skipped=", ".join(map(str, variation.reasons)) or "locked"))
        else:
            cases.append(Case(asset, name))
    return cases


def _places(prepared: Prepared) -> dict[str, tuple[str, int]]:
    """By asset id, the file in which it is written, as `repository_path` names it, and the line."""
    manifest = prepared.project.file
    return {
        asset.id: (repository_path(Path(beside(manifest, asset.source.file))), asset.source.line)
        for asset in prepared.project.assets
    }


def _annotate(annotations: Iterable[Annotation]) -> None:
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in github_commands(annotations):
            print_stderr(line)


def _summarise(lines: Sequence[str], ci: bool, file: Path | None) -> None:
    _summarise_step(lines, ci)
    if file is not None:
        write_file(file, shortened(lines, COMMENT_CHARACTERS).encode(), "file")


def _summarise_step(lines: Sequence[str], ci: bool) -> None:
    if ci and (path := os.environ.get(STEP_SUMMARY)):
        with write_errors(Path(path), f"file in {STEP_SUMMARY}"):
            write_step_summary(Path(path), lines)


def _junit_file(ci: bool, junit: Path | None) -> Path | None:
    return junit or (JUNIT_FILE if ci else None)
