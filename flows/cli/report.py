"""Commands that show the catalog as a page: report, and review without a sub-command."""

from __future__ import annotations

import webbrowser
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.completion import version_numbers
from flows.cli.options import DEFAULT_OUTPUTS, MANY_NAMES, AsJson, Outputs, VersionNumber
from flows.cli.output import (
    INTERRUPTED,
    command,
    counted,
    print_json,
    print_stderr,
    print_stdout,
    print_warning,
)
from flows.cli.versions import check_versions
from pipeline.catalog import Catalog
from pipeline.errors import MachineError, UsageError
from pipeline.manifest.problems import list_names
from pipeline.store import Store
from pipeline.store.disk import is_read_only

Against = Annotated[
    int | None,
    typer.Option(
        "--against", autocompletion=version_numbers, help="Version to compare with. Default: the one before."
    ),
]


@command
def report_command(
    version: VersionNumber = None,
    against: Against = None,
    self_contained: Annotated[
        Path | None,
        typer.Option("--self-contained", help="Folder for a report with all its sounds, to send to others."),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the report in the browser.")] = False,
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """Write the HTML report: play, compare and review masters.

    The report shows one version on one page and needs no server.
    """
    print_stderr(f"writing the report of {outputs}")
    from pipeline.report import write_report

    store = Store.open(outputs)
    check_versions(Catalog(store), version, against)
    try:
        written = write_report(store, version, against=against, folder=self_contained)
    except MachineError as error:
        if self_contained is not None or not is_read_only(error):
            raise
        raise MachineError(f"{error}; or write the report elsewhere: --self-contained FOLDER") from error
    if as_json:
        print_json(asdict(written) | {"path": str(written.path) if written.path else None})
    else:
        compared = f", compared with version {written.against}" if written.against else ""
        held = f", {written.quarantined} quarantined" if written.quarantined else ""
        print_stdout(
            f"report of version {written.version}: {counted(written.masters, 'master')}{held}{compared}"
        )
        print_stdout(f"open: {written.path or f'{outputs}/{written.key}'}")
    if written.without_pictures:
        count = counted(len(written.without_pictures), "sound")
        names = list_names(written.without_pictures, limit=MANY_NAMES)
        print_warning(
            f"cannot read {count}, so the report has no waveforms for: {names}; run: cuesmith verify"
        )
    if show and written.path is not None:
        webbrowser.open(written.path.resolve().as_uri())


@command
def serve(
    context: typer.Context,
    version: VersionNumber = None,
    against: Against = None,
    port: Annotated[int, typer.Option("--port", help="Port on this machine; 0 picks a free one.")] = 0,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
    outputs: Outputs = DEFAULT_OUTPUTS,
) -> None:
    """Approve, reject, comment on and lock masters, by name.

    Without a command it serves the report on this machine, and you review in the browser. The commands below review
    from the terminal. Cuesmith records every review with name and time.
    """
    if context.invoked_subcommand is not None:
        _refuse_misplaced(context)
        return
    print_stderr(f"writing the report of {outputs} and starting the review server")
    from pipeline.report import write_report
    from pipeline.review.server import ReviewServer

    store = Store.open(outputs)
    check_versions(Catalog(store), version, against)
    written = write_report(store, version, against=against)
    server = ReviewServer(store, port)
    address = f"{server.origin}/{written.key}#token={server.token}"
    print_stdout(f"review version {written.version}: {address}")
    print_stderr("only this machine can open the page, and only this link can save reviews; stop with Ctrl+C")
    if show:
        webbrowser.open(address)
    # uvicorn raises an interrupt again after it has closed the connections.
    try:
        server.run()
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    finally:
        print_stderr(_decided(server.decided))


def _decided(counts: Mapping[str, int]) -> str:
    """How many decisions each person made, and the next command."""
    decided = ", ".join(f"{counted(count, 'decision')} by {by}" for by, count in sorted(counts.items()))
    return f"{decided}. Next: cuesmith build" if decided else "no decisions"


def _refuse_misplaced(context: typer.Context) -> None:
    """Raise `UsageError` for an option before the sub-command: it belongs to the page, and would be lost silently."""
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if source is not None and source.name == "COMMANDLINE":
            name, command_name = max(option.opts, key=len), context.invoked_subcommand
            raise UsageError(
                f"{name} before {command_name} does not apply to it; if {command_name} has {name}, write: "
                f"cuesmith review {command_name} ... {name}"
            )
