"""Reviews in ``reviews.jsonl``: append-only events of people, and the states that they give masters."""

from __future__ import annotations

import fnmatch
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Literal, NotRequired, TypedDict, TypeVar, get_args, get_type_hints

from pipeline.errors import FormatError, UsageError
from pipeline.formats import FORMATS
from pipeline.provenance import MasterRow, MissingRow, master_name, name_of, place_of
from pipeline.provenance.clock import utc
from pipeline.recipe import digest
from pipeline.store import Store, check_schema, parse_object, shape_fault

KEY = "reviews.jsonl"
SCHEMA = "cuesmith.review/1"
ReviewAction = Literal["approve", "reject", "comment", "reroll", "lock", "unlock", "clear"]
ACTIONS: tuple[ReviewAction, ...] = get_args(ReviewAction)
_IN_THE_FUTURE = "which is in the future; correct the clock of the machine that recorded it, and decide again"
_IMPORT_SECONDS = 60.0
_CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True)
class ReviewEvent:
    """One decision of one person on one master."""

    at: str
    """UTC, ISO 8601."""
    by: str
    action: ReviewAction
    asset: str
    variation: int
    take: str
    """Recipe digest of the take that the person listened to."""
    master: str
    """Digest of the master that the person listened to."""
    comment: str = ""

    @cached_property
    def moment(self) -> datetime:
        """``at`` as a time with its zone. Raises `ValueError`."""
        return utc(self.at)

    @property
    def name(self) -> str:
        """The master's name: ``music/forest/explore_01``."""
        return master_name(self.asset, self.variation)

    @property
    def is_in_the_future(self) -> bool:
        """Whether ``at`` is later than now, with five minutes of tolerance for clocks that differ."""
        return self.moment > datetime.now(UTC) + _CLOCKS_DIFFER

    @cached_property
    def id(self) -> str:
        """The event's identity, a hash of all fields: importing it twice adds nothing."""
        return digest(asdict(self))

    def __str__(self) -> str:
        """The master, the reviewer and the comment, whose further lines are indented."""
        comment = self.comment.replace("\n", "\n    ")
        return f"{self.name} by {self.by}" + (f": {comment}" if comment else "")


@dataclass(frozen=True)
class ReviewState:
    """The result of all events."""

    approved: frozenset[str]
    """Master digests. An approval ends only when it is cleared, or its take is rejected or rolled again."""
    rejected: frozenset[str]
    """Recipe digests: builds replace the take, however it is mastered, because it is rejected or another is wanted."""
    locked: frozenset[tuple[str, int]]
    """Asset id and variation."""
    chosen: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """By asset id and variation: of the masters that are approved, the one that was approved last."""
    rerolled: frozenset[str] = frozenset()
    """Those of ``rejected`` that nobody judged: another take is wanted."""


NO_REVIEWS = ReviewState(frozenset(), frozenset(), frozenset())
"""Before any event."""


class Reviews:
    """The review file of one store."""

    def __init__(self, store: Store) -> None:
        self._backend = store.backend

    def add_after(self, choose: Callable[[tuple[ReviewEvent, ...]], list[ReviewEvent]]) -> list[ReviewEvent]:
        """Append durably, all or none, the events that ``choose`` makes from those of the file; returns them.

        Safe with several reviewers at once: between its reading and the writing, no other call adds any. Raises
        `UsageError` for an event in the future.
        """
        with self._backend.lock("reviews", _IMPORT_SECONDS):
            added = choose(self.events())
            for event in added:
                if event.is_in_the_future:
                    raise UsageError(f"a review of {event} is dated {event.at}, {_IN_THE_FUTURE}")
            if added:
                self._backend.append(KEY, *map(_line_of, added))
        return added

    def events(self) -> tuple[ReviewEvent, ...]:
        """Every event in the order of the file."""
        return tuple(
            read_event(line, f"{KEY}:{number}")
            for number, line in enumerate(self._backend.read_lines(KEY), 1)
        )

    def state(self, renames: Mapping[str, str] | None = None) -> ReviewState:
        """The result of all events: see `review_state`.

        ``renames``: by earlier asset id, the current id. Events under an earlier id count for the current one.
        """
        events = self.events()
        if renames:
            events = tuple(replace(event, asset=renames.get(event.asset, event.asset)) for event in events)
        return review_state(events)


