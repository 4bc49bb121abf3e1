"""What speaks against a decision: locks, newer versions, other people."""

from __future__ import annotations

from typing import Any

import pytest
from quick import QuickProject
from toys import ONE, THREE, TWO

from pipeline.catalog import ReviewEvent, Reviews, review_state, states_of
from pipeline.errors import UsageError
from pipeline.provenance import MasterRow
from pipeline.review.checks import decided_since, refuse_locked, replaced_since, split_locked


def about(row: MasterRow, action: Any, by: str = "Ada") -> ReviewEvent:
    return ReviewEvent(
        "2026-01-01T00:00:00Z", by, action, row["asset"], row["variation"], row["take"], row["master"]
    )


def words(project: QuickProject, *new: ReviewEvent) -> list[str]:
    return [one.words for one in replaced_since(project.latest, Reviews(project.store).events(), new)]


def test_a_locked_master_is_neither_rejected_nor_rolled_again(built: QuickProject) -> None:
    row = built.row("a/two")
    lock = about(row, "lock")
    for action in ("reject", "reroll"):
        with pytest.raises(UsageError, match="locked, so no build replaces it: a/two_01; unlock first"):
            refuse_locked([lock], [about(row, action)])
    refuse_locked(
        [lock], [about(row, "unlock"), about(row, "reject"), about(row, "approve"), about(row, "lock")]
    )


def test_what_the_next_build_replaces_is_not_locked(built: QuickProject) -> None:
    row, other = built.row("a/two"), built.row("b/three")
    known = [about(row, "reroll")]
    allowed, refused = split_locked(known, [about(row, "lock"), about(other, "lock")])
    assert ([one.name for one in allowed], [one.name for one in refused]) == (["b/three_01"], ["a/two_01"])
    refuse_locked(known, [about(row, "clear"), about(row, "lock")])


def test_a_reroll_is_no_rejection_and_clear_ends_both(built: QuickProject) -> None:
    row = built.row("a/two")
    said = [about(row, "approve"), about(row, "reroll")]
    assert states_of(row, review_state(said)) == {"current", "re-roll", "placeholder"}
    assert review_state(said).rejected == {row["take"]}, "builds replace it, as before"
    for last, state in (("reject", "rejected"), ("clear", "unreviewed"), ("approve", "approved")):
        assert state in states_of(row, review_state([*said, about(row, last)]))


def test_clear_keeps_a_lock_and_restores_no_approval(built: QuickProject) -> None:
    row = built.row("a/two")
    state = review_state([about(row, action) for action in ("approve", "lock", "clear")])
    assert (state.approved, state.locked) == (frozenset(), {("a/two", 1)})


def test_a_decision_on_a_replaced_take_says_what_it_would_do(built: QuickProject) -> None:
    old, kept = built.row("a/two"), built.row("b/three")
    built.say("reject", old)
    built.build()
    [back] = words(built, about(old, "approve"))
    assert "version 2 has another take" in back
    assert "the next build uses this one again" in back
    assert "the lock applies to that one" in words(built, about(old, "lock"))[0]
    assert words(built, about(old, "reject")) == ["version 2 has another take, which stays as it is"]
    assert words(built, about(kept, "approve"), about(old, "comment"), about(old, "unlock")) == []
    assert words(built, about(built.row("a/two"), "reject")) == []


def test_the_take_that_waits_is_no_replaced_one(built: QuickProject) -> None:
    built.say("approve", built.row("a/two"))
    built.write(ONE + TWO.replace("second", "other") + THREE)
    built.build()
    waiting: Any = built.row("a/two")["waiting"]
    assert words(built, about(waiting, "approve")) == []


def test_a_variation_that_is_gone_is_said(built: QuickProject) -> None:
    gone = built.row("b/three")
    built.write(ONE + TWO)
    built.build(allow_removals=True)
    assert words(built, about(gone, "approve")) == ["version 2 no longer has this variation"]


def test_only_other_decisions_of_other_people_since_then_are_asked_about(built: QuickProject) -> None:
    row, other = built.row("a/two"), built.row("b/three")
    known = [about(other, "reject", "Bo"), about(row, "reject", "Bo"), about(row, "comment", "Bo")]
    [unseen] = decided_since(known, 1, [about(row, "approve"), about(other, "approve")])
    assert (unseen.event.name, unseen.reason) == ("a/two_01", "decided")
    assert unseen.words == "Bo rejected it meanwhile; your decision would replace that"
    assert (
        list(decided_since(known, 0, [about(row, "reject"), about(row, "lock"), about(row, "comment")])) == []
    )
    assert list(decided_since(known, 0, [about(row, "approve", "Bo")])) == []
