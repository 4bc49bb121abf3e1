"""Reviews in ``reviews.jsonl``: append-only events of people, and the states that they give masters."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Literal, NotRequired, TypedDict, get_args

from pipeline.errors import FormatError, UsageError
from pipeline.provenance import MASTER_SCHEMA, MasterRow, MissingRow
from pipeline.recipe import digest
from pipeline.store import Store, migrate, parse_object, shape_fault

LONGEST_COMMENT = 10_000
"""Characters."""
LONGEST_NAME = 200
"""Characters."""
# Lone surrogates are what is left of bytes that are no UTF-8.
_NO_TEXT = re.compile(r"[\ud800-\udfff]")
_ODD_IN_A_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ODD_IN_A_COMMENT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def name_fault(text: str) -> str | None:
    """What is wrong with a reviewer's name; None where nothing is."""
    if not text.strip():
        return "who decided? Give a name"
    return _fault(text, LONGEST_NAME, _ODD_IN_A_NAME)


def comment_fault(text: str) -> str | None:
    """What is wrong with a comment, which may have several lines; None where nothing is."""
    return _fault(text, LONGEST_COMMENT, _ODD_IN_A_COMMENT)


def text_fault(text: str) -> str | None:
    """What is wrong with a word of a command line, such as a tag; None where nothing is."""
    return _fault(text, len(text), _NO_TEXT)


def _fault(text: str, longest: int, odd: re.Pattern[str]) -> str | None:
    if len(text) > longest:
        return f"it has {len(text)} characters; {longest} are the most"
    found = odd.search(text)
    return f"it holds the control character {found[0]!r}; remove it" if found else None


KEY = "reviews.jsonl"
SCHEMA = "cuesmith.review/1"
ReviewAction = Literal["approve", "reject", "comment", "reroll", "lock", "unlock"]
ACTIONS: tuple[ReviewAction, ...] = get_args(ReviewAction)
TO_COME = "which is still to come; set the clock of the machine on which it was decided, and decide again"
_IMPORT_SECONDS = 60.0
_CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True)
class ReviewEvent:
    """What one person decided on one master at one moment."""

    at: str
    """UTC, ISO 8601."""
    by: str
    action: ReviewAction
    asset: str
    variation: int
    take: str
    """Recipe digest of the take that was heard."""
    master: str
    """Digest of the master that was heard."""
    comment: str = ""

    @cached_property
    def moment(self) -> datetime:
        """``at`` as a moment. Raises `ValueError`."""
        moment = datetime.fromisoformat(self.at)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    @property
    def name(self) -> str:
        """Of the master, as in lists: ``music/forest/explore_01``."""
        return f"{self.asset}_{self.variation:02d}"

    @property
    def is_to_come(self) -> bool:
        """Whether ``at`` is later than now by more than clocks differ."""
        return self.moment > datetime.now(UTC) + _CLOCKS_DIFFER

    @cached_property
    def id(self) -> str:
        """The event's identity, from all that it says: the same event, brought twice, is one."""
        return digest(asdict(self))

    def __str__(self) -> str:
        """Of which master, by whom, and the comment, whose further lines are set in."""
        comment = self.comment.replace("\n", "\n    ")
        return f"{self.name} by {self.by}" + (f": {comment}" if comment else "")


@dataclass(frozen=True)
class ReviewState:
    """What all events together say."""

    approved: frozenset[str]
    """Master digests. An approval ends only when its take is rejected or rolled again."""
    rejected: frozenset[str]
    """Recipe digests: the take is not wanted, however it is mastered."""
    locked: frozenset[tuple[str, int]]
    """Asset id and variation."""
    chosen: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """By asset id and variation: the master that was approved last, and is approved still."""


