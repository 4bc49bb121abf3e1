"""The review state of each master of a version, as the page shows it: stored in a report, or sent by the server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypedDict

from pipeline.catalog import ReviewEvent, Version, fold
from pipeline.provenance import MasterRow

EventJson = tuple[int, str, str, str, str, str]
"""Row, what was heard, action, who, when, comment. Heard was the ``master``, the ``candidate`` that waits beside it,
the ``take`` mastered otherwise, or an ``earlier`` take."""


class Standing(TypedDict):
    """Rows are numbered as the version lists them."""

    count: int
    """Events in the review file when this was read."""
    approved: list[int]
    rejected: list[int]
    locked: list[int]
    events: list[EventJson]


def standing_of(version: Version, events: Sequence[ReviewEvent]) -> Standing:
    """What ``events`` add up to for each row of ``version``, and those that concern its variations."""
    state, rows = fold(events), list(enumerate(version.masters))
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
        heard = _heard(version.masters[index], event)
        yield (index, heard, event.action, event.by, event.at, event.comment)


def _heard(row: MasterRow, event: ReviewEvent) -> str:
    waiting = row.get("waiting")
    if event.master == row["master"]:
        return "master"
    if waiting is not None and event.master == waiting["master"]:
        return "candidate"
    return "take" if event.take == row["take"] else "earlier"
