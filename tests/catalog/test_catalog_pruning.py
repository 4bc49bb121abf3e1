"""Old versions go by policy, and what is still needed stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from quick import QuickProject
from typer.testing import CliRunner

from flows.cli.app import app
from pipeline.catalog import prunable_versions
from pipeline.errors import UsageError
from pipeline.manifest.spec import GateReason
from pipeline.release import promote, rollback
from pipeline.store import ObjectRef

ASSET = "  - {{id: a/one, kind: sfx, prompt: number {0}, duration: 0.3s}}\n"


@pytest.fixture(scope="module")
def five_once(tmp_path_factory: pytest.TempPathFactory) -> QuickProject:
    """Five versions; the second was promoted, then the third; to be copied."""
    project = QuickProject(tmp_path_factory.mktemp("five") / "toys")
    for number in range(1, 6):
        project.write(ASSET.format(number))
        project.build()
        if number in (2, 3):
            words = dict.fromkeys(GateReason, "a test")
            promote(project.catalog, number, "release", at="2026-02-01T00:00:00Z", by="Pat", overrides=words)
    return project


@pytest.fixture
def five(five_once: QuickProject, tmp_path: Path) -> QuickProject:
    """A copy of `five_once` that a test may change."""
    return five_once.copy(tmp_path / "toys")


def gc(project: QuickProject, *words: str) -> str:
    done = CliRunner().invoke(app, ["gc", "--outputs", str(project.outputs), "--grace", "0", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_newest_versions_and_those_of_channels_stay(five: QuickProject) -> None:
    assert prunable_versions(five.catalog, 1) == [1, 4]
    assert prunable_versions(five.catalog, 2) == [1]
    assert prunable_versions(five.catalog, 10) == []
    with pytest.raises(UsageError, match="would leave no version"):
        prunable_versions(five.catalog, 0)


def test_a_dry_run_tells_what_goes_and_removes_nothing(five: QuickProject) -> None:
    assert "would remove 2 versions: 1, 4\n" in gc(five, "--keep", "1", "--dry-run")
    assert five.catalog.numbers() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("words", [(), ("--unused-takes",)])
def test_a_dry_run_counts_what_then_goes(five: QuickProject, words: tuple[str, ...]) -> None:
    def counts(*more: str) -> dict[str, Any]:
        counted: dict[str, Any] = json.loads(gc(five, "--keep", "1", "--json", *words, *more))
        return {name: value for name, value in counted.items() if name != "dry_run"}

    planned = counts("--dry-run")
    assert planned["objects"]
    assert counts() == planned


def test_retired_versions_go_with_their_takes_and_nothing_else_does(five: QuickProject) -> None:
    old = [five.catalog.read(number).masters[0] for number in (1, 4)]
    assert "removed 2 versions: 1, 4\n" in gc(five, "--keep", "1", "--unused-takes")
    assert five.catalog.numbers() == [2, 3, 5]
    assert not list(five.store.backend.list("catalog/000001"))
    assert not list(five.store.backend.list("reports/000004"))
    assert five.harm() == []
    assert not {sha256 for row in old for sha256 in row["takes"].values()} & five.store.objects()
    assert five.build()["published"] is False
    five.write(ASSET.format(6))
    assert five.build()["version"] == 6


def test_an_approved_master_of_a_retired_version_stays(five: QuickProject) -> None:
    row = five.catalog.read(1).masters[0]
    five.say("approve", row)
    gc(five, "--keep", "1", "--unused-takes")
    assert 1 not in five.catalog.numbers()
    for item in row["files"].values():
        five.store.get(ObjectRef.from_json(item))
    assert set(row["takes"].values()) <= five.store.objects()
    assert five.harm() == []


def test_a_version_to_which_latest_was_rolled_back_stays(five: QuickProject) -> None:
    rollback(five.catalog, "latest", at="2026-02-01T00:00:00Z", by="Pat", to=1)
    assert prunable_versions(five.catalog, 1) == [4]


def test_a_rollback_steps_over_versions_that_are_gone(five: QuickProject) -> None:
    gc(five, "--keep", "1")
    with pytest.raises(UsageError, match="version 4 was removed"):
        rollback(five.catalog, "latest", at="2026-02-02T00:00:00Z", by="Pat", to=4)
    assert rollback(five.catalog, "latest", at="2026-02-02T00:00:00Z", by="Pat")["version"] == 3
