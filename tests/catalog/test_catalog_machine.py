"""Whatever people say and change, in any order: promises to reviewers hold after every build."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from quick import QuickProject

from pipeline.build.prepare import up_to_date
from pipeline.catalog import Reviews
from pipeline.provenance import MasterRow

HEAD = "cuesmith: 1\nproject: toys\ndefaults:\n  sfx: {engine: toy, formats: [wav], loudness: %s LUFS}\nassets:\n"
ASSET = "  - {id: a/one, kind: sfx, prompt: %s, duration: 0.1s, variations: %d, candidates: %d, lock: %s}\n"
place = st.integers(1, 3)


class Studio(RuleBasedStateMachine):
    """One asset, reviewers with moods, a designer with ideas, and builds."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.project = QuickProject(self.folder)
        self.wanted = ["hello", 2, 1, "false"]
        self.loudness = -18
        self.build()

    def teardown(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @rule(prompt=st.sampled_from(["hello", "bye", "fail"]))
    def change_prompt(self, prompt: str) -> None:
        self.wanted[0] = prompt

    @rule(variations=st.integers(1, 3))
    def change_variations(self, variations: int) -> None:
        self.wanted[1] = variations

    @rule(candidates=st.integers(1, 2))
    def change_candidates(self, candidates: int) -> None:
        self.wanted[2] = candidates

    @rule(lock=st.sampled_from(["true", "false", "false"]))
    def change_lock(self, lock: str) -> None:
        self.wanted[3] = lock

    @rule(loudness=st.sampled_from([-18, -24]))
    def change_loudness(self, loudness: int) -> None:
        self.loudness = loudness

    @rule(
        variation=place, action=st.sampled_from(["approve", "approve", "reject", "reroll", "lock", "unlock"])
    )
    def review(self, variation: int, action: str) -> None:
        row = self.row(variation)
        if row is not None:
            self.project.say(action, row)

    @rule(variation=place, action=st.sampled_from(["approve", "reject"]))
    def review_what_waits(self, variation: int, action: str) -> None:
        row = self.row(variation)
        if row is not None and "waiting" in row:
            self.project.say(action, row["waiting"])

    @rule()
    def build(self) -> None:
        state = Reviews(self.project.store).state()
        latest = self.project.catalog.latest()
        before = dict(latest.by_variation) if latest else {}
        self.project.write(ASSET % tuple(self.wanted), HEAD % self.loudness)
        result = self.project.build()
        after = dict(self.project.latest.by_variation) if result["version"] else {}
        for variation, row in after.items():
            old = before.get(variation)
            if old is None:
                continue
            if variation in state.locked or self.wanted[3] == "true":
                assert row["master"] == old["master"]
                assert "waiting" not in row
            elif old["master"] in state.approved:
                assert row["master"] in (old["master"], state.chosen[variation])
                if row["master"] != old["master"]:
                    assert row["master"] == old["waiting"]["master"]
            if old["master"] == row["master"] and old["status"] == row["status"] == "current":
                assert old["files"] == row["files"]
        self.just_built = not result["failed"]

    @invariant()
    def everything_named_is_there(self) -> None:
        assert self.project.harm() == []

    def row(self, variation: int) -> MasterRow | None:
        self.just_built = False
        latest = self.project.catalog.latest()
        return latest.by_variation.get(("a/one", variation)) if latest else None

    @rule()
    def build_again(self) -> None:
        """A second build never does anything, and no rejected take is left unless a lock or failure keeps it."""
        self.build()
        if not self.just_built:
            return
        prepared = self.project.prepare()
        assert not prepared.plan.stale
        assert up_to_date(prepared)
        state = Reviews(self.project.store).state()
        for row in self.project.latest.masters:
            if row["status"] == "current":
                assert row["take"] not in state.rejected


def test_a_lock_beside_which_another_master_waited_is_settled_in_one_build() -> None:
    studio = Studio()
    studio.begin()
    try:
        studio.change_loudness(loudness=-24)
        studio.review(action="approve", variation=1)
        studio.build()
        row = studio.row(1)
        assert row is not None
        assert "waiting" in row
        studio.review(action="lock", variation=1)
        studio.build_again()
    finally:
        studio.teardown()


def check(examples: int, steps: int, *, random: bool = False) -> None:
    run_state_machine_as_test(
        Studio,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=not random,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_promises_to_reviewers_hold_in_any_order() -> None:
    check(examples=8, steps=15)


@pytest.mark.slow
def test_promises_to_reviewers_hold_in_many_orders() -> None:
    check(examples=150, steps=25, random=True)
