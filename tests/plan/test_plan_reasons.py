"""The words in which a plan says why something is to be made."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from quick import QuickProject
from toys import HEAD, ONE, THREE, TWO

from pipeline.build.plan_rows import planned_rows
from pipeline.manifest.language import reason_words
from pipeline.manifest.spec import DeliverySpec, MasteringSpec, QualitySpec
from pipeline.mastering import CHAIN_VERSION
from pipeline.plan import recipe_reasons, spec_reasons
from pipeline.plan.values import IN_STORE
from pipeline.recipe import Recipe


def reasons(project: QuickProject) -> dict[str, list[str]]:
    """Of everything that is to be made, by its file's name."""
    assets = project.prepare().plan.stale
    return {
        f"{asset.asset.id}_{variation.variation:02d}": [reason.words for reason in variation.reasons]
        for asset in assets
        for variation in asset.variations
        if variation.action != "reuse"
    }


def test_every_variation_of_a_new_asset_is_new_with_it_and_one_more_is_a_new_variation(
    tmp_path: Path,
) -> None:
    project = QuickProject(tmp_path)
    project.write(ONE)
    assert reasons(project) == {"a/one_01": ["new asset"], "a/one_02": ["new asset"]}
    project.build()
    project.write(ONE.replace("variations: 2", "variations: 3") + TWO)
    assert reasons(project) == {
        "a/one_01": ["shared gain: another variation changed"],
        "a/one_02": ["shared gain: another variation changed"],
        "a/one_03": ["new variation"],
        "a/two_01": ["new asset"],
    }


def planned(project: QuickProject, **options: Any) -> dict[str, tuple[str, list[str]]]:
    """Action and reasons of every row that changes or is locked."""
    rows = planned_rows(project.prepare(**options))
    return {row.name: (row.action, list(row.reasons)) for row in rows if row.action != "reuse"}


@pytest.mark.parametrize(
    ("edited", "expected"),
    [
        ("prompt: other, duration: 0.4s, candidates: 2", ["candidates changed: 1 -> 2", "prompt changed"]),
        ("prompt: other, duration: 0.4s, seed: 9", ["prompt changed", "seed changed"]),
        ("prompt: second, duration: 0.4s, seed: 9, candidates: 2", ["candidates changed: 1 -> 2", "seed changed"]),
        ("prompt: second, duration: 0.4s, seed: 9", ["seed changed"]),
        (
            "prompt: other, duration: 0.5s, loudness: -20, tags: [new], naming: \"x/{id}_{variation}\"",
            [
                "prompt changed",
                "duration changed: 0.4 s -> 0.5 s",
                "loudness changed: -23 LUFS -> -20 LUFS",
                "tags changed: none -> new",
                "files renamed: a/two_01 -> x/a/two_01",
            ],
        ),
        (
            "prompt: second, duration: 0.4s, ucs: {category: FOOTHmn}, quality: {noise: 0.5}",
            ["quality noise changed: 0.85 -> 0.5", "UCS labels changed: none -> category FOOTHmn"],
        ),
    ],
)  # fmt: skip
def test_all_reasons_of_a_row_are_given(edited: str, expected: list[str], tmp_path: Path) -> None:
    project = QuickProject(tmp_path)
    project.write(TWO)
    project.build()
    project.write(f"  - {{id: a/two, kind: sfx, {edited}}}\n")
    assert planned(project)["a/two_01"][1] == expected


def test_a_rejection_hides_nothing_that_changed_besides(tmp_path: Path) -> None:
    project = QuickProject(tmp_path)
    project.write(TWO)
    project.build()
    project.say("reject", project.row("a/two"))
    project.write(TWO.replace("second", "other").replace("0.4s", "0.4s, candidates: 3"))
    assert planned(project) == {
        "a/two_01": ("generate", ["rejected in review", "candidates changed: 1 -> 3", "prompt changed"])
    }
    project.write(TWO.replace("0.4s", "0.4s, seed: 5"))
    assert planned(project)["a/two_01"][1] == ["rejected in review", "seed changed"]


def test_a_profile_with_another_engine_names_engine_model_and_candidates(tmp_path: Path) -> None:
    project = QuickProject(tmp_path)
    head = HEAD.replace("quiet:", "nightly: {engine: sketch, sfx: {candidates: 2}}\n  quiet:")
    project.write(
        TWO.replace("second", "a wooden door shuts"),
        head.replace("sfx: {engine: toy,", "engine: toy\n  sfx: {"),
    )
    project.build()
    _, found = planned(project, profile="nightly")["a/two_01"]
    words = [reason.partition(":")[0] for reason in found]
    assert words[:5] == [
        "candidates changed",
        "engine changed",
        "engine version changed",
        "model changed",
        "model revision changed",
    ]  # fmt: skip
    assert "engine changed: toy -> sketch" in found


SPECS = [field for spec in (MasteringSpec, DeliverySpec, QualitySpec) for field in fields(spec)]