def _line_of(event: ReviewEvent) -> bytes:
    return json.dumps({"schema": SCHEMA, **asdict(event)}, ensure_ascii=False).encode()


def new_events(events: Iterable[ReviewEvent], known: Iterable[ReviewEvent]) -> list[ReviewEvent]:
    """Those of ``events`` that are not in ``known``, each once, in order."""
    had = set(known)
    return [event for event in dict.fromkeys(events) if event not in had]


class Tally:
    """Adds up review events, one at a time: the last event on each take, master and variation decides.

    The order of the file counts, not the time of an event, because clocks of machines differ.
    """

    def __init__(self, events: Iterable[ReviewEvent] = ()) -> None:
        self.approved: dict[str, str] = {}
        """Takes by their approved masters."""
        self.replaced: dict[str, Literal["reject", "reroll"]] = {}
        """By take: why builds replace it."""
        self.locked: set[tuple[str, int]] = set()
        self._order: dict[tuple[str, int], list[str]] = {}
        """By asset id and variation: the masters that were ever approved, in the order of their last approval."""
        for event in events:
            self.add(event)

    def add(self, event: ReviewEvent) -> None:
        """Count one event more."""
        place = (event.asset, event.variation)
        match event.action:
            case "approve":
                self.approved[event.master] = event.take
                self.replaced.pop(event.take, None)
                order = self._order.setdefault(place, [])
                if event.master in order:
                    order.remove(event.master)
                order.append(event.master)
            case "reject" | "reroll" as why:
                self.approved = {master: take for master, take in self.approved.items() if take != event.take}
                self.replaced[event.take] = why
            case "clear":
                self.approved.pop(event.master, None)
                self.replaced.pop(event.take, None)
            case "lock":
                self.locked.add(place)
            case "unlock":
                self.locked.discard(place)
            case "comment":
                pass

    def chosen(self, place: tuple[str, int]) -> str | None:
        """Of the masters of this variation that are approved, the one that was approved last."""
        approved = (master for master in reversed(self._order.get(place, ())) if master in self.approved)
        return next(approved, None)

    def state(self) -> ReviewState:
        """The result so far."""
        return ReviewState(
            frozenset(self.approved),
            frozenset(self.replaced),
            frozenset(self.locked),
            {place: master for place in self._order if (master := self.chosen(place)) is not None},
            frozenset(take for take, why in self.replaced.items() if why == "reroll"),
        )


def review_state(events: Iterable[ReviewEvent]) -> ReviewState:
    """The state after ``events``: see `Tally`."""
    return Tally(events).state()


def subject_of(event: ReviewEvent) -> tuple[str | int, ...]:
    """What a decision is about: a take, or the lock of a variation. Of two on one subject, the later one counts."""
    if event.action in ("lock", "unlock"):
        return ("lock", event.asset, event.variation)
    return ("take", event.take)


def reversed_decisions(
    events: Iterable[ReviewEvent], added: Iterable[ReviewEvent]
) -> list[tuple[ReviewEvent, ReviewEvent]]:
    """Each event of ``added`` that reversed a decision made after it, with that decision.

    ``events`` includes ``added``. Imported decisions count from the time of the import.
    """
    new = set(added)
    last: dict[tuple[str | int, ...], ReviewEvent] = {}
    pairs = []
    for event in events:
        if event.action == "comment":
            continue
        subject = subject_of(event)
        before = last.get(subject)
        if event in new and before and before.action != event.action and before.moment > event.moment:
            pairs.append((event, before))
        last[subject] = event
    return pairs


_FIELDS = get_type_hints(ReviewEvent)
_EventJson: Any = TypedDict("_EventJson", {**_FIELDS, "comment": NotRequired[str]})  # type: ignore[misc]


def read_event(line: bytes, place: str) -> ReviewEvent:
    """The event in a line; ``place`` names the line in the `FormatError` that anything else raises."""
    try:
        value = parse_object(line)
        check_schema(value, SCHEMA, place)
        if (fault := shape_fault(value, _EventJson)) is not None:
            raise ValueError(fault)
        event = ReviewEvent(**{key: value[key] for key in _FIELDS if key in value})
        utc(event.at)
    except ValueError as error:
        raise FormatError(
            f"{place}: not a review event: {error}; set the line aside: cuesmith verify --repair"
        ) from error
    return event