class Reviews:
    """The review file of one store."""

    def __init__(self, store: Store) -> None:
        self._backend = store.backend

    def add(self, event: ReviewEvent) -> None:
        """Append one event, durably; two reviewers at once lose nothing.

        Raises `UsageError` for an event whose moment is still to come.
        """
        if event.is_to_come:
            raise UsageError(f"a review of {event} is dated {event.at}, {TO_COME}")
        line = json.dumps({"schema": SCHEMA, **asdict(event)}, ensure_ascii=False)
        self._backend.append(KEY, line.encode())

    def add_new(self, events: Iterable[ReviewEvent]) -> list[ReviewEvent]:
        """Append those that are not there yet, in their order; returns them. Nothing is added twice."""
        with self._backend.lock("reviews", _IMPORT_SECONDS):
            known = set(self.events())
            added = [event for event in dict.fromkeys(events) if event not in known]
            for event in added:
                self.add(event)
        return added

    def events(self) -> tuple[ReviewEvent, ...]:
        """Every event in the order of the file."""
        return tuple(
            read_event(line, f"{KEY}:{number}")
            for number, line in enumerate(self._backend.read_lines(KEY), 1)
        )

    def state(self, renames: Mapping[str, str] | None = None) -> ReviewState:
        """What the events add up to: see `fold`.

        ``renames``: by earlier asset id, the id that the asset has now. What was said under the one counts for the
        other.
        """
        events = self.events()
        if renames:
            events = tuple(replace(one, asset=renames.get(one.asset, one.asset)) for one in events)
        return fold(events)


def fold(events: Iterable[ReviewEvent]) -> ReviewState:
    """The state after ``events``, in the order in which they came: the last word on each take, master and variation.

    Their own moments are by the clocks of many machines, so they do not decide which word is the last.
    """
    approved: dict[str, str] = {}
    rejected: set[str] = set()
    locked: set[tuple[str, int]] = set()
    chosen: dict[tuple[str, int], str] = {}
    for event in events:
        place = (event.asset, event.variation)
        match event.action:
            case "approve":
                approved[event.master] = event.take
                rejected.discard(event.take)
                chosen[place] = event.master
            case "reject" | "reroll":
                approved = {master: take for master, take in approved.items() if take != event.take}
                rejected.add(event.take)
            case "lock":
                locked.add(place)
            case "unlock":
                locked.discard(place)
            case "comment":
                pass
    standing = {place: master for place, master in chosen.items() if master in approved}
    return ReviewState(frozenset(approved), frozenset(rejected), frozenset(locked), standing)


def overruled(
    events: Iterable[ReviewEvent], added: Iterable[ReviewEvent]
) -> list[tuple[ReviewEvent, ReviewEvent]]:
    """Each of ``added``, which ``events`` hold, that took back a word that was said after it, and that word.

    Decisions that a file hands over count from when they are brought.
    """
    new = set(added)
    last: dict[tuple[object, ...], ReviewEvent] = {}
    found = []
    for event in events:
        for subject in _subjects(event):
            before = last.get(subject)
            if event in new and before and before.action != event.action and before.moment > event.moment:
                found.append((event, before))
            last[subject] = event
    return found


def _subjects(event: ReviewEvent) -> list[tuple[object, ...]]:
    """What the event has the last word on."""
    match event.action:
        case "approve" | "reject" | "reroll":
            return [("take", event.take)]
        case "lock" | "unlock":
            return [("lock", event.asset, event.variation)]
        case "comment":
            return []


class _EventJson(TypedDict):
    at: str
    by: str
    action: ReviewAction
    asset: str
    variation: int
    take: str
    master: str
    comment: NotRequired[str]


def read_event(line: bytes, place: str) -> ReviewEvent:
    """The event in a line; ``place`` names the line in the `FormatError` that anything else raises."""
    try:
        value = migrate(parse_object(line), SCHEMA, place)
        if (fault := shape_fault(value, _EventJson)) is not None:
            raise ValueError(fault)
        event = ReviewEvent(**{key: value[key] for key in _EventJson.__annotations__ if key in value})
        datetime.fromisoformat(event.at)
    except ValueError as error:
        raise FormatError(
            f"{place}: not a review event: {error}; set the line aside: cuesmith verify --repair"
        ) from error
    return event


MISSED = frozenset({"true-peak ceiling", "gain limit"})
"""Deviations that a person wants to know of. Variations that share a gain are louder and softer on purpose."""
_TOLERANCE_LU = 0.2


def is_off_target(row: MasterRow) -> bool:
    """Whether a master, of which the row says so, missed its loudness target."""
    return row.get("deviation") in MISSED


