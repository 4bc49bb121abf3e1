"""What a decision needs before it counts: a lock that forbids it, or a change that its reviewer has not seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.catalog import ReviewAction, ReviewEvent, Tally, Version, subject_of
from pipeline.errors import UsageError
from pipeline.manifest.problems import list_names
from pipeline.provenance import MasterRow

VERBS: Mapping[ReviewAction, str] = {
    "approve": "approved",
    "reject": "rejected",
    "reroll": "requested another take instead of",
    "comment": "commented on",
    "lock": "locked",
    "unlock": "unlocked",
    "clear": "cleared the review of",
}
"""For sentences about what a person did with a master."""


def split_locked(
    known: Iterable[ReviewEvent], new: Iterable[ReviewEvent]
) -> tuple[list[ReviewEvent], list[ReviewEvent]]:
    """Those of ``new`` that may follow ``known``, and those that contradict a lock.

    A locked master is never replaced, so nobody can reject it or request another take of it; and a master that the next
    build replaces cannot be locked.
    """
    tally = Tally(known)
    allowed: list[ReviewEvent] = []
    refused: list[ReviewEvent] = []
    for event in new:
        locked = (event.asset, event.variation) in tally.locked
        contradicts = (event.action in ("reject", "reroll") and locked) or (
            event.action == "lock" and event.take in tally.replaced
        )
        if contradicts:
            refused.append(event)
        else:
            tally.add(event)
            allowed.append(event)
    return allowed, refused


def lock_fault(refused: Sequence[ReviewEvent]) -> str:
    """Why the second list of `split_locked` is refused, and the remedy."""
    to_lock = [event.name for event in refused if event.action == "lock"]
    to_replace = [event.name for event in refused if event.action != "lock"]
    faults = []
    if to_replace:
        faults.append(
            f"locked, so no build replaces it: {list_names(to_replace)}; unlock first: cuesmith review unlock"
        )
    if to_lock:
        faults.append(
            f"the next build replaces it, so it cannot be locked: {list_names(to_lock)}; "
            "approve it, or clear its review first: cuesmith review clear"
        )
    return "\n".join(faults)


def refuse_locked(known: Iterable[ReviewEvent], new: Iterable[ReviewEvent]) -> None:
    """Raises `UsageError` if one of ``new`` contradicts a lock."""
    _, refused = split_locked(known, new)
    if refused:
        raise UsageError(lock_fault(refused))


@dataclass(frozen=True)
class Unseen:
    """A change that the reviewer of ``event`` has not seen, so that one asks before the decision counts."""

    event: ReviewEvent
    reason: Literal["replaced", "decided"]
    """A newer version has another master, or another person decided on the same meanwhile."""
    words: str
    """What changed, and what the decision does now."""


def replaced_since(
    latest: Version | None, known: Iterable[ReviewEvent], new: Iterable[ReviewEvent]
) -> Iterator[Unseen]:
    """Decisions on masters that version ``latest`` has replaced. Comments and unlocking concern no sound."""
    if latest is None:
        return
    replaced = Tally(known).replaced
    for event in new:
        row = latest.by_variation.get((event.asset, event.variation))
        words = (
            None if event.action in ("comment", "unlock") else _replaced(event, row, event.take in replaced)
        )
        if words is not None:
            yield Unseen(event, "replaced", f"version {latest.number} {words}")


def _replaced(event: ReviewEvent, row: MasterRow | None, is_rejected: bool) -> str | None:
    """What the latest version has instead, and what ``event`` does; None if it has the master of ``event``."""
    if row is None:
        return "no longer has this variation"
    waiting = row.get("waiting")
    if event.master == row["master"] or (waiting is not None and event.master == waiting["master"]):
        return None
    if event.take == row["take"]:
        # A rejection concerns the take, however it is mastered.
        same = "has this take with another mastering"
        return None if event.action in ("reject", "reroll") else f"{same}, which stays as it is"
    match event.action:
        case "approve" | "clear" if is_rejected:
            return (
                "has another take, because this one was rejected or rolled again; with this decision, the next build "
                "uses this one again if the manifest still describes it"
            )
        case "lock":
            return "has another take; the lock applies to that one"
        case _:
            return "has another take, which stays as it is"


def decided_since(known: Sequence[ReviewEvent], seen: int, new: Iterable[ReviewEvent]) -> Iterator[Unseen]:
    """Decisions on what another person decided after the first ``seen`` events, in another way."""
    later = {subject_of(event): event for event in known[seen:] if event.action not in ("comment",)}
    for event in new:
        other = later.get(subject_of(event))
        if event.action == "comment" or other is None or other.by == event.by or other.action == event.action:
            continue
        yield Unseen(
            event,
            "decided",
            f"{other.by} {VERBS[other.action]} it meanwhile; your decision would replace that",
        )
