"""Many processes review and build at once: every event is kept, none is torn, the catalog stays consistent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import crowd
import pytest
from quick import QuickProject, build_prepared

from pipeline.build.prepare import up_to_date
from pipeline.catalog import Reviews

SUPPORT = Path(crowd.__file__).parent


def gather(project: QuickProject, people: int, rounds: int) -> None:
    """Let ``people`` processes work at the project at once."""
    paths = [str(SUPPORT), str(SUPPORT.parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    processes = [
        subprocess.Popen(
            [sys.executable, crowd.__file__, project.manifest, project.outputs, f"person {n}", str(rounds)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for n in range(people)
    ]
    said = [process.communicate(timeout=540)[0] for process in processes]
    assert [text for process, text in zip(processes, said, strict=True) if process.returncode] == []


def check(project: QuickProject, people: int, rounds: int) -> None:
    """Everything that was said is there, and everything that is named is whole and agrees."""
    lines = (project.outputs / "reviews.jsonl").read_bytes().splitlines()
    assert all(json.loads(line)["schema"] == "cuesmith.review/1" for line in lines)
    events = Reviews(project.store).events()
    assert Counter(event.by for event in events) == {
        f"person {n}": rounds * crowd.EVENTS_A_ROUND for n in range(people)
    }
    assert len({event.id for event in events}) == len(events) == len(lines)
    assert project.harm() == []
    numbers = project.catalog.numbers()
    assert numbers == list(range(1, len(numbers) + 1))
    assert [project.catalog.read(number).parent for number in numbers] == [None, *numbers[:-1]]
    channel = project.catalog.channel("latest")
    assert channel is not None
    assert [move["version"] for move in channel["history"]] == numbers


def settle(project: QuickProject) -> None:
    """One more build brings all reviews to their end, and then there is nothing to do."""
    project.build()
    assert up_to_date(project.prepare())
    state = Reviews(project.store).state()
    shown = project.library()
    for row in project.latest.masters:
        assert row["take"] not in state.rejected
        for path, item in row["files"].items():
            assert len(shown[path]) == item["size"]
    assert project.harm() == []


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [1, 6])
def test_eight_processes_review_and_build_at_once(rounds: int, tmp_path: Path) -> None:
    project = QuickProject(tmp_path / "toys")
    build_prepared(project.prepare())
    gather(project, people=8, rounds=rounds)
    check(project, people=8, rounds=rounds)
    settle(project)
