"""The YAML parser's events, and its complaints in words that help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from pipeline.manifest.faults import Fault

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LOOK = "check indentation, quotes, brackets and colons here and on the line above"
_SYNTAX = (
    (
        "mapping values are not allowed",
        "a ':' stands where no key can be",
        "quote a text that holds ': '",
        False,
    ),
    (
        "cannot start any token",
        "a value cannot start with this character",
        "quote it; indent with spaces",
        False,
    ),
    ("tab character", "a tab stands in the indentation", "indent with spaces", False),
    ("unexpected end of stream", "the quote that opens here is never closed", "close it", True),
    ("expected ':'", "a key has no ':' after it", "write key: value", False),
    (
        "escape",
        "an escape in this quoted text is not valid",
        "write \\\\ for a backslash, or use '...'",
        False,
    ),
    ("tag", "a tag is not allowed", "remove it; the key says how a value is read", False),
    ("incompatible YAML", "this YAML version is not known", "remove the %YAML line", False),
    ("while parsing a flow", "the bracket that opens here is never closed", "close it", True),
    (
        "while parsing a block",
        "this line does not fit the lines above",
        "give it the indentation that they have",
        False,
    ),
)
"""Part of the parser's words, our words, the remedy, and whether the fault is where the thing began."""


class Stop(Exception):
    """Nothing after this point of the file can be trusted."""

    def __init__(self, line: int, fault: Fault) -> None:
        super().__init__(fault.what)
        self.line = line
        self.fault = fault


def parse_events(text: str) -> Iterator[Any]:
    """The parser's events; what it refuses comes out as `Stop`."""
    line = 1
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            line = event.start_mark.line + 1 if event.start_mark else line
            yield event
    except yaml.MarkedYAMLError as error:
        raise _refusal(error) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise Stop(line, Fault("this is not YAML", _LOOK)) from error


def _refusal(error: yaml.MarkedYAMLError) -> Stop:
    """The parser's complaint in our words."""
    said = f"{error.context or ''} {error.problem or ''}"
    here, began = error.problem_mark, error.context_mark
    for part, what, remedy, at_start in _SYNTAX:
        if part in said:
            mark = (began or here) if at_start else (here or began)
            return Stop(mark.line + 1 if mark else 1, Fault(what, remedy))
    return Stop(here.line + 1 if here else 1, Fault(f"this is not YAML: {error.problem}", _LOOK))
