"""What a master stands as, in the words that people filter by."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from pipeline.catalog.reviews import ReviewState
from pipeline.catalog.targets import is_off_target
from pipeline.errors import UsageError
from pipeline.provenance import MasterRow, MissingRow

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
