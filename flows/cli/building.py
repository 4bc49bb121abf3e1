"""What the build command checks and prints before the work, and what it prints about the result."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from flows.cli.options import MANY_NAMES
from flows.cli.output import counted, duration, print_json, print_stderr, print_stdout, print_warning, warn
from flows.cli.terminal import paint
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
from pipeline.catalog import REMEDIES, lost_marks, missed_in
from pipeline.credentials import DEVELOPMENT
from pipeline.errors import MachineError
from pipeline.export import export_latest
from pipeline.manifest.problems import list_names
from pipeline.plan import Stage

_NOTHING_PUBLISHED = 1
_SOME_FAILED = 3


def prepare(request: BuildRequest, devices: Sequence[str] | None) -> Prepared:
    """Make the plan, print what to know about it, and check that this machine can build it."""
    prepared = prepare_build(request)
    warn(prepared.warnings)
    for newer in prepared.plan.newer_models:
        print_stderr(str(newer))
    if prepared.plan.stale and request.runner == LOCAL:
        require(prepared, devices)
    return prepared


def planned(prepared: Prepared) -> str:
    """The actions of the plan, counted."""
    actions = prepared.plan.totals()["actions"]
    return ", ".join(f"{count} {action}" for action, count in actions.items() if count)


@contextmanager
def locked(prepared: Prepared, request: BuildRequest, run_id: str, wait: bool) -> Iterator[Prepared]:
    """Hold the lock of the project if there is work to do, and yield the plan, a new one if it is outdated by then."""
    if up_to_date(prepared):
        yield prepared
        return
    with build_lock(prepared.store, prepared.project.name, run_id, wait=wait, notify=print_stderr):
        yield prepare_build(request) if is_outdated(prepared) else prepared


def unchanged(prepared: Prepared) -> dict[str, Any]:
    """Bring ``library/latest`` up to date; return the object of ``build --json`` for a build that makes nothing."""
    library = export_latest(prepared.catalog)
    return unchanged_result(prepared) | {"library": library.to_json() if library else None}


def silence_prefect() -> None:
    """Let the progress replace Prefect's log lines and its notice about usage data; send no such data.

    Prefect reads these settings when it is imported.
    """
    os.environ.setdefault("DO_NOT_TRACK", "1")
    for name in ("LEVEL", "INTERNAL_LEVEL", "HANDLERS_CONSOLE_LEVEL"):
        os.environ.setdefault(f"PREFECT_LOGGING_{name}", "CRITICAL")


def settings_error(problem: str) -> MachineError:
    """An error for what Prefect says about its settings."""
    what = ": ".join(line.strip() for line in problem.splitlines()[:3])
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


def finish(prepared: Prepared, result: dict[str, Any], as_json: bool) -> int:
    """Print the result, and return the exit code of the build: 0 if everything was made."""
    if as_json:
        print_json(result)
    else:
        _print_result(result, prepared)
    if not (result["failed"] or result["left"]):
        return 0
    return _SOME_FAILED if result["version"] else _NOTHING_PUBLISHED


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
    fallen_short = result["off_target"] or result["watermark_lost"]
    version = prepared.catalog.latest() if fallen_short else None
    rows = version.masters if version else ()
    if result["off_target"]:
        missed = counted(result["off_target"], "master")
        print_stderr(f"{missed} missed the loudness target: cuesmith catalog show --state off-target")
        for deviation, count in sorted(missed_in(rows).items()):
            print_stderr(f"  {count} because of the {deviation}: {REMEDIES[deviation]}")
    for line in lost_marks(rows):
        print_stderr(f"{line} (cuesmith catalog show --state watermark-lost)")
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
