"""What the plan command shows: everything that a build would publish, grouped where it is long, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from quick import QuickProject
from toys import HEAD, ONE, THREE, TWO
from typer.testing import CliRunner, Result

import pipeline.build.prepare
from flows.cli.app import app
from pipeline.generators import Estimate, find_engine
from pipeline.plan import plan as make_plan
from pipeline.plan.estimates import _key
from pipeline.recipe import Recipe
from pipeline.release import rollback

ALL = ONE + TWO + THREE


def run(project: QuickProject, *words: str) -> Result:
    where = [str(project.manifest), "--outputs", str(project.outputs)]
    return CliRunner().invoke(app, [*words[:1], *where, *words[1:]])


def answer(project: QuickProject, *words: str) -> Any:
    return json.loads(run(project, *words, "--json").stdout)


def change_tags(project: QuickProject) -> None:
    project.write(ONE + TWO.replace("0.4s", "0.4s, tags: [new]") + THREE)


def change_naming(project: QuickProject) -> None:
    project.write(ONE + TWO.replace("0.4s", '0.4s, naming: "{id}-take{variation}"') + THREE)


def lock_in_the_manifest(project: QuickProject) -> None:
    project.write(ONE + TWO.replace("0.4s", "0.4s, lock: true") + THREE)


def lock_in_review(project: QuickProject) -> None:
    project.say("lock", project.row("a/two"))


def unlock(project: QuickProject) -> None:
    lock_in_review(project)
    project.build()
    project.say("unlock", project.row("a/two"))


def remove(project: QuickProject) -> None:
    project.write(ONE + THREE)


def approve_what_waits(project: QuickProject) -> None:
    project.say("approve", project.row("a/two"))
    project.write(ALL.replace("second", "other"))
    project.build()
    project.say("approve", project.row("a/two")["waiting"])


def approve_an_earlier_version(project: QuickProject) -> None:
    project.say("reject", project.row("a/two"))
    project.build()
    first = project.catalog.read(1).by_variation["a/two", 1]
    project.say("approve", first)


def roll_back(project: QuickProject) -> None:
    project.write(ALL.replace("second", "other"))
    project.build()
    rollback(project.catalog, "latest", at="2026-02-01T00:00:00Z", by="Pat")


def sign(project: QuickProject) -> None:
    project.write(ONE + TWO.replace("0.4s", "0.4s, credentials: development") + THREE)


def change_bpm(project: QuickProject) -> None:
    project.write(ONE + TWO.replace("0.4s", "0.4s, bpm: 90") + THREE)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (change_tags, "publish    a/two_01 * tags changed: none -> new"),
        (change_naming, "publish    a/two_01 * files renamed: a/two_01 -> a/two-take01"),
        (
            lock_in_the_manifest,
            "publish    a/two_01 * status changed: current -> locked (lock: true in the manifest)",
        ),
        (lock_in_review, "publish    a/two_01 * status changed: current -> locked (locked in review)"),
        (unlock, "publish    a/two_01 * status changed: locked -> current"),
        (remove, "remove     a/two_01 * no longer in the manifest"),
        (approve_what_waits, "publish    a/two_01 * approved in review: the waiting take takes its place"),
        (approve_an_earlier_version, "publish    a/two_01 * made before: its master is in the store"),
        (roll_back, "publish    a/two_01 * made before: its master is in the store, prompt changed"),
        (sign, "publish    a/two_01 * signed by: none -> development"),
        (change_bpm, "publish    a/two_01 * bpm changed: none -> 90"),
    ],
)
def test_everything_that_a_build_would_publish_is_in_the_plan(
    change: Callable[[QuickProject], None], line: str, project: QuickProject
) -> None:
    assert run(project, "plan", "--check").exit_code == 0
    change(project)
    planned = run(project, "plan", "--check")
    assert planned.exit_code == 1
    [output] = planned.stdout.splitlines()
    action, _, reason = line.partition(" * ")
    assert output.startswith(action)
    assert reason in output
    [row] = [row for row in answer(project, "plan")["assets"] if row["action"] != "reuse"]
    assert f"{row['action']:<10} {row['asset']}_{row['variation']:02d}" == action
    before = project.latest.number
    assert answer(project, "build")["published"]
    assert project.latest.number != before
    after = run(project, "plan", "--check")
    assert after.exit_code == 0
    assert answer(project, "build")["published"] is False


def test_a_plan_shows_nothing_where_a_build_publishes_nothing(project: QuickProject) -> None:
    project.say("approve", project.row("a/two"))
    project.manifest.write_text(project.manifest.read_text().replace("assets:", "\n\nassets:"))
    planned = run(project, "plan", "--check")
    assert (planned.exit_code, planned.stdout) == (0, "")
    assert answer(project, "build")["published"] is False


def test_the_counts_of_a_plan_have_every_action(project: QuickProject) -> None:
    project.write(ONE.replace("[x]", "[y]") + TWO.replace("second", "other"))
    totals = answer(project, "plan")["totals"]
    assert totals["actions"] == {
        "generate": 1,
        "re-master": 0,
        "publish": 2,
        "reuse": 0,
        "locked": 0,
        "remove": 1,
    }
    assert "3 variations of 2 assets: 1 generate, 2 publish, 1 remove" in run(project, "plan").stderr


MANY = "".join(
    f"  - {{id: {folder}/cue{number}, kind: sfx, prompt: p, duration: 0.1s, variations: 2}}\n"
    for folder in ("a", "b/deep")
    for number in range(12)
)


def test_a_long_plan_is_grouped_by_folder_and_reasons_with_counts(tmp_path: Path) -> None:
    project = QuickProject(tmp_path / "toys")
    project.write(MANY + "  - {id: lone, kind: sfx, prompt: p, duration: 0.1s}\n")
    result = run(project, "plan")
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["generate", "a/*", "(24)", "new", "asset"],
        ["generate", "b/deep/*", "(24)", "new", "asset"],
        ["generate", "lone_01", "new", "asset"],
    ]
    assert "cuesmith plan --full" in result.stderr
    assert len(run(project, "plan", "--full").stdout.splitlines()) == 49
    assert len(answer(project, "plan")["assets"]) == 49


def test_a_build_makes_its_plan_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefect_server: str
) -> None:
    made = []

    def counted(*facts: Any) -> Any:
        made.append(facts)
        return make_plan(*facts)

    monkeypatch.setattr(pipeline.build.prepare, "plan", counted)
    project = QuickProject(tmp_path / "toys")
    project.write(TWO)
    assert answer(project, "build", "--devices", "cpu")["published"]
    assert len(made) == 1
    assert answer(project, "build")["published"] is False
    assert len(made) == 2


class Knows:
    """The toy engine, which estimates for itself."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def estimate(self, recipes: list[Recipe], device: str) -> Estimate:
        return Estimate(1000.0 * len(recipes), 0.0, 0.0, "its own tables")


