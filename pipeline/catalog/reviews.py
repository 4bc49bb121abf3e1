"""Reviews: append-only approvals, rejections and comments in ``reviews.jsonl``, and what they add up to."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from pipeline.errors import FormatError
from pipeline.store import Store

KEY = "reviews.jsonl"
SCHEMA = "cuesmith.review/1"
ReviewAction = Literal["approve", "reject", "comment", "reroll", "lock", "unlock"]


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True)
class ReviewState:
    """What all events together say."""

    approved: frozenset[str]
    """Master digests."""
    rejected: frozenset[str]
    """Recipe digests: the take is not wanted, however it is mastered."""
    locked: frozenset[tuple[str, int]]
    """Asset id and variation."""


class Reviews:
    """The review file of one store."""

    def __init__(self, store: Store) -> None:
        self._backend = store.backend

    def add(self, event: ReviewEvent) -> None:
        """Append one event, durably; two reviewers at once lose nothing."""
        line = json.dumps({"schema": SCHEMA, **asdict(event)}, ensure_ascii=False)
        self._backend.append(KEY, line.encode())

    def events(self) -> tuple[ReviewEvent, ...]:
        """Every event in the order of the file."""
        return tuple(_event(line, number) for number, line in enumerate(self._backend.read_lines(KEY), 1))

    def state(self) -> ReviewState:
        """What the events add up to: the last word on each take, master and variation counts."""
        return fold(self.events())


def fold(events: Iterable[ReviewEvent]) -> ReviewState:
    """The state after ``events``: the last word on each take, master and variation counts."""
    approved: set[str] = set()
    rejected: set[str] = set()
    locked: set[tuple[str, int]] = set()
    for event in events:
        place = (event.asset, event.variation)
        match event.action:
            case "approve":
                approved.add(event.master)
                rejected.discard(event.take)
            case "reject" | "reroll":
                approved.discard(event.master)
                rejected.add(event.take)
            case "lock":
                locked.add(place)
            case "unlock":
                locked.discard(place)
            case "comment":
                pass
    return ReviewState(frozenset(approved), frozenset(rejected), frozenset(locked))


def _event(line: bytes, number: int) -> ReviewEvent:
    try:
        value = json.loads(line)
        schema = value.pop("schema")
        if schema != SCHEMA:
            raise FormatError(
                f"{KEY}:{number}: schema {schema!r}; this release reads {SCHEMA!r}: use the release that wrote it"
            )
        return ReviewEvent(**value)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"{KEY}:{number}: not a review event: {error}; mend or remove the line") from error
