"""The ``cuesmith`` command: what all its sub-commands share."""

from __future__ import annotations

import io
import sys

import typer

from flows.cli.commands import Commands
from pipeline import __version__

app = typer.Typer(
    name="cuesmith",
    cls=Commands,
    help=(
        "Batch generation of game audio: YAML manifests in, a versioned catalog of finished music and sound "
        "effects out.\n\nStart with: cuesmith init mygame && cd mygame && cuesmith build"
    ),
    epilog=(
        "Exit codes: 0 done; 1 failed, nothing published; 2 the input is wrong; 3 published, but some assets "
        "failed; 4 the machine lacks something; 5 verification failed; 130 interrupted."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"cuesmith {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass


def main() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        # A pipe on Windows or an old terminal does not know every character of a prompt or of a file's name.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    app()