def with_deviations(store: Store, rows: Iterable[MasterRow]) -> tuple[MasterRow, ...]:
    """``rows`` with the reason in each that is off its target; rows of older releases get it from their records."""
    rows = tuple(rows)
    silent = {row["master"] for row in rows if "deviation" not in row and _is_off(row)}
    records: Any = store.get_records("masters", sorted(silent), MASTER_SCHEMA) if silent else ()
    reasons = {digest: record["loudness"].get("deviation") for digest, record in records}
    return tuple(
        MasterRow(**{**row, "deviation": reasons[row["master"]]}) if reasons.get(row["master"]) else row
        for row in rows
    )


def _is_off(row: MasterRow) -> bool:
    loudness = row["loudness_lufs"]
    return (
        loudness is not None
        and row["loudness_method"] != "peak"
        and abs(loudness - row["target_lufs"]) > _TOLERANCE_LU
    )


State = Literal[
    "current",
    "locked",
    "stale",
    "approved",
    "rejected",
    "unreviewed",
    "waiting",
    "placeholder",
    "non-commercial",
    "off-target",
    "missing",
    "quarantined",
    "failed",
]
STATES: tuple[State, ...] = get_args(State)


def states_of(row: MasterRow, reviews: ReviewState) -> frozenset[State]:
    """Everything that a row is at once.

    One of ``current``, ``locked``, ``stale``; one of ``approved``, ``rejected``, ``unreviewed``; ``waiting``
    where a candidate waits beside it; ``placeholder`` and ``non-commercial`` as its engine and weights are;
    ``off-target`` where it missed its loudness target. What has no master is ``missing``, ``quarantined`` or
    ``failed``: see `MissingRow`.
    """
    found: set[State] = {_review(row, reviews)}
    locked = row["status"] == "locked" or (row["asset"], row["variation"]) in reviews.locked
    found.add("locked" if locked else "stale" if row["status"] == "stale" else "current")
    if "waiting" in row:
        found.add("waiting")
    if row["placeholder"]:
        found.add("placeholder")
    if not row["commercial"]:
        found.add("non-commercial")
    if is_off_target(row):
        found.add("off-target")
    return frozenset(found)


def _review(row: MasterRow, reviews: ReviewState) -> State:
    if row["take"] in reviews.rejected:
        return "rejected"
    return "approved" if row["master"] in reviews.approved else "unreviewed"


def name_of(row: MasterRow | MissingRow) -> str:
    """A master's name in lists: ``music/forest/explore_01``."""
    return f"{row['asset']}_{row['variation']:02d}"


@dataclass(frozen=True)
class Filter:
    """Which masters are meant; what is not given does not narrow."""

    asset: str | None = None
    """An asset id or a glob, case-exact; where no id matches, a master's name: see `name_of`."""
    variation: int | None = None
    tags: tuple[str, ...] = ()
    """All of them."""
    kind: str | None = None
    states: tuple[str, ...] = ()
    """All of them, from `STATES`."""
    model: str | None = None
    """A model id or a glob, or an engine's name."""

    def __post_init__(self) -> None:
        for state in self.states:
            if state not in STATES:
                raise UsageError(f"--state {state!r} is none of {', '.join(STATES)}")

    def select(self, rows: Iterable[MasterRow], reviews: ReviewState) -> list[MasterRow]:
        """The rows that are meant, in their order."""
        named = self._named(list(rows))
        return [row for row in named if self._matches(row) and set(self.states) <= states_of(row, reviews)]

    def _named(self, rows: list[MasterRow]) -> list[MasterRow]:
        if self.asset is None:
            return rows
        by_id = [row for row in rows if fnmatch.fnmatchcase(row["asset"], self.asset)]
        return by_id or [row for row in rows if fnmatch.fnmatchcase(name_of(row), self.asset)]

    def select_missing(self, rows: Iterable[MissingRow]) -> list[MissingRow]:
        """Those that are meant of what a version lacks; none where a model is asked for, since no model made them."""
        return [
            row
            for row in rows
            if self.model is None and set(self.states) <= {row["code"]} and self._describes(row)
        ]

    def _describes(self, row: MasterRow | MissingRow) -> bool:
        return (
            self.variation in (None, row["variation"])
            and set(self.tags) <= set(row["tags"])
            and self.kind in (None, row["kind"])
        )

    def _matches(self, row: MasterRow) -> bool:
        return self._describes(row) and (
            self.model is None or self.model == row["engine"] or fnmatch.fnmatchcase(row["model"], self.model)
        )
