"""One small catalog of two versions for all tests of the report, and a browser to open it in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import chromium_or_skip
from hostile import PROMPTS
from playwright.sync_api import Browser, BrowserContext, Page, expect
from quick import QuickProject
from report_page import review_server
from toys import WITH_MUSIC

from pipeline.report import Report, write_report

expect.set_options(timeout=20_000)

SOUNDS = """\
  - {id: music/loop, kind: music, prompt: a loop, duration: 1.5s, loop: true, tags: [calm]}
  - {id: sfx/steps, kind: sfx, prompt: steps on gravel, duration: 0.5s, variations: 3, tags: [steps]}
  - {id: sfx/door, kind: sfx, prompt: PROMPT, duration: 2s, tags: [wood], formats: [wav, ogg]}
  - {id: sfx/long, kind: sfx, prompt: a long wind, duration: 4s, tags: [calm]}
"""


def _quoted(prompt: str) -> str:
    """As YAML, with braces that stand for themselves."""
    return json.dumps(prompt.replace("{", "{{").replace("}", "}}"))


def _hostile() -> str:
    return "".join(
        f"  - {{id: hostile/p{number:02d}, kind: sfx, prompt: {_quoted(prompt)}, duration: 0.05s}}\n"
        for number, prompt in enumerate(PROMPTS)
    )


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> QuickProject:
    """Version 1, with its door approved then changed in version 2, where the steps are new."""
    project = QuickProject(tmp_path_factory.mktemp("report") / "toys")
    project.write(
        SOUNDS.replace("PROMPT", "an oak door").replace("variations: 3", "variations: 2") + _hostile(),
        WITH_MUSIC,
    )
    project.build()
    project.say("comment", project.row("sfx/door"), comment="a bit dark")
    project.write(SOUNDS.replace("PROMPT", "an iron door") + _hostile(), WITH_MUSIC)
    project.build()
    project.say("approve", project.row("sfx/long"), by="Ada")
    return project


@pytest.fixture
def project(made: QuickProject, tmp_path: Path) -> QuickProject:
    """A copy of the catalog that a test may change."""
    return made.copy(tmp_path / "toys")


@pytest.fixture
def report(request: pytest.FixtureRequest, made: QuickProject) -> Report:
    """The report of `project`; where a test only looks, that of `made`."""
    looks = "project" not in request.fixturenames
    return write_report((made if looks else request.getfixturevalue("project")).store)


@pytest.fixture
def served(project: QuickProject) -> Iterator[str]:
    """The address of the report on a review server, with the token that lets the page decide."""
    with review_server(project.store) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium_or_skip() as found:
        yield found


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page on which nothing may fail: no console error, no blocked script, no dialog, no failed request."""
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.on("requestfailed", lambda request: wrong.append(f"{request.url}: {request.failure}"))
    yield page
    assert [one for one in wrong if "ERR_ABORTED" not in one] == []
