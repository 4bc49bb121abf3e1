"""How every command answers: text for people, one JSON object with ``--json``, errors with their exit code.

What a person asked for goes to standard output, everything else to standard error, so that ``--json`` can be
piped. Errors become exit codes here and nowhere else.
"""

from __future__ import annotations

import codecs
import functools
import gc
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, NoReturn, ParamSpec, TypeVar, get_type_hints

import typer

from pipeline.catalog.texts import text_fault
from pipeline.errors import CuesmithError, ManifestError, Problem, UsageError

INTERRUPTED = 130
_PATHS = {"outputs"}
"""Parameters of type str that are paths."""

P = ParamSpec("P")
R = TypeVar("R")


def print_stdout(text: str) -> None:
    """Say to standard output."""
    typer.echo(text)


def print_stderr(text: str) -> None:
    """Say to standard error."""
    typer.echo(text, err=True)


def warn(problems: Iterable[Problem]) -> None:
    """Say to standard error what can stand, but may not be meant."""
    for problem in problems:
        print_stderr(typer.style("warning: ", fg="yellow") + str(problem))


def problems_json(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Problems or warnings as JSON objects, each with its place and its remedy."""
    return [asdict(problem) for problem in problems]


def print_json(value: Any) -> None:
    """Print one JSON object to standard output: laid out for a person at a terminal, on one line for a program.

    Where the output is not UTF-8, JSON's escapes stand for what is not ASCII.
    """
    if sys.stdout is None:
        # The caller closed it.
        return
    every_character = codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"
    indent = 1 if sys.stdout.isatty() else None
    typer.echo(json.dumps(value, indent=indent, ensure_ascii=not every_character))


def duration(seconds: float) -> str:
    """Seconds as a person reads them.

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
    """A name or a path as one cell of a printed table: what does not print, such as a line feed, as an escape.

    >>> print(one_line("two\\nlines é"))
    two\\nlines é
    """
    return "".join(
        mark if mark.isprintable() else mark.encode("unicode_escape").decode("ascii") for mark in str(text)
    )


def counted(count: int, what: str) -> str:
    """How many of what there are.

    >>> counted(1, "master"), counted(2, "master")
    ('1 master', '2 masters')
    """
    return f"{count} {what}" + ("" if count == 1 else "s")


def command(function: Callable[P, R]) -> Callable[P, R]:
    """A command whose errors are told in one place, as text or (with ``as_json``) as a JSON object."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            _refuse_what_is_no_text(function, kwargs)
            return function(*args, **kwargs)
        except CuesmithError as error:
            _fail(error, bool(kwargs.get("as_json")))
        except KeyboardInterrupt:
            print_stderr("interrupted; everything finished is kept: run the same command again to go on")
            raise typer.Exit(INTERRUPTED) from None

    return wrapped


def _refuse_what_is_no_text(function: Callable[..., object], given: Mapping[str, object]) -> None:
    """Raise `UsageError` for bytes that are no text where an option takes a text. Paths may be any bytes."""
    for name, value in given.items():
        words = value if isinstance(value, list) else [value]
        for word in words:
            if isinstance(word, str) and name not in _PATHS and (fault := text_fault(word)):
                raise UsageError(f"{_as_written(function, name)}: {fault}")


def _as_written(function: Callable[..., object], name: str) -> str:
    """The option or argument of a command that fills its parameter ``name``: ``--by``, ``ASSET``."""
    for info in getattr(get_type_hints(function, include_extras=True)[name], "__metadata__", ()):
        # Within Annotated, Typer takes an option's first name for a default.
        names = [
            one
            for one in (info.default, *(info.param_decls or ()))
            if isinstance(one, str) and one[:1] == "-"
        ]
        if names:
            return min(names, key=len)
    return name.upper()


@contextmanager
def gc_disabled() -> Iterator[None]:
    """Without Python's cycle collector: all that a plan holds stays, and walking it again takes half the time."""
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
        print_stderr(typer.style("error: ", fg="red") + line)
    if len(problems) > 1:
        print_stderr(f"{len(problems)} problems")
    raise typer.Exit(error.exit_code) from error
