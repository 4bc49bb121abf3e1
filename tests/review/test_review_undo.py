"""Undo brings back the state before a decision, by adding events, and never overrules another person."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.catalog import ACTIONS, ReviewEvent, review_state
from pipeline.errors import UsageError
from pipeline.review.undo import undo

LATER = "2026-01-02T00:00:00Z"
MASTERS = {"m1": "t1", "m2": "t1", "m3": "t2"}


def event(action: Any, master: str = "m1", by: str = "Ada", second: int = 0) -> ReviewEvent:
    return ReviewEvent(f"2026-01-01T00:00:{second:02d}Z", by, action, "a", 1, MASTERS[master], master)


decided = st.tuples(st.sampled_from(ACTIONS), st.sampled_from(sorted(MASTERS)))


@given(st.lists(decided, max_size=8), st.lists(decided, min_size=1, max_size=3))
def test_undo_brings_back_exactly_the_state_before(before: list[Any], mine: list[Any]) -> None:
    known = [event(action, master, "Bo", n) for n, (action, master) in enumerate(before)]
    decisions = [event(action, master, "Ada", 20 + n) for n, (action, master) in enumerate(mine)]
    result = undo([*known, *decisions], [one.id for one in decisions], "Ada", LATER)
    assert review_state([*known, *decisions, *result.events]) == review_state(known)
    assert result.kept == []
    assert [one.by for one in result.events] == ["Ada"] * len(result.events)


def test_the_choice_between_two_masters_comes_back() -> None:
    known = [event("approve", "m2", "Bo"), event("approve", "m1", "Bo", 1)]
    mine = [event("reject", "m1", second=2), event("approve", "m2", second=3)]
    result = undo([*known, *mine], [one.id for one in mine], "Ada", LATER)
    assert review_state([*known, *mine, *result.events]).chosen == {("a", 1): "m1"}


def test_a_rejection_gives_the_approvals_of_its_take_back() -> None:
    known = [event("approve", "m2", "Bo"), event("reject", "m1")]
    result = undo(known, [known[1].id], "Ada", LATER)
    assert [(one.action, one.master, one.comment) for one in result.events] == [
        ("clear", "m1", "undo: reject"),
        ("approve", "m2", "undo: reject"),
    ]


def test_a_lock_is_unlocked_only_if_this_decision_locked_it() -> None:
    first, again = event("lock", by="Bo"), event("lock", second=1)
    assert [one.action for one in undo([first], [first.id], "Bo", LATER).events] == ["unlock"]
    assert undo([first, again], [again.id], "Ada", LATER).events == []


def test_what_another_person_decided_later_stays_and_is_named() -> None:
    mine = [event("approve", "m1"), event("approve", "m3", second=1)]
    known = [*mine, event("reject", "m1", "Bo"), event("comment", "m3", "Bo")]
    result = undo(known, [one.id for one in mine], "Ada", LATER)
    assert result.kept == ["a_01: Bo rejected it after you"]
    assert [one.name for one in result.undone] == ["a_01"]
    state = review_state([*known, *result.events])
    assert (state.approved, state.rejected) == (frozenset(), {"t1"})


def test_what_another_person_decided_between_two_of_mine_is_brought_back() -> None:
    mine = [event("approve", "m1"), event("approve", "m3", second=2)]
    known = [mine[0], event("reject", "m3", "Bo", 1), mine[1]]
    result = undo(known, [one.id for one in mine], "Ada", LATER)
    assert review_state([*known, *result.events]).rejected == {"t2"}


def test_a_choice_that_another_person_made_since_stays() -> None:
    mine = event("reject", "m1")
    known = [event("approve", "m1", "Bo"), mine, event("approve", "m3", "Bo", 2)]
    state = review_state([*known, *undo(known, [mine.id], "Ada", LATER).events])
    assert (state.approved, state.chosen) == ({"m1", "m3"}, {("a", 1): "m3"})


def test_only_known_decisions_of_ones_own_are_undone() -> None:
    known = [event("approve", by="Bo")]
    with pytest.raises(UsageError, match="only Bo can undo"):
        undo(known, [known[0].id], "Ada", LATER)
    with pytest.raises(UsageError, match="not in the review file"):
        undo(known, ["0" * 64], "Ada", LATER)
