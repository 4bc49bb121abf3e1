"""A week of a studio, day by day: what the plan says each morning, what the build does, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from quick import QuickProject, build_prepared
from typer.testing import CliRunner

from flows.cli.app import app
from pipeline.release import rollback


class Studio:
    """Ten assets with fifteen variations, and what people do with them."""

    def __init__(self, folder: Path) -> None:
        self.project = QuickProject(folder)
        self.assets: dict[str, str] = {
            **{f"step/{name}": "prompt: step, variations: 2" for name in ("dirt", "grass", "rock", "sand", "snow")},
            **{f"ui/{name}": "prompt: click" for name in ("back", "error", "open", "pick", "save")},
        }  # fmt: skip
        self.write()

    def write(self) -> None:
        lines = (
            f"  - {{id: {name}, kind: sfx, duration: 0.1s, {text}}}\n" for name, text in self.assets.items()
        )
        self.project.write("".join(lines))

    def run(self, *words: str) -> tuple[int, str]:
        """Exit code and standard output of a command."""
        where = [str(self.project.manifest), "--outputs", str(self.project.outputs)]
        result = CliRunner().invoke(app, [*words[:1], *where, *words[1:]])
        return result.exit_code, result.stdout

    def morning(self, *words: str) -> list[str]:
        """What the plan says: a line each, ``action name: reasons``. ``--check`` exits with 1 where it says any."""
        code, output = self.run("plan", "--check", *words)
        lines = [line.split(maxsplit=2) for line in output.splitlines()]
        assert code == (1 if any(line[0] != "locked" for line in lines) else 0)
        return [f"{action} {name}: {reasons}" for action, name, reasons in lines]

    def build(self, **options: Any) -> tuple[int | None, bool, int, int, int]:
        """Version, whether it is new, takes, masters, failures."""
        result = build_prepared(self.project.prepare(**options))
        keys = ("version", "published", "generated", "mastered")
        version, published, generated, mastered = (result[key] for key in keys)
        return version, published, generated, mastered, len(result["failed"])

    def nothing_to_do(self, *words: str) -> bool:
        """Whether plan and build agree that all is up to date."""
        planned = self.morning(*words)
        code, output = self.run("build", "--json", *words)
        return (code, json.loads(output)["published"]) == (0, False) and not planned


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path / "week")


def test_a_week(studio: Studio) -> None:
    project, assets = studio.project, studio.assets

    # Monday: everything is new.
    planned = studio.morning()
    assert len(planned) == 15
    assert all(line.startswith("generate ") and line.endswith(": new asset") for line in planned)
    assert studio.build() == (1, True, 15, 15, 0)
    assert studio.nothing_to_do()

    # Tuesday: prompts, labels, one asset less and one more variation.
    assets["ui/open"] = "prompt: whoosh, tags: [menu]"
    assets["ui/save"] = "prompt: click, tags: [menu]"
    assets["step/sand"] = "prompt: step, variations: 3"
    del assets["ui/back"]
    studio.write()
    assert studio.morning() == [
        "re-master step/sand_01: shared gain: another variation changed",
        "re-master step/sand_02: shared gain: another variation changed",
        "generate step/sand_03: new variation",
        "remove ui/back_01: no longer in the manifest",
        "generate ui/open_01: prompt changed, tags changed: none -> menu",
        "publish ui/save_01: tags changed: none -> menu",
    ]
    assert studio.build() == (2, True, 2, 4, 0)
    assert studio.nothing_to_do()

    # Wednesday: the lead approves, rejects and locks; a variation goes.
    project.say("approve", project.row("step/dirt", 1))
    project.say("reject", project.row("ui/pick"))
    project.say("lock", project.row("ui/error"))
    assets["step/sand"] = "prompt: step, variations: 2"
    studio.write()
    assert studio.morning() == [
        "remove step/sand_03: no longer in the manifest",
        "publish ui/error_01: status changed: current -> locked (locked in review)",
        "generate ui/pick_01: rejected in review",
    ]
    assert studio.build() == (3, True, 1, 1, 0)
    locked = ["locked ui/error_01: locked in review"]
    assert studio.morning() == locked

    # Thursday: the approved asset gets another prompt and more candidates; the new take waits.
    assets["step/dirt"] = "prompt: boot, variations: 2, candidates: 2"
    studio.write()
    assert studio.morning() == [
        "generate step/dirt_01: approved in review: the new take will wait, candidates changed: 1 -> 2, prompt changed",
        "generate step/dirt_02: candidates changed: 1 -> 2, prompt changed",
        *locked,
    ]
    assert studio.build() == (4, True, 4, 2, 0)
    assert studio.morning() == locked

    # Friday: what waits is approved, the rejected take of Wednesday is wanted after all.
    project.say("approve", project.row("step/dirt", 1)["waiting"])
    project.say("approve", project.catalog.read(2).by_variation["ui/pick", 1])
    assert studio.morning() == [
        "publish step/dirt_01: approved in review: the waiting take takes its place, "
        "candidates changed: 1 -> 2, prompt changed",
        *locked,
        "publish ui/pick_01: made before: its master is in the store, a review brought its earlier take back",
    ]
    assert studio.build() == (5, True, 0, 0, 0)
    assert studio.morning() == locked

    # Saturday: a prompt that fails, which keeps the old master and is planned again.
    assets["ui/save"] = "prompt: fail, tags: [menu]"
    studio.write()
    failing = "generate ui/save_01: prompt changed"
    assert studio.morning() == [*locked, failing]
    assert studio.build() == (6, True, 0, 0, 1)
    assert studio.morning() == [*locked, failing]
    assert studio.build() == (6, False, 0, 0, 1)

    # Sunday: back to Tuesday's version; the next build makes what the manifest asks for again.
    assets["ui/save"] = "prompt: click, tags: [menu]"
    studio.write()
    rollback(project.catalog, "latest", at="2026-02-01T00:00:00Z", by="Pat", to=2)
    output = studio.morning()
    assert [line.partition(":")[0] for line in output] == [
        "publish step/dirt_01",
        "publish step/dirt_02",
        "remove step/sand_03",
        "publish ui/error_01",
    ]
    assert studio.build() == (7, True, 0, 0, 0)
    assert studio.morning() == locked
