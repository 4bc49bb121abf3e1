"""Where each master of a version stands in review, as the page shows it: baked into a report, or told by a server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypedDict

from pipeline.catalog import ReviewEvent, ReviewState, Version

EventJson = tuple[int, str, str, str, str, str]
"""Row, what was heard (``master``, ``take`` mastered otherwise, or an ``earlier`` take), action, who, when, comment."""


class Standing(TypedDict):
    """Rows are numbered as the version lists them."""

    count: int
    """Events in the review file when this was read."""
    approved: list[int]
    rejected: list[int]
    locked: list[int]
    events: list[EventJson]


def standing_of(version: Version, state: ReviewState, events: Sequence[ReviewEvent]) -> Standing:
    """What ``state`` says of each row of ``version``, with the events that concern its variations."""
    rows = list(enumerate(version.masters))
    return Standing(
        count=len(events),
        approved=[i for i, row in rows if row["master"] in state.approved],
        rejected=[i for i, row in rows if row["take"] in state.rejected],
        locked=[i for i, row in rows if (row["asset"], row["variation"]) in state.locked],
        events=list(_events(version, events)),
    )


def _events(version: Version, events: Iterable[ReviewEvent]) -> Iterable[EventJson]:
    places = {(row["asset"], row["variation"]): i for i, row in enumerate(version.masters)}
    for event in events:
        index = places.get((event.asset, event.variation))
        if index is None:
            continue
        row = version.masters[index]
        heard = (
            "master" if event.master == row["master"] else "take" if event.take == row["take"] else "earlier"
        )
        yield (index, heard, event.action, event.by, event.at, event.comment)
