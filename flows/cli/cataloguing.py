"""Commands that read the catalog: versions, show."""

from __future__ import annotations

import fnmatch
from typing import Annotated, Any

import typer

from flows.cli.answers import answer, answer_json, command, remark
from flows.cli.options import DEFAULT_OUTPUTS, AsJson, Outputs
from pipeline.catalog import Catalog, Version
from pipeline.errors import UsageError
from pipeline.provenance import MASTER_SCHEMA, MasterRow
from pipeline.store import Store

group = typer.Typer(help="Read the catalog: versions, masters, where each came from.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(group, name="catalog")


@group.command("versions")
@command
def versions(outputs: Outputs = DEFAULT_OUTPUTS, as_json: AsJson = False) -> None:
    """List every version with its date, run and number of masters."""
    catalog = Catalog(Store.open(outputs))
    latest = catalog.channel("latest")
    listed = []
    for number in catalog.numbers():
        version = catalog.read(number)
        listed.append(
            {
                "version": number,
                "created": version.created,
                "project": version.project,
                "profile": version.manifest["profile"],
                "masters": len(version.masters),
                "run": version.run,
                "latest": latest is not None and latest["version"] == number,
            }
        )
    if as_json:
        answer_json({"versions": listed})
        return
    for line in listed:
        mark = "  <- latest" if line["latest"] else ""
        answer(f"{line['version']:>6}  {line['created']}  {line['masters']:>6} masters  {line['run']}{mark}")
    if not listed:
        remark(f"no versions in {outputs}; make the first one: cuesmith build")


@group.command("show")
@command
def show(
    asset: Annotated[str | None, typer.Argument(help="An asset id or a glob; default: all.")] = None,
    variation: Annotated[int | None, typer.Option("--variation", help="Only this variation.")] = None,
    version: Annotated[int | None, typer.Option("--version", help="Default: the latest.")] = None,
    provenance: Annotated[bool, typer.Option("--provenance", help="Everything that is recorded.")] = False,
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """Show a version's masters; with --provenance all that is known of where each came from."""
    catalog = Catalog(Store.open(outputs))
    shown = _version(catalog, version, outputs)
    rows = [row for row in shown.masters if _matches(row, asset, variation)]
    if not rows:
        raise UsageError(
            f"version {shown.number} has no master that matches {asset!r}; `cuesmith catalog show` lists all"
        )
    if as_json or provenance:
        masters: list[Any] = [_provenance(catalog, row) for row in rows] if provenance else rows
        answer_json({"version": shown.number, "masters": masters})
        return
    for row in rows:
        answer(_line(row))
    remark(f"version {shown.number}: {len(rows)} masters")


def _version(catalog: Catalog, number: int | None, outputs: str) -> Version:
    if number is not None:
        return catalog.read(number)
    latest = catalog.latest()
    if latest is None:
        raise UsageError(f"there is no catalog in {outputs}; make one: cuesmith build")
    return latest


def _matches(row: MasterRow, asset: str | None, variation: int | None) -> bool:
    return (asset is None or fnmatch.fnmatchcase(row["asset"], asset)) and variation in (
        None,
        row["variation"],
    )


def _provenance(catalog: Catalog, row: MasterRow) -> dict[str, Any]:
    record = catalog.store.get_record("masters", row["master"], MASTER_SCHEMA)
    return {"row": row, "provenance": record}


def _line(row: MasterRow) -> str:
    loudness = "-" if row["loudness_lufs"] is None else f"{row['loudness_lufs']:.1f} LUFS"
    marks = [mark for mark, on in (("placeholder", row["placeholder"]), ("loop", row["loop"])) if on]
    if not row["commercial"]:
        marks.append("non-commercial")
    if row["status"] != "current":
        marks.append(f"{row['status']}: {row.get('reason', '')}")
    name = f"{row['asset']}_{row['variation']:02d}"
    return f"{name:<40} {row['seconds']:>7.2f} s {loudness:>11}  {row['model']}  {' '.join(marks)}".rstrip()
