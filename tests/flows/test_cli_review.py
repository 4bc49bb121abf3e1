"""The review commands: clear, re-roll as a state, locks that refuse, and files of older reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from quick import QuickProject
from toys import ONE, THREE, TWO
from typer.testing import CliRunner, Result

from flows.cli.app import app
from pipeline.catalog import Reviews
from pipeline.provenance import MasterRow


def run(project: QuickProject, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--outputs", str(project.outputs)])


def marks(project: QuickProject, state: str) -> str:
    return run(project, "catalog", "show", "--state", state).stdout


def exported(folder: Path, version: int, *decisions: tuple[str, MasterRow]) -> str:
    """A file as a report of ``version`` exports it."""
    facts = [
        {
            **{key: row[key] for key in ("asset", "variation", "take", "master")},  # type: ignore[literal-required]
            "action": action,
            "comment": "",
            "at": "2026-02-01T00:00:00Z",
        }
        for action, row in decisions
    ]
    file = folder / "decisions.json"
    head: dict[str, Any] = {"schema": "cuesmith.decisions/1", "version": version, "reviewer": "Ada"}
    file.write_text(json.dumps({**head, "decisions": facts}))
    return str(file)


def test_a_reroll_is_shown_as_such_and_clear_ends_it(project: QuickProject) -> None:
    assert run(project, "review", "reroll", "a/two").exit_code == 0
    assert "a/two_01" in marks(project, "re-roll")
    assert "a/two_01" not in marks(project, "rejected")
    assert "reroll" in run(project, "review", "list").stdout
    assert set(project.actions()) == {"generate", "reuse"}, "the next build makes another take"
    assert project.reasons()["a/two_1"] == ["another take requested in review"]
    assert run(project, "review", "clear", "a/two", "-m", "by mistake").exit_code == 0
    assert "a/two_01" in marks(project, "unreviewed")
    assert set(project.actions()) == {"reuse"}


def test_a_release_says_that_another_take_is_wanted(project: QuickProject) -> None:
    run(project, "review", "approve", "*")
    run(project, "review", "reroll", "a/two")
    result = run(project, "promote", "1", "--channel", "beta")
    assert "a/two_01  another take was requested" in result.stdout + result.stderr


@pytest.mark.parametrize("action", ["reject", "reroll"])
def test_a_lock_refuses_what_would_replace_its_master(project: QuickProject, action: str) -> None:
    run(project, "review", "lock", "a/two")
    result = run(project, "review", action, "a/*")
    assert result.exit_code == 2
    assert "locked, so no build replaces it: a/two_01; unlock first: cuesmith review unlock" in result.stderr
    assert [event.action for event in Reviews(project.store).events()] == ["lock"]
    run(project, "review", "unlock", "a/two")
    assert run(project, "review", action, "a/*").exit_code == 0


def test_a_lock_in_the_manifest_is_named(project: QuickProject) -> None:
    project.write(ONE + TWO.replace("duration", "lock: true, duration") + THREE)
    project.build()
    result = run(project, "review", "reject", "a/two")
    assert result.exit_code == 0
    assert (
        "warning: locked in the manifest, so builds keep: a/two_01; remove lock: true there" in result.stderr
    )


def test_a_file_of_an_older_report_warns_of_each_replaced_take(project: QuickProject, tmp_path: Path) -> None:
    old, kept = project.row("a/two"), project.row("b/three")
    project.say("reject", old)
    project.build()
    result = run(project, "review", "import", exported(tmp_path, 1, ("approve", old), ("approve", kept)))
    assert result.exit_code == 0
    assert "warning: this approve of a/two_01: version 2 has another take" in result.stderr
    assert "of b/three_01:" not in result.stderr
    assert [event.name for event in Reviews(project.store).events()[1:]] == ["a/two_01", "b/three_01"]


def test_a_file_that_contradicts_a_lock_is_imported_without_it(project: QuickProject, tmp_path: Path) -> None:
    locked, free = project.row("a/two"), project.row("b/three")
    run(project, "review", "lock", "a/two")
    file = exported(tmp_path, 1, ("reject", locked), ("reject", free))
    result = run(project, "review", "import", file)
    assert result.exit_code == 3
    assert "warning: not imported: locked, so no build replaces it: a/two_01" in result.stderr
    assert "1 decision of Ada added; 0 already known" in result.stderr
    run(project, "review", "unlock", "a/two")
    again = run(project, "review", "import", file, "--json")
    added = json.loads(again.stdout)
    assert (again.exit_code, added["known"], added["refused"]) == (0, 1, [])
    assert [event["asset"] for event in added["added"]] == ["a/two"]
