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
    before = []
    for event in known[first:]:
        before.append(_Before.of(event, tally) if event.id in mine else None)
        tally.add(event)
    result = Undo([], [], [])
    later: dict[tuple[str | int, ...], ReviewEvent] = {}
    # The last decision first, as a person undoes them. From here on, the tally counts the undo.
    for event, facts in zip(reversed(known[first:]), reversed(before), strict=True):
        other = later.get(subject_of(event))
        if event.action == "comment":
            continue
        if facts is None:
            later[subject_of(event)] = event
        elif other is not None:
            result.kept.append(f"{event.name}: {other.by} {VERBS[other.action]} it after you")
        else:
            result.undone.append(event)
            for back in facts.restore(replace(event, by=by, at=at, comment=f"undo: {event.action}"), tally):
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
        raise UsageError(f"only {min(others)} can undo this decision; decide anew instead")
    return places[0], wanted


@dataclass(frozen=True)
class _Before:
    """The state of what a decision is about, before the decision."""

    replaced: Literal["reject", "reroll"] | None
    """Why builds replace the take."""
    locked: bool
    approved: Mapping[str, str]
    """Takes by approved masters, of those whose approval ends with the decision or with a ``clear`` after it."""
    chosen: str | None
    """The master of the variation that was approved last."""

    @classmethod
    def of(cls, event: ReviewEvent, tally: Tally) -> _Before:
        place = (event.asset, event.variation)
        whole_take = event.action in ("reject", "reroll")
        ended = {
            master: take
            for master, take in tally.approved.items()
            if (take == event.take if whole_take else master == event.master)
        }
        return cls(tally.replaced.get(event.take), place in tally.locked, ended, tally.chosen.get(place))

    def restore(self, event: ReviewEvent, tally: Tally) -> Iterator[ReviewEvent]:
        """Events like ``event`` that bring this state back; ``tally`` counts everything that happened since."""
        if event.action in ("lock", "unlock"):
            if ((event.asset, event.variation) in tally.locked) != self.locked:
                yield replace(event, action="lock" if self.locked else "unlock")
            return
        place = (event.asset, event.variation)
        # The choice is of the whole variation: it comes back unless somebody chose another master since.
        present = tally.chosen.get(place)
        chosen = self.chosen if present in (event.master, self.chosen) else present
        yield replace(event, action=self.replaced or "clear")
        for master, take in self.approved.items():
            yield replace(event, action="approve", master=master, take=take)
        if chosen in tally.approved and tally.chosen.get(place) != chosen:
            yield replace(event, action="approve", master=chosen, take=tally.approved[chosen])
