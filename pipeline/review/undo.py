"""Undo: events that bring back the state before a person's decisions. No event is ever removed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.catalog import ReviewEvent, Tally, subject_of
from pipeline.errors import UsageError
from pipeline.review.checks import VERBS


@dataclass(frozen=True)
class Undo:
    """What an undo adds, and what it leaves as it is."""

    events: list[ReviewEvent]
    undone: list[ReviewEvent]
    """The decisions that no longer count."""
    kept: list[str]
    """Each decision that still counts, because somebody decided on the same later: name and reason."""


def undo(known: Sequence[ReviewEvent], decisions: Collection[str], by: str, at: str) -> Undo:
    """Undo the ``decisions`` (ids of events) of the reviewer ``by`` at the moment ``at``.

    Raises `UsageError` if an id is unknown, or a decision is of another person.
    """
    first, mine = _first_of(known, decisions, by)
    tally = Tally(known[:first])
    restoring = []
    for event in known[first:]:
        restoring.append(list(_restore(tally, event, by, at)) if event.id in mine else [])
        tally.add(event)
    result = Undo([], [], [])
    later: dict[tuple[str | int, ...], ReviewEvent] = {}
    # The last decision first, as a person undoes them.
    for event, back in zip(reversed(known[first:]), reversed(restoring), strict=True):
        other = later.get(subject_of(event))
        if event.action == "comment":
            continue
        if event.id not in mine:
            later[subject_of(event)] = event
        elif other is not None:
            result.kept.append(f"{event.name}: {other.by} {VERBS[other.action]} it after you")
        else:
            result.events.extend(back)
            result.undone.append(event)
    return result


def _first_of(known: Sequence[ReviewEvent], decisions: Collection[str], by: str) -> tuple[int, set[str]]:
    """The place of the first of ``decisions`` in ``known``, and their ids."""
    wanted = set(decisions)
    places = [place for place, event in enumerate(known) if event.id in wanted]
    if not places or len({known[place].id for place in places}) < len(wanted):
        raise UsageError("this decision is not in the review file; reload the page")
    if others := {known[place].by for place in places} - {by}:
        raise UsageError(f"only {min(others)} can undo this decision; decide anew instead")
    return places[0], wanted


def _restore(tally: Tally, event: ReviewEvent, by: str, at: str) -> Iterator[ReviewEvent]:
    """Events that, after ``event``, bring back what ``tally`` has about its subject."""
    back = replace(event, by=by, at=at, comment=f"undo: {event.action}")
    place = (event.asset, event.variation)
    match event.action:
        case "lock":
            if place not in tally.locked:
                yield replace(back, action="unlock")
        case "unlock":
            if place in tally.locked:
                yield replace(back, action="lock")
        case "approve" | "reject" | "reroll" | "clear":
            yield replace(back, action=tally.replaced.get(event.take, "clear"))
            ended = _approvals_ended_by(event, tally)
            chosen = tally.chosen.get(place)
            if chosen in tally.approved and (chosen in ended or event.action == "approve"):
                ended = [*(master for master in ended if master != chosen), chosen]
            for master in ended:
                yield replace(back, action="approve", master=master, take=tally.approved[master])
        case "comment":
            pass


def _approvals_ended_by(event: ReviewEvent, tally: Tally) -> list[str]:
    """Masters approved in ``tally`` whose approval ends with ``event`` or with a ``clear`` after it."""
    whole_take = event.action in ("reject", "reroll")
    return [
        master
        for master, take in tally.approved.items()
        if (take == event.take if whole_take else master == event.master)
    ]
