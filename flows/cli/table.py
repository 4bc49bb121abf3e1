"""The command catalog table: export a version as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.cli.options import DEFAULT_OUTPUTS, AsJson, Outputs, version_or_latest
from flows.cli.output import command, print_json, print_stderr
from pipeline.catalog import Catalog
from pipeline.errors import MachineError, UsageError
from pipeline.store import Store
from pipeline.store.disk import write_over


def register(group: typer.Typer) -> None:
    """Add the command to ``group``."""
    group.command("table")(table)


@command
def table(
    version: Annotated[int | None, typer.Option("--version", help="Default: the latest.")] = None,
    format_: Annotated[
        Literal["csv", "parquet", "json"],
        typer.Option("--format", help="csv, parquet (needs --output) or json."),
    ] = "csv",
    output: Annotated[
        Path | None, typer.Option("--output", help="Write to this file instead of standard output.")
    ] = None,
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """Print a version as a table, one row per master, for spreadsheets, pandas and DuckDB."""
    if format_ == "parquet" and output is None:
        raise UsageError("parquet is binary; write it to a file: --output catalog.parquet")
    if as_json and output is None:
        format_ = "json"
    catalog = Catalog(Store.open(outputs))
    shown = version_or_latest(catalog, version, outputs)
    catalog.check_rows(shown)
    from pipeline.catalog.tables import FORMATS, TABLE_SCHEMA, frame

    data = FORMATS[format_](frame(shown))
    if output is None:
        typer.echo(data.decode(), nl=False)
        return
    try:
        write_over(output, data)
    except OSError as error:
        raise MachineError(f"cannot write {output}: {error.strerror}; choose another --output") from error
    if as_json:
        facts = {"version": shown.number, "schema": TABLE_SCHEMA, "rows": len(shown.masters)}
        print_json({"written": [str(output)], **facts})
    else:
        print_stderr(f"version {shown.number}: {len(shown.masters)} rows in {output}")
