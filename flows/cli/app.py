"""The ``cuesmith`` command, with what all its sub-commands share."""

from __future__ import annotations

import typer

from flows.cli.commands import Commands
from flows.streams import output_fault, steady_streams
from pipeline import __version__

_OUTPUT_LOST = 4

app = typer.Typer(
    name="cuesmith",
    cls=Commands,
    help=(
        "Generate game audio in batches: write a YAML manifest, get a versioned catalog of finished music and "
        "sound effects.\n\nStart with: cuesmith init mygame && cd mygame && cuesmith build"
    ),
    epilog=(
        "Exit codes: 0 done; 1 failed, nothing published; 2 wrong input; 3 published, but some assets "
        "failed; 4 this machine lacks something; 5 verification failed; 130 interrupted."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"cuesmith {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    pass


def main() -> None:
    """Run the console script."""
    steady_streams()
    try:
        app()
    except SystemExit as end:
        if end.code or (fault := output_fault()) is None:
            raise
        typer.echo(
            f"error: cannot write standard output: {fault.strerror}; the command finished, only its output "
            "is lost. Free some disk space, or send the output elsewhere",
            err=True,
        )
        raise SystemExit(_OUTPUT_LOST) from fault
