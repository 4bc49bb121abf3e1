"""What changed between versions and why, and one asset's history."""

from __future__ import annotations

import json
from typing import Any

from quick import QuickProject
from toys import ONE, THREE, TWO
from typer.testing import CliRunner

from flows.cli.app import app
from pipeline.catalog import Change, Reviews, asset_history, diff
from pipeline.catalog.diff import compare
from pipeline.release import rollback


def between(project: QuickProject, before: int, after: int) -> dict[str, Change]:
    catalog = project.catalog
    reviews = Reviews(project.store).state()
    changes = diff(project.store, catalog.read(before), catalog.read(after), reviews)
    return {f"{change.asset}_{change.variation}": change for change in changes}


def reported(project: QuickProject, before: int = 1, after: int = 2) -> dict[str, tuple[str, ...]]:
    return {
        name: (change.kind, *change.reason_words) for name, change in between(project, before, after).items()
    }


def test_a_version_does_not_differ_from_itself(project: QuickProject) -> None:
    project.first_build()
    assert between(project, 1, 1) == {}


def test_recipes_mastering_labels_additions_and_removals_are_reported_in_words(project: QuickProject) -> None:
    project.first_build()
    four = "  - {id: c/four, kind: sfx, prompt: fourth, duration: 0.3s}\n"
    project.write(
        ONE.replace("[x]", "[x, y]") + TWO.replace("second", "other").replace("0.4s", "0.5s") + four
    )
    project.build()
    assert reported(project) == {
        "a/one_1": ("changed", "tags changed: x -> x y"),
        "a/one_2": ("changed", "tags changed: x -> x y"),
        "a/two_1": ("changed", "prompt changed", "duration changed: 0.4 s -> 0.5 s"),
        "b/three_1": ("removed",),
        "c/four_1": ("added",),
    }
    assert not between(project, 1, 2)["a/one_1"].audible
    assert between(project, 1, 2)["a/two_1"].audible


def test_backwards_it_says_the_opposite(project: QuickProject) -> None:
    project.first_build()
    project.write(ONE + TWO.replace("0.4s", "0.5s"))
    project.build()
    assert reported(project, 2, 1) == {
        "a/two_1": ("changed", "duration changed: 0.5 s -> 0.4 s"),
        "b/three_1": ("added",),
    }


def test_measurements_stand_before_and_after(project: QuickProject) -> None:
    project.first_build()
    project.build(profile="quiet")
    change = between(project, 1, 2)["a/two_1"]
    assert change.reason_words == ("loudness changed: -23 LUFS -> -24 LUFS",)
    old, new = change.measured["loudness_lufs"]
    assert (round(old), round(new)) == (-23, -24)
    assert "loudness -" in str(change)
    assert json.loads(json.dumps(change.to_json()))["measured"]["loudness_lufs"]["before"] == old


def test_reviews_are_reasons(project: QuickProject) -> None:
    project.first_build()
    project.say("reject", project.row("b/three"))
    project.say("approve", project.row("a/two"))
    project.write(ONE + TWO.replace("second", "other") + THREE)
    project.build()
    assert reported(project) == {
        "a/two_1": ("changed", "a new take waits for review: prompt changed"),
        "b/three_1": ("changed", "rejected in review"),
    }
    project.say("approve", project.row("a/two")["waiting"])
    project.build()
    assert reported(project, 2, 3) == {
        "a/two_1": ("changed", "approved in review: the waiting take took its place", "prompt changed")
    }


def test_versions_that_are_no_neighbours_tell_a_re_roll_from_a_rejection(project: QuickProject) -> None:
    project.build()
    project.say("reroll", project.row("a/two"))
    project.say("reject", project.row("b/three"))
    project.build()
    project.write(ONE.replace("[x]", "[y]") + TWO + THREE)
    project.build()
    words = {name: reasons for name, (_, *reasons) in reported(project, 1, 3).items() if name[:5] != "a/one"}
    assert words == {"a/two_1": ["another take requested in review"], "b/three_1": ["rejected in review"]}
    assert reported(project, 1, 2) == {name: ("changed", *reasons) for name, reasons in words.items()}
    asked = ("catalog", "diff", "1", "3", "--outputs", str(project.outputs))
    said = CliRunner().invoke(app, asked).stdout
    assert said.count("another take requested in review") == said.count("rejected in review") == 1


def test_a_status_is_reported_with_its_reason(project: QuickProject) -> None:
    project.first_build()
    project.write(ONE + TWO.replace("second", "now fail") + THREE)
    project.build()
    [(_, reason)] = [reported(project)["a/two_1"]]
    assert reason.startswith("status changed: current -> stale (the toy was told to fail")


def test_another_reason_for_the_same_status_is_reported(project: QuickProject) -> None:
    project.first_build()
    project.write(ONE + TWO.replace("second", "now fail") + THREE)
    project.build()
    project.write(ONE + TWO.replace("second", "now break") + THREE)
    project.build()
    [(_, reason)] = [reported(project, 2, 3)["a/two_1"]]
    assert reason.startswith("stale for another reason: engine toy broke")


