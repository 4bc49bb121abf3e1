"""Commands that keep a store in order: verify, gc."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.answers import answer, answer_json, command, counted, remark
from flows.cli.options import DEFAULT_OUTPUTS, AsJson, Outputs
from pipeline.catalog import Catalog, forget_library, library_findings, sync_latest
from pipeline.errors import CuesmithError, FormatError, UsageError, VerificationError
from pipeline.store import Finding, Repair, Store, gc, repair, verify


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
            "--repair", help="Move what is wrong to quarantine/, so that the next build makes it anew."
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
    findings = [finding for finding in verify(store) if finding.harmful]
    repairs = repair(store) if mend and findings else []
    findings += _lost_versions(store)
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

        replayed = replay_latest(store, remark)
    different = [line for line in replayed or () if line["result"] == "different"]
    if as_json:
        answer_json(
            {
                "findings": [str(finding) for finding in findings],
                "repairs": [
                    {"finding": str(one.finding), "moved": one.moved, "advice": one.advice} for one in repairs
                ],
                "replayed": replayed,
            }
        )
    else:
        for finding in findings:
            answer(str(finding))
        for one in repairs:
            answer(f"{one.finding.key}: {one.advice}")
        if replayed is not None:
            same = sum(line["result"] == "same" for line in replayed)
            answer(f"{same} of {len(replayed)} takes replayed to the same bytes")
    if problems := _problems(findings, repairs, len(different), mend):
        raise VerificationError(f"{outputs}: {problems}")
    if not as_json:
        answer(
            f"{outputs}: everything named is there and whole"
            if not findings
            else "repaired; now: cuesmith build"
        )


def _problems(findings: list[Finding], repairs: list[Repair], different: int, mended: bool) -> str:
    """What is still wrong after `verify`, with the remedies; empty where nothing is."""
    done = {one.finding for one in repairs if one.done}
    left = sum(finding not in done for finding in findings)
    problems = []
    if left and mended:
        problems.append(
            f"what was found in {counted(left, 'file')} cannot be made anew; restore from a backup"
        )
    elif left:
        problems.append(
            f"something is wrong in {counted(left, 'file')}; "
            "cuesmith verify --repair sets aside what a build can make anew"
        )
    if different:
        takes = "1 take replays" if different == 1 else f"{different} takes replay"
        problems.append(f"{takes} to other bytes; what is stored stays")
    return "; ".join(problems)


def _lost_versions(store: Store) -> list[Finding]:
    try:
        return [
            Finding("missing", key, "it is not in the catalog", (f"channels/{name}.json",))
            for name, key in Catalog(store).lost()
        ]
    except FormatError:
        # `verify` has told of the channel that cannot be read.
        return []


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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be removed.")] = False,
    grace_hours: Annotated[
        float, typer.Option("--grace", min=0.0, help="Keep what is younger, in hours.")
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Remove what nothing names: strays and, if asked, unused takes.

    Strays are what killed builds left; unused are takes and masters that no catalog version names.
    """
    store = _open(outputs)
    keep = (lambda: _named_takes(store)) if unused_takes else None
    done = gc(store, keep, grace=grace_hours * 3600, dry_run=dry_run)
    if as_json:
        answer_json(
            {
                "dry_run": dry_run,
                "objects": list(done.objects),
                "records": list(done.records),
                "temporary": list(done.temporary),
                "freed_bytes": done.freed,
                "kept_objects": done.kept,
            }
        )
        return
    verb = "would free" if dry_run else "freed"
    answer(
        f"{verb} {done.freed / 1e6:.1f} MB: {len(done.objects)} objects, {len(done.records)} records, "
        f"{len(done.temporary)} temporary files; {done.kept} objects stay"
    )


def _named_takes(store: Store) -> set[str]:
    """SHA-256 of the raw takes that any catalog version stands on, or that wait in it."""
    catalog = Catalog(store)
    return {
        sha256
        for number in catalog.numbers()
        for row in catalog.read(number).masters
        for one in (row, row.get("waiting"))
        if one is not None
        for sha256 in one["takes"].values()
    }
