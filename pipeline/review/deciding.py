"""From what a person says about masters of a version to review events."""

from __future__ import annotations

from pipeline.catalog import Filter, ReviewAction, ReviewEvent, ReviewState, Version
from pipeline.catalog.texts import comment_fault, name_fault
from pipeline.errors import UsageError
from pipeline.provenance import MasterRow


def event_on(row: MasterRow, action: ReviewAction, *, by: str, at: str, comment: str = "") -> ReviewEvent:
    """The event of one decision on the master of ``row``, or of what waits beside one.

    Raises `UsageError` for a comment without text, for a decision without a name, and where either cannot be kept.
    """
    if action == "comment" and not comment.strip():
        raise UsageError('a comment needs a text: -m "..."')
    if not by.strip():
        raise UsageError("a review needs the name of who decides: --by NAME")
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
    """One event for each master of ``version`` that is chosen, or (``waiting``) for what waits beside it.

    Raises `UsageError` when nothing is chosen.
    """
    rows = chosen.select(version.masters, reviews or ReviewState(frozenset(), frozenset(), frozenset()))
    what = f"{chosen.asset}" + (f" variation {chosen.variation}" if chosen.variation else "")
    if not rows:
        raise UsageError(
            f"version {version.number} has no master that matches {what}; `cuesmith catalog show` lists all"
        )
    heard: list[MasterRow] = [row["waiting"] for row in rows if "waiting" in row] if waiting else rows
    if not heard:
        raise UsageError(
            f"nothing waits beside {what} in version {version.number}; "
            "`cuesmith catalog show --state waiting` lists what waits"
        )
    return [event_on(row, action, by=by, at=at, comment=comment) for row in heard]