def test_every_key_of_the_specs_and_of_a_recipe_has_its_own_words() -> None:
    before: dict[str, Any] = {field.name: "old" for field in SPECS}
    output = {}
    for field in SPECS:
        [output[field.name]] = spec_reasons(before, {**before, field.name: "new"})
    assert len(set(output.values())) == len(SPECS)
    assert {field.name for field in SPECS} == set(reason_words())
    recipe = Recipe("engine", "1", "model", "1", "sfx", "prompt", 1.0, 1)
    keys = {field.name for field in fields(Recipe)} - {"seed", "settings", "conditioning"}
    reasons = [
        next(recipe_reasons(recipe.to_json(), replace(recipe, **{key: "new"}))) for key in sorted(keys)
    ]
    assert len(set(reasons)) == len(keys)


def test_a_key_that_is_no_longer_known_is_named_as_it_was_written() -> None:
    assert list(spec_reasons({"warmth": 1.0}, {"warmth": 2.0})) == ["warmth changed: 1 -> 2"]


def test_a_new_mastering_chain_is_named_and_no_variation_is_blamed_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = QuickProject(tmp_path)
    project.first_build()
    for module in ("digests", "decide"):
        monkeypatch.setattr(f"pipeline.plan.{module}.CHAIN_VERSION", "next")
    change = f"mastering chain changed: version {CHAIN_VERSION} -> next"
    assert set(map(tuple, reasons(project).values())) == {(change,)}
    project.write(ONE + TWO.replace("second", "other") + THREE.replace("0.3s", "0.3s, loudness: -20"))
    output = reasons(project)
    assert output["a/two_01"] == ["prompt changed", change]
    assert output["b/three_01"][1:] == [change]


def test_another_project_name_is_reported_as_such(tmp_path: Path) -> None:
    project = QuickProject(tmp_path)
    project.write(TWO)
    project.build()
    project.write(TWO, HEAD.replace("project: toys", "project: games"))
    assert planned(project) == {"a/two_01": ("re-master", ["project changed: toys -> games"])}


def test_a_removed_variation_changes_no_level_of_those_that_stay(tmp_path: Path) -> None:
    project = QuickProject(tmp_path)
    three = ONE.replace("variations: 2", "variations: 3")
    project.write(three)
    project.build()
    before = [project.row("a/one", number)["pcm_sha256"] for number in (1, 2)]
    project.write(ONE)
    assert planned(project) == {"a/one_03": ("remove", ["no longer in the manifest"])}
    result = project.build()
    assert (result["generated"], result["mastered"], result["version"]) == (0, 0, 2)
    assert [project.row("a/one", number)["pcm_sha256"] for number in (1, 2)] == before
    assert planned(project) == {}
    project.write(three)
    assert planned(project)["a/one_03"][0] == "publish"
    assert set(planned(project)) == {"a/one_03"}


def test_a_removed_variation_beside_one_that_must_change_is_named(tmp_path: Path) -> None:
    project = QuickProject(tmp_path)
    project.write(ONE.replace("variations: 2", "variations: 3"))
    project.build()
    project.write(ONE)
    project.say("reject", project.row("a/one", 1))
    assert planned(project) == {
        "a/one_01": ("generate", ["rejected in review"]),
        "a/one_02": (
            "re-master",
            ["shared gain: another variation changed", "shared gain: variation 3 was removed"],
        ),
        "a/one_03": ("remove", ["no longer in the manifest"]),
    }


def test_a_lost_master_is_made_again_with_the_gain_of_its_siblings(tmp_path: Path) -> None:
    project = QuickProject(tmp_path)
    project.write(ONE.replace("variations: 2", "variations: 3"))
    project.build()
    project.write(ONE)
    project.build()
    row = project.row("a/one", 2)
    (project.outputs / "masters" / f"{row['master']}.json").unlink()
    assert planned(project) == {"a/one_02": ("re-master", ["master missing from store"])}
    project.build()
    record = json.loads((project.outputs / "masters" / f"{row['master']}.json").read_bytes())
    assert record["pcm_sha256"] == row["pcm_sha256"]


@pytest.fixture
def rejected_once(tmp_path: Path) -> tuple[QuickProject, Any]:
    """A built project with a new take in place of its first, which was rejected, and the first row."""
    project = QuickProject(tmp_path)
    project.write(TWO)
    return project, project.build_and_reject("a/two")


def test_an_earlier_take_that_is_approved_again_comes_back_with_that_reason(
    rejected_once: tuple[QuickProject, Any],
) -> None:
    project, first = rejected_once
    project.say("approve", first)
    assert planned(project) == {
        "a/two_01": (
            "publish",
            [IN_STORE.words, "a review brought its earlier take back"],
        )
    }
    assert project.build()["published"]
    assert project.row("a/two")["master"] == first["master"]


def test_an_approved_earlier_take_replaces_a_later_approved_one(
    rejected_once: tuple[QuickProject, Any],
) -> None:
    project, first = rejected_once
    project.say("approve", project.row("a/two"))
    project.say("approve", first)
    action, output = planned(project)["a/two_01"]
    assert (action, output[0]) == ("publish", "approved in review: an earlier take takes its place")
    project.build()
    assert project.row("a/two")["master"] == first["master"]
    assert planned(project) == {}
