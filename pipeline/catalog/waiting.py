"""What becomes of an approved master when the manifest asks for another: it stays, and the new one waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

from pipeline.catalog.reviews import ReviewState
from pipeline.plan import WAITS, WILL_WAIT
from pipeline.provenance import MasterRow, WaitingRow

Outcome = Literal["new", "kept", "waits"]


def promoted(row: MasterRow, reviews: ReviewState) -> MasterRow:
    """The row that stands before a build: the one that waited, once it is the one that was approved last."""
    place, waiting = (row["asset"], row["variation"]), row.get("waiting")
    if waiting is None or place in reviews.locked or reviews.chosen.get(place) != waiting["master"]:
        return row
    return settled(waiting)


def outcome(previous: MasterRow, fresh: MasterRow, reviews: ReviewState) -> Outcome:
    """Which of two masters of a variation stands: the one that the catalog has, or the one just asked for.

    ``waits``: the previous one is approved, and nobody has approved the new one since.
    """
    place = (previous["asset"], previous["variation"])
    if previous["master"] == fresh["master"]:
        return "new"
    if previous["master"] in reviews.approved and reviews.chosen.get(place) != fresh["master"]:
        return "waits"
    if fresh["take"] in reviews.rejected and previous["take"] not in reviews.rejected:
        return "kept"
    return "new"


def beside(
    approved: MasterRow, fresh: MasterRow, waiting: WaitingRow | None, reasons: Sequence[str]
) -> MasterRow:
    """The approved row with ``fresh`` waiting beside it; what ``waiting`` told of the same master stays told."""
    if waiting is not None and waiting["master"] == fresh["master"]:
        reasons = waiting["reasons"]
    told = [reason for reason in reasons if reason not in (WILL_WAIT, WAITS)]
    candidate = WaitingRow(**{**fresh, "status": "waiting", "reasons": told})
    return MasterRow(**{**approved, "waiting": candidate})


def settled(row: MasterRow) -> MasterRow:
    """The row without anything that waits beside it, or as it will be when it no longer waits."""
    if "waiting" not in row and "reasons" not in row:
        return row
    left: Any = dict(row)
    for key in ("waiting", "reasons"):
        left.pop(key, None)
    return cast("MasterRow", left)
