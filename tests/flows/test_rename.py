"""A renamed asset (`was`) keeps its sound, its approvals and its locks; nothing is made again."""

from __future__ import annotations

from pathlib import Path

import pytest
from quick import QuickProject
from toys import TWO
from typer.testing import CliRunner

from flows.cli.app import app
from pipeline.build.prepare import up_to_date
from pipeline.store import Store

ONE = "  - {id: a/one, kind: sfx, prompt: hello, duration: 0.5s, variations: 2}\n"
NEW = "  - {id: b/uno, was: a/one, kind: sfx, prompt: hello, duration: 0.5s, variations: 2}\n"
NEWER = NEW.replace("id: b/uno, was: a/one", "id: c/eins, was: [b/uno, a/one]")


@pytest.fixture
def project(tmp_path: Path) -> QuickProject:
    made = QuickProject(tmp_path)
    made.write(ONE + TWO)
    made.first_build()
    return made


def _sounds(project: QuickProject, asset: str) -> list[tuple[str, str, str]]:
    rows = [row for row in project.latest.masters if row["asset"] == asset]
    return [(row["take"], row["master"], row["pcm_sha256"]) for row in rows]


def test_a_rename_keeps_every_sound_and_makes_nothing(project: QuickProject) -> None:
    before = _sounds(project, "a/one")
    project.write(NEW + TWO)
    prepared = project.prepare()
    assert prepared.plan.stale == ()
    assert (dict(prepared.renamed), prepared.removed) == ({"a/one": "b/uno"}, ())
    result = project.build()
    assert (result["generated"], result["mastered"], result["published"]) == (0, 0, True)
    assert _sounds(project, "b/uno") == before
    assert _sounds(project, "a/one") == []
    names = {name for row in project.latest.masters for name in row["files"] if row["asset"] == "b/uno"}
    assert names == {"b/uno_01.wav", "b/uno_02.wav"}
    assert project.harm() == []


def test_after_the_rename_there_is_nothing_left_to_do(project: QuickProject) -> None:
    project.write(NEW + TWO)
    project.build()
    prepared = project.prepare()
    assert up_to_date(prepared)
    assert dict(prepared.renamed) == {}
    assert prepared.warnings == ()


def test_the_name_follows_through_several_renames(project: QuickProject) -> None:
    before = _sounds(project, "a/one")
    project.write(NEW + TWO)
    project.build()
    project.write(NEWER + TWO)
    assert project.build()["generated"] == 0
    assert _sounds(project, "c/eins") == before


def test_several_renames_at_once_are_one(project: QuickProject) -> None:
    before = _sounds(project, "a/one")
    project.write(NEWER + TWO)
    assert project.build()["generated"] == 0
    assert _sounds(project, "c/eins") == before


def test_an_empty_store_gives_the_renamed_asset_the_same_sound(project: QuickProject, tmp_path: Path) -> None:
    before = _sounds(project, "a/one")
    fresh = QuickProject(tmp_path / "fresh")
    fresh.write(NEW + TWO)
    fresh.build()
    assert _sounds(fresh, "b/uno") == before


def test_an_approval_follows_and_a_change_waits_beside_it(project: QuickProject) -> None:
    approved = project.say("approve", project.row("a/one", 1))
    project.write(NEW.replace("hello", "goodbye") + TWO)
    project.build()
    row = project.row("b/uno", 1)
    assert row["master"] == approved.master
    assert row["waiting"]["asset"] == "b/uno"
    assert project.row("b/uno", 2)["master"] != approved.master


def test_what_waits_beside_an_approved_master_goes_along(project: QuickProject) -> None:
    project.say("approve", project.row("a/one", 1))
    project.write(ONE.replace("hello", "goodbye") + TWO)
    project.build()
    waiting = project.row("a/one", 1)["waiting"]
    project.write(NEW.replace("hello", "goodbye") + TWO)
    assert project.build()["generated"] == 0
    row = project.row("b/uno", 1)
    assert row["waiting"]["master"] == waiting["master"]
    project.say("approve", {**row, "master": waiting["master"], "take": waiting["take"]})  # type: ignore[typeddict-item]
    project.build()
    assert project.row("b/uno", 1)["master"] == waiting["master"]


def test_a_lock_follows_and_is_opened_under_the_new_id(project: QuickProject) -> None:
    project.say("lock", project.row("a/one", 2))
    project.write(NEW.replace("hello", "goodbye") + TWO)
    prepared = project.prepare()
    [plan] = [one for one in prepared.plan.assets if one.asset.id == "b/uno"]
    assert [one.action for one in plan.variations] == ["generate", "locked"]
    before = project.row("a/one", 2)["master"]
    project.build()
    assert project.row("b/uno", 2)["master"] == before
    project.say("unlock", project.row("b/uno", 2))
    assert project.actions()["generate"] == ["b/uno_2"]


def test_a_rejection_follows(project: QuickProject) -> None:
    project.say("reject", project.row("a/one", 1))
    project.write(NEW + TWO)
    assert project.reasons()["b/uno_1"] == ["rejected in review"]
    assert project.actions()["generate"] == ["b/uno_1"]


def test_a_manifest_lock_follows(project: QuickProject) -> None:
    before = _sounds(project, "a/one")
    project.write(NEW.replace("hello", "goodbye, lock: true") + TWO)
    assert project.build()["generated"] == 0
    assert _sounds(project, "b/uno") == before


@pytest.mark.parametrize(("only", "assets"), [("b/*", {"b/uno", "a/two"}), ("a/two", {"a/one", "a/two"})])
def test_a_build_of_a_part_has_the_asset_once(only: str, assets: set[str], project: QuickProject) -> None:
    project.write(NEW + TWO.replace("second", "other"))
    project.build(only=(only,))
    assert {row["asset"] for row in project.latest.masters} == assets
    assert len(project.latest.masters) == 3


def test_where_the_catalog_has_both_the_new_one_counts(project: QuickProject) -> None:
    project.write(ONE + NEW.replace(", was: a/one", "") + TWO)
    project.build()
    project.write(NEW + TWO)
    prepared = project.prepare()
    assert dict(prepared.renamed) == {}
    assert {row["asset"] for row in prepared.removed} == {"a/one"}
    project.build()
    assert {row["asset"] for row in project.latest.masters} == {"b/uno", "a/two"}


def test_a_name_that_the_catalog_never_had_is_warned_of(project: QuickProject) -> None:
    project.write(NEW.replace("a/one", "a/onee") + TWO)
    [warning] = project.prepare().warnings
    assert str(warning).endswith(
        "b/uno.was: the catalog has no 'a/onee', so there is no sound to keep; did you mean a/one?"
    )


def test_the_plan_says_what_is_renamed(project: QuickProject) -> None:
    project.write(NEW + TWO)
    words = ["plan", str(project.manifest), "-o", str(project.outputs)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert ["rename", "b/uno", "was", "a/one"] in [line.split() for line in done.stdout.splitlines()]
    assert "remove" not in done.stdout
    assert '"renamed": {"a/one": "b/uno"}' in CliRunner().invoke(app, [*words, "--json"]).stdout


def test_a_store_without_renames_is_as_before(project: QuickProject) -> None:
    assert up_to_date(project.prepare())
    assert Store.open(project.outputs).records("takes") == {row["take"] for row in project.latest.masters}