REMEDIES = {
    "true-peak ceiling": "peaks are too high; set a higher limit, such as limit: 12 dB, or a lower loudness",
    "gain limit": "the take is too quiet; change its prompt or seed, or set a lower loudness",
}
"""Deviations to report, and what to do about each. Variations that share a gain differ in loudness on purpose."""


def is_off_target(row: MasterRow) -> bool:
    """Whether the row says that the master missed its loudness target."""
    return row.get("deviation") in REMEDIES


def missed_in(rows: Iterable[MasterRow]) -> Counter[str]:
    """How many of ``rows`` missed their loudness target, by deviation."""
    return Counter(row["deviation"] for row in rows if is_off_target(row))


def lost_marks(rows: Iterable[MasterRow]) -> list[str]:
    """How many of ``rows`` lost their watermark in which formats, and what helps: a line for each set of formats."""
    counts = Counter(tuple(row["watermark_lost"]) for row in rows if "watermark_lost" in row)
    return [
        f"{count} {'master' if count == 1 else 'masters'} lost the watermark in {', '.join(formats)}: "
        f"{mark_remedy(formats)}"
        for formats, count in sorted(counts.items())
    ]


def mark_remedy(formats: Iterable[str]) -> str:
    """Why the watermark is not found again in files of ``formats``, and what to do about it."""
    if any(FORMATS[name].lossless for name in formats):
        return "the sound is too short or too quiet for it; make it longer, or set watermark: none"
    return "the coding removed it; deliver another format, such as wav or flac, and play that one"


State = Literal[
    "current",
    "locked",
    "stale",
    "approved",
    "rejected",
    "re-roll",
    "unreviewed",
    "waiting",
    "placeholder",
    "non-commercial",
    "off-target",
    "watermark-lost",
    "missing",
    "quarantined",
    "failed",
]
STATES: tuple[State, ...] = get_args(State)


def states_of(row: MasterRow, reviews: ReviewState) -> frozenset[State]:
    """All states of a row.

    One of ``current``, ``locked``, ``stale``; one of ``approved``, ``rejected``, ``re-roll``, ``unreviewed``;
    ``waiting`` if a new take waits beside it; ``placeholder`` and ``non-commercial`` depending on engine and weights;
    ``off-target`` if it missed its loudness target; ``watermark-lost`` if its watermark was not found again in a
    delivered file. A variation without a master is ``missing``, ``quarantined`` or ``failed``: see `MissingRow`.
    """
    states: set[State] = {_review(row, reviews)}
    locked = row["status"] == "locked" or place_of(row) in reviews.locked
    states.add("locked" if locked else "stale" if row["status"] == "stale" else "current")
    if "waiting" in row:
        states.add("waiting")
    if row["placeholder"]:
        states.add("placeholder")
    if not row["commercial"]:
        states.add("non-commercial")
    if is_off_target(row):
        states.add("off-target")
    if "watermark_lost" in row:
        states.add("watermark-lost")
    return frozenset(states)


def _review(row: MasterRow, reviews: ReviewState) -> State:
    if row["take"] in reviews.rejected:
        return "re-roll" if row["take"] in reviews.rerolled else "rejected"
    return "approved" if row["master"] in reviews.approved else "unreviewed"


RowT = TypeVar("RowT", MasterRow, MissingRow)


def named(rows: Iterable[RowT], asset: str | None) -> list[RowT]:
    """The rows whose asset id matches ``asset``, an id or a glob, case-sensitive; all rows if it is None.

    If no id matches, the rows of the master's name, such as ``music/theme_01``.
    """
    listed = list(rows)
    if asset is None:
        return listed
    by_id = [row for row in listed if fnmatch.fnmatchcase(row["asset"], asset)]
    return by_id or [row for row in listed if fnmatch.fnmatchcase(name_of(row), asset)]


@dataclass(frozen=True)
class Filter:
    """Selects masters; a field without a value does not narrow."""

    asset: str | None = None
    """See `named`."""
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
                raise UsageError(f"--state {state!r} is unknown; choose from {', '.join(STATES)}")

    def select(self, rows: Iterable[MasterRow], reviews: ReviewState) -> list[MasterRow]:
        """The selected rows, in their order."""
        return [
            row
            for row in named(rows, self.asset)
            if self._matches(row) and set(self.states) <= states_of(row, reviews)
        ]

    def select_missing(self, rows: Iterable[MissingRow]) -> list[MissingRow]:
        """The selected missing rows; none if the filter has a model, since no model made them."""
        return [
            row
            for row in named(rows, self.asset)
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
