"""The YAML parser's events, and its complaints in words that help."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from pipeline.manifest.problems import Fault, quote

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LOOK = "check indentation, quotes, brackets and colons here and on the line above"
_Rule = tuple[str, str, str, bool]
"""Part of the parser's words, our words, the remedy, and whether the fault is where the thing began."""
_SYNTAX: tuple[_Rule, ...] = (
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
    ("unexpected document", "the quote that opens here is never closed", "close it", True),
    ("expected ':'", "a key has no ':' after it", "write key: value", False),
    (
        "escape",
        "an escape in this quoted text is not valid",
        "write \\\\ for a backslash, or use '...'",
        False,
    ),
    (
        "hexdecimal",
        "an escape in this quoted text is not valid",
        "write \\\\ for a backslash, or use '...'",
        False,
    ),
    ("tag", "a tag is not allowed", "remove it; the key says how a value is read", False),
    ("incompatible YAML", "this YAML version is not known", "remove the %YAML line", False),
    ("<document start>", "a line above ends the document", "remove the line with % or ...", False),
    ("scanning an a", "a value cannot start with this character", "quote it", False),
    ("block scalar", "text stands after | or >", "begin it on the next line, or quote it", False),
    (
        "sequence entries are not allowed",
        "a '- ' stands where no list can be",
        "begin a list on the next line; quote a text that starts with '- '",
        False,
    ),
    ("keys are not allowed", "a '? ' stands where no key can be", "quote it", False),
    ("parsing a flow node", "the file ends within brackets", "close them", False),
    ("while parsing a flow", "the bracket that opens here is never closed", "close it", True),
    (
        "while parsing a block",
        "this line does not fit the lines above",
        "give it the indentation that they have",
        False,
    ),
)


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
        raise _refusal(error, text) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise Stop(line, Fault("this is not YAML", _LOOK)) from error


def _refusal(error: yaml.MarkedYAMLError, text: str) -> Stop:
    """The parser's complaint in our words."""
    said = f"{error.context or ''} {error.problem or ''}"
    here, began = error.problem_mark, error.context_mark
    for part, what, remedy, at_start in (*_by_surroundings(error, text), *_SYNTAX):
        if part in said:
            mark = (began or here) if at_start else (here or began)
            return Stop(mark.line + 1 if mark else 1, Fault(what, remedy))
    return Stop(here.line + 1 if here else 1, Fault(f"this is not YAML: {error.problem}", _LOOK))


def _by_surroundings(error: yaml.MarkedYAMLError, text: str) -> Iterator[_Rule]:
    """Rules for which it matters what stands before and after the place of the complaint."""
    if error.problem_mark is None:
        return
    before, after = text[: error.problem_mark.index], text[error.problem_mark.index :]
    line, rest = re.split("[\r\n]", before)[-1], re.split("[\r\n]", after, maxsplit=1)[0].strip()
    if after.startswith("\t"):
        yield ("cannot start any token", "a tab stands in the indentation", "indent with spaces", False)
    if after.strip():
        shown, began = quote(after[0]), error.context_mark
        yield ("parsing a flow node", f"no value stands before {shown}", "write one, or quote a text", False)
        opened = f" opened on line {began.line + 1}" if began else ""
        what = f"a ',' or the end of the bracket{opened} is missing before {shown}"
        yield (
            "while parsing a flow",
            what,
            "write it, or quote a text that holds ',', ': ' or brackets",
            False,
        )
    if line.strip() and rest:
        what = f"{quote(rest)} stands after the end of a value"
        yield (
            "while parsing a block",
            what,
            "quote the whole value, or close a quote left open above",
            False,
        )
    if re.fullmatch(" *[A-Za-z_]+", line):
        what, remedy = (
            "a ':' stands where no key can be",
            "indent a key as those above; quote a text with ': '",
        )
        yield ("mapping values are not allowed", what, remedy, False)
