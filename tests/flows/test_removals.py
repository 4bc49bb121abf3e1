"""What a build may remove from the catalog, and what it says about it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from quick import QuickProject
from toys import HEAD, ONE, THREE, TWO
from typer.testing import CliRunner, Result

from flows.cli.app import app
from pipeline.build.prepare import check_removals, removal_problem
from pipeline.errors import UsageError

MANY = "".join(f"  - {{id: m/n{number}, kind: sfx, prompt: hello, duration: 0.3s}}\n" for number in range(9))


def build(project: QuickProject, *words: str) -> Result:
    return CliRunner().invoke(
        app, ["build", str(project.manifest), "--outputs", str(project.outputs), *words]
    )


def problem(project: QuickProject, **options: Any) -> str | None:
    prepared = project.prepare(**options)
    return removal_problem(prepared, prepared.latest)


def test_a_second_project_does_not_empty_the_outputs_of_the_first(project: QuickProject) -> None:
    before = project.library()
    for assets in (TWO.replace("a/two", "c/four"), ONE + TWO + THREE):
        project.write(assets, HEAD.replace("project: toys", "project: other"))
        said = build(project)
        assert said.exit_code == 2
        assert "holds project 'toys'" in said.stderr
        assert "is project 'other'" in said.stderr
        assert "--outputs" in said.stderr
        assert "--allow-removals" in said.stderr
    assert build(project, "--only", "*").exit_code == 2
    assert (project.library(), project.latest.number) == (before, 1)


def test_a_renamed_project_is_built_once_a_person_says_so(project: QuickProject) -> None:
    project.write("  []\n", HEAD.replace("project: toys", "project: other"))
    assert build(project, "--allow-removals").exit_code == 0
    assert project.latest.project == "other"
    assert build(project).exit_code == 0


def test_a_manifest_without_assets_does_not_empty_the_library(project: QuickProject) -> None:
    project.write("  []\n")
    said = build(project)
    assert said.exit_code == 2
    assert "no longer lists 4 of 4 masters: a/one_01, a/one_02, a/two_01, b/three_01" in said.stderr
    assert len(project.library()) == 4
    done = build(project, "--allow-removals", "--json")
    assert json.loads(done.stdout)["removed"] == ["a/one_01", "a/one_02", "a/two_01", "b/three_01"]
    assert project.library() == {}


def test_a_few_removals_in_a_small_project_are_reported_and_done(project: QuickProject) -> None:
    project.write(THREE)
    said = build(project)
    assert said.exit_code == 0
    assert "removed from version 2: a/one_01, a/one_02, a/two_01" in said.stderr
    assert "left out" not in build(project).stderr


def test_more_than_the_share_needs_a_word(project: QuickProject) -> None:
    project.write(ONE + TWO + THREE + MANY)
    project.build()
    project.write(TWO + THREE + MANY)
    assert problem(project) is None
    project.write(MANY.replace("m/n0", "m/m0"))
    assert "no longer lists 5 of 13 masters" in (problem(project) or "")


def test_an_approved_or_locked_master_is_not_removed_in_silence(project: QuickProject) -> None:
    for action in ("approve", "lock"):
        project.say(action, project.row("a/two"))
        project.write(ONE + THREE)
        assert "people approved or locked a/two_01" in (problem(project) or "")
        said = build(project)
        assert said.exit_code == 2
        project.write(ONE + TWO + THREE)
        project.say("reject" if action == "approve" else "unlock", project.row("a/two"))
    project.say("approve", project.row("a/one", 2))
    project.write(ONE.replace("variations: 2", "variations: 1") + TWO + THREE)
    assert "a/one_02" in (problem(project) or "")


def test_what_only_leaves_alone_is_no_removal(project: QuickProject) -> None:
    project.say_all("approve")
    assert problem(project, only=["b/*"]) is None
    project.write(THREE)
    assert problem(project, only=["b/*"]) is None
    assert problem(project) is not None


def test_plan_says_what_build_will_refuse(project: QuickProject) -> None:
    project.write("  []\n")
    words = ["plan", str(project.manifest), "--outputs", str(project.outputs)]
    assert "the build will stop: " in CliRunner().invoke(app, words).stderr
    output = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert "--allow-removals" in output["removals"]


def test_what_another_build_published_meanwhile_is_protected_too(project: QuickProject) -> None:
    project.write("  - {id: c/six, kind: sfx, prompt: hello, duration: 0.3s}\n")
    late = project.prepare()
    check_removals(late, None)
    with pytest.raises(UsageError, match="no longer lists 4 of 4"):
        check_removals(late, project.latest)
