"""Decisions of people as review events, and the file of decisions that a static report exports.

``cuesmith.decisions/1``:

```json
{
  "schema": "cuesmith.decisions/1",
  "version": 42,
  "reviewer": "Ada",
  "decisions": [
    {"action": "approve", "asset": "music/forest/explore", "variation": 1,
     "take": "<64 hex digits>", "master": "<64 hex digits>", "comment": "", "at": "2026-01-31T05:45:12.123Z"}
  ]
}
```

Every field is required, no other is allowed. ``reviewer`` and ``comment`` are texts without control characters;
``at`` is not in the future. ``version`` is the catalog version that the reviewer listened to; ``master`` is a master
of it, or one that waits there. Importing a file twice adds nothing.
"""

from __future__ import annotations

import getpass
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.catalog import ACTIONS, Filter, ReviewAction, ReviewEvent, Version, review_state
from pipeline.catalog.rows import with_waiting_rows
from pipeline.errors import UsageError
from pipeline.provenance import MasterRow
from pipeline.provenance.facts import ask_git
from pipeline.store import check_schema, parse_object
from pipeline.texts import comment_fault, name_fault


def reviewer_name() -> str:
    """Git's ``user.name``, else the user name on this machine."""
    with suppress(OSError, subprocess.SubprocessError):
        if name := ask_git(Path(), "config", "user.name"):
            return name
    with suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return "unknown"


@dataclass(frozen=True)
class Decision:
    """What a person decided; `decide` applies it to masters.

    Raises `UsageError` if the name or the comment is missing or not valid.
    """

    action: ReviewAction
    by: str
    at: str
    """UTC, ISO 8601."""
    comment: str = ""

    def __post_init__(self) -> None:
        if self.action == "comment" and not self.comment.strip():
            raise UsageError('a comment needs a text: -m "..."')
        if not self.by.strip():
            raise UsageError("a review needs the reviewer's name: --by NAME")
        for option, fault in (("--by", name_fault(self.by)), ("-m", comment_fault(self.comment))):
            if fault is not None:
                raise UsageError(f"{option}: {fault}")


def decide(
    version: Version, chosen: Filter, decision: Decision, *, waiting: bool = False
) -> list[ReviewEvent]:
    """One event for each chosen master of ``version``, or with ``waiting`` for the one that waits beside it.

    Raises `UsageError` if ``chosen`` selects nothing.
    """
    rows = chosen.select(version.masters, review_state(()))
    what = f"{chosen.asset}" + (f" variation {chosen.variation}" if chosen.variation else "")
    if not rows:
        raise UsageError(
            f"version {version.number} has no master that matches {what}; `cuesmith catalog show` lists all masters"
        )
    targets: list[MasterRow] = [row["waiting"] for row in rows if "waiting" in row] if waiting else rows
    if not targets:
        raise UsageError(
            f"nothing waits beside {what} in version {version.number}; "
            "`cuesmith catalog show --state waiting` lists all waiting masters"
        )
    facts = asdict(decision)
    return [
        ReviewEvent(
            asset=row["asset"], variation=row["variation"], take=row["take"], master=row["master"], **facts
        )
        for row in targets
    ]


DECISIONS_SCHEMA = "cuesmith.decisions/1"
_FIELDS = ("schema", "version", "reviewer", "decisions")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAX_PROBLEMS = 20


@dataclass(frozen=True)
class Decisions:
    """The decisions of one person on one version."""

    version: int
    reviewer: str
    events: tuple[ReviewEvent, ...]


def read_decisions(data: bytes, place: str, version: Callable[[int], Version]) -> Decisions:
    """The decisions in ``data``, checked against the catalog version that they name; ``version`` reads it.

    Raises `UsageError` that lists every error with its place, such as ``decisions[3].take``, and `FormatError`
    for another schema.
    """
    number, reviewer, items = _read(data, place, DECISIONS_SCHEMA)
    rows = _masters_of(version(number))
    problems: list[str] = []
    events = []
    for index, item in enumerate(items):
        faults = list(_problems(item, rows, number))
        problems.extend(f"decisions[{index}]{fault}" for fault in faults)
        if not faults:
            events.append(ReviewEvent(by=reviewer, **item))
    _refuse(place, problems)
    return Decisions(number, reviewer, tuple(events))


UNDO_SCHEMA = "cuesmith.undo/1"


