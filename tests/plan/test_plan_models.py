"""Nights with a published model: what is made again when it gets a newer revision, and what people decided stays."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import toy_engine
from quick import QuickProject
from typer.testing import CliRunner

from flows.cli.app import app
from pipeline.build.prepare import BuildRequest, prepare_build

NAMES = ("approved", "locked", "plain", "rejected")
SOUND = "  - {{id: a/{0}, kind: sfx, prompt: {0}, duration: 0.1s}}\n"


def publish(monkeypatch: pytest.MonkeyPatch, revision: str, published: bool = True) -> None:
    """Let the toy engine's model be one that others publish, now at ``revision``."""
    model = replace(toy_engine.MODEL, revision=revision, published=published)
    monkeypatch.setattr(toy_engine, "MODEL", model)


@pytest.fixture
def reviewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> QuickProject:
    """Four sounds of revision 1 after a review; the model has revision 2 by now."""
    publish(monkeypatch, "1" * 40)
    project = QuickProject(tmp_path / "toys")
    project.write("".join(map(SOUND.format, NAMES)))
    project.build()
    for action, name in (("approve", "approved"), ("lock", "locked"), ("reject", "rejected")):
        project.say(action, project.row(f"a/{name}"))
    publish(monkeypatch, "2" * 40)
    return project


def revisions(project: QuickProject) -> dict[str, str]:
    """By name, the first digit of the revision of each master, with that of a take that waits for review."""
    found = {}
    for row in project.latest.masters:
        waiting = row.get("waiting")
        beside = f", {waiting['revision'][0]} waits" if waiting else ""
        found[row["asset"].removeprefix("a/")] = row["revision"][0] + beside
    return found


def test_a_night_makes_rejected_sounds_again_and_stays_with_the_revision_of_the_catalog(
    reviewed: QuickProject,
) -> None:
    before = {row["asset"]: row["master"] for row in reviewed.latest.masters}
    result = reviewed.build()
    after = {row["asset"]: row["master"] for row in reviewed.latest.masters}
    assert (result["generated"], result["failed"]) == (1, [])
    assert {name for name in after if after[name] != before[name]} == {"a/rejected"}
    assert revisions(reviewed) == dict.fromkeys(NAMES, "1")


def test_a_new_sound_gets_the_revision_of_the_others(reviewed: QuickProject) -> None:
    reviewed.write("".join(map(SOUND.format, [*NAMES, "new"])))
    reviewed.build()
    assert revisions(reviewed) == dict.fromkeys([*NAMES, "new"], "1")


def test_a_refresh_uses_the_newer_revision_leaves_what_people_decided_and_is_no_news_the_night_after(
    reviewed: QuickProject,
) -> None:
    result = reviewed.build(refresh_models=True)
    assert (result["generated"], result["failed"]) == (3, [])
    refreshed = {"approved": "1, 2 waits", "locked": "1", "plain": "2", "rejected": "2"}
    assert revisions(reviewed) == refreshed
    assert reviewed.build()["generated"] == 0
    assert revisions(reviewed) == refreshed
    assert reviewed.harm() == []


def test_plan_names_the_newer_revision_and_what_a_refresh_would_make(reviewed: QuickProject) -> None:
    words = ["plan", str(reviewed.manifest), "--outputs", str(reviewed.outputs)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "toy has a newer revision (222222222222); the build stays with 111111111111" in result.stderr
    generated = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("generate")]
    assert generated == ["a/rejected_01"]
    refreshed = json.loads(CliRunner().invoke(app, [*words, "--refresh-models", "--json"]).stdout)
    reasons = {row["asset"]: row["reasons"] for row in refreshed["assets"]}
    assert reasons["a/plain"] == [f"model revision changed: {'1' * 40} -> {'2' * 40}"]
    assert "newer_models" not in refreshed
    request = BuildRequest(reviewed.manifest, str(reviewed.outputs), refresh_models=True)
    orders = prepare_build(request).plan.orders()
    assert {order.recipe.revision for order in orders} == {"2" * 40}


def test_a_model_that_nobody_publishes_is_always_used_as_it_is(
    reviewed: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, "3" * 40, published=False)
    plan = reviewed.prepare().plan
    assert {order.recipe.revision for order in plan.orders()} == {"3" * 40}
    assert plan.newer_models == ()


def test_a_priority_changes_nothing_that_a_build_makes(tmp_path: Path) -> None:
    project = QuickProject(tmp_path / "toys")
    project.write(SOUND.format("plain"))
    project.build()
    project.write(SOUND.format("plain").replace("duration", "priority: -3, duration"))
    assert project.build()["published"] is False
    project.write(SOUND.format("plain").replace("prompt: plain", "prompt: other, priority: 7"))
    [order] = project.prepare().plan.orders()
    assert order.priority == 7