@pytest.mark.parametrize(
    ("kind", "basis"), [("costs", "the engine's own figures"), ("estimates", "its own tables")]
)
def test_estimates_learn_from_the_builds_of_the_project(
    kind: str, basis: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = QuickProject(tmp_path / "toys")
    if kind != "costs":
        engine = Knows(find_engine("toy"))
        monkeypatch.setattr("pipeline.plan.estimates.find_engine", lambda name: engine)
    project.write(TWO)
    [first] = answer(project, "plan")["estimate"]["models"]
    assert first["basis"] == basis
    project.build()
    project.write(TWO.replace("second", "other"))
    [second] = answer(project, "plan")["estimate"]["models"]
    assert second["basis"].startswith("earlier builds on this machine, the last on 2")
    speeds = project.outputs / _key("toy", "toy", "cpu")
    known = json.loads(speeds.read_bytes())
    extra = 1.5 if kind == "costs" else 0.0
    learned = (first["device_seconds"] - extra) * known["taken"] / known["expected"] + extra
    assert second["device_seconds"] == pytest.approx(learned, abs=1e-3)
    speeds.write_text("torn")
    [third] = answer(project, "plan")["estimate"]["models"]
    assert third["basis"] == basis


def test_a_build_in_which_a_take_failed_teaches_nothing(tmp_path: Path) -> None:
    project = QuickProject(tmp_path / "toys")
    project.write(TWO.replace("second", "fail") + THREE)
    project.build()
    assert not (project.outputs / "cache" / "speeds").exists()


def test_a_project_of_another_name_is_reported_even_when_every_row_is_locked(tmp_path: Path) -> None:
    project = QuickProject(tmp_path / "toys")
    locked = TWO.replace("0.4s", "0.4s, lock: true")
    project.write(locked)
    project.build()
    project.write(locked, HEAD.replace("project: toys", "project: games"))
    planned = run(project, "plan", "--check")
    assert planned.exit_code == 1
    assert "project changed: toys -> games" in planned.stderr