@dataclass(frozen=True)
class UndoRequest:
    """Which decisions a page wants to undo."""

    version: int
    """The version that the page shows."""
    reviewer: str
    decisions: Sequence[str]
    """Ids of events."""


def read_undo(data: bytes, place: str) -> UndoRequest:
    """The request in ``data``: the fields of ``cuesmith.decisions/1``, with ids of events as ``decisions``.

    Raises `UsageError` that lists every error, and `FormatError` for another schema.
    """
    request = UndoRequest(*_read(data, place, UNDO_SCHEMA))
    if not all(map(_is_digest, request.decisions)):
        _refuse(place, ["decisions: not a list of ids with 64 hex digits"])
    return request


def _read(data: bytes, place: str, schema: str) -> tuple[int, str, list[Any]]:
    """Version, reviewer and decisions of a file with the format ``schema``."""
    try:
        value = parse_object(data)
    except ValueError as error:
        raise UsageError(
            f"{place}: not a decisions file: {error}; export it from the report again"
        ) from error
    check_schema(value, schema, place)
    _refuse(place, list(_header_problems(value)))
    return value["version"], value["reviewer"].strip(), value["decisions"]


def _refuse(place: str, problems: list[str]) -> None:
    if problems:
        left = len(problems) - _MAX_PROBLEMS
        shown = problems[:_MAX_PROBLEMS] + ([f"and {left} more"] if left > 0 else [])
        raise UsageError("\n".join(f"{place}: {problem}" for problem in shown))


def _header_problems(value: Mapping[str, Any]) -> Iterator[str]:
    yield from _key_problems(value, _FIELDS)
    if not _is_count(value.get("version")):
        yield f"version: {value.get('version')!r} is not a catalog version, such as 42"
    reviewer = value.get("reviewer")
    if fault := name_fault(reviewer if isinstance(reviewer, str) else ""):
        yield f"reviewer: {fault}"
    if not isinstance(value.get("decisions"), list):
        yield "decisions: not a list"


def _key_problems(value: Mapping[str, Any], fields: tuple[str, ...]) -> Iterator[str]:
    for key in sorted(value.keys() - set(fields)):
        yield f"{key}: unknown field; valid fields: {', '.join(fields)}"
    for key in fields:
        if key not in value:
            yield f"{key}: missing"


def _problems(item: Any, rows: Mapping[str, tuple[str, int, str]], version: int) -> Iterator[str]:
    if not isinstance(item, dict):
        yield ": not a JSON object"
        return
    problems = list(_key_problems(item, tuple(_CHECKS)))
    problems.extend(
        f"{key}: {item[key]!r:.80} is not {what}"
        for key, (fits, what) in _CHECKS.items()
        if key in item and not fits(item[key])
    )
    if not problems and item["action"] == "comment" and not item["comment"].strip():
        problems.append("comment: the text is empty")
    if not problems and (fault := comment_fault(item["comment"])):
        problems.append(f"comment: {fault}")
    if not problems and ReviewEvent(by="", **item).is_in_the_future:
        problems.append(
            f"at: {item['at']} is in the future; correct the clock of that machine, or import the file later"
        )
    if not problems and rows.get(item["master"]) != (item["asset"], item["variation"], item["take"]):
        name = f"{item['asset']} variation {item['variation']}"
        problems.append(
            f"master: version {version} has no such master of {name}; does the file belong to another project?"
        )
    yield from (f".{problem}" for problem in problems)


def _masters_of(version: Version) -> dict[str, tuple[str, int, str]]:
    """Asset, variation and take of each master and waiting master of a version, by master digest."""
    return {
        row["master"]: (row["asset"], row["variation"], row["take"])
        for row in with_waiting_rows(version.masters)
    }


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_time(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


_CHECKS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "action": (lambda value: value in ACTIONS, f"one of {', '.join(ACTIONS)}"),
    "asset": (lambda value: isinstance(value, str) and value != "", "an asset id"),
    "variation": (_is_count, "a variation, from 1"),
    "take": (_is_digest, "a digest of 64 hex digits"),
    "master": (_is_digest, "a digest of 64 hex digits"),
    "comment": (lambda value: isinstance(value, str), "a text"),
    "at": (_is_time, "a time in ISO 8601 with its zone, such as 2026-01-31T05:45:12Z"),
}
