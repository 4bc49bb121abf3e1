"""An audition: takes of several engines in the store, a page to choose from, a line that a build follows."""

from __future__ import annotations

import json
import re
from math import log10
from pathlib import Path
from typing import Any

import pytest
import yaml
from object_store import s3_bucket
from playwright.sync_api import Page, expect
from quick import QuickProject
from typer.testing import CliRunner, Result

from flows.cli.app import app

__all__ = ["s3_bucket"]

BLOCK = """\
  - id: a/one
    kind: sfx
    prompt: hello
    duration: 0.5s
    candidates: 3
"""
FLOW = "  - {id: a/one, kind: sfx, prompt: hello, duration: 0.5s, tags: [x]}\n"
HEAD = "cuesmith: 1\nproject: toys\ndefaults: {sfx: {formats: [wav]}}\nassets:\n"


@pytest.fixture(scope="module")
def auditioned(tmp_path_factory: pytest.TempPathFactory) -> tuple[QuickProject, dict[str, Any]]:
    """An audition of two engines with two takes each."""
    project = QuickProject(tmp_path_factory.mktemp("audition") / "toys")
    project.write(BLOCK, HEAD)
    return project, json.loads(audition(project, "toy,sketch", "--candidates", "2", "--json").stdout)


def audition(project: QuickProject, engines: str, *words: str, asset: str = "a/one") -> Result:
    where = ["--asset", asset, "--engines", engines, "--outputs", str(project.outputs), "--devices", "cpu"]
    return CliRunner().invoke(app, ["audition", str(project.manifest), *where, *words])


def test_takes_of_every_engine_are_in_the_store_and_nothing_is_published(
    auditioned: tuple[QuickProject, dict[str, Any]],
) -> None:
    project, result = auditioned
    assert [(take["label"], take["line"]) for take in result["takes"]] == [
        ("toy · take 1", "engine: toy\ncandidates: 1"),
        ("toy · take 2", "engine: toy\nseed: 1\ncandidates: 1"),
        ("sketch · take 1", "engine: sketch\ncandidates: 1"),
        ("sketch · take 2", "engine: sketch\nseed: 1\ncandidates: 1"),
    ]
    assert {path.stem for path in (project.outputs / "takes").glob("*.json")} == {
        take["take"] for take in result["takes"]
    }
    assert project.catalog.latest() is None
    assert result["place"] == f"{project.manifest}:5"


@pytest.mark.parametrize("number", range(4))
def test_a_build_with_the_chosen_line_reuses_take_and_master(
    number: int,
    auditioned: tuple[QuickProject, dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    project, result = auditioned
    chosen = result["takes"][number]
    asset = yaml.safe_load(BLOCK)[0] | yaml.safe_load(chosen["line"])
    project.write("  - " + json.dumps(asset) + "\n", HEAD)
    monkeypatch.setenv("TOY_LOG", str(tmp_path / "made.log"))
    built = project.build()
    assert (built["generated"], built["mastered"]) == (0, 0)
    row = project.row("a/one")
    assert (row["take"], row["master"]) == (chosen["take"], chosen["master"])
    assert not (tmp_path / "made.log").exists()


def test_a_line_for_an_asset_in_braces_has_commas_and_a_second_audition_makes_nothing(tmp_path: Path) -> None:
    project = QuickProject(tmp_path / "toys")
    project.write(FLOW, HEAD)
    first = audition(project, "toy:any, toy", "--json")
    [one, other] = json.loads(first.stdout)["takes"]
    assert (one["line"], other["line"]) == ("engine: toy, model: any", "engine: toy")
    assert one["take"] == other["take"], "the toy engine has one model"
    lines = [line.partition(" s of audio in ")[0] for line in first.stderr.splitlines()]
    assert lines == [f"plan: {project.manifest}", "takes to generate: 1", "  toy: 0.5", "takes to master: 1"]
    before = sorted((project.outputs / "masters").iterdir())
    again = audition(project, "toy", "--json")
    assert (again.exit_code, again.stderr) == (0, f"plan: {project.manifest}\n")
    assert sorted((project.outputs / "masters").iterdir()) == before


def test_a_take_that_fails_is_named_on_the_page_and_the_others_are_there(tmp_path: Path) -> None:
    project = QuickProject(tmp_path / "toys")
    project.write(FLOW.replace("hello", "fail"), HEAD)
    done = audition(project, "toy,sketch", "--json")
    assert done.exit_code == 3
    [toy, sketch] = json.loads(done.stdout)["takes"]
    assert toy["failed"] == "the toy was told to fail; change the prompt"
    assert sketch["failed"] is None
    assert "the toy was told to fail" in Path(json.loads(done.stdout)["page"]).read_text()
    assert audition(project, "toy").exit_code == 1


@pytest.mark.parametrize(
    ("engines", "words", "asset", "said"),
    [
        ("", (), "a/one", "--engines is missing"),
        ("toy", (), "", "--asset is missing"),
        ("toy", (), "a/on", "--asset 'a/on' is not in"),
        ("toy:", (), "a/one", "'toy:' is not an engine; write engine or engine:model"),
        ("tox", (), "a/one", "engine 'tox' is not installed; did you mean toy?"),
        ("toy", ("--candidates", "0"), "a/one", "--candidates 0 is out of range; give a number from 1 to 64"),
    ],
)
def test_wrong_input_is_reported(
    engines: str, words: tuple[str, ...], asset: str, said: str, tmp_path: Path
) -> None:
    project = QuickProject(tmp_path / "toys")
    project.write(FLOW, HEAD)
    done = audition(project, engines, *words, asset=asset)
    assert done.exit_code == 2
    assert said in done.stderr


def test_the_page_in_an_object_store_is_named_by_its_url(s3_bucket: str, tmp_path: Path) -> None:
    project = QuickProject(tmp_path / "toys")
    project.write(FLOW, HEAD)
    words = ["--asset", "a/one", "--engines", "toy", "--outputs", f"{s3_bucket}/audition", "--devices", "cpu"]
    done = CliRunner().invoke(app, ["audition", str(project.manifest), *words, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["page"] == f"{s3_bucket}/audition/reports/audition-a.one/index.html"


@pytest.mark.browser
def test_the_page_plays_switches_at_one_loudness_and_shows_the_chosen_line(
    auditioned: tuple[QuickProject, dict[str, Any]], page: Page
) -> None:
    _, result = auditioned
    page.goto(Path(result["page"]).as_uri())
    expect(page.locator("html")).to_have_attribute("data-ready", "true")
    cards = page.locator(".take")
    expect(cards).to_have_count(4)
    page.click("#loop")
    page.keyboard.press("2")
    expect(cards.nth(1)).to_have_class("take audible")
    expect(cards.nth(1).locator(".time")).not_to_have_text(re.compile(r"^0(\.0+)? m?s "))
    page.keyboard.press("3")
    expect(cards.nth(2)).to_have_class("take audible")
    gains, lufs = page.evaluate(
        "[audition.sound().gains, audition.sound().voices.map((one) => one.sound.lufs)]"
    )
    played = {round(loudness + 20 * log10(gain), 3) for gain, loudness in zip(gains, lufs, strict=True)}
    assert played == {round(min(lufs), 3)}
    cards.nth(3).get_by_role("button", name="Choose").click()
    expect(page.locator("#line")).to_have_text(result["takes"][3]["line"])
    expect(page.locator("#chosen")).to_contain_text(result["place"])
    cards.nth(2).get_by_role("button", name="Pause").click()
    expect(page.locator(".take.audible")).to_have_count(0)
    assert page.locator("#problem").inner_text() == ""
