"""Finding a sound on the page in a real Chromium, on three screens: the first screen, search, address, playlists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect
from quick import QuickProject
from report_page import open_page, path_of, review_server
from toys import WITH_MUSIC

from pipeline.report import Report, write_report

pytestmark = pytest.mark.browser

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
DESK, TABLET, PHONE = (1280, 720), (820, 1180), (390, 844)
FIRST = """\
  - {id: music/theme, kind: music, prompt: a slow theme, duration: 2s, loop: true, tags: [calm]}
  - {id: sfx/door, kind: sfx, prompt: an oak door, duration: 1s, variations: 2, tags: [wood]}
  - {id: sfx/kept, kind: sfx, prompt: a small bell, duration: 1s}
  - {id: sfx/steps, kind: sfx, prompt: steps on oak boards, duration: 0.3s, variations: 14, tags: [dry wood, steps]}
  - {id: ui/click, kind: sfx, prompt: a click, duration: 0.499s, tags: [ui]}
"""
SECOND = (
    FIRST.replace("an oak door, duration: 1s", "an iron door, duration: 1s, quality: {silence: 0 LUFS}")
    .replace("a small bell", "a bell that shall fail")
    .replace("a slow theme", "a slower theme")
    + """\
  - {id: sfx/gone, kind: sfx, prompt: always fail, duration: 1s}
  - {id: sfx/loud, kind: sfx, prompt: hello, duration: 0.5s, loudness: -12 LUFS, true_peak: -12 dBTP}
"""
)
SMALL = """() => [...document.querySelectorAll("button, a, select, input, textarea, summary, .thumb, .row")]
  .filter((element) => element.checkVisibility() && !element.matches(".skip"))
  .map((element) => [element.outerHTML.slice(0, 90), element.getBoundingClientRect()])
  .filter(([, { width, height }]) => Math.min(width, height) < 43.9)
  .map(([html, { width, height }]) => `${width}x${height} ${html}`)"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> QuickProject:
    """Two versions: the second has quarantined, failed, changed, new and off-target sounds."""
    project = QuickProject(tmp_path_factory.mktemp("finding") / "toys")
    for sounds in (FIRST, SECOND):
        project.write(sounds, WITH_MUSIC)
        project.build()
    return project


@pytest.fixture(scope="module")
def report(found: QuickProject) -> Report:
    return write_report(found.store)


@pytest.fixture
def served(found: QuickProject, report: Report) -> Iterator[str]:
    with review_server(found.store, report) as address:
        yield address


@pytest.fixture
def phone(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": PHONE[0], "height": PHONE[1]}, has_touch=True)
    yield context
    context.close()


def _address(report: Report, hash_: str = "") -> str:
    return path_of(report).as_uri() + hash_


def _resize(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})


def _hash(page: Page, text: str) -> None:
    expect(page).to_have_url(re.compile(re.escape(text) + "$"))


def _rows_in_view(page: Page) -> int:
    """Rows that are whole on the screen and in the list."""
    return int(
        page.evaluate(
            """() => { const list = document.querySelector("#list").getBoundingClientRect();
            return [...document.querySelectorAll(".row")].map((row) => row.getBoundingClientRect())
              .filter(({ top, bottom }) => top >= list.top && bottom <= Math.min(list.bottom, innerHeight)).length; }"""
        )
    )


