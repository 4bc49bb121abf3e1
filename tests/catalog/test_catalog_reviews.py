"""Review events: kept whole, read strictly, and added up by the last word."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reviewing import add, add_new

from pipeline.catalog import (
    ACTIONS,
    STATES,
    Filter,
    ReviewEvent,
    Reviews,
    ReviewState,
    reversed_decisions,
    review_state,
    states_of,
)
from pipeline.errors import FormatError, UsageError
from pipeline.store import Store

events = st.lists(
    st.builds(
        ReviewEvent,
        at=st.integers(0, 3).map(lambda second: f"2026-01-01T00:00:0{second}Z"),
        by=st.sampled_from(["Ada", "Bo"]),
        action=st.sampled_from(ACTIONS),
        asset=st.sampled_from(["a", "b"]),
        variation=st.just(1),
        take=st.sampled_from(["t1", "t2"]),
        master=st.sampled_from(["m1", "m2"]),
    ),
    max_size=12,
)


def event(action: Any, second: int = 0, take: str = "t1", master: str = "m1") -> ReviewEvent:
    return ReviewEvent(f"2026-01-01T00:00:{second:02d}Z", "Ada", action, "a", 1, take, master)


@given(events)
def test_no_take_is_both_rejected_and_approved_last(events: list[ReviewEvent]) -> None:
    state = review_state(events)
    for (asset, variation), master in state.chosen.items():
        assert master in state.approved
        assert any((one.asset, one.variation, one.master) == (asset, variation, master) for one in events)


def test_the_approval_before_counts_when_the_last_one_ends() -> None:
    events = [
        event("approve"),
        event("approve", take="t2", master="m2"),
        event("reject", take="t2", master="m2"),
    ]
    assert review_state(events[:2]).chosen == {("a", 1): "m2"}
    assert review_state(events).chosen == {("a", 1): "m1"}


@given(events)
def test_comments_change_nothing(events: list[ReviewEvent]) -> None:
    assert review_state(one for one in events if one.action != "comment") == review_state(events)


def test_the_last_word_is_the_one_that_came_last_whatever_the_clocks_say() -> None:
    state = review_state([event("approve", second=5), event("reject", second=3)])
    assert (state.approved, state.rejected) == (frozenset(), {"t1"})


def test_a_clock_that_is_ahead_voids_no_later_word(tmp_path: Path) -> None:
    ahead = {**vars(event("approve")), "at": "2999-01-01T00:00:00Z", "schema": "cuesmith.review/1"}
    (tmp_path / "reviews.jsonl").write_text(json.dumps(ahead) + "\n")
    reviews = Reviews(Store.open(tmp_path))
    add(reviews, event("reject"))
    assert reviews.state().rejected == {"t1"}


def test_a_review_that_is_still_to_come_is_refused(tmp_path: Path) -> None:
    reviews = Reviews(Store.open(tmp_path))
    for at in ("2999-01-01T00:00:00Z", "2999-01-01T00:00:00-11:00"):
        with pytest.raises(UsageError, match=f"dated {at}, which is in the future"):
            add_new(reviews, [replace(event("approve"), at=at)])
    soon = (datetime.now(UTC) + timedelta(seconds=30)).isoformat()
    add(reviews, replace(event("approve"), at=soon))
    assert [one.at for one in reviews.events()] == [soon]


def test_what_a_file_takes_back_that_was_said_after_it_is_known(tmp_path: Path) -> None:
    reviews = Reviews(Store.open(tmp_path))
    here = [event("approve", 5), event("comment", 6), event("lock", 2), event("approve", 9, "t2", "m2")]
    for one in here:
        add(reviews, one)
    brought = [event("reject", 3), event("unlock", 4), event("approve", 1, "t2", "m2")]
    added = add_new(reviews, brought)
    assert reversed_decisions(reviews.events(), added) == [(brought[0], here[0])]
    assert reviews.state().rejected == {"t1"}


@pytest.mark.parametrize("place", ["local", "memory"])
def test_two_machines_whose_clocks_differ_are_ordered_by_arrival(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(tmp_path) if place == "local" else f"memory://{uuid4().hex}"
    ahead, behind = Reviews(Store.open(root)), Reviews(Store.open(root))
    real = time.time_ns
    said = []
    for number in range(3):
        for reviews, hours in ((ahead, 3), (behind, -3)):
            monkeypatch.setattr(time, "time_ns", lambda hours=hours: real() + hours * 3600 * 10**9)
            said.append(event("reject" if hours < 0 else "approve", number))
            add(reviews, said[-1])
    assert ahead.events() == tuple(said)
    assert ahead.state().rejected == {"t1"}


def test_rejecting_a_take_ends_the_approval_of_each_of_its_masters() -> None:
    said = [
        event("approve", 1, master="m1"),
        event("approve", 2, master="m2"),
        event("reject", 3, master="m2"),
    ]
    assert review_state(said) == ReviewState(frozenset(), frozenset({"t1"}), frozenset())


def test_a_lock_ends_with_unlock() -> None:
    assert review_state([event("lock", 1)]).locked == {("a", 1)}
    assert review_state([event("lock", 1), event("unlock", 2)]).locked == frozenset()


def test_events_come_back_as_they_were_said(tmp_path: Path) -> None:
    reviews = Reviews(Store.open(tmp_path))
    said = [
        event("comment"),
        ReviewEvent("2026-01-01T00:00:00Z", "Żoë", "reject", "a", 1, "t", "m", '<b>\n"x"'),
    ]
    for one in said:
        add(reviews, one)
    assert reviews.events() == tuple(said)
    assert len({one.id for one in reviews.events()}) == 2


def test_a_comment_of_several_lines_is_reported_set_in() -> None:
    said = ReviewEvent("2026-01-01T00:00:00Z", "Ada", "comment", "a", 1, "t", "m", "too dark\nand too long")
    assert str(said) == "a_01 by Ada: too dark\n    and too long"


def test_bringing_events_again_adds_nothing(tmp_path: Path) -> None:
    reviews = Reviews(Store.open(tmp_path))
    said = [event("approve", 1), event("reject", 2), event("approve", 1)]
    assert add_new(reviews, said) == said[:2]
    assert add_new(reviews, said) == []
    assert len(reviews.events()) == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"schema": "cuesmith.review/7"}, "reviews.jsonl:2 was written by a newer cuesmith"),
        ({"schema": "cuesmith.review/1", "by": "x"}, "reviews.jsonl:2: not a review event"),
        ({"schema": "cuesmith.review/1", "at": "soon"}, "reviews.jsonl:2: not a review event"),
        ([], "reviews.jsonl:2: not a review event"),
    ],
)
def test_a_line_that_is_no_event_is_reported_with_its_place(tmp_path: Path, line: Any, said: str) -> None:
    reviews = Reviews(Store.open(tmp_path))
    add(reviews, event("approve"))
    if isinstance(line, dict) and line.get("at"):
        line = {"schema": line["schema"], **vars(event("approve")), "at": line["at"]}
    with (tmp_path / "reviews.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    with pytest.raises(FormatError, match=said):
        reviews.events()


def row(**fields: Any) -> Any:
    usual = {
        "asset": "a/one",
        "variation": 1,
        "kind": "sfx",
        "tags": ["x", "y"],
        "engine": "toy",
        "model": "studio/toy-large",
        "status": "current",
        "placeholder": False,
        "commercial": True,
        "take": "t",
        "master": "m",
    }
    return usual | fields


@pytest.mark.parametrize(
    ("fields", "reviews", "states"),
    [
        ({}, ReviewState(frozenset(), frozenset(), frozenset()), {"current", "unreviewed"}),
        (
            {"placeholder": True, "commercial": False},
            ReviewState(frozenset({"m"}), frozenset(), frozenset()),
            {"current", "approved", "placeholder", "non-commercial"},
        ),
        (
            {"status": "stale"},
            ReviewState(frozenset(), frozenset({"t"}), frozenset()),
            {"stale", "rejected"},
        ),
        (
            {"waiting": {}},
            ReviewState(frozenset({"m"}), frozenset(), frozenset({("a/one", 1)})),
            {"locked", "approved", "waiting"},
        ),
    ],
)
def test_a_row_stands_as_reviews_and_build_say(fields: Any, reviews: ReviewState, states: set[str]) -> None:
    assert states_of(row(**fields), reviews) == states
    assert states <= set(STATES)


@pytest.mark.parametrize(
    ("chosen", "matches"),
    [
        (Filter(), True),
        (Filter("a/*"), True),
        (Filter("A/*"), False),
        (Filter("a/one", 2), False),
        (Filter(tags=("x",)), True),
        (Filter(tags=("x", "z")), False),
        (Filter(kind="music"), False),
        (Filter(model="toy"), True),
        (Filter(model="studio/*"), True),
        (Filter(model="other"), False),
        (Filter(states=("current", "unreviewed")), True),
        (Filter(states=("current", "approved")), False),
    ],
)
def test_filters_narrow_together(chosen: Filter, matches: bool) -> None:
    rows = [row()]
    assert chosen.select(rows, review_state([])) == (rows if matches else [])


def test_a_name_as_lists_print_it_chooses_one_master_and_an_id_comes_first() -> None:
    rows = [row(), row(variation=2), row(asset="a/one_02"), row(asset="a/one_03")]
    reviews = review_state([])
    assert Filter("a/one_01").select(rows, reviews) == [rows[0]]
    assert Filter("a/one_02").select(rows, reviews) == [rows[2]]
    assert Filter("a/one_03_01").select(rows, reviews) == [rows[3]]
    assert Filter("a/one_01", 2).select(rows, reviews) == []


def test_a_state_that_there_is_not_is_reported() -> None:
    with pytest.raises(UsageError, match="--state 'fine' is unknown; choose from current, locked"):
        Filter(states=("fine",))
