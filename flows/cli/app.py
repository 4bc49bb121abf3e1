"""The ``cuesmith`` command, and all its commands by name: the module of each, and its line in ``cuesmith --help``.

Imports only the command that runs, so that `plan` does not wait for the imports of other commands. A module has a Typer
``group``, or a function ``<name>_command`` for each of its commands. A test checks that each line is the first line of
the command's docstring.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup, TyperOption
from typer.main import get_command

from flows.cli.examples import examples_text
from flows.cli.terminal import width_of
from flows.streams import output_fault, steady_streams
from pipeline import __version__

COMMANDS = {
    "init": ("planning", "Create a small project that you can build right away."),
    "validate": ("planning", "Check a manifest; show every error with its line and a fix."),
    "schema": ("planning", "Print the JSON Schema of manifests, for completion in an editor."),
    "plan": ("planning", "Show what a build would do, and why."),
    "build": ("build", "Make what is missing or changed and publish a new version."),
    "audition": ("audition", "Make one asset with several engines and models, to choose by ear."),
    "catalog": ("catalog", "Read the catalog: versions, masters, where each came from."),
    "report": ("report", "Write the HTML report: play, compare and review masters."),
    "review": ("review", "Approve, reject, comment on and lock masters, by name."),
    "promote": ("promote", "Point a channel to a version if the release gate passes."),
    "export": ("export", "Write a version's sounds into a game project, ready to import."),
    "disclose": ("disclose", "Write documents about a version's AI content: shop, law, credits."),
    "measure": ("measure", "Measure sound files: loudness, true peak, sample peak, silence."),
    "credentials": ("credentials", "Read and check the Content Credentials (C2PA) of sound files."),
    "models": ("models", "List, fetch and verify the models of an engine."),
    "verify": ("maintenance", "Check all hashes; list damaged, changed and missing files."),
    "gc": ("maintenance", "Remove leftover files and, on request, takes and old versions."),
    "doctor": ("doctor", "Show what this machine can run and how to fix what is missing."),
}
"""Name to module in `flows.cli` and help line, in the order in which a new user needs them."""


class Suggestion(NamedTuple):
    """One word that a shell offers, as Typer formats it for each shell."""

    value: str
    help: str
    type: str = "plain"


@contextmanager
def _nearest_options() -> Iterator[None]:
    """Let the error of an unknown option suggest the nearest ones; each release of Typer has its own class for it."""
    try:
        yield
    except Exception as error:
        unknown: Any = error
        if nearest := getattr(error, "possibilities", None):
            unknown.message = f"no option {unknown.option_name!r}; did you mean {' or '.join(nearest[:2])}?"
            unknown.possibilities = None
        raise


class Commands(TyperGroup):
    """A Typer group with the commands of `COMMANDS`."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Parse the options of ``cuesmith`` itself."""
        with _nearest_options():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Parse the options of the command that ``ctx`` names, and run it."""
        with _nearest_options():
            return super().invoke(ctx)

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and return the command ``cmd_name``; None for an unknown name."""
        return load(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that ``args`` name; for an unknown name, the error suggests the nearest ones."""
        nearest = get_close_matches(args[0], COMMANDS, n=2)
        if args[0] not in COMMANDS and nearest:
            ctx.fail(f"no command {args[0]!r}; did you mean {' or '.join(nearest)}?")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Offer the commands that begin with ``incomplete`` without importing one; after a dash, the options."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [Suggestion(name, line) for name, (_, line) in COMMANDS.items() if name.startswith(incomplete)]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of ``cuesmith --help`` without importing a command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def load(name: str) -> Any:
    """Import the module of the command ``name`` and return the command that Typer builds."""
    module = import_module(f"flows.cli.{COMMANDS[name][0]}")
    app = typer.Typer(rich_markup_mode=None, callback=lambda: None)
    if hasattr(module, "group"):
        app.add_typer(module.group, name=name)
    else:
        app.command(name)(getattr(module, f"{name}_command"))
    group: Any = get_command(app)
    command = group.commands[name]
    _complete(command, name)
    return command


def _complete(command: Any, path: str) -> None:
    """Add what all commands have: the option ``--verbose``, and the examples of ``path``, the command's names."""
    for name, subcommand in getattr(command, "commands", {}).items():
        _complete(subcommand, f"{path} {name}")
    command.epilog = examples_text(path)
    for param in command.params:
        if param.type.name == "path":
            # The shell completes paths itself: it knows folders. Typer would offer the typed text as a whole word.
            param.type.shell_complete = lambda ctx, param, incomplete: []
    if not hasattr(command, "commands") or command.invoke_without_command:
        command.params.append(
            TyperOption(
                param_decls=["-v", "--verbose"],
                type=int,
                count=True,
                expose_value=False,
                callback=lambda ctx, param, count: _log_to_stderr(count),
                help="Show the log on standard error; -vv also shows every take and master.",
            )
        )


_OUTPUT_LOST = 4
_NARROWEST_HELP, _WIDEST_HELP = 40, 80
_LOGGERS = ("flows", "pipeline")
"""Parents of all loggers of Cuesmith."""

app = typer.Typer(
    name="cuesmith",
    cls=Commands,
    help=(
        "Generate game audio in batches: write a YAML manifest, get a versioned catalog of finished music and "
        "sound effects.\n\nStart with: cuesmith init mygame && cd mygame && cuesmith build"
    ),
    epilog=(
        "Exit codes: 0 done; 1 failed, nothing published; 2 wrong input; 3 published, but some assets "
        "failed or are left; 4 this machine lacks something; 5 verification failed; 130 interrupted."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _log_to_stderr(verbosity: int) -> None:
    """Print the log to standard error: from 1 what happens, from 2 also each take and master; 0 prints nothing."""
    if not verbosity:
        return
    logging = import_module("logging")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S"))
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG if verbosity > 1 else logging.INFO)
        logger.addHandler(handler)


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


def _help_width() -> int | None:
    """The width of help texts; None for the default, in a pipe. Typer cannot ask the streams that `main` replaces."""
    width = width_of(sys.stdout)
    return None if width is None else max(min(width, _WIDEST_HELP) - 2, _NARROWEST_HELP)


def main() -> None:
    """Run the console script."""
    steady_streams()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app(terminal_width=_help_width())
    except SystemExit as end:
        if end.code or (fault := output_fault()) is None:
            raise
        typer.echo(
            f"error: cannot write standard output: {fault.strerror}; the command finished, only its output "
            "is lost. Free some disk space, or send the output elsewhere",
            err=True,
        )
        raise SystemExit(_OUTPUT_LOST) from fault
    finally:
        # At exit, Python would search all objects for garbage: half a second after a build.
        gc.freeze()
