"""Commands that keep a store in order: verify, gc."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.options import DEFAULT_OUTPUTS, AsJson, Outputs
from flows.cli.output import command, counted, print_json, print_stderr, print_stdout
from pipeline.catalog import (
    Catalog,
    approved_objects,
    check_store,
    folders_of,
    forget_files,
    forget_library,
    library_findings,
    retirable,
    sync_latest,
)
from pipeline.errors import CuesmithError, UsageError, VerificationError
from pipeline.store import Finding, Repair, Store, gc


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("verify")(verify_command)
    app.command("gc")(gc_command)


@command
def verify_command(
    outputs: Outputs = DEFAULT_OUTPUTS,
    mend: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Put back what has a copy; move the rest of what is wrong to quarantine/, so that the next build "
            "makes it again.",
        ),
    ] = False,
    replay: Annotated[
        bool,
        typer.Option("--replay", help="Generate the latest version's takes again and compare their bytes."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Hash everything again; name torn, changed and missing files."""
    store = _open(outputs)
    findings = [finding for finding in check_store(store) if finding.harmful]
    repairs: list[Repair] = []
    if mend and findings:
        from pipeline.catalog.repair import repair_store

        repairs = repair_store(store)
    library = _library_findings(store)
    findings += library
    if repairs:
        forget_library(store)
        repairs += [Repair(finding, (), "build again to restore it") for finding in library]
    elif mend and library:
        repairs = _restore_library(store, library)
    replayed = None
    if replay:
        from flows.replay import replay_latest

        replayed = replay_latest(store, print_stderr)
    different = [line for line in replayed or () if line["result"] == "different"]
    if as_json:
        print_json(
            {
                "findings": [str(finding) for finding in findings],
                "repairs": [
                    {"finding": str(one.finding), "moved": one.moved, "advice": one.advice, "done": one.done}
                    for one in repairs
                ],
                "replayed": replayed,
            }
        )
    else:
        for finding in findings:
            print_stdout(str(finding))
        for one in repairs:
            print_stdout(f"{one.finding.key}: {one.advice}")
        if replayed is not None:
            same = sum(line["result"] == "same" for line in replayed)
            print_stdout(f"{same} of {len(replayed)} takes replayed to the same bytes")
    left = [one.finding for one in repairs if not one.done] if mend else findings
    if problems := _problems(left, len(different), mend):
        raise VerificationError(f"{outputs}: {problems}")
    if not as_json:
        print_stdout(
            f"{outputs}: everything named is there and whole"
            if not findings
            else "repaired; now: cuesmith build"
        )


def _problems(left: list[Finding], different: int, repaired: bool) -> str:
    """What is still wrong after `verify`, with the remedies; empty where nothing is."""
    problems = []
    if left and repaired:
        problems.append(
            f"{counted(len(left), 'problem')} could not be repaired; the lines above say what to do"
        )
    elif left:
        problems.append(
            f"something is wrong in {counted(len(left), 'file')}; put right what can be: cuesmith verify --repair"
        )
    if different:
        takes = "1 take replays" if different == 1 else f"{different} takes replay"
        problems.append(f"{takes} to other bytes; what is stored stays")
    return "; ".join(problems)


def _library_findings(store: Store) -> list[Finding]:
    try:
        return library_findings(Catalog(store))
    except (CuesmithError, OSError):
        # `verify` reports the version or the channel that cannot be read.
        return []


def _restore_library(store: Store, findings: list[Finding]) -> list[Repair]:
    """Put the published files back; whoever made the others keeps them."""
    forget_library(store)
    done = sync_latest(Catalog(store))
    moved = done.set_aside if done else {}
    return [
        Repair(
            finding,
            tuple((finding.key, moved[path]) for path in moved if finding.key == f"library/latest/{path}"),
            "restored",
        )
        for finding in findings
    ]


def _open(outputs: str) -> Store:
    """The store at ``outputs``; `UsageError` where nothing of a store is, so that a slip of the pen is not "whole"."""
    store = Store.open(outputs)
    if not store.backend.names() & {"catalog", "runs", "store"}:
        raise UsageError(
            f"there is no store in {outputs}; give the --outputs of a build, or make one: cuesmith build"
        )
    return store


@command
def gc_command(
    outputs: Outputs = DEFAULT_OUTPUTS,
    unused_takes: Annotated[
        bool,
        typer.Option("--unused-takes", help="Also takes and masters that no catalog version names."),
    ] = False,
    newest: Annotated[
        int | None,
        typer.Option(
            "--keep",
            min=1,
            metavar="N",
            help="Also old versions: all but the newest N and those that a channel needs.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be removed.")] = False,
    grace_hours: Annotated[
        float, typer.Option("--grace", min=0.0, help="Keep what is younger, in hours.")
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Remove strays and, if asked, unused takes and old versions.

    Strays are what killed builds left; unused are takes and masters that no catalog version names and nobody approved.
    """
    store = _open(outputs)
    catalog = Catalog(store)
    for number in catalog.numbers():
        # An edited version may no longer name what the published one does.
        catalog.read(number)

    def old() -> list[int]:
        return retirable(catalog, newest) if newest is not None else []

    def retire() -> list[str]:
        numbers = old()
        if numbers and not dry_run:
            forget_files(catalog, numbers)
        return [folder for number in numbers for folder in folders_of(number)]

    done = gc(
        store,
        (lambda: _needed_objects(catalog, old())) if unused_takes else None,
        grace=grace_hours * 3600,
        dry_run=dry_run,
        retire=retire,
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
        f"{len(done.temporary)} temporary files; {done.kept} objects stay"
    )


def _needed_objects(catalog: Catalog, old: list[int]) -> set[str]:
    """SHA-256 of the takes that any version but the ``old`` stands on or keeps waiting, and of approved masters."""
    takes = {
        sha256
        for number in catalog.numbers()
        if number not in old
        for row in catalog.read(number).masters
        for one in (row, row.get("waiting"))
        if one is not None
        for sha256 in one["takes"].values()
    }
    return takes | approved_objects(catalog)
