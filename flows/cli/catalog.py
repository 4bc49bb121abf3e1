"""The catalog commands: versions, show and history; registers the others."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

import typer

from flows.cli import compare, manifest_text, promote, quarantined, table
from flows.cli.options import DEFAULT_OUTPUTS, AsJson, Outputs, version_or_latest
from flows.cli.output import command, counted, print_json, print_stderr, print_stdout
from pipeline.catalog import (
    LATEST,
    STATES,
    Catalog,
    Filter,
    Reviews,
    ReviewState,
    name_of,
    states_of,
    with_deviations,
)
from pipeline.catalog import history as history_of
from pipeline.catalog.catalog import UNREADABLE
from pipeline.errors import UsageError
from pipeline.provenance import MASTER_SCHEMA, MasterRecord, MasterRow
from pipeline.store import Store

group = typer.Typer(help="Read the catalog: versions, masters, where each came from.", no_args_is_help=True)
compare.register(group)
table.register(group)
quarantined.register(group)
manifest_text.register(group)
promote.register_in_catalog(group)


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(group, name="catalog")


@group.command("versions")
@command
def versions(outputs: Outputs = DEFAULT_OUTPUTS, as_json: AsJson = False) -> None:
    """List every version with its date, run and number of masters."""
    catalog = Catalog(Store.open(outputs))
    channels = list(catalog.channels.readable())
    listed, broken = [], []
    for number in catalog.numbers():
        try:
            version = catalog.read(number)
        except UNREADABLE as error:
            broken.append({"version": number, "why": str(error)})
            continue
        listed.append(
            {
                "version": number,
                "created": version.created,
                "project": version.project,
                "profile": version.manifest["profile"],
                "masters": len(version.masters),
                "missing": len(version.missing),
                "run": version.run,
                "latest": any(one["name"] == LATEST and one["version"] == number for one in channels),
                "channels": [one["name"] for one in channels if one["version"] == number],
            }
        )
    if as_json:
        print_json({"versions": listed, "broken": broken})
        return
    for line in listed:
        mark = f"  {line['missing']} missing" if line["missing"] else ""
        mark += f"  <- {', '.join(line['channels'])}" if line["channels"] else ""
        print_stdout(
            f"{line['version']:>6}  {line['created']}  {line['masters']:>6} masters  {line['run']}{mark}"
        )
    for one in broken:
        print_stderr(f"{one['version']:>6}  cannot be read: {one['why']}")
    _print_damaged_channels(catalog)
    if not listed and not broken:
        print_stderr(f"no versions in {outputs}; create the first one: cuesmith build")


def _print_damaged_channels(catalog: Catalog) -> None:
    there = {channel["name"] for channel in catalog.channels.readable()}
    for name in catalog.channels.names():
        if name not in there:
            print_stderr(f"cannot read channel {name}; to repair it: cuesmith verify --repair")


@group.command("show")
@command
def show(
    asset: Annotated[str | None, typer.Argument(help="An asset id or a glob. Default: all.")] = None,
    variation: Annotated[int | None, typer.Option("--variation", help="Only this variation.")] = None,
    version: Annotated[int | None, typer.Option("--version", help="Default: the latest.")] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", help="Only masters with this tag. Repeatable.")
    ] = None,
    kind: Annotated[
        Literal["music", "sfx"] | None, typer.Option("--kind", help="Only music or only sound effects.")
    ] = None,
    state: Annotated[
        list[str] | None, typer.Option("--state", help=f"{', '.join(STATES)}. Repeatable.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="Only this model (glob) or engine.")] = None,
    provenance: Annotated[
        bool, typer.Option("--provenance", help="Show everything that is recorded.")
    ] = False,
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """Show the masters of a version; with --provenance, the full origin of each.

    Options combine: --kind sfx --state unreviewed shows the sound effects that nobody has reviewed.
    """
    catalog = Catalog(Store.open(outputs))
    shown = version_or_latest(catalog, version, outputs)
    reviews = Reviews(catalog.store).state()
    chosen = Filter(asset, variation, tuple(tag or ()), kind, tuple(state or ()), model)
    rows = chosen.select(with_deviations(catalog.store, shown.masters), reviews)
    missing = chosen.select_missing(shown.missing)
    if not rows and not missing and asset is not None and chosen == Filter(asset, variation):
        what = repr(asset) if variation is None else f"{asset!r} variation {variation}"
        raise UsageError(
            f"version {shown.number} has no master that matches {what}; to list all: cuesmith catalog show"
        )
    if as_json or provenance:
        masters: list[Any] = (
            [_provenance(catalog, row) for row in rows] if provenance else _with_states(rows, reviews)
        )
        gaps = {"missing": missing} if missing else {}
        print_json({"version": shown.number, "masters": masters} | gaps)
        return
    for row in rows:
        print_stdout(_line(row, reviews))
    for gap in missing:
        print_stdout(f"{name_of(gap):<40} {gap['code']}: {gap['reason']}")
    gaps_text = f", {len(missing)} missing" if missing else ""
    print_stderr(f"version {shown.number}: {counted(len(rows), 'master')}{gaps_text}")


@group.command("history")
@command
def history(
    asset: Annotated[str, typer.Argument(help="An asset id or a glob.")],
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """Show the history of an asset: every version that changed it and why, and every review."""
    catalog = Catalog(Store.open(outputs))
    events = Reviews(catalog.store).events()
    steps = history_of(catalog, asset, events)
    places = {(step.change.asset, step.change.variation) for step in steps}
    reviews = [event for event in events if (event.asset, event.variation) in places]
    if not steps:
        raise UsageError(
            f"no version has an asset that matches {asset!r}; to list the latest: cuesmith catalog show"
        )
    if as_json:
        print_json(
            {"history": [step.to_json() for step in steps], "reviews": [asdict(one) for one in reviews]}
        )
        return
    lines = [
        (datetime.fromisoformat(step.created), step.created, f"version {step.version:<5} {step.change}")
        for step in steps
    ]
    lines += [(event.moment, event.at, f"{event.action:<13} {event}") for event in reviews]
    for _, at, line in sorted(lines, key=lambda item: item[0]):
        print_stdout(f"{at}  {line}")


def _with_states(rows: list[MasterRow], reviews: ReviewState) -> list[dict[str, Any]]:
    return [{**row, "states": sorted(states_of(row, reviews))} for row in rows]


def _provenance(catalog: Catalog, row: MasterRow) -> dict[str, Any]:
    record = catalog.store.get_record("masters", row["master"], MASTER_SCHEMA, MasterRecord)
    return {"row": row, "provenance": record}


def _line(row: MasterRow, reviews: ReviewState) -> str:
    loudness = "-" if row["loudness_lufs"] is None else f"{row['loudness_lufs']:.1f} LUFS"
    marks: list[str] = sorted(states_of(row, reviews) - {"current", "unreviewed"})
    if row["loop"]:
        marks.append("loop")
    if "reason" in row:
        marks.append(f"({row['reason']})")
    return f"{name_of(row):<40} {row['seconds']:>7.2f} s {loudness:>11}  {row['model']}  {' '.join(marks)}".rstrip()
