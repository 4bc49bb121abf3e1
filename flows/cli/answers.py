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
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, NoReturn, ParamSpec, TypeVar

import typer

from flows.streams import let_go
from pipeline.errors import CuesmithError, ManifestError, Problem

INTERRUPTED = 130

P = ParamSpec("P")
R = TypeVar("R")


def answer(text: str) -> None:
    """Say to standard output."""
    typer.echo(text)


def remark(text: str) -> None:
    """Say to standard error, if anybody listens."""
    try:
        typer.echo(text, err=True)
    except BrokenPipeError:
        let_go(sys.stderr)


def warn(problems: Iterable[Problem]) -> None:
    """Say to standard error what can stand, but may not be meant."""
    for problem in problems:
        remark(typer.style("warning: ", fg="yellow") + str(problem))


def problems_json(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Problems or warnings as JSON objects, each with its place and its remedy."""
    return [asdict(problem) for problem in problems]


def answer_json(value: Any) -> None:
    """Print one JSON object to standard output: laid out for a person at a terminal, on one line for a program.

    Where the output is not UTF-8, JSON's escapes stand for what is not ASCII.
    """
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
            return function(*args, **kwargs)
        except CuesmithError as error:
            _fail(error, bool(kwargs.get("as_json")))
        except KeyboardInterrupt:
            remark("interrupted; everything finished is kept: run the same command again to go on")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            let_go(sys.stdout)
            raise typer.Exit(1) from None

    return wrapped


@contextmanager
def collector_at_rest() -> Iterator[None]:
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
        answer_json({"error": str(error), "problems": listed, "exit_code": error.exit_code})
    for line in str(error).splitlines():
        remark(typer.style("error: ", fg="red") + line)
    if len(problems) > 1:
        remark(f"{len(problems)} problems")
    raise typer.Exit(error.exit_code) from error
