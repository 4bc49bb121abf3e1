"""What failed its gates in a real Chromium: heard, explained, and never decided on; from disk and served."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from quick import QuickProject
from report_page import open_page, review_server

from pipeline.catalog import Reviews
from pipeline.report import write_report

pytestmark = pytest.mark.browser

HOSTILE = "</script><img src=x onerror=alert(1)>"
BELL = "  - {id: sfx/bell, kind: sfx, prompt: a small bell, duration: 1s}\n"
PASSES = f"{BELL}  - {{id: sfx/door, kind: sfx, prompt: an oak door, duration: 2s}}\n"
FAILS = (
    BELL
    + """\
  - {id: sfx/door, kind: sfx, prompt: an iron door, duration: 2s, quality: {silence: 0 LUFS}}
  - {id: sfx/new, kind: sfx, prompt: "PROMPT", duration: 1.5s, quality: {silence: 0 LUFS, noise: 0.001}}
""".replace("PROMPT", HOSTILE)
)


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> QuickProject:
    """A door that passed and fails since, and a sound that never passed; to be copied."""
    project = QuickProject(tmp_path_factory.mktemp("failed") / "toys")
    project.write(PASSES)
    project.build()
    project.write(FAILS)
    project.build()
    return project


@pytest.fixture
def project(failed: QuickProject, tmp_path: Path) -> QuickProject:
    """A copy of `failed` that a test may change."""
    return failed.copy(tmp_path / "toys")


def _hear(page: Page) -> None:
    expect(page.locator("#detail")).to_have_attribute("data-playing", re.compile("element|running"))


def _names(page: Page) -> list[str]:
    """As the list is read from top to bottom."""
    rows = page.locator(".row").all()
    places = {row.get_attribute("aria-posinset"): row.locator(".name").inner_text() for row in rows}
    return [places[str(place)] for place in range(1, len(rows) + 1)]


def test_it_is_counted_found_explained_and_heard(page: Page, project: QuickProject) -> None:
    open_page(page, write_report(project.store))
    expect(page.locator(".status")).to_contain_text("2 quarantined")
    page.click("[data-show=quarantined]")
    expect(page.locator(".row")).to_have_count(2)
    page.locator(".row", has_text="new_01").click()
    panel = page.locator("#detail .quarantine")
    expect(panel).to_contain_text("Quarantined: not in the catalog")
    expect(panel).to_contain_text("limit 0")
    expect(panel).to_contain_text("quality: {silence: -")
    expect(panel).to_contain_text("candidates: 4")
    expect(page.locator("#detail .prompt")).to_have_text(HOSTILE)
    _hear(page)
    assert page.locator("img[src=x]").count() == 0
    assert Axe().run(page).violations_count == 0


def test_by_name_it_stands_among_the_others_both_ways(page: Page, project: QuickProject) -> None:
    project.write(FAILS + "  - {id: sfx/door-old, kind: sfx, prompt: a shed, duration: 1s}\n")
    project.build()
    open_page(page, write_report(project.store))
    rising = ["sfx/bell_01", "sfx/door_01", "sfx/door_01", "sfx/door-old_01", "sfx/new_01"]
    assert _names(page) == rising
    page.click("[data-order=name]")
    assert _names(page) == rising[::-1]


def test_it_is_heard_beside_the_master_that_stayed(page: Page, project: QuickProject) -> None:
    open_page(page, write_report(project.store))
    page.click("[data-show=quarantined]")
    page.locator(".row", has_text="door_01").click()
    _hear(page)
    page.keyboard.press("b")
    expect(page.locator("#detail")).to_have_attribute("data-side", "B")


def test_no_key_and_no_button_decides_on_it(page: Page, project: QuickProject) -> None:
    open_page(page, write_report(project.store))
    page.evaluate("localStorage.setItem('cuesmith reviewer', 'Ada')")
    page.reload()
    page.click("[data-show=quarantined]")
    page.locator(".row", has_text="new_01").click()
    assert page.locator("#detail [data-action]").count() == 0
    page.keyboard.press("a")
    expect(page.locator("#live")).to_contain_text("you cannot review")
    expect(page.locator("#export")).to_be_hidden()


@pytest.mark.parametrize("nothing_passed", [False, True])
def test_it_is_heard_in_a_review_that_is_served(
    page: Page, project: QuickProject, tmp_path: Path, nothing_passed: bool
) -> None:
    if nothing_passed:
        project = QuickProject(tmp_path / "first")
        project.write(FAILS.removeprefix(BELL))
        assert project.build()["version"] is None
    written = write_report(project.store)
    with review_server(project.store, written) as address:
        origin, _, token = address.partition(f"/{written.key}")
        open_page(page, f"{origin}/{token}")
        expect(page.locator("#connection")).to_have_text("Live review")
        page.click("[data-show=quarantined]")
        page.locator(".row", has_text="new_01").click()
        _hear(page)
    assert (written.version == 0, written.quarantined) == (nothing_passed, 2)
    assert Reviews(project.store).events() == ()
