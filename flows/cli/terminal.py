"""How text looks on a terminal: colours, folding at its width, tables, times. In a pipe nothing is coloured or folded.

Every command uses it, so it imports nothing heavy.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TextIO

import typer

_GREEN = ("generate", "added", "approve", "approved", "ok", "Trusted", "Valid", "promote", "allowed")
_YELLOW = (
    "re-master",
    "changed",
    "rename",
    "reroll",
    "re-roll",
    "waiting",
    "stale",
    "off-target",
    "watermark-lost",
    "placeholder",
    "rollback",
    "publish",
)
_RED = (
    "failed",
    "remove",
    "removed",
    "reject",
    "rejected",
    "quarantined",
    "missing",
    "damaged",
    "refused",
    "Invalid",
    "Missing",
)
_CYAN = ("locked", "lock", "unlock", "clear", "comment")
_COLOURS = {
    **dict.fromkeys(_GREEN, "green"),
    **dict.fromkeys(_YELLOW, "yellow"),
    **dict.fromkeys(_RED, "red"),
    **dict.fromkeys(_CYAN, "cyan"),
    **dict.fromkeys(("reuse", "unreviewed", "unchanged"), "bright_black"),
}
"""Colours of actions and states: green for new, yellow for changed, red for what failed or is removed."""
_ESCAPES = re.compile("\x1b\\[[0-9;]*m")
_WORD = re.compile(r" *[^ ]+(?:(?<=\d) (?:s|ms|min|h|dB|dBTP|LU|LUFS|MB|GB|%)(?![^\s,;:.)]))?")
"""A word with the spaces before it; a number and its unit are one word."""
_DEFAULT_WIDTH = 80
_ROOM_FOR_TEXT = 28
"""Least columns for the text of a table's last column beside the others."""
_BELOW = 4
"""How far columns below a row are indented."""
_DAY_S = 86_400
_plain: ContextVar[bool] = ContextVar("cuesmith_plain_output", default=False)


@contextmanager
def plain_output(is_plain: bool) -> Iterator[None]:
    """Inside the context, write to a terminal as to a pipe if ``is_plain``."""
    token = _plain.set(is_plain)
    try:
        yield
    finally:
        _plain.reset(token)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether ``stream`` is a terminal that a person reads."""
    return stream is not None and not _plain.get() and stream.isatty()


def has_colours(stream: TextIO | None) -> bool:
    """Whether ``stream`` is a terminal with colours, and NO_COLOR is not set (https://no-color.org)."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width_of(stream: TextIO | None) -> int | None:
    """The columns of the terminal ``stream``, by COLUMNS if that is set; None for a pipe or a file."""
    if stream is None or not is_terminal(stream):
        return None
    if (columns := os.environ.get("COLUMNS", "")).isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _DEFAULT_WIDTH
    except OSError:
        return _DEFAULT_WIDTH


def echo(text: str, stream: TextIO | None) -> None:
    """Print ``text`` to ``stream``; on a terminal with colours and folded, in a pipe as it is, without colours."""
    if stream is None:
        # The caller closed it.
        return
    width = width_of(stream)
    typer.echo(text if width is None else fold(text, width), file=stream, color=has_colours(stream))


def paint(text: str, word: str | None = None) -> str:
    """Return ``text`` in the colour of an action or a state: ``word``, by default ``text`` itself.

    `echo` removes colours that the output does not take.
    """
    colour = _COLOURS.get(word or text)
    return typer.style(text, fg=colour) if colour else text


def columns_of(text: str) -> int:
    """How many columns of a terminal ``text`` takes.

    >>> columns_of("ui/click"), columns_of("森"), columns_of(paint("failed"))
    (8, 2, 6)
    """
    text = _ESCAPES.sub("", text)
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) > 0 for char in text)


def fold(text: str, width: int, indent: int = 2) -> str:
    """Fold each line of ``text`` at spaces; a word longer than ``width`` stays whole.

    What goes below is ``indent`` columns further in than its line.

    >>> print(fold("  3 masters missed the target", 16))
      3 masters
        missed the
        target
    """
    return "\n".join(part for line in text.split("\n") for part in _folded(line, width, indent))


