"""The docs are held to the code: rooms, files, examples, commands."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import soundfile
from console_pages import BLOCK, has_commands, run_page

from flows.cli import app
from manifests import load

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
WHOLE = {"cuesmith:", "project:", "assets:"}
TUTORIAL = [ROOT / "docs" / name for name in ("tutorial.md", "troubleshooting.md")]
"""Pages whose commands run one after another in one project."""


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")) if kind == language]


def _between(page: Path, name: str) -> str:
    text = page.read_text(encoding="utf-8")
    return text.split(f"<!-- {name}:begin -->")[1].split(f"<!-- {name}:end -->")[0]


def test_the_rooms_of_the_architecture_page_are_those_that_import_linter_holds() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    page = _between(ROOT / "docs" / "architecture.md", "rooms").strip().splitlines()
    assert [line.strip() for line in page if not line.startswith("```")] == layers


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page not in TUTORIAL], ids=lambda page: page.name)
def test_manifests_in_the_docs_load(page: Path, tmp_path: Path) -> None:
    for number, text in enumerate(
        block for block in blocks(page, "yaml") if set(re.findall(r"^\w+:", block, re.M)) >= WHOLE
    ):
        for name in re.findall(r"audio/\w+\.wav", text):
            sound = tmp_path / name
            sound.parent.mkdir(exist_ok=True)
            soundfile.write(sound, [0.1, -0.1] * 60_000, 8_000)
        manifest = tmp_path / f"{number}.yaml"
        manifest.write_text(text)
        assert load(manifest).assets


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if has_commands(page) and page not in TUTORIAL],
    ids=lambda page: page.name,
)
def test_commands_in_the_docs_run(page: Path, tmp_path: Path, prefect_server: str) -> None:
    run_page(page, tmp_path, {"PREFECT_API_URL": prefect_server})


@pytest.mark.slow
def test_the_tutorial_runs_and_prints_what_it_shows(tmp_path: Path, prefect_server: str) -> None:
    """All of its commands, then those of the pages that go on with its project."""
    folder = tmp_path
    for page in TUTORIAL:
        folder = run_page(page, folder, {"PREFECT_API_URL": prefect_server})


def test_commands_that_pages_and_messages_name_are_there() -> None:
    """What stands between backticks as ``cuesmith X Y`` can be typed."""
    files = [*PAGES, *(path for path in (ROOT / "pipeline").rglob("*") if path.suffix in (".py", ".js"))]
    output = "".join(path.read_text(encoding="utf-8") for path in files)
    named = set(re.findall(r"`cuesmith ([a-z]+)(?: ([a-z]+)\b)?", output))
    groups = {name: getattr(app.load(name), "commands", {}) for name, _ in named if name in app.COMMANDS}
    wrong = {name for name, _ in named} - groups.keys()
    wrong |= {
        f"{name} {word}" for name, word in named if word and groups.get(name) and word not in groups[name]
    }
    assert wrong == set()
    assert ("catalog", "show") in named


def test_options_of_commands_that_pages_name_are_there() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    wrong = []
    for line in re.findall(r"`cuesmith ([a-z][^`]*?--[^`]*)`", text):
        words = line.split()
        command = app.load(words[0])
        command = getattr(command, "commands", {}).get(words[1], command)
        known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
        wrong += [
            f"cuesmith {line}: {option}" for option in re.findall(r"--[\w-]+", line) if option not in known
        ]
    assert wrong == []