def _serious(page: Page) -> list[tuple[str, str]]:
    """What axe finds: rule and element."""
    violations = Axe().run(page).response["violations"]
    return [
        (one["id"], node["html"])
        for one in violations
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def test_the_first_screen_has_search_rows_and_player_and_axe_finds_nothing_serious(
    browser: Browser, report: Report
) -> None:
    context = browser.new_context(
        viewport={"width": DESK[0], "height": DESK[1]}, bypass_csp=True, reduced_motion="reduce"
    )
    page = open_page(context.new_page(), _address(report))
    assert _rows_in_view(page) >= 8
    expect(page.locator("#detail .transport button.primary")).to_be_in_viewport(ratio=1)
    expect(page.locator("#charts, #differences").locator("visible=true")).to_have_count(0)
    serious: list[Any] = []
    for size, least in ((DESK, 8), (TABLET, 8), (PHONE, 4)):
        _resize(page, size)
        expect(page.locator("#search")).to_be_in_viewport(ratio=1)
        assert _rows_in_view(page) >= least
        page.click("[data-panel=charts]")
        page.click("[data-panel=differences]")
        page.fill("#search", "lenght>5")
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            serious += [(size, scheme, *one) for one in _serious(page)]
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        page.fill("#search", "")
        page.click("[data-panel=charts]")
        page.click("[data-panel=differences]")
    for opener in ("#show-keys", "#show-playlists"):
        page.click(opener)
        serious += [(opener, *one) for one in _serious(page)]
        page.keyboard.press("Escape")
    page.locator(".row .name").first.click()
    serious += _serious(page)
    context.close()
    assert serious == []


def test_the_status_line_counts_each_sound_once_and_its_panels_stay_as_they_were(
    page: Page, report: Report
) -> None:
    open_page(page, _address(report))
    line = page.locator(".status p")
    expect(line).to_contain_text("20 masters of 6 assets")
    expect(line).to_contain_text("2 quarantined")
    expect(line).to_contain_text("2 failed")
    expect(line).to_contain_text("1 off target")
    page.click("[data-panel=differences]")
    groups = page.locator("#differences section").first.locator("li")
    expect(groups).to_have_count(3)
    expect(groups.nth(0)).to_contain_text(re.compile(r"sfx/door _01 _02 quarantined: the sound is silent"))
    expect(groups.nth(1)).to_contain_text(re.compile(r"sfx/gone _01 generate: .*the toy was told to fail"))
    assert groups.nth(1).locator("a").count() == 0
    page.reload()
    expect(page.locator("#differences")).to_be_visible()
    expect(page.locator("#charts")).to_be_hidden()
    page.fill("#search", "click")
    page.get_by_role("link", name="sfx/kept_01").click()
    expect(page.locator("#detail-name")).to_have_text("sfx/kept_01")
    expect(page.locator("#search")).to_have_value("")
    expect(page.locator("#list")).to_be_focused()
    page.get_by_role("link", name="sfx/door_02").click()
    expect(page.locator("#detail .quarantine")).to_be_visible()
    _hash(page, "#sound=quarantined:sfx/door_02")


def test_hear_them_plays_the_first_and_moves_the_focus(page: Page, report: Report) -> None:
    open_page(page, _address(report))
    page.click("[data-hear]")
    expect(page.locator("#detail-name")).to_have_text("sfx/door_01")
    expect(page.locator("#detail .quarantine")).to_be_visible()
    expect(page.locator("#detail")).to_have_attribute("data-playing", re.compile("element|running"))
    expect(page.locator("#list")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#detail-name")).to_have_text("sfx/door_02")
    page.keyboard.press("Space")
    expect(page.locator("#detail")).to_have_attribute("data-playing", "")


def test_filters_and_the_open_sound_are_in_the_address_and_back_and_forward_lead_to_them(
    page: Page, report: Report
) -> None:
    open_page(page, _address(report))
    assert "#" not in page.url
    page.keyboard.press("/")
    page.keyboard.type("oak -door")
    _hash(page, "#q=oak+-door")
    page.click("[data-badge=unreviewed]")
    _hash(page, "#q=oak+-door&show=unreviewed")
    page.locator(".row", has_text="steps_03").click()
    _hash(page, "#sound=sfx/steps_03&q=oak+-door&show=unreviewed")
    link = page.url
    page.click("[data-order=seconds]")
    _hash(page, "&sort=-seconds")
    page.go_back()
    _hash(page, "show=unreviewed")
    expect(page.locator("#detail-name")).to_have_text("sfx/steps_03")
    page.go_back()
    page.go_back()
    expect(page.locator("[data-badge=unreviewed]")).to_have_attribute("aria-pressed", "false")
    page.go_back()
    expect(page.locator("#search")).to_have_value("")
    page.go_forward()
    expect(page.locator("#search")).to_have_value("oak -door")
    other = open_page(page.context.new_page(), link)
    expect(other.locator("#detail-name")).to_have_text("sfx/steps_03")
    expect(other.locator("#shown")).to_contain_text("14 of ")
    expect(other.locator("[data-badge=unreviewed]")).to_have_attribute("aria-pressed", "true")
    other.evaluate("location.hash = '#q=is:not-reviewed&show=loop,not-reviewed'")
    expect(other.locator("#search")).to_have_value("is:unreviewed")
    expect(other.locator("[data-badge=unreviewed]")).to_have_attribute("aria-pressed", "true")
    expect(other.locator("#query-problem")).to_be_empty()
    other.evaluate("location.hash = '#sound=sfx/none_01&show=nowhere&kind=sfx'")
    expect(other.locator("#query-problem")).to_have_text(
        "Ignored show=nowhere in the address: this version does not have it. This version has no sound sfx/none_01."
    )
    expect(other.locator("#kind")).to_have_value("sfx")
    other.locator(".skip").focus()
    other.keyboard.press("Enter")
    expect(other.locator("#list")).to_be_focused()
    expect(other.locator("#kind")).to_have_value("sfx")


def test_a_served_page_takes_the_token_out_of_the_address_and_nothing_else(page: Page, served: str) -> None:
    open_page(page, f"{served}&sound=sfx/kept_01&q=bell")
    expect(page.locator("#connection")).to_have_text("Live review")
    expect(page.locator("#detail-name")).to_have_text("sfx/kept_01")
    _hash(page, "index.html#sound=sfx/kept_01&q=bell")
    page.evaluate("sessionStorage.clear()")
    page.goto("about:blank")
    open_page(page, served.partition("#")[0])
    expect(page.locator("#connection")).to_contain_text("Read only")
    page.evaluate(f"location.hash = {served.partition('#')[2]!r}")
    expect(page.locator("#connection")).to_have_text("Live review")
    assert "token" not in page.url


def test_search_terms_narrow_the_list_and_a_wrong_one_is_explained(page: Page, report: Report) -> None:
    open_page(page, _address(report))
    rows = {
        "duration>1.5": 1,
        "duration=499ms": 1,
        'tag:"dry wood"': 14,
        "-tag:steps kind:sfx": 7,
        "is:off-target": 1,
    }
    rows |= {"is:quarantined": 2, '"oak boards"': 14, '"boards oak"': 0, "model:toy music/": 1}
    for query, count in rows.items():
        page.fill("#search", query)
        expect(page.locator("#shown")).to_have_text(re.compile(f"^{count} of 22 sounds"))
        expect(page.locator("#query-problem")).to_be_empty()
    page.fill("#search", "bell lenght>5")
    expect(page.locator("#query-problem")).to_contain_text(
        "Ignored lenght>5 – no field is called lenght. Fields: duration"
    )
    expect(page.locator("#search")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#shown")).to_contain_text("1 of ")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#search-help")).to_contain_text("lufs<-20")
    expect(page.locator("#search-help")).to_contain_text("is:approved")


def test_a_bar_of_a_histogram_filters_and_its_chip_removes_the_filter(page: Page, report: Report) -> None:
    open_page(page, _address(report))
    page.click("[data-panel=charts]")
    length = page.locator("[data-histogram=length]")
    length.get_by_role("button", name="0.25–0.5").click()
    expect(page.locator("#shown")).to_have_text("15 of 22 sounds")
    _hash(page, "length=0.25")
    chip = page.locator("[data-remove=length]")
    expect(chip).to_contain_text("0.25 to 0.5 s")
    expect(length.locator("[data-bar='1']")).to_have_attribute("title", "1 to 2 s: 6 masters")
    page.fill("#search", "steps")
    expect(length.locator("[data-bar='1']")).to_be_disabled()
    chip.focus()
    page.keyboard.press("Enter")
    expect(chip).to_have_count(0)
    page.fill("#search", "")
    low = page.locator("[data-histogram=off] button:enabled").first
    count = re.findall(r"(\d+) masters?$", low.get_attribute("title") or "")[0]
    low.focus()
    page.keyboard.press("Enter")
    expect(low).to_be_focused()
    expect(page.locator("#shown")).to_have_text(f"{count} of 22 sounds")
    page.keyboard.press("Enter")
    expect(page.locator("#shown")).to_have_text("22 sounds")


def test_a_sound_off_its_target_has_a_badge_a_chip_and_its_distance(page: Page, report: Report) -> None:
    open_page(page, _address(report))
    page.click("[data-show=missed]")
    expect(page.locator("[data-badge=missed]")).to_have_attribute("aria-pressed", "true")
    row = page.locator(".row")
    expect(row).to_have_count(1)
    expect(row.locator(".name")).to_have_text("sfx/loud_01")
    expect(row.locator(".badge.missed")).to_have_text("off target")
    expect(row.locator(".off.far")).to_have_text(re.compile(r"^−\d"))
    row.click()
    expect(page.locator("#detail .badge.missed")).to_be_visible()
    page.click("#clear")
    page.fill("#search", "name:click")
    expect(page.locator(".row .length")).to_have_text("499 ms")
    page.fill("#search", "kind:music")
    expect(page.locator(".row .length")).to_have_text("1.60 s")


def test_a_playlist_is_saved_opened_renamed_deleted_and_brought_back(page: Page, report: Report) -> None:
    open_page(page, _address(report))
    page.click("#show-playlists")
    page.fill("#playlist-name", "everything")
    page.keyboard.press("Enter")
    expect(page.locator("#playlist-problem")).to_contain_text("Nothing to save")
    page.keyboard.press("Escape")
    page.fill("#search", "tag:steps")
    page.click("[data-badge=unreviewed]")
    for name, problem in (
        ("Steps <b>", ""),
        ("Steps <b>", "There is a playlist Steps <b> already"),
        ("Later", ""),
    ):
        if not page.locator("#playlists").is_visible():
            page.click("#show-playlists")
        page.fill("#playlist-name", name)
        page.keyboard.press("Enter")
        expect(page.locator("#playlist-problem")).to_contain_text(problem)
    expect(page.locator("#playlist-list li")).to_have_count(2)
    page.fill("#playlist-list li:first-child input", "Steps <b>")
    page.keyboard.press("Tab")
    expect(page.locator("#playlist-problem")).to_contain_text("already")
    page.fill("#playlist-list li:first-child input", "Boards")
    page.keyboard.press("Tab")
    expect(page.locator("#playlist-list li:first-child a")).to_have_accessible_name("Open Boards")
    page.keyboard.press("Escape")
    page.click("#clear")
    page.reload()
    page.click("#show-playlists")
    expect(page.locator("#playlist-list li")).to_have_count(2)
    assert (
        page.get_by_role("link", name="Open Boards").get_attribute("href")
    ) == "#q=tag:steps&show=unreviewed"
    page.get_by_role("link", name="Open Boards").click()
    expect(page.locator("#playlists")).to_be_hidden()
    expect(page.locator("#shown")).to_have_text("14 of 22 sounds")
    expect(page.locator("#search")).to_have_value("tag:steps")
    page.click("#show-playlists")
    page.get_by_role("button", name="Delete Boards").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#playlist-list li")).to_have_count(2)
    page.get_by_role("button", name="Delete Boards").click()
    page.reload()
    page.click("#show-playlists")
    expect(page.locator("#playlist-list li")).to_have_count(1)
    expect(page.locator("#playlist-list li input")).to_have_value("Steps <b>")


def test_on_a_phone_every_target_is_large_enough(phone: BrowserContext, report: Report) -> None:
    page = open_page(phone.new_page(), _address(report))
    page.locator("[data-panel=charts]").tap()
    page.locator("[data-panel=differences]").tap()
    page.fill("#search", "sfx/")
    assert page.evaluate(SMALL) == []
    page.locator("#show-playlists").tap()
    page.fill("#playlist-name", "Effects")
    page.keyboard.press("Enter")
    expect(page.locator("#playlist-list li")).to_have_count(1)
    assert page.evaluate(SMALL) == []
    page.keyboard.press("Escape")
    page.locator(".row .name").first.tap()
    expect(page.locator("#volume")).to_be_in_viewport(ratio=1)
    assert page.evaluate(SMALL) == []


def test_on_a_phone_back_closes_the_sound_and_buttons_go_on_without_deciding(
    phone: BrowserContext, report: Report
) -> None:
    page = open_page(phone.new_page(), _address(report))
    name = page.locator("#detail-name")
    page.fill("#search", "steps_0")
    _hash(page, "#q=steps_0")
    page.locator(".row .name").first.tap()
    expect(name).to_have_text("sfx/steps_01")
    _hash(page, "#sound=sfx/steps_01&q=steps_0")
    page.locator("#next").tap()
    page.locator("#next").tap()
    expect(name).to_have_text("sfx/steps_03")
    page.locator("#previous").tap()
    _hash(page, "#sound=sfx/steps_02&q=steps_0")
    page.go_back()
    expect(name).to_be_hidden()
    _hash(page, "#q=steps_0")
    expect(page.locator("#search")).to_have_value("steps_0")
    page.go_forward()
    expect(name).to_have_text("sfx/steps_02")
    page.locator(".close").tap()
    expect(name).to_be_hidden()
    _hash(page, "#q=steps_0")
    page.go_back()
    expect(page.locator("#search")).to_have_value("")
    expect(name).to_be_hidden()
    expect(page.locator("#export")).to_be_hidden()
    linked = open_page(phone.new_page(), _address(report, "#sound=ui/click_01"))
    expect(linked.locator("#detail-name")).to_have_text("ui/click_01")
    linked.go_back()
    expect(linked.locator("#detail-name")).to_be_hidden()
    expect(linked.locator(".row").first).to_be_visible()


def test_masters_whose_watermark_is_lost_are_counted_listed_and_explained(page: Page, tmp_path: Path) -> None:
    project = QuickProject(tmp_path / "toys")
    project.write(
        "  - {id: sfx/long, kind: sfx, prompt: hiss, duration: 1s, watermark: tones, quality: {gate: false}}\n"
        "  - {id: sfx/short, kind: sfx, prompt: hiss, duration: 0.01s, watermark: tones}\n"
    )
    project.build()
    open_page(page, _address(write_report(project.store)))
    page.get_by_role("button", name="1 watermark lost").click()
    expect(page.locator("#shown")).to_contain_text("1 of 2 masters")
    expect(page.locator(".row .badge.unmarked")).to_have_text("watermark lost")
    page.locator(".row", has_text="sfx/short_01").click()
    expect(page.locator("#detail")).to_contain_text("not found in wav: the sound is too short or too quiet")
    page.fill("#search", "is:watermark-lost long")
    expect(page.locator("#shown")).to_contain_text("0 of 2 masters")
