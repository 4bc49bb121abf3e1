"""Private prompts: only labels change, and only for the assets that ask for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from quick import QuickProject
from toys import HEAD, ONE, TWO

SECRET = TWO.replace("second", "the hidden king returns")


@pytest.fixture
def project(tmp_path: Path) -> QuickProject:
    project = QuickProject(tmp_path / "toys")
    project.write(ONE + SECRET)
    project.build()
    return project


def test_a_private_prompt_leaves_the_files_and_nothing_else_changes(project: QuickProject) -> None:
    before, files = project.latest, project.library()
    assert b"the hidden king returns" in files["a/two_01.wav"]
    project.write(ONE + SECRET.replace("duration", "private_prompts: true, duration"))
    assert project.actions() == {"reuse": ["a/one_1", "a/one_2"], "re-master": ["a/two_1"]}
    assert project.reasons() == {"a/two_1": ["labels in the files changed"]}
    project.build()
    row, earlier = project.row("a/two"), before.by_variation["a/two", 1]
    assert row["pcm_sha256"] == earlier["pcm_sha256"]
    assert row["take"] == earlier["take"]
    assert row["prompt"] == "the hidden king returns", "the catalog keeps it"
    after = project.library()
    assert b"hidden" not in after["a/two_01.wav"]
    assert after["a/one_01.wav"] == files["a/one_01.wav"]


def test_a_studio_can_make_all_prompts_private_and_an_asset_can_open_its_own(project: QuickProject) -> None:
    head = HEAD.replace("formats: [wav]", "formats: [wav], private_prompts: true")
    project.write(ONE + SECRET.replace("duration", "private_prompts: false, duration"), head)
    assert project.actions() == {"re-master": ["a/one_1", "a/one_2"], "reuse": ["a/two_1"]}
    project.build()
    assert b"hello" not in project.library()["a/one_01.wav"]
