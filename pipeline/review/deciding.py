"""Turn a person's decisions on masters of a version into review events."""

from __future__ import annotations

from pipeline.catalog import Filter, ReviewAction, ReviewEvent, ReviewState, Version
from pipeline.catalog.texts import comment_fault, name_fault
from pipeline.errors import UsageError
from pipeline.provenance import MasterRow


def event_on(row: MasterRow, action: ReviewAction, *, by: str, at: str, comment: str = "") -> ReviewEvent:
    """The event of one decision on the master, or the waiting master, of ``row``.

    Raises `UsageError` if the name or a comment's text is missing or not valid.
    """
    if action == "comment" and not comment.strip():
        raise UsageError('a comment needs a text: -m "..."')
    if not by.strip():
        raise UsageError("a review needs the reviewer's name: --by NAME")
    for option, fault in (("--by", name_fault(by)), ("-m", comment_fault(comment))):
        if fault is not None:
            raise UsageError(f"{option}: {fault}")
    return ReviewEvent(at, by, action, row["asset"], row["variation"], row["take"], row["master"], comment)


def decide(
    version: Version,
    chosen: Filter,
    action: ReviewAction,
    *,
    by: str,
    at: str,
    comment: str = "",
    waiting: bool = False,
    reviews: ReviewState | None = None,
) -> list[ReviewEvent]:
    """One event for each chosen master of ``version``, or (``waiting``) for the one that waits beside it.

    Raises `UsageError` if ``chosen`` selects nothing.
    """
    rows = chosen.select(version.masters, reviews or ReviewState(frozenset(), frozenset(), frozenset()))
    what = f"{chosen.asset}" + (f" variation {chosen.variation}" if chosen.variation else "")
    if not rows:
        raise UsageError(
            f"version {version.number} has no master that matches {what}; `cuesmith catalog show` lists all masters"
        )
    heard: list[MasterRow] = [row["waiting"] for row in rows if "waiting" in row] if waiting else rows
    if not heard:
        raise UsageError(
            f"nothing waits beside {what} in version {version.number}; "
            "`cuesmith catalog show --state waiting` lists all waiting masters"
        )
    return [event_on(row, action, by=by, at=at, comment=comment) for row in heard]
