"""Decisions that a report exported: read strictly, all faults at once, taken in once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from quick import QuickProject
from reviewing import add_new
from toys import ONE, THREE, TWO

from pipeline.catalog import Filter, Reviews
from pipeline.errors import FormatError, UsageError
from pipeline.review import DECISIONS_SCHEMA, Decision, Decisions, decide, read_decisions


def decision(project: QuickProject, asset: str = "a/two", **fields: Any) -> dict[str, Any]:
    row = project.row(asset)
    usual = {key: row[key] for key in ("asset", "variation", "take", "master")}  # type: ignore[literal-required]
    return {"action": "approve", **usual, "comment": "", "at": "2026-02-01T00:00:00Z"} | fields


def exported(*decisions: Any, **fields: Any) -> dict[str, Any]:
    return {
        "schema": DECISIONS_SCHEMA,
        "version": 1,
        "reviewer": "Ada",
        "decisions": list(decisions),
    } | fields


def take_in(project: QuickProject, value: Any) -> Decisions:
    return read_decisions(json.dumps(value).encode(), "ada.json", project.catalog.read)


def test_decisions_become_events_of_their_reviewer(built: QuickProject) -> None:
    output = take_in(
        built, exported(decision(built), decision(built, "b/three", action="reject", comment="dull"))
    )
    assert (output.version, output.reviewer) == (1, "Ada")
    assert [(event.by, event.action, event.asset, event.comment) for event in output.events] == [
        ("Ada", "approve", "a/two", ""),
        ("Ada", "reject", "b/three", "dull"),
    ]


def test_the_same_file_brought_twice_adds_nothing(built: QuickProject) -> None:
    reviews = Reviews(built.store)
    events = take_in(built, exported(decision(built))).events
    assert len(add_new(reviews, events)) == 1
    assert add_new(reviews, take_in(built, exported(decision(built))).events) == []
    assert reviews.state().approved == {built.row("a/two")["master"]}


def test_a_decision_on_what_waits_is_taken(built: QuickProject) -> None:
    built.say("approve", built.row("a/two"))
    built.write(ONE + TWO.replace("second", "other") + THREE)
    built.build()
    candidate: Any = built.row("a/two")["waiting"]
    heard = decision(built, take=candidate["take"], master=candidate["master"])
    [event] = take_in(built, exported(heard, version=2)).events
    assert event.master == candidate["master"]


def test_every_fault_is_reported_at_once_with_its_place(built: QuickProject) -> None:
    faulty = [
        decision(built, action="love"),
        decision(built, variation=0, at="yesterday"),
        decision(built, take="abc", colour="red"),
        decision(built, action="comment"),
        decision(built, variation=2),
        "approve",
        {key: value for key, value in decision(built).items() if key != "comment"},
        decision(built, at="2026-02-01T00:00:00"),
        decision(built, comment="half of an emoji: \ud83d"),
        decision(built, comment="\x1b[2J"),
        decision(built, comment="x" * 10_001),
        decision(built, at="2999-01-01T00:00:00Z"),
    ]
    with pytest.raises(UsageError) as error:
        take_in(built, exported(*faulty))
    lines = str(error.value).splitlines()
    wanted = [
        "decisions[0].action: 'love' is not one of approve, reject, comment, reroll, lock, unlock, clear",
        "decisions[1].variation: 0 is not a variation, from 1",
        "decisions[1].at: 'yesterday' is not a time in ISO 8601 with its zone, such as 2026-01-31T05:45:12Z",
        "decisions[2].colour: unknown field",
        "decisions[2].take: 'abc' is not a digest of 64 hex digits",
        "decisions[3].comment: the text is empty",
        "decisions[4].master: version 1 has no such master of a/two variation 2",
        "decisions[5]: not a JSON object",
        "decisions[6].comment: missing",
        "decisions[7].at: '2026-02-01T00:00:00' is not a time",
        "decisions[8].comment: it contains the control character '\\ud83d'",
        "decisions[9].comment: it contains the control character '\\x1b'",
        "decisions[10].comment: it has 10001 characters; the limit is 10000",
        "decisions[11].at: 2999-01-01T00:00:00Z is in the future",
    ]
    assert len(lines) == len(wanted)
    assert [
        line for line, start in zip(lines, wanted, strict=True) if not line.startswith(f"ada.json: {start}")
    ] == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"version": True}, "version: True is not a catalog version"),
        ({"version": "1"}, "version: '1' is not a catalog version"),
        ({"reviewer": "  "}, "reviewer: the name is empty"),
        ({"reviewer": 7}, "reviewer: the name is empty"),
        ({"reviewer": "Ada\nBob"}, "reviewer: it contains the control character"),
        ({"reviewer": "\udcff"}, "reviewer: it contains the control character"),
        ({"reviewer": "A" * 201}, "reviewer: it has 201 characters"),
        ({"decisions": {}}, "decisions: not a list"),
        ({"mood": "good"}, "mood: unknown field"),
        ({"version": 9}, "the catalog has no version 9"),
    ],
)
def test_a_header_that_is_wrong_is_reported(built: QuickProject, fields: Any, said: str) -> None:
    with pytest.raises(Exception, match=said):
        take_in(built, exported(decision(built), **fields))


def test_decisions_of_a_newer_release_are_refused(built: QuickProject) -> None:
    with pytest.raises(FormatError, match="newer cuesmith"):
        take_in(built, exported(schema="cuesmith.decisions/2"))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(built: QuickProject, data: bytes) -> None:
    with pytest.raises(UsageError, match=r"ada\.json: not a decisions file"):
        read_decisions(data, "ada.json", built.catalog.read)


def test_no_more_than_twenty_faults_are_listed(built: QuickProject) -> None:
    with pytest.raises(UsageError) as error:
        take_in(built, exported(*[decision(built, variation=0)] * 50))
    lines = str(error.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "ada.json: and 30 more"


def test_a_decision_is_made_on_each_master_that_is_chosen(built: QuickProject) -> None:
    events = decide(built.latest, Filter("a/*"), Decision("approve", "Ada", "2026-02-01T00:00:00Z"))
    assert [(event.asset, event.variation) for event in events] == [("a/one", 1), ("a/one", 2), ("a/two", 1)]


def test_nothing_chosen_and_nothing_waiting_are_reported(built: QuickProject) -> None:
    with pytest.raises(UsageError, match=r"no master that matches a/none"):
        decide(built.latest, Filter("a/none"), Decision("approve", "Ada", "now"))
    with pytest.raises(UsageError, match=r"nothing waits beside a/two"):
        decide(built.latest, Filter("a/two"), Decision("approve", "Ada", "now"), waiting=True)


def test_a_comment_needs_a_text_and_a_review_a_name() -> None:
    with pytest.raises(UsageError, match="a comment needs a text"):
        Decision("comment", "Ada", "now")
    with pytest.raises(UsageError, match="needs the reviewer's name"):
        Decision("approve", " ", "now")
