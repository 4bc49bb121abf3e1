"""The command catalog quarantine: list the masters that failed a quality gate."""

from __future__ import annotations

import fnmatch
from typing import Annotated, Any

import typer

from flows.cli.options import DEFAULT_OUTPUTS, AsJson, Outputs
from flows.cli.output import command, print_json, print_stderr, print_stdout
from pipeline.catalog import name_of, read_quarantine
from pipeline.gates import passing_setting
from pipeline.provenance import MASTER_SCHEMA, MasterRow
from pipeline.store import Store


def register(group: typer.Typer) -> None:
    """Add the command to ``group``."""
    group.command("quarantine")(quarantine)


@command
def quarantine(
    asset: Annotated[str | None, typer.Argument(help="An asset id or a glob. Default: all.")] = None,
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """List quarantined masters, the quality gates that they failed, and how to fix them.

    Cuesmith makes and stores a quarantined master, but does not publish it. Listen to it with cuesmith report.
    """
    store = Store.open(outputs)
    listing = read_quarantine(store)
    rows = [
        row
        for row in (listing.masters if listing else ())
        if asset is None or fnmatch.fnmatchcase(row["asset"], asset)
    ]
    records: Any = dict(store.get_records("masters", [row["master"] for row in rows], MASTER_SCHEMA))
    listed = [_entry(row, records.get(row["master"])) for row in rows]
    if as_json:
        print_json({"quarantined": listed})
        return
    for row, entry in zip(rows, listed, strict=True):
        print_stdout(f"{name_of(row):<40} {entry['source']}")
        for failure in entry["failures"]:
            print_stdout(f"  {failure['gate']}: {failure['what']}")
            print_stdout(f"    to publish it anyway: {failure['helps']}")
    if rows:
        print_stderr("or change prompt, seed or candidates, and build again; to listen: cuesmith report")
    else:
        print_stderr("nothing is quarantined")


def _entry(row: MasterRow, record: Any) -> dict[str, Any]:
    failures = record["quality"]["failures"] if record else []
    return {
        "asset": row["asset"],
        "variation": row["variation"],
        "master": row["master"],
        "source": row["source"],
        "reason": row.get("reason", ""),
        "failures": [
            {"gate": one["name"], "what": one["what"], "helps": passing_setting(one["name"], one["measured"])}
            for one in failures
        ],
        "files": row["files"],
    }
