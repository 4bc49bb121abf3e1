"""Approved, rejected and locked masters from build to build: every transition, and always a no-op afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from quick import QuickProject, build_prepared
from toys import ONE, THREE, TWO, plan_rows

from pipeline.build.prepare import up_to_date
from pipeline.provenance import MasterRow

CHANGED = ONE + TWO.replace("second", "another") + THREE


def idle(project: QuickProject) -> bool:
    """Whether another build would do nothing at all."""
    prepared = project.prepare()
    return not prepared.plan.stale and up_to_date(prepared)


def planned(project: QuickProject, asset: str, variation: int = 1) -> tuple[str, list[str]]:
    rows = plan_rows(project.prepare().plan)
    [row] = [row for row in rows if (row["asset"], row["variation"]) == (asset, variation)]
    return row["action"], row["reasons"]


def waiting(project: QuickProject, asset: str, variation: int = 1) -> Any:
    return project.row(asset, variation).get("waiting")


@pytest.fixture
def waits(project: QuickProject) -> QuickProject:
    """``a/two`` is approved, its prompt was changed, and the new take waits."""
    project.first_build()
    project.say("approve", project.row("a/two"))
    project.write(CHANGED)
    project.build()
    return project


def test_approving_changes_nothing_that_is_built(project: QuickProject) -> None:
    project.first_build()
    project.say("approve", project.row("a/one", 1))
    assert idle(project)


def test_a_changed_recipe_of_an_approved_master_makes_a_take_that_will_wait(project: QuickProject) -> None:
    project.first_build()
    project.say("approve", project.row("a/two"))
    project.write(CHANGED)
    assert planned(project, "a/two") == (
        "generate",
        ["approved in review: the new take will wait", "prompt changed"],
    )


def test_the_candidate_waits_beside_the_approved_master(project: QuickProject) -> None:
    project.first_build()
    project.say("approve", project.row("a/two"))
    before, library = project.row("a/two"), project.library()
    project.write(CHANGED)
    result = project.build()
    assert (result["generated"], result["mastered"], result["published"]) == (1, 1, True)
    assert result["waiting"] == project.build()["waiting"] == 1
    row = project.row("a/two")
    assert row["master"] == before["master"]
    assert row["waiting"]["reasons"] == ["prompt changed"]
    assert row["waiting"]["prompt"] == "another"
    assert row["waiting"]["take"] != before["take"]
    assert project.library() == library
    assert idle(project)
    assert planned(project, "a/two") == (
        "reuse",
        ["approved in review: the new take waits beside it", "prompt changed"],
    )


def test_a_changed_loudness_of_an_approved_master_waits_without_a_new_take(project: QuickProject) -> None:
    project.first_build()
    project.say_all("approve")
    before = project.library()
    result = project.build(profile="quiet")
    assert (result["generated"], result["mastered"]) == (0, 4)
    assert project.library() == before
    output = waiting(project, "a/two")
    assert output["reasons"] == ["loudness changed: -23 LUFS -> -24 LUFS"]
    assert output["loudness_lufs"] == pytest.approx(-24, abs=0.3)
    assert project.build(profile="quiet")["published"] is False


def test_candidates_of_one_asset_share_a_gain_of_their_own(project: QuickProject) -> None:
    project.first_build()
    project.say_all("approve")
    project.build(profile="quiet")
    first, second = waiting(project, "a/one", 1), waiting(project, "a/one", 2)
    assert first["gain_group"] == second["gain_group"]
    assert first["master"] != second["master"]


def test_approving_the_candidate_switches_to_it_without_making_anything(waits: QuickProject) -> None:
    candidate = waiting(waits, "a/two")
    waits.say("approve", candidate)
    assert planned(waits, "a/two") == (
        "reuse",
        ["approved in review: the waiting take takes its place"],
    )
    result = waits.build()
    assert (result["generated"], result["mastered"], result["published"]) == (0, 0, True)
    row = waits.row("a/two")
    assert (row["master"], row["status"]) == (candidate["master"], "current")
    assert not {"waiting", "reasons"} & row.keys()
    assert idle(waits)


def test_a_switched_row_is_the_row_that_a_fresh_build_would_have(waits: QuickProject, tmp_path: Any) -> None:
    waits.say("approve", waiting(waits, "a/two"))
    waits.build()
    other = QuickProject(tmp_path / "other")
    other.write(CHANGED)
    other.build()
    assert waits.row("a/two") == other.row("a/two")


def test_rejecting_the_candidate_rolls_it_again_and_keeps_the_approved_one(waits: QuickProject) -> None:
    approved, rejected = waits.row("a/two"), waiting(waits, "a/two")
    waits.say("reject", rejected)
    assert planned(waits, "a/two")[0] == "generate"
    waits.build()
    row = waits.row("a/two")
    assert row["master"] == approved["master"]
    assert row["waiting"]["seed"] not in (rejected["seed"], approved["seed"])
    assert idle(waits)


def test_rejecting_the_approved_one_lets_the_candidate_take_its_place(waits: QuickProject) -> None:
    candidate = waiting(waits, "a/two")
    waits.say("reject", waits.row("a/two"))
    result = waits.build()
    assert (result["generated"], result["mastered"]) == (0, 0)
    assert waits.row("a/two")["master"] == candidate["master"]
    assert "waiting" not in waits.row("a/two")
    assert idle(waits)


def test_taking_the_change_back_leaves_nothing_waiting(waits: QuickProject) -> None:
    waits.write(ONE + TWO + THREE)
    result = waits.build()
    assert (result["generated"], result["mastered"]) == (0, 0)
    assert "waiting" not in waits.row("a/two")
    assert idle(waits)


def test_a_second_change_replaces_what_waits(waits: QuickProject) -> None:
    first = waiting(waits, "a/two")
    waits.write(ONE + TWO.replace("second", "a third idea") + THREE)
    waits.build()
    assert waiting(waits, "a/two")["prompt"] == "a third idea"
    assert waiting(waits, "a/two")["master"] != first["master"]
    assert idle(waits)


def test_an_approved_candidate_is_switched_to_even_when_the_manifest_has_moved_on(
    waits: QuickProject,
) -> None:
    candidate = waiting(waits, "a/two")
    waits.say("approve", candidate)
    waits.write(ONE + TWO.replace("second", "a third idea") + THREE)
    waits.build()
    row = waits.row("a/two")
    assert row["master"] == candidate["master"]
    assert row["waiting"]["prompt"] == "a third idea"
    assert idle(waits)


def test_approving_the_old_one_again_keeps_it(waits: QuickProject) -> None:
    approved = waits.row("a/two")
    waits.say("approve", waiting(waits, "a/two"))
    waits.say("approve", approved)
    assert idle(waits)
    assert waits.row("a/two")["master"] == approved["master"]


def test_approving_one_of_two_candidates_leaves_the_other_waiting(project: QuickProject) -> None:
    project.first_build()
    project.say_all("approve")
    project.write(ONE.replace("hello", "goodbye") + TWO + THREE)
    project.build()
    first, second = waiting(project, "a/one", 1), waiting(project, "a/one", 2)
    project.say("approve", first)
    result = project.build()
    assert (result["generated"], result["mastered"]) == (0, 0)
    assert project.row("a/one", 1)["master"] == first["master"]
    assert waiting(project, "a/one", 2)["master"] == second["master"]
    assert idle(project)


def test_unapproved_siblings_move_on_while_an_approved_one_stays(project: QuickProject) -> None:
    project.first_build()
    approved = project.row("a/one", 1)
    project.say("approve", approved)
    project.write(ONE.replace("hello", "goodbye") + TWO + THREE)
    result = project.build()
    assert (result["generated"], result["mastered"]) == (2, 2)
    assert project.row("a/one", 1)["master"] == approved["master"]
    assert project.row("a/one", 2)["prompt"] == "goodbye"
    assert idle(project)


def test_a_rejected_one_is_rolled_with_the_gain_of_its_approved_sibling_and_no_other_is_touched(
    project: QuickProject,
) -> None:
    project.write(ONE.replace("variations: 2", "variations: 3"))
    project.build()
    anchor, rejected, third = (project.row("a/one", number) for number in (1, 2, 3))
    project.say("approve", anchor)
    project.say("reject", rejected)
    result = project.build()
    assert (result["generated"], result["mastered"]) == (1, 1)
    assert project.row("a/one", 2)["gain_group"] == anchor["gain_group"]
    assert project.row("a/one", 3)["master"] == third["master"]
    project.say("approve", project.row("a/one", 2))
    assert idle(project)


@pytest.mark.parametrize("how", ["review", "manifest"])
def test_a_locked_master_makes_no_candidate(project: QuickProject, how: str) -> None:
    project.first_build()
    before = project.row("a/two")
    changed = CHANGED
    if how == "review":
        project.say("lock", before)
    else:
        changed = changed.replace("0.4s}", "0.4s, lock: true}")
    project.write(changed)
    assert planned(project, "a/two")[0] == "locked"
    result = project.build()
    assert (result["generated"], result["mastered"]) == (0, 0)
    row = project.row("a/two")
    assert (row["master"], row["status"]) == (before["master"], "locked")
    assert "waiting" not in row
    assert idle(project)


def test_unlocking_an_approved_master_makes_its_candidate(project: QuickProject) -> None:
    project.first_build()
    before = project.row("a/two")
    project.say("approve", before)
    project.say("lock", before)
    project.write(CHANGED)
    project.build()
    project.say("unlock", before)
    assert project.build()["generated"] == 1
    assert waiting(project, "a/two")["prompt"] == "another"


def _review_during_build(project: QuickProject, action: str) -> MasterRow:
    """Review the master of a/two between the plan and the build that would replace it; returns its row."""
    project.first_build()
    row = project.row("a/two")
    project.write(CHANGED)
    prepared = project.prepare()
    project.say(action, row)
    build_prepared(prepared)
    return row


def test_an_approval_that_comes_while_a_build_runs_is_kept(project: QuickProject) -> None:
    before = _review_during_build(project, "approve")
    assert project.row("a/two")["master"] == before["master"]
    assert waiting(project, "a/two")["prompt"] == "another"
    assert idle(project)


def test_a_lock_that_comes_while_a_build_runs_is_kept(project: QuickProject) -> None:
    before = _review_during_build(project, "lock")
    row = project.row("a/two")
    assert (row["master"], row["status"]) == (before["master"], "locked")


def test_a_build_planned_before_a_rejection_does_not_bring_the_rejected_take_back(
    project: QuickProject,
) -> None:
    project.first_build()
    late = project.prepare()
    rejected = project.row("a/two")
    project.say("reject", rejected)
    project.build()
    project.write(ONE + TWO + THREE.replace("third", "changed"))
    build_prepared(late)
    assert project.row("a/two")["take"] != rejected["take"]


def test_a_candidate_that_cannot_be_made_leaves_the_approved_master_as_it_is(project: QuickProject) -> None:
    project.first_build()
    before = project.row("a/two")
    project.say("approve", before)
    project.write(ONE + TWO.replace("second", "now fail") + THREE)
    result = project.build()
    assert [failed["asset"] for failed in result["failed"]] == ["a/two"]
    assert project.row("a/two") == before
    assert planned(project, "a/two")[0] == "generate"


def test_what_waits_survives_gc_and_is_verified(waits: QuickProject) -> None:
    assert waits.harm() == []
    [item] = waiting(waits, "a/two")["files"].values()
    (waits.outputs / "store" / item["sha256"][:2] / f"{item['sha256']}{item['suffix']}").unlink()
    assert any(item["sha256"] in line for line in waits.harm())
    assert planned(waits, "a/two")[0] == "re-master"
    waits.build()
    assert waits.harm() == []
