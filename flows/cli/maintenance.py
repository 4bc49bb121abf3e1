"""Commands that check and clean a store: verify, gc."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from flows.cli.options import DEFAULT_OUTPUTS, AsJson, Outputs
from flows.cli.output import command, counted, print_error, print_json, print_stderr, print_stdout
from pipeline.catalog import (
    Catalog,
    approved_objects,
    check_store,
    copies_of,
    forget_recorded_files,
    prunable_versions,
    version_folders,
)
from pipeline.catalog.rows import with_waiting_rows
from pipeline.errors import CuesmithError, UsageError, VerificationError
from pipeline.export import export_findings, export_latest, forget_export
from pipeline.store import Finding, Repair, Store, gc


@command
def verify_command(
    outputs: Outputs = DEFAULT_OUTPUTS,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Restore files that have a copy; move the other bad files to quarantine/, so that the next build "
            "makes them again.",
        ),
    ] = False,
    replay: Annotated[
        bool,
        typer.Option("--replay", help="Generate the latest version's takes again and compare their bytes."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check all hashes; list damaged, changed and missing files."""
    store = _open(outputs)
    findings = [finding for finding in check_store(store) if finding.harmful]
    repairs: list[Repair] = []
    if repair and findings:
        from pipeline.catalog.repair import repair_store

        repairs = repair_store(store)
    library = _library_findings(store)
    findings += library
    if repairs:
        forget_export(store)
        repairs += [Repair(finding, (), "build again to restore it") for finding in library]
    elif repair and library:
        repairs = _restore_library(store, library)
    replayed = None
    if replay:
        from pipeline.build.replay import replay_latest

        replayed = replay_latest(store, print_stderr)
    different = [line for line in replayed or () if line["result"] == "different"]
    if as_json:
        print_json(
            {
                "findings": [str(finding) for finding in findings],
                "repairs": [
                    {"finding": str(fix.finding), "moved": fix.moved, "advice": fix.advice, "done": fix.done}
                    for fix in repairs
                ],
                "replayed": replayed,
            }
        )
    else:
        for finding in findings:
            print_stdout(str(finding))
        for fix in repairs:
            print_stdout(f"{fix.finding.key}: {fix.advice}")
        if replayed is not None:
            same = sum(line["result"] == "same" for line in replayed)
            print_stdout(f"{same} of {len(replayed)} takes replayed to the same bytes")
    left = [fix.finding for fix in repairs if not fix.done] if repair else findings
    if problems := _problems(left, len(different), repair):
        print_error(f"{outputs}: {problems}")
        raise typer.Exit(VerificationError.exit_code)
    if not as_json:
        print_stdout(
            f"{outputs}: all files are present and intact"
            if not findings
            else "repaired; now run: cuesmith build"
        )


def _problems(left: list[Finding], different: int, repaired: bool) -> str:
    """Describe what is still wrong after `verify`, with the fixes; empty if all is well."""
    problems = []
    if left and repaired:
        problems.append(f"could not repair {counted(len(left), 'problem')}; the lines above say what to do")
    elif left:
        problems.append(
            f"found problems in {counted(len(left), 'file')}; to repair them: cuesmith verify --repair"
        )
    if different:
        takes = "1 take gives" if different == 1 else f"{different} takes give"
        problems.append(f"{takes} different bytes on replay; the stored takes are unchanged")
    return "; ".join(problems)


def _library_findings(store: Store) -> list[Finding]:
    try:
        return export_findings(store)
    except (CuesmithError, OSError):
        # `verify` reports the version or the channel that cannot be read.
        return []


def _restore_library(store: Store, findings: list[Finding]) -> list[Repair]:
    """Restore the published files; move files that Cuesmith did not publish aside."""
    exported = export_latest(Catalog(store), recheck=True)
    moved = exported.moved_aside if exported else {}
    return [
        Repair(
            finding,
            tuple((finding.key, moved[path]) for path in moved if finding.key == f"library/latest/{path}"),
            "restored",
        )
        for finding in findings
    ]


def _open(outputs: str) -> Store:
    """Open the store at ``outputs``. Raises `UsageError` if there is none: a mistyped path must not pass as intact."""
    store = Store.open(outputs)
    if not store.backend.names() & {"catalog", "runs", "store"}:
        raise UsageError(
            f"no store in {outputs}; give the --outputs of a build, or create one: cuesmith build"
        )
    return store


@command
def gc_command(
    outputs: Outputs = DEFAULT_OUTPUTS,
    unused_takes: Annotated[
        bool,
        typer.Option("--unused-takes", help="Also remove takes and masters that no catalog version uses."),
    ] = False,
    newest: Annotated[
        int | None,
        typer.Option(
            "--keep",
            min=1,
            metavar="N",
            help="Also remove old versions: all but the newest N and those that a channel needs.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be removed; remove nothing.")
    ] = False,
    grace_hours: Annotated[
        float, typer.Option("--grace", min=0.0, help="Keep files younger than this, in hours.")
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Remove leftover files and, on request, takes and old versions.

    Leftover files come from killed builds. Unused takes and masters are those that no catalog version uses and nobody
    approved.
    """
    if math.isnan(grace_hours):
        raise UsageError("--grace nan is not a time; give hours, such as 1")
    store = _open(outputs)
    catalog = Catalog(store)
    for number in catalog.numbers():
        # Checks that nobody edited a version: an edited one may name fewer files than the published one.
        catalog.read(number)

    def old() -> list[int]:
        return prunable_versions(catalog, newest) if newest is not None else []

    def retire() -> list[str]:
        numbers = old()
        if numbers and not dry_run:
            forget_recorded_files(catalog, numbers)
        return [folder for number in numbers for folder in version_folders(number)]

    done = gc(
        store,
        (lambda: _needed_objects(catalog, old())) if unused_takes else None,
        grace=grace_hours * 3600,
        dry_run=dry_run,
        retire=retire,
        copies=lambda: copies_of(catalog, old()),
    )
    versions = sorted({int(key.split("/")[1]) for key in done.retired})
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "versions": versions,
                "objects": list(done.objects),
                "records": list(done.records),
                "temporary": list(done.temporary),
                "freed_bytes": done.freed,
                "kept_objects": done.kept,
            }
        )
        return
    verb = "would free" if dry_run else "freed"
    if versions:
        listed = ", ".join(map(str, versions))
        print_stdout(
            f"{'would remove' if dry_run else 'removed'} {counted(len(versions), 'version')}: {listed}"
        )
    print_stdout(
        f"{verb} {done.freed / 1e6:.1f} MB: {len(done.objects)} objects, {len(done.records)} records, "
        f"{len(done.temporary)} temporary files; kept {done.kept} objects"
    )


def _needed_objects(catalog: Catalog, old: list[int]) -> set[str]:
    """Return the SHA-256 of approved masters, and of takes that versions other than ``old`` use or keep waiting."""
    takes = {
        sha256
        for number in catalog.numbers()
        if number not in old
        for row in with_waiting_rows(catalog.read(number).masters)
        for sha256 in row["takes"].values()
    }
    return takes | approved_objects(catalog)
