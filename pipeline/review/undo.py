"""Undo: events that bring back the state before a person's decisions. No event is ever removed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

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
    changes = [_Change.count(event, tally) for event in known[first:]]
    result = Undo([], [], [])
    later: dict[tuple[str | int, ...], ReviewEvent] = {}
    # The last decision first, as a person undoes them. From here on, the tally counts the undo.
    for event, change in zip(reversed(known[first:]), reversed(changes), strict=True):
        other = later.get(subject_of(event))
        if event.action == "comment":
            continue
        if event.id not in mine:
            later[subject_of(event)] = event
        elif other is not None:
            result.kept.append(f"{event.name}: {other.by} {VERBS[other.action]} it after you")
        else:
            result.undone.append(event)
            for back in change.revert(replace(event, by=by, at=at, comment=f"undo: {event.action}"), tally):
                result.events.append(back)
                tally.add(back)
    return result


def _first_of(known: Sequence[ReviewEvent], decisions: Collection[str], by: str) -> tuple[int, set[str]]:
    """The place of the first of ``decisions`` in ``known``, and their ids."""
    wanted = set(decisions)
    places = [place for place, event in enumerate(known) if event.id in wanted]
    if not places or len({known[place].id for place in places}) < len(wanted):
        raise UsageError("this decision is not in the review file; reload the page")
    if others := {known[place].by for place in places} - {by}:
        raise UsageError(f"only {min(others)} can undo this decision; make a new decision instead")
    return places[0], wanted


@dataclass(frozen=True)
class _Change:
    """What a decision changed in the state of what it is about."""

    replaced: Literal["reject", "reroll"] | None
    """Why builds replaced the take before the decision."""
    locked: bool
    """Before the decision."""
    ended: Mapping[str, str]
    """Takes by approved masters, of those whose approval ends with the decision or with a ``clear`` after it."""
    chosen: tuple[str | None, str | None]
    """The chosen master of the variation before and after the decision."""

    @classmethod
    def count(cls, event: ReviewEvent, tally: Tally) -> _Change:
        """Count ``event`` in ``tally``, and return what it changes."""
        place = (event.asset, event.variation)
        whole_take = event.action in ("reject", "reroll")
        ended = {
            master: take
            for master, take in tally.approved.items()
            if (take == event.take if whole_take else master == event.master)
        }
        replaced, locked, before = tally.replaced.get(event.take), place in tally.locked, tally.chosen(place)
        tally.add(event)
        return cls(replaced, locked, ended, (before, tally.chosen(place)))

    def revert(self, event: ReviewEvent, tally: Tally) -> Iterator[ReviewEvent]:
        """Events like ``event`` that bring back the state before it; ``tally`` counts all events since."""
        place = (event.asset, event.variation)
        if event.action in ("lock", "unlock"):
            if (place in tally.locked) != self.locked:
                yield replace(event, action="lock" if self.locked else "unlock")
            return
        # The choice is of the whole variation: it comes back unless somebody chose another master since.
        before, after = self.chosen
        present = tally.chosen(place)
        chosen = before if present == after else present
        yield replace(event, action=self.replaced or "clear")
        for master, take in self.ended.items():
            yield replace(event, action="approve", master=master, take=take)
        if chosen in tally.approved and tally.chosen(place) != chosen:
            yield replace(event, action="approve", master=chosen, take=tally.approved[chosen])
