"""The command catalog diff: compare two versions."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from flows.cli.options import DEFAULT_OUTPUTS, AsJson, Outputs
from flows.cli.output import command, counted, print_json, print_stderr, print_stdout
from pipeline.catalog import Catalog, Reviews, rejected_before
from pipeline.catalog import diff as diff_of
from pipeline.store import Store


def register(group: typer.Typer) -> None:
    """Add the command to ``group``."""
    group.command("diff")(diff)


@command
def diff(
    before: Annotated[int, typer.Argument(help="Number of the old version.", metavar="A")],
    after: Annotated[int, typer.Argument(help="Number of the new version.", metavar="B")],
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """Show what changed from version A to version B, and why: recipes, mastering, labels, measurements."""
    catalog = Catalog(Store.open(outputs))
    old, new = catalog.read(before), catalog.read(after)
    changes = diff_of(catalog.store, old, new, rejected_before(new, Reviews(catalog.store).events()))
    counts = Counter(change.kind for change in changes)
    totals = {kind: counts[kind] for kind in ("added", "removed", "changed")}
    if counts["missing"]:
        totals["missing"] = counts["missing"]
    if as_json:
        print_json(
            {
                "before": before,
                "after": after,
                "totals": {**totals, "audible": sum(change.audible for change in changes)},
                "changes": [change.to_json() for change in changes],
            }
        )
        return
    for change in changes:
        print_stdout(str(change))
    summary = ", ".join(f"{count} {kind}" for kind, count in totals.items())
    print_stderr(
        f"version {before} ({counted(len(old.masters), 'master')}) to {after} ({len(new.masters)}): {summary}"
    )