def _folded(line: str, width: int, indent: int) -> Iterator[str]:
    if columns_of(line) <= width:
        yield line
        return
    begin = " " * min(len(line) - len(line.lstrip(" ")) + indent, width // 2)
    current = ""
    for word in _WORD.findall(line):
        if current.strip() and columns_of(current + word) > width:
            yield current
            current = begin + word.lstrip(" ")
        else:
            current += word
    yield current


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    least: int = 0
    """Its least width in a pipe. There a table keeps the same columns, whatever its rows."""
    right: bool = False
    """Aligned to the right."""
    gap: int = 2
    """Spaces before it."""


def table(rows: Sequence[Sequence[str]], columns: Sequence[Column], width: int | None) -> list[str]:
    """Lay out ``rows``, the most important column first; the last column is free text and may be empty.

    In a pipe (``width`` is None) each row is one line. On a terminal, columns that do not fit go below their row.
    """
    if width is None:
        return [_line(row, columns, [column.least for column in columns]) for row in rows]
    widths = [min(max(map(columns_of, cells), default=0), width // 2) for cells in zip(*rows, strict=True)]
    return [line for row in rows for line in _fitted(row, columns, widths, width)]


def _line(row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    line = ""
    for index, (cell, column) in enumerate(zip(row, columns, strict=False)):
        padding = " " * (widths[index] - columns_of(cell))
        line += " " * (column.gap if index else 0) + (padding + cell if column.right else cell + padding)
    return line.rstrip()


def _fitted(
    row: Sequence[str], columns: Sequence[Column], widths: Sequence[int], width: int
) -> Iterator[str]:
    """The lines of one row: as many columns as fit, the others below, in columns too."""
    # The end of the columns before the text, whatever this row has in them.
    place = sum(widths[:-1]) + sum(column.gap for column in columns[1:])
    first = 0
    while first < len(row) and (first == 0 or any(row[first:])):
        indent = " " * (_BELOW if first else 0)
        last = next(
            end
            for end in range(len(row), first, -1)
            if end == first + 1
            or len(indent) + columns_of(_line(row[first:end], columns[first:], widths[first:])) <= width
        )
        line = _line(row[first:last], columns[first:], widths[first:])
        is_text_left = first == 0 and last == len(row) - 1 and columns_of(line) < place
        if is_text_left and _has_room(row[-1], width - place):
            text = fold(row[-1], width - place, 0).split("\n")
            yield line + " " * (place - columns_of(line)) + text[0]
            yield from (" " * place + part for part in text[1:])
            return
        yield from fold(indent + line, width, 0).split("\n")
        first = last


def _has_room(text: str, width: int) -> bool:
    """Whether a table's last column can have ``text`` in ``width`` columns beside the others."""
    return width >= max([_ROOM_FOR_TEXT, *map(columns_of, text.split())])


def ago(moment: str, now: datetime) -> str:
    """How long before ``now`` the ``moment`` was, for 30 days; then its date. A moment in the future stays exact.

    >>> now = datetime.fromisoformat("2026-03-01T12:00:00Z")
    >>> for moment in ("2026-03-01T11:59:30Z", "2026-03-01T11:59:00Z", "2026-03-01T09:10:00Z", "2026-02-27T09:10:00Z"):
    ...     print(ago(moment, now))
    just now
    1 minute ago
    2 hours ago
    2 days ago
    >>> ago("2025-12-24T18:00:00Z", now), ago("2026-03-01T12:00:01Z", now)
    ('2025-12-24', '2026-03-01T12:00:01Z')
    """
    then = datetime.fromisoformat(moment)
    seconds = (now - then).total_seconds()
    if seconds < 0:
        return moment
    if seconds < 60:
        return "just now"
    if seconds >= 30 * _DAY_S:
        return f"{then:%Y-%m-%d}"
    unit, size = next(
        (name, size) for name, size in (("day", _DAY_S), ("hour", 3600), ("minute", 60)) if seconds >= size
    )
    count = int(seconds // size)
    return f"{count} {unit}{'' if count == 1 else 's'} ago"
