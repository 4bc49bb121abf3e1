"""Output of all commands: text for people, one JSON object with ``--json``, exit codes for errors.

Results go to standard output and everything else to standard error, so that ``--json`` can be piped. Only this
module turns errors into exit codes. Every command imports it before its first line, so it imports little.
"""

from __future__ import annotations

import codecs
import functools
import gc
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, NoReturn, ParamSpec, TypeVar, cast, get_type_hints

import typer

from flows.cli.terminal import Column, ago, echo, is_terminal, plain_output, table, width_of
from pipeline.errors import CuesmithError, ManifestError, Problem, UsageError
from pipeline.texts import text_fault

INTERRUPTED = 130
_PATHS = {"outputs"}
"""Parameters of type str that are paths."""

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


def print_stdout(text: str) -> None:
    """Print a line to standard output."""
    echo(text, sys.stdout)


def print_table(rows: Sequence[Sequence[str]], columns: Sequence[Column]) -> None:
    """Print a table to standard output; see `flows.cli.terminal.table`."""
    for line in table(rows, columns, width_of(sys.stdout)):
        print_stdout(line)


def shown_time(moment: str) -> str:
    """A moment (ISO 8601) as standard output shows it: ``2 hours ago`` on a terminal, exact in a pipe."""
    return ago(moment, datetime.now(UTC)) if is_terminal(sys.stdout) else moment


def print_stderr(text: str) -> None:
    """Print a line to standard error."""
    echo(text, sys.stderr)


def print_warning(text: object) -> None:
    """Print one warning to standard error."""
    print_stderr(typer.style("warning: ", fg="yellow") + str(text))


def print_error(text: str) -> None:
    """Print one error to standard error."""
    print_stderr(typer.style("error: ", fg="red") + text)


def warn(problems: Iterable[Problem]) -> None:
    """Print warnings to standard error: settings that are valid but may be a mistake."""
    for problem in problems:
        print_warning(problem)


def problems_json(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Return problems or warnings as JSON objects, each with its place and its fix."""
    return [asdict(problem) for problem in problems]


def print_json(value: Any) -> None:
    """Print one JSON object to standard output: indented on a terminal, on one line in a pipe.

    If the output is not UTF-8, JSON escapes replace non-ASCII characters.
    """
    if sys.stdout is None:
        # The caller closed it.
        return
    is_utf8 = codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"
    indent = 1 if sys.stdout.isatty() else None
    typer.echo(json.dumps(value, indent=indent, ensure_ascii=not is_utf8))


def duration(seconds: float) -> str:
    """Format seconds for people.

    >>> duration(4.25), duration(95), duration(7300)
    ('4.2 s', '1 min 35 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return (
        f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
    )


def one_line(text: object) -> str:
    """Format a name or a path for one cell of a table; escape control characters such as line feeds.

    >>> print(one_line("two\\nlines é"))
    two\\nlines é
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in str(text)
    )


def counted(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> counted(1, "master"), counted(2, "master")
    ('1 master', '2 masters')
    """
    return f"{count} {noun}" + ("" if count == 1 else "s")


def command(function: Callable[P, R]) -> Callable[P, R]:
    """Print the errors of a command as text, or with ``as_json`` as a JSON object."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        as_json = bool(kwargs.get("as_json"))
        with plain_output(as_json):
            try:
                _check_text_options(function, kwargs)
                return function(*args, **kwargs)
            except CuesmithError as error:
                if kwargs.get("ci"):
                    import_module("flows.cli.ci").annotate_error(error)
                _fail(error, as_json)
            except KeyboardInterrupt:
                print_stderr("interrupted; finished work is saved: run the same command again to continue")
                raise typer.Exit(INTERRUPTED) from None

    return wrapped


class Group(typer.Typer):
    """Commands below one name, each as `command` makes it."""

    def command(self, name: str | None = None, **options: Any) -> Callable[[F], F]:
        """Registers a function as the command ``name``."""
        register = super().command(name, **options)

        def wrap(function: F) -> F:
            return cast(F, register(command(function)))

        return wrap


def _check_text_options(function: Callable[..., object], given: Mapping[str, object]) -> None:
    """Raise `UsageError` if the value of a text option is not valid text. Paths may hold any bytes."""
    for name, value in given.items():
        texts = value if isinstance(value, list) else [value]
        for text in texts:
            if isinstance(text, str) and name not in _PATHS and (fault := text_fault(text)):
                raise UsageError(f"{_option_name(function, name)}: {fault}")


def _option_name(function: Callable[..., object], name: str) -> str:
    """Return the option or argument that sets the parameter ``name``: ``--by``, ``ASSET``."""
    for info in getattr(get_type_hints(function, include_extras=True)[name], "__metadata__", ()):
        # Inside Annotated, Typer stores the first name of an option as its default.
        declared = (info.default, *(info.param_decls or ()))
        names = [option for option in declared if isinstance(option, str) and option.startswith("-")]
        if names:
            return min(names, key=len)
    return name.upper()


@contextmanager
def gc_disabled() -> Iterator[None]:
    """Disable Python's cycle collector: a plan keeps all its objects, and scanning them takes half the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _fail(error: CuesmithError, as_json: bool) -> NoReturn:
    problems = error.problems if isinstance(error, ManifestError) else ()
    if as_json:
        listed = problems_json(problems)
        print_json({"error": str(error), "problems": listed, "exit_code": error.exit_code})
    for line in str(error).splitlines():
        print_error(line)
    if len(problems) > 1:
        print_stderr(f"{len(problems)} problems")
    raise typer.Exit(error.exit_code) from error
