"""Two people review with a real server and a real build: nothing is lost, nothing is decided on the wrong take."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import chromium_or_skip
from playwright.sync_api import Browser, Page, expect
from quick import QuickProject
from report_page import find, open_master, open_page, sign_in

from pipeline.catalog import Reviews, review_state

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(os.name == "nt", reason="interrupts a process with a signal"),
]

CUESMITH = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from flows.cli import main; main()"


class Server:
    """A process of `cuesmith review`."""

    def __init__(self, project: QuickProject, cache: Path, port: int = 0) -> None:
        self.process = run(project, "review", "--no-open", "--port", str(port), XDG_CACHE_HOME=str(cache))
        assert self.process.stdout is not None
        found = re.search(r"http://127.0.0.1:(\d+)/\S+", self.process.stdout.readline())
        assert found is not None
        self.address, self.port = found[0], int(found[1])

    def end(self, how: signal.Signals) -> tuple[int, str]:
        """Exit code and standard error."""
        self.process.send_signal(how)
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors


def run(project: QuickProject, *command: str, **environment: str) -> subprocess.Popen[str]:
    """A process of the command line; -P, as the console script does not look in its folder for packages."""
    return subprocess.Popen(
        [sys.executable, "-P", "-c", CUESMITH, *command, "--outputs", str(project.outputs)],
        cwd=project.folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium_or_skip() as found:
        yield found


def person(browser: Browser, name: str, address: str) -> Page:
    page = open_page(browser.new_context(viewport={"width": 1280, "height": 720}).new_page(), address)
    page.set_default_timeout(60_000)
    sign_in(page, name)
    return page


def decide(page: Page, name: str, key: str) -> None:
    open_master(page, name)
    page.keyboard.press(key)


class Story:
    """What happens, step by step, between two people who review one project."""

    def __init__(self, project: QuickProject, browser: Browser, cache: Path) -> None:
        self.project, self.cache = project, cache
        self.server = Server(project, cache)
        self.ada, self.bo = (person(browser, name, self.server.address) for name in ("Ada", "Bo"))

    def decide_and_undo(self) -> None:
        """Both decide; Bo takes a batch back, and Ada's decision stays."""
        decide(self.ada, "a/two", "r")
        expect(self.ada.locator("#toast")).to_contain_text("Rejected a/two_01")
        find(self.bo, "a/one")
        self.bo.keyboard.press("Control+a")
        self.bo.click("[data-batch=approve]")
        expect(self.bo.locator("#toast")).to_contain_text("Approved 2 masters")
        self.bo.keyboard.press("Control+z")
        expect(self.bo.locator("#toast")).to_contain_text("Undone: a/one_02, a/one_01")
        find(self.bo, "a/two")
        expect(self.bo.locator(".row.rejected")).to_have_count(1)

    def publish(self) -> None:
        """A build publishes: both pages say so, and Bo is asked about the take that was replaced."""
        build = run(self.project, "build", str(self.project.manifest))
        decide(self.ada, "b/three", "a")
        assert build.wait(timeout=240) == 0
        for page in (self.ada, self.bo):
            expect(page.locator("#newer")).to_have_text("Version 2 is published: open it")
        decide(self.bo, "a/two", "a")
        expect(self.bo.locator("#ask")).to_contain_text("Version 2 has another take")
        self.bo.get_by_role("button", name="Do not decide").click()
        self.bo.click("#newer a")
        expect(self.bo.locator("h1")).to_contain_text("version 2")
        decide(self.bo, "a/two", "a")
        expect(self.bo.locator("#toast")).to_contain_text("Approved a/two_01")

    def lose_the_server(self) -> None:
        """The server is killed. Ada decides on her old page, Bo on the new one, and Cy in the terminal."""
        self.server.end(signal.SIGKILL)
        decide(self.ada, "a/one_01", "r")
        decide(self.ada, "b/three", "r")
        expect(self.ada.locator("#unsaved")).to_contain_text("2 decisions not saved yet")
        open_master(self.bo, "a/one_02")
        self.bo.click("[data-action=lock]")
        expect(self.bo.locator("#unsaved")).to_contain_text("1 decision not saved yet")
        assert run(self.project, "review", "lock", "b/three", "--by", "Cy").wait(timeout=60) == 0

    def start_again(self) -> tuple[int, str]:
        """On the same port: everything arrives, and what contradicts is shown. Returns how the server ends."""
        server = Server(self.project, self.cache, self.server.port)
        expect(self.bo.locator("#unsaved")).to_be_empty()
        expect(self.ada.locator("#unsaved")).to_contain_text("Not saved: b/three_01 rejected")
        expect(self.ada.locator("#unsaved")).to_contain_text("unlock first")
        self.ada.get_by_role("button", name="Discard").click()
        expect(self.ada.locator("#unsaved")).to_be_empty()
        return server.end(signal.SIGINT)


def test_two_reviewers_a_build_an_undo_and_a_lost_server(
    project: QuickProject, browser: Browser, tmp_path: Path
) -> None:
    expect.set_options(timeout=60_000)
    first = {(row["asset"], row["variation"]): row for row in project.latest.masters}
    story = Story(project, browser, tmp_path / "cache")
    story.decide_and_undo()
    story.publish()
    story.lose_the_server()
    code, errors = story.start_again()
    assert (code, errors.splitlines()[-1]) == (
        130,
        "1 decision by Ada, 1 decision by Bo. Next: cuesmith build",
    )

    second, events = project.row("a/two"), Reviews(project.store).events()
    assert second["take"] != first["a/two", 1]["take"]
    state = review_state(events)
    assert state.approved == {second["master"], first["b/three", 1]["master"]}
    assert state.rejected == {first["a/two", 1]["take"], first["a/one", 1]["take"]}
    assert state.locked == {("a/one", 2), ("b/three", 1)}
    assert [event.name for event in events if event.action == "clear"] == ["a/one_02", "a/one_01"]
    assert Counter(event.by for event in events) == {"Ada": 3, "Bo": 6, "Cy": 1}