def test_renamed_files_are_reported(project: QuickProject) -> None:
    project.first_build()
    project.write(ONE + TWO.replace("0.4s", '0.4s, naming: "{id}-take{variation}"') + THREE)
    project.build()
    assert reported(project) == {"a/two_1": ("changed", "files renamed: a/two_01 -> a/two-take01")}
    assert not between(project, 1, 2)["a/two_1"].audible


def test_files_that_were_signed_again_by_the_same_signer_are_reported(project: QuickProject) -> None:
    project.first_build()
    row: Any = project.row("a/two")
    reported = {"signed_by": "Studio", "reason": None, "unsigned": row["files"]}
    files = {path: {**item, "sha256": "0" * 64} for path, item in row["files"].items()}
    change = compare({**row, "credentials": reported}, {**row, "files": files, "credentials": reported}, {})
    assert change is not None
    assert change.reason_words == ("signed again",)


def test_without_records_the_rows_still_tell(project: QuickProject) -> None:
    project.first_build()
    project.write(ONE + TWO.replace("second", "other") + THREE)
    project.build()
    for path in (project.outputs / "masters").glob("*.json"):
        path.unlink()
    assert reported(project) == {"a/two_1": ("changed", "prompt changed")}


def test_history_follows_one_asset_through_the_versions_that_changed_it(project: QuickProject) -> None:
    project.first_build()
    project.write(ONE.replace("hello", "bye") + TWO + THREE)
    project.build()
    project.write(ONE.replace("hello", "bye") + TWO.replace("second", "other") + THREE)
    project.build()
    steps = asset_history(project.catalog, "a/two")
    assert [(step.version, step.change.kind) for step in steps] == [(1, "added"), (3, "changed")]
    assert steps[1].change.reason_words == ("prompt changed",)
    assert {step.change.asset for step in asset_history(project.catalog, "a/*")} == {"a/one", "a/two"}


def test_history_compares_with_the_version_that_was_latest_then(project: QuickProject) -> None:
    project.first_build()
    project.write(ONE + TWO.replace("second", "wrong") + THREE)
    project.build()
    rollback(project.catalog, "latest", at="2026-02-01T00:00:00Z", by="Pat")
    project.write(ONE + TWO + THREE.replace("third", "new"))
    project.build()
    assert [step.version for step in asset_history(project.catalog, "a/two")] == [1, 2]


def test_a_signature_is_reported_by_its_signer(project: QuickProject) -> None:
    project.first_build()
    row: Any = project.row("a/two")
    signed: Any = {**row, "credentials": {"signed_by": "Studio", "reason": None, "unsigned": row["files"]}}
    change = compare(row, signed, {})
    assert change is not None
    assert change.reason_words == ("signed by: none -> Studio",)
    assert not change.audible
    assert compare(signed, signed, {}) is None


def rejected_then_approved_again(project: QuickProject) -> None:
    """Version 2 rolled another take; then the first one is approved after all."""
    project.write(TWO + THREE)
    first = project.build_and_reject("a/two")
    project.say("approve", first)


def test_what_a_version_says_of_the_one_before_never_changes(project: QuickProject) -> None:
    rejected_then_approved_again(project)
    assert reported(project) == {"a/two_1": ("changed", "rejected in review")}
    assert [step.change.reason_words for step in asset_history(project.catalog, "a/two")] == [
        (),
        ("rejected in review",),
    ]
    for path in (project.outputs / "masters").glob("*.json"):
        path.unlink()
    assert reported(project) == {"a/two_1": ("changed", "rejected in review")}
    assert project.catalog.read(2).reasons == {("a/two", 1): ("rejected in review",)}


def test_reasons_are_those_of_the_plan_and_stay_when_the_chain_is_newer(project: QuickProject) -> None:
    project.first_build()
    project.say("reject", project.row("b/three"))
    project.write(
        ONE.replace("[x]", "[y]")
        + TWO.replace("second", "other").replace("0.4s", "0.4s, candidates: 2, seed: 3")
        + THREE.replace("third", "other")
    )
    project.build()
    assert project.latest.reasons == {
        ("a/one", 1): ("tags changed: x -> y",),
        ("a/one", 2): ("tags changed: x -> y",),
        ("a/two", 1): ("candidates changed: 1 -> 2", "prompt changed", "seed changed"),
        ("b/three", 1): ("rejected in review", "prompt changed"),
    }
    assert reported(project)["b/three_1"] == ("changed", "rejected in review", "prompt changed")


def test_every_key_of_a_row_that_differs_is_a_change(project: QuickProject) -> None:
    project.write(TWO)
    project.build()
    row: Any = project.row("a/two")
    other: dict[str, Any] = {"files": {"other_01.wav": {"suffix": ".wav"}}, "takes": {"other": "object"}}
    keys = row.keys() - {"asset", "variation", "source"}
    assert [key for key in keys if compare(row, {**row, key: other.get(key, "other")}, {}) is None] == []
    assert compare(row, {**row, "source": "elsewhere.yaml:9"}, {}) is None


def test_a_locked_row_keeps_the_words_with_which_it_was_locked(project: QuickProject) -> None:
    project.write(TWO)
    project.build()
    project.write(TWO.replace("0.4s", "0.4s, lock: true"))
    project.build()
    project.write(TWO.replace("0.4s", "0.4s, lock: true").replace("second", "other"))
    assert project.build()["published"] is False
    assert project.row("a/two")["reason"] == "lock: true in the manifest"
