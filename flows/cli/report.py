"""Commands that show the catalog as a page: report, and review without a further word."""

from __future__ import annotations

import webbrowser
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import DEFAULT_OUTPUTS, AsJson, Outputs
from flows.cli.output import command, counted, print_json, print_stderr, print_stdout
from pipeline.errors import UsageError
from pipeline.manifest.faults import list_names
from pipeline.store import Store

_MANY_NAMES = 8

Number = Annotated[int | None, typer.Option("--version", help="Catalog version. Default: the latest.")]
Against = Annotated[
    int | None, typer.Option("--against", help="Version to compare with. Default: the one before.")
]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("report")(report)


def register_review(group: typer.Typer) -> None:
    """Have the group of review commands serve the page when it is called without any of them."""
    group.callback(invoke_without_command=True)(serve)


@command
def report(
    version: Number = None,
    against: Against = None,
    self_contained: Annotated[
        Path | None,
        typer.Option("--self-contained", help="Write it to this folder, with all sounds, to send away."),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """Write the page on which to hear, compare and decide.

    It is one page of one version, and works from disk.
    """
    from pipeline.report import write_report

    written = write_report(Store.open(outputs), version, against=against, folder=self_contained)
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
        names = list_names(written.without_pictures, limit=_MANY_NAMES)
        print_stderr(
            f"warning: {count} cannot be read, so the page lacks pictures of: {names}; run: cuesmith verify"
        )
    if show and written.path is not None:
        webbrowser.open(written.path.resolve().as_uri())


@command
def serve(
    context: typer.Context,
    version: Number = None,
    against: Against = None,
    port: Annotated[int, typer.Option("--port", help="Port on this machine; 0 takes a free one.")] = 0,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
    outputs: Outputs = DEFAULT_OUTPUTS,
) -> None:
    """Approve, reject, comment on and lock masters, by name.

    Alone, it serves the report on this machine, as a page to decide on; the commands below decide from here.
    Decisions are kept with name and time.
    """
    if context.invoked_subcommand is not None:
        _refuse_misplaced(context)
        return
    from pipeline.report import write_report
    from pipeline.review.server import ReviewServer

    store = Store.open(outputs)
    written = write_report(store, version, against=against)
    server = ReviewServer(store, port)
    address = f"{server.origin}/{written.key}#token={server.token}"
    print_stdout(f"review version {written.version}: {address}")
    print_stderr("only this machine can reach it, and only this link can write; stop with Ctrl+C")
    if show:
        webbrowser.open(address)
    server.run()


def _refuse_misplaced(context: typer.Context) -> None:
    """An option before the word of a command is the page's own, and would be lost without a word."""
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if source is not None and source.name == "COMMANDLINE":
            name, word = max(option.opts, key=len), context.invoked_subcommand
            raise UsageError(
                f"{name} before {word} is not for it; if it knows {name}, write: cuesmith review {word} ... {name}"
            )
