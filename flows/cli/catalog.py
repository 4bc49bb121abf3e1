"""The catalog commands: versions, show, history, diff, table, licenses, quarantine, manifest."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from flows.cli import promote
from flows.cli.completion import version_numbers
from flows.cli.files import write_errors, write_file
from flows.cli.options import (
    DEFAULT_OUTPUTS,
    AsJson,
    Asset,
    AssetFilter,
    Outputs,
    VariationFilter,
    VersionNumber,
    choices,
)
from flows.cli.output import (
    Group,
    counted,
    one_line,
    print_json,
    print_stderr,
    print_stdout,
    print_table,
    shown_time,
)
from flows.cli.terminal import Column, is_terminal, paint
from flows.cli.versions import existing_version, open_catalog, open_version
from pipeline.catalog import (
    LATEST,
    REMEDIES,
    STATES,
    Catalog,
    Change,
    Filter,
    Reviews,
    ReviewState,
    asset_history,
    is_off_target,
    lost_marks,
    missed_in,
    named,
    quarantined_masters,
    reviews_before,
    states_of,
)
from pipeline.catalog import diff as diff_of
from pipeline.catalog.catalog import UNREADABLE
from pipeline.catalog.version import read_texts
from pipeline.errors import UsageError
from pipeline.gates import passing_setting
from pipeline.manifest.spec import ManifestText
from pipeline.provenance import MASTER_SCHEMA, MasterRow, failures_of, master_name, master_record, name_of
from pipeline.provenance.clock import utc
from pipeline.release import licenses as version_licenses
from pipeline.store import Store

_VERSION_COLUMNS = (Column(6, right=True), Column(), Column(14, right=True), Column(), Column())
_MASTER_COLUMNS = (
    Column(40),
    Column(9, right=True, gap=1),
    Column(11, right=True, gap=1),
    Column(),
    Column(),
)
group = Group(help="Read the catalog: versions, masters, where each came from.", no_args_is_help=True)


@group.command("versions")
def versions(outputs: Outputs = DEFAULT_OUTPUTS, as_json: AsJson = False) -> None:
    """List every version with its date, run and number of masters."""
    catalog = open_catalog(outputs)
    channels = list(catalog.channels.readable())
    listed, broken = [], []
    for number in catalog.numbers():
        try:
            version = catalog.read(number)
        except UNREADABLE as error:
            broken.append({"version": number, "why": str(error)})
            continue
        names = [channel["name"] for channel in channels if channel["version"] == number]
        listed.append(
            {
                "version": number,
                "created": version.created,
                "project": version.project,
                "profile": version.manifest["profile"],
                "masters": len(version.masters),
                "missing": len(version.missing),
                "run": version.run,
                "latest": LATEST in names,
                "channels": names,
            }
        )
    if as_json:
        print_json({"versions": listed, "broken": broken})
        return
    print_table([_version_row(line) for line in listed], _VERSION_COLUMNS)
    for fault in broken:
        print_stderr(f"{fault['version']:>6}  cannot be read: {fault['why']}")
    readable = {channel["name"] for channel in channels}
    for name in catalog.channels.names():
        if name not in readable:
            print_stderr(f"cannot read channel {name}; to repair it: cuesmith verify --repair")
    if not listed and not broken:
        print_stderr(f"no versions in {outputs}; create the first one: cuesmith build")


def _version_row(line: dict[str, Any]) -> tuple[str, ...]:
    marks = [
        f"{line['missing']} missing" if line["missing"] else "",
        f"<- {', '.join(line['channels'])}" if line["channels"] else "",
    ]
    return (
        str(line["version"]),
        shown_time(line["created"]),
        f"{line['masters']} masters",
        line["run"],
        "  ".join(filter(None, marks)),
    )


@group.command("show")
def show(
    asset: AssetFilter = None,
    variation: VariationFilter = None,
    version: VersionNumber = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", help="Only masters with this tag. Repeatable.")
    ] = None,
    kind: Annotated[
        Literal["music", "sfx"] | None, typer.Option("--kind", help="Only music or only sound effects.")
    ] = None,
    state: Annotated[list[str] | None, choices("--state", STATES, "Only masters in this state")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Only this model (glob) or engine.")] = None,
    provenance: Annotated[
        bool, typer.Option("--provenance", help="Show everything that is recorded.")
    ] = False,
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """Show the masters of a version.

    With --provenance, show the full origin of each. Options combine: --kind sfx --state unreviewed shows the sound
    effects that nobody has reviewed.
    """
    catalog, shown = open_version(outputs, version)
    reviews = Reviews(catalog.store).state()
    chosen = Filter(asset, variation, tuple(tag or ()), kind, tuple(state or ()), model)
    rows = chosen.select(shown.masters, reviews)
    missing = chosen.select_missing(shown.missing)
    if not rows and not missing and asset is not None and chosen == Filter(asset, variation):
        raise UsageError(
            f"version {shown.number} has no master that matches {_selection(asset, variation)}; "
            "to list all: cuesmith catalog show"
        )
    if provenance and not as_json:
        for row in rows:
            print_stdout("\n".join(_page(name_of(row), _provenance(catalog, row))))
        print_stderr(f"version {shown.number}: {counted(len(rows), 'master')}; as JSON: --json")
        return
    if as_json:
        masters: list[Any] = [
            _provenance(catalog, row) if provenance else {**row, "states": sorted(states_of(row, reviews))}
            for row in rows
        ]
        gaps = {"missing": missing} if missing else {}
        print_json({"version": shown.number, "masters": masters} | gaps)
        return
    print_table([_master_row(row, reviews) for row in rows], _MASTER_COLUMNS)
    print_table(
        [(name_of(gap), f"{paint(gap['code'])}: {gap['reason']}") for gap in missing],
        (Column(40), Column(gap=1)),
    )
    gaps_text = f", {len(missing)} missing" if missing else ""
    print_stderr(f"version {shown.number}: {counted(len(rows), 'master')}{gaps_text}")
    _print_missed(rows)


def _selection(asset: str, variation: int | None) -> str:
    return repr(asset) if variation is None else f"{asset!r} variation {variation}"


def _provenance(catalog: Catalog, row: MasterRow) -> dict[str, Any]:
    return {"row": row, "provenance": master_record(catalog.store, row["master"])}


def _print_missed(rows: list[MasterRow]) -> None:
    """Say how many of ``rows`` missed their loudness target or lost their watermark, and what helps."""
    for deviation, count in sorted(missed_in(rows).items()):
        print_stderr(f"{counted(count, 'master')} missed the loudness target: {REMEDIES[deviation]}")
    for line in lost_marks(rows):
        print_stderr(line)


def _page(title: str, value: dict[str, Any]) -> list[str]:
    """A JSON object as an indented page: one line for each value, empty values left out."""
    lines = [title]
    for key, inner in value.items():
        name = f"  {key.replace('_', ' ')}"
        if isinstance(inner, dict) and inner:
            lines += [f"  {line}" if number else f"{name}" for number, line in enumerate(_page(key, inner))]
        elif isinstance(inner, list) and any(isinstance(item, dict) for item in inner):
            lines.append(name)
            for number, item in enumerate(inner, 1):
                lines += [f"  {line}" if at else f"    {number}" for at, line in enumerate(_page("", item))]
        elif inner not in (None, "", [], {}):
            shown = ", ".join(map(str, inner)) if isinstance(inner, list) else str(inner)
            lines.append(f"{name}: {one_line(shown)}")
    return lines


@group.command("history")
def history(
    asset: Asset,
    variation: VariationFilter = None,
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """Show every change and every review of an asset, and why.

    The list is in order of time and names the version of each change.
    """
    catalog = open_catalog(outputs)
    events = Reviews(catalog.store).events()
    steps = asset_history(catalog, asset, variation)
    places = {(step.change.asset, step.change.variation) for step in steps}
    reviews = [event for event in events if (event.asset, event.variation) in places]
    if not steps:
        raise UsageError(
            f"no version has a master that matches {_selection(asset, variation)}; "
            "to list the latest: cuesmith catalog show"
        )
    if as_json:
        print_json(
            {"history": [step.to_json() for step in steps], "reviews": [asdict(review) for review in reviews]}
        )
        return
    lines = [(step.created, f"version {step.version}", _change_text(step.change)) for step in steps]
    lines += [(event.at, paint(event.action), str(event)) for event in reviews]
    lines.sort(key=lambda line: utc(line[0]))
    print_table(
        [(shown_time(at), what, text) for at, what, text in lines], (Column(), Column(13), Column(gap=1))
    )


def _change_text(change: Change) -> str:
    if not is_terminal(sys.stdout):
        return str(change)
    return f"{paint(change.kind)} {master_name(*change.place)}  {'; '.join(change.words)}".rstrip()


def _master_row(row: MasterRow, reviews: ReviewState) -> tuple[str, ...]:
    loudness = "-" if row["loudness_lufs"] is None else f"{row['loudness_lufs']:.1f} LUFS"
    marks = [paint(state) for state in sorted(states_of(row, reviews) - {"current", "unreviewed"})]
    if row["loop"]:
        marks.append("loop")
    if is_off_target(row):
        marks.append(f"({row['deviation']})")
    if "watermark_lost" in row:
        marks.append(f"(in {', '.join(row['watermark_lost'])})")
    if "reason" in row:
        marks.append(f"({row['reason']})")
    return name_of(row), f"{row['seconds']:.2f} s", loudness, row["model"], " ".join(marks)


@group.command("diff")
def diff(
    before: Annotated[
        int, typer.Argument(autocompletion=version_numbers, help="Number of the old version.", metavar="A")
    ],
    after: Annotated[
        int, typer.Argument(autocompletion=version_numbers, help="Number of the new version.", metavar="B")
    ],
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """Show what changed from version A to version B, and why.

    Compares recipes, mastering, labels and measurements.
    """
    catalog = open_catalog(outputs)
    old, new = existing_version(catalog, before), existing_version(catalog, after)
    changes = diff_of(catalog.store, old, new, reviews_before(new, Reviews(catalog.store).events()))
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
    rows = [(paint(change.kind), master_name(*change.place), "; ".join(change.words)) for change in changes]
    print_table(rows, (Column(8), Column(40, gap=1), Column(gap=1)))
    summary = ", ".join(f"{count} {kind}" for kind, count in totals.items())
    print_stderr(
        f"version {before} ({counted(len(old.masters), 'master')}) to {after} ({len(new.masters)}): {summary}"
    )


@group.command("table")
def table(
    version: VersionNumber = None,
    format_: Annotated[
        Literal["csv", "parquet", "json"],
        typer.Option("--format", help="The format of the table: csv, parquet (needs --output) or json."),
    ] = "csv",
    output: Annotated[
        Path | None, typer.Option("--output", help="Write to this file instead of standard output.")
    ] = None,
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """Print a version as a table, one row per master.

    Spreadsheets, pandas and DuckDB read it.
    """
    if format_ == "parquet" and output is None:
        raise UsageError("parquet is binary; write it to a file: --output catalog.parquet")
    if as_json and output is None:
        format_ = "json"
    _, shown = open_version(outputs, version)
    from pipeline.catalog.tables import FORMATS, TABLE_SCHEMA, frame

    data = FORMATS[format_](frame(shown))
    if output is None:
        typer.echo(data.decode(), nl=False)
        return
    write_file(output, data, "--output")
    if as_json:
        facts = {"version": shown.number, "schema": TABLE_SCHEMA, "rows": len(shown.masters)}
        print_json({"written": [str(output)], **facts})
    else:
        print_stderr(f"version {shown.number}: {len(shown.masters)} rows in {output}")


@group.command("licenses")
def licenses(
    version: VersionNumber = None, outputs: Outputs = DEFAULT_OUTPUTS, as_json: AsJson = False
) -> None:
    """List the licenses of the models that made a version, and what each asks for.

    Shows the texts for the game's credits, and what the release gate says under the license that the manifest
    declares.
    """
    catalog, shown = open_version(outputs, version)
    found = version_licenses(catalog.store, shown)
    rows = [{**license.to_json(shown.license), "masters": count} for license, count in found.items()]
    if as_json:
        declared = shown.license.to_json() if shown.license else None
        print_json({"version": shown.number, "declared": declared, "licenses": rows})
        return
    for row in rows:
        terms = row["terms"] or {}
        source = f"  ({terms['source']}, read {terms['read']})" if terms else ""
        print_stdout(f"{row['model']}  {row['license']}  {counted(row['masters'], 'master')}{source}")
        print_stdout(f"  release: {'refused: ' + row['refused'] if row['refused'] else 'allowed'}")
        for duty in row["duties"]:
            print_stdout(f"  {duty}")


@group.command("quarantine")
def quarantine(
    asset: AssetFilter = None,
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """List quarantined masters, and how to fix each.

    A quarantined master failed a quality gate. Cuesmith stores it, but does not publish it. Listen to it
    with cuesmith report.
    """
    store = Store.open(outputs)
    masters = quarantined_masters(store)
    rows = named(masters, asset)
    records: Any = dict(store.get_records("masters", [row["master"] for row in rows], MASTER_SCHEMA))
    settings = {
        asset_id: passing_setting(
            failures_of(records[row["master"]] for row in of_asset if row["master"] in records)
        )
        for asset_id, of_asset in groupby(rows, key=itemgetter("asset"))
    }
    listed = [_entry(row, records.get(row["master"]), settings[row["asset"]]) for row in rows]
    if as_json:
        print_json({"quarantined": listed})
        return
    for row, entry in zip(rows, listed, strict=True):
        print_table([(paint(name_of(row), "quarantined"), entry["source"])], (Column(40), Column(gap=1)))
        for failure in entry["failures"]:
            print_stdout(f"  {failure['gate']}: {failure['what']}")
        print_stdout(f"    to publish this asset anyway: {settings[row['asset']]}")
    if rows:
        print_stderr("or change prompt, seed or candidates, and build again; to listen: cuesmith report")
    elif masters:
        print_stderr(
            f"nothing that matches {asset!r} is quarantined; to list all: cuesmith catalog quarantine"
        )
    else:
        print_stderr("nothing is quarantined")


def _entry(row: MasterRow, record: Any, setting: str) -> dict[str, Any]:
    failures = record["quality"]["failures"] if record else []
    return {
        "asset": row["asset"],
        "variation": row["variation"],
        "master": row["master"],
        "source": row["source"],
        "reason": row.get("reason", ""),
        "failures": [
            {
                "gate": failure["name"],
                "what": failure["what"],
                "helps": setting,
            }
            for failure in failures
        ],
        "files": row["files"],
    }


@group.command("manifest")
def manifest(
    version: VersionNumber = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", help="Write the files to this folder instead of printing them."),
    ] = None,
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """Print the manifest that a version was built from.

    Prints the files that it includes too, and checks all of them against the hash that the version records.
    """
    catalog, shown = open_version(outputs, version)
    texts = read_texts(catalog.store, shown)
    if output is not None:
        for text in texts:
            _write(output, text)
    if as_json:
        files = [{"name": text.name, "text": text.data.decode("utf-8", "backslashreplace")} for text in texts]
        profile = shown.manifest["profile"]
        print_json({"version": shown.number, "profile": profile, "files": files})
    elif output is not None:
        for text in texts:
            print_stdout(f"wrote {(output / text.name).as_posix()}")
    else:
        for text in texts:
            if len(texts) > 1:
                print_stdout(f"# {text.name}")
            typer.echo(text.data.decode("utf-8", "backslashreplace"), nl=False)
    print_stderr(f"version {shown.number}, profile {shown.manifest['profile'] or 'none'}")


def _write(folder: Path, text: ManifestText) -> None:
    """Write a file inside ``folder``; never replace an existing file."""
    path = folder / text.name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"the manifest file {text.name!r} is outside {folder}; use --json to read it")
    with write_errors(path, "--output"):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(text.data)
        except FileExistsError:
            raise UsageError(f"{path} already exists; choose an empty folder: --output FOLDER") from None


group.command("channels")(promote.channels)
group.command("rollback")(promote.rollback)
