"""The whole story with the real flow: build, review, build, change, wait, promote, override, roll back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from quick import QuickProject
from toys import ONE, THREE, TWO, ToyProject
from typer.testing import CliRunner

from flows.cli.app import app


def say(project: ToyProject, *words: str) -> tuple[int, Any]:
    """A command's exit code and its JSON object."""
    result = CliRunner().invoke(app, [*words, "--outputs", str(project.outputs), "--json"])
    return result.exit_code, json.loads(result.stdout)


def test_from_first_build_to_rollback(tmp_path: Path) -> None:
    project = QuickProject(tmp_path / "toys")
    flow = ToyProject.build
    flow(project)
    first = project.library()

    say(project, "review", "approve", "*", "--by", "lead")
    say(project, "review", "reject", "a/one", "--variation", "2", "--by", "lead", "-m", "too dull")
    result = flow(project)
    assert (result["generated"], result["mastered"], result["version"]) == (1, 1, 2)
    assert {name for name, data in project.library().items() if data != first[name]} == {"a/one_02.wav"}
    say(project, "review", "approve", "a/one", "--variation", "2", "--by", "lead")
    assert set(project.actions()) == {"reuse"}
    second = project.library()
    tree = {path: path.read_bytes() for path in sorted((project.outputs / "catalog").rglob("*.*"))}

    project.write(ONE + TWO.replace("second", "changed") + THREE)
    result = flow(project)
    assert (result["generated"], result["mastered"], result["version"]) == (1, 1, 3)
    assert project.library() == second
    _, shown = say(project, "catalog", "show", "--state", "waiting")
    assert [row["asset"] for row in shown["masters"]] == ["a/two"]
    assert set(project.actions()) == {"reuse"}

    code, output = say(project, "promote", "1", "--channel", "release", "--by", "Pat")
    assert (code, output["promoted"]) == (1, False)
    assert [one["code"] for one in output["refused"]] == ["placeholder", "rejected", "credentials"]
    assert [one["master"] for one in output["refused"][1]["masters"]] == ["a/one_02"]
    over = [
        "--override",
        "placeholder",
        "--override",
        "credentials",
        "--because",
        "trailer only",
        "--by",
        "Pat",
    ]
    code, output = say(project, "promote", "3", "--channel", "release", *over)
    assert (code, output["promoted"]) == (0, True)
    _, listed = say(project, "catalog", "channels", "release")
    [move] = listed["channels"][0]["history"]
    assert [(one["reason"], one["because"], one["by"]) for one in move["overrides"]] == [
        ("placeholder", "trailer only", "Pat"),
        ("credentials", "trailer only", "Pat"),
    ]

    say(project, "review", "approve", "a/two", "--waiting", "--by", "lead")
    result = project.build()
    assert (result["generated"], result["mastered"], result["version"]) == (0, 0, 4)
    assert {name for name, data in project.library().items() if data != second[name]} == {"a/two_01.wav"}

    code, output = say(project, "catalog", "rollback", "--channel", "latest", "--to", "2", "--by", "Pat")
    assert (code, output["version"]) == (0, 2)
    assert project.library() == second
    assert {path: path.read_bytes() for path in tree} == tree
    say(project, "catalog", "rollback", "--to", "1", "--by", "Pat")
    assert project.library() == first
    assert project.harm() == []
