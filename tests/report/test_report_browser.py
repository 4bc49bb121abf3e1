"""The page in a real Chromium: hear, find, compare, decide, from disk and served."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from hostile import PROMPTS
from playwright.sync_api import Browser, BrowserContext, Page, expect
from quick import QuickProject
from report_page import find, open_master, open_page

from pipeline.catalog import Reviews
from pipeline.report import Report, write_report
from pipeline.review import read_decisions

pytestmark = pytest.mark.browser

DETAIL = "#detail"
SLOW_TO_WRITE = """
const really = window.fetch;
window.fetch = async (address, options) => {
  if (options?.method === "POST") await new Promise((done) => setTimeout(done, 500));
  return really(address, options);
};
"""


def _open_at_first_effect(page: Page, report: Report) -> None:
    find(open_page(page, report), "sfx/")
    page.keyboard.press("Home")


def _name(page: Page, name: str) -> None:
    page.fill("#name", name)
    page.keyboard.press("Enter")


def _sign_in(page: Page, name: str) -> None:
    page.click("#reviewer")
    _name(page, name)


def _wait_for_position(page: Page, seconds: str) -> None:
    expect(page.locator(DETAIL)).to_have_attribute("data-position", re.compile(f"^({seconds})"))


def _position(page: Page) -> float:
    return float(page.locator(DETAIL).get_attribute("data-position") or 0)


def test_the_report_opens_from_disk_with_only_the_rows_in_view(page: Page, report: Report) -> None:
    open_page(page, report)
    assert report.masters > 50
    expect(page.locator("#shown")).to_have_text(f"{report.masters} masters")
    assert 5 < page.locator(".row").count() < 40
    expect(page.locator("#detail-name")).to_be_visible()


def test_space_plays_a_loop_in_memory_and_again_pauses(page: Page, report: Report) -> None:
    open_master(open_page(page, report), "music/loop")
    page.keyboard.press("Space")
    expect(page.locator(DETAIL)).to_have_attribute("data-playing", "running")
    _wait_for_position(page, r"0\.[2-9]|[1-9]")
    page.keyboard.press("Space")
    expect(page.locator(DETAIL)).to_have_attribute("data-playing", "")


def test_a_loop_wraps_at_its_end_and_goes_on(page: Page, report: Report) -> None:
    open_master(open_page(page, report), "music/loop")
    page.keyboard.press("Space")
    _wait_for_position(page, r"1\.")
    _wait_for_position(page, r"0\.[0-4]")
    expect(page.locator(DETAIL)).to_have_attribute("data-playing", "running")


def test_a_one_shot_from_disk_plays_from_the_store(page: Page, report: Report) -> None:
    open_master(open_page(page, report), "sfx/long")
    page.keyboard.press("Space")
    expect(page.locator(DETAIL)).to_have_attribute("data-playing", "element")
    _wait_for_position(page, r"0\.[2-9]|[1-9]")


def test_what_is_missing_beside_the_page_is_reported_with_what_to_do(
    context: BrowserContext, report: Report, project: QuickProject
) -> None:
    [sound] = project.row("sfx/long")["files"].values()
    (project.outputs / "store" / sound["sha256"][:2] / f"{sound['sha256']}.wav").unlink()
    earlier = project.catalog.read(1).by_variation["sfx/door", 1]["pcm_sha256"]
    (project.outputs / "reports" / "cache" / earlier[:2] / f"{earlier}.js").unlink()
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    open_master(open_page(page, report), "sfx/long")
    page.keyboard.press("Space")
    expect(page.locator("#detail .transport .note")).to_contain_text("is missing, damaged")
    expect(page.locator("#detail .primary")).to_have_text("Play")
    open_master(page, "sfx/door")
    page.keyboard.press("b")
    expect(page.locator("#detail .transport .note")).to_contain_text("keep the report's folder together")
    page.keyboard.press("b")
    expect(page.locator("#detail .transport .note")).to_be_empty()
    assert wrong == []


def test_a_page_that_may_not_play_sound_says_so(page: Page, report: Report) -> None:
    page.add_init_script(
        """
        const refuse = () => Promise.reject(new DOMException("no gesture", "NotAllowedError"));
        HTMLMediaElement.prototype.play = refuse;
        AudioContext.prototype.resume = refuse;
        Object.defineProperty(AudioContext.prototype, "state", { get: () => "suspended" });
        """
    )
    open_page(page, report)
    for name in ("sfx/long", "sfx/door"):
        open_master(page, name)
        page.keyboard.press("Space")
        expect(page.locator("#detail .transport .note")).to_contain_text("allow sound for this page")
        expect(page.locator("#detail .primary")).to_have_text("Play")


def test_variations_play_in_turn(page: Page, report: Report) -> None:
    open_master(open_page(page, report), "sfx/steps")
    page.keyboard.press("v")
    for number in (1, 2, 3, 1):
        expect(page.locator("#detail-name")).to_contain_text(f"steps_{number:02d}", timeout=8000)
    page.keyboard.press("v")


def test_b_switches_to_the_earlier_version_without_stopping(page: Page, report: Report) -> None:
    open_master(open_page(page, report), "sfx/door")
    page.keyboard.press("Space")
    _wait_for_position(page, r"0\.[2-9]|[1-9]")
    before = _position(page)
    page.keyboard.press("b")
    expect(page.locator(DETAIL)).to_have_attribute("data-side", "B")
    expect(page.locator(DETAIL)).to_have_attribute("data-playing", "running")
    assert _position(page) >= before
    expect(page.locator("#detail header .prompt")).to_have_text("an oak door")
    expect(page.locator("#detail .review .note")).to_contain_text("your decision applies to version 2")
    page.keyboard.press("b")
    expect(page.locator(DETAIL)).to_have_attribute("data-side", "A")
    expect(page.locator("#detail header .prompt")).to_have_text("an iron door")
    expect(page.locator("#detail .review .note")).to_be_empty()


def test_search_badges_and_kind_narrow_the_list(page: Page, report: Report) -> None:
    open_page(page, report)
    page.keyboard.press("/")
    page.keyboard.type("gravel")
    page.keyboard.press("Escape")
    expect(page.locator("#shown")).to_have_text(f"3 of {report.masters} masters")
    expect(page.locator("#search")).to_have_value("gravel")
    page.click("#clear")
    page.click("[data-badge=new]")
    expect(page.locator(".row")).to_have_count(1)
    page.click("#clear")
    page.select_option("#kind", "music")
    expect(page.locator(".row .name")).to_have_text("music/loop_01")


def test_a_column_sorts_both_ways(page: Page, report: Report) -> None:
    open_page(page, report)
    page.click("[data-order=seconds]")
    expect(page.locator(".row .name").first).to_have_text("sfx/long_01")
    page.click("[data-order=seconds]")
    expect(page.locator(".row .name").first).to_contain_text("hostile/")


def test_the_far_end_of_the_list_is_reached_by_key(page: Page, report: Report) -> None:
    open_page(page, report)
    page.keyboard.press("End")
    expect(page.locator(".row[aria-selected=true] .name")).to_have_text("sfx/steps_03")
    chosen = page.locator("#list").get_attribute("aria-activedescendant")
    expect(page.locator(f"#{chosen}")).to_be_in_viewport()


def test_a_decision_by_key_is_kept_over_a_reload_and_exported(
    page: Page, report: Report, project: QuickProject, tmp_path: Path
) -> None:
    open_master(open_page(page, report), "sfx/door")
    page.keyboard.press("c")
    page.keyboard.type("lovely")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    _name(page, "Ada <b>")
    expect(page.locator("#export")).to_have_text("Export 1 decision")
    page.reload()
    open_master(page, "sfx/door")
    expect(page.locator("#detail .badge.approved")).to_be_visible()
    expect(page.locator("#detail .history")).to_contain_text("lovely")
    with page.expect_download() as download:
        page.click("#export")
    download.value.save_as(tmp_path / "decisions.json")
    value = json.loads((tmp_path / "decisions.json").read_text())
    assert (value["schema"], value["version"], value["reviewer"]) == ("cuesmith.decisions/1", 2, "Ada <b>")
    (decision,) = value["decisions"]
    assert set(decision) == {"at", "action", "asset", "variation", "take", "master", "comment"}
    assert (decision["action"], decision["asset"], decision["comment"]) == ("approve", "sfx/door", "lovely")
    (event,) = read_decisions(json.dumps(value).encode(), "decisions.json", project.catalog.read).events
    assert event.master == project.row("sfx/door")["master"]


def test_two_tabs_of_a_report_lose_none_of_their_decisions(
    page: Page, context: BrowserContext, report: Report
) -> None:
    other = open_page(context.new_page(), report)
    page.bring_to_front()
    open_master(open_page(page, report), "sfx/door")
    page.keyboard.press("a")
    _name(page, "Ada")
    expect(page.locator("#export")).to_have_text("Export 1 decision")
    other.bring_to_front()
    other.evaluate("dispatchEvent(new Event('focus'))")  # A headless browser sends none.
    expect(other.locator("#reviewer")).to_have_text("Reviewer: Ada")
    open_master(other, "sfx/long")
    other.keyboard.press("r")
    expect(other.locator("#export")).to_have_text("Export 2 decisions")
    other.reload()
    expect(other.locator("#export")).to_have_text("Export 2 decisions")


def test_a_file_speaks_for_the_person_who_decided(page: Page, report: Report, tmp_path: Path) -> None:
    open_master(open_page(page, report), "sfx/door")
    page.keyboard.press("a")
    _name(page, "Ada")
    _sign_in(page, "Łukasz Ż")
    open_master(page, "sfx/long")
    page.keyboard.press("r")
    for whose, asset in (("Łukasz Ż", "sfx/long"), ("Ada", "sfx/door")):
        expect(page.locator("#export")).to_have_text(f"Export 1 decision of {whose}")
        with page.expect_download() as download:
            page.click("#export")
        assert download.value.suggested_filename == f"decisions-toys-v2-{whose.replace(' ', '-')}.json"
        download.value.save_as(tmp_path / "decisions.json")
        value = json.loads((tmp_path / "decisions.json").read_text(encoding="utf-8"))
        assert (value["reviewer"], [one["asset"] for one in value["decisions"]]) == (whose, [asset])
        page.click("#forget")
    expect(page.locator("#export")).to_be_hidden()


def test_nothing_is_decided_behind_a_dialog_or_by_leaving_it(page: Page, report: Report) -> None:
    open_master(open_page(page, report), "sfx/door")
    page.keyboard.press("a")
    page.fill("#name", "Ada")
    page.keyboard.press("Escape")
    expect(page.locator("#reviewer")).to_have_text("Set your name")
    expect(page.locator("#export")).to_be_hidden()
    page.keyboard.press("a")
    _name(page, "Ada")
    with page.expect_download():
        page.click("#export")
    page.keyboard.press("r")
    page.keyboard.press("Escape")
    expect(page.locator("#export")).to_have_text("Export 1 decision")


def test_a_key_that_is_held_decides_once(page: Page, report: Report) -> None:
    _open_at_first_effect(page, report)
    page.keyboard.press("a")
    _name(page, "Ada")
    expect(page.locator("#export")).to_have_text("Export 1 decision")
    for _ in range(3):
        page.keyboard.down("a")
    expect(page.locator("#export")).to_have_text("Export 2 decisions")


def test_a_comment_waits_with_its_master(page: Page, report: Report) -> None:
    _open_at_first_effect(page, report)
    page.keyboard.press("c")
    page.keyboard.type("too dark")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#comment")).to_have_value("")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#comment")).to_have_value("too dark")


def test_by_keyboard_one_stays_on_a_button_from_master_to_master(page: Page, report: Report) -> None:
    _open_at_first_effect(page, report)
    page.focus("[data-action=approve]")
    page.keyboard.press("Enter")
    _name(page, "Ada")
    expect(page.locator("#export")).to_have_text("Export 1 decision")
    page.focus("[data-action=approve]")
    page.keyboard.press("Enter")
    expect(page.locator("[data-action=approve]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#export")).to_have_text("Export 3 decisions")


def test_a_browser_that_keeps_nothing_is_reported_to_export(page: Page, report: Report) -> None:
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied'); } });"
    )
    open_master(open_page(page, report), "sfx/door")
    page.keyboard.press("a")
    _name(page, "Ada")
    expect(page.locator("#export")).to_have_text("Export 1 decision")
    expect(page.locator("#problem")).to_contain_text("export your decisions before you close the page")


def test_what_is_said_of_a_candidate_stands_as_such(page: Page, project: QuickProject) -> None:
    project.say("approve", project.row("sfx/door"))
    project.manifest.write_text(project.manifest.read_text().replace("an iron door", "a tin door"))
    project.build()
    open_master(open_page(page, write_report(project.store)), "sfx/door")
    page.keyboard.press("b")
    page.keyboard.press("r")
    _name(page, "Ada")
    open_master(page, "sfx/door")
    expect(page.locator("#detail .history li").first).to_contain_text("Ada rejected the candidate")
    expect(page.locator("#detail .badge.approved")).to_be_visible()


def test_fifty_hostile_prompts_show_as_text_and_run_nothing(page: Page, report: Report) -> None:
    assert len(PROMPTS) == len(set(PROMPTS)) == 50
    open_page(page, report)
    shown: set[str] = set()
    find(page, "hostile/")
    page.keyboard.press("Home")
    for _ in PROMPTS:
        shown.add(page.locator("#detail header .prompt").inner_text())
        page.keyboard.press("ArrowDown")
    assert {" ".join(text.split()) for text in shown} == {" ".join(text.split()) for text in PROMPTS}
    assert page.evaluate("globalThis.__struck") is None


def test_a_served_page_writes_to_the_review_file_and_another_reviewer_sees_it(
    page: Page, context: BrowserContext, served: str, project: QuickProject
) -> None:
    other = open_page(context.new_page(), served)
    open_master(open_page(page, served), "sfx/door")
    assert "token" not in page.url
    expect(page.locator("#connection")).to_have_text("Live review")
    page.keyboard.press("a")
    _name(page, "Grace")
    expect(page.locator("#live")).to_contain_text("approved")
    event = Reviews(project.store).events()[-1]
    assert (event.action, event.by, event.master) == ("approve", "Grace", project.row("sfx/door")["master"])
    open_master(other, "sfx/door")
    expect(other.locator("#detail .badge.approved")).to_be_visible(timeout=10000)
    page.reload()
    open_master(page, "sfx/door")
    expect(page.locator("#detail .badge.approved")).to_be_visible()


def test_quick_decisions_go_to_one_master_after_another_however_slow_the_server(
    page: Page, served: str, project: QuickProject
) -> None:
    page.add_init_script(SLOW_TO_WRITE)
    find(open_page(page, served), "sfx/")
    _sign_in(page, "Ada")
    page.keyboard.press("Home")
    page.keyboard.press("r")
    page.keyboard.press("r")
    expect(page.locator(".row.rejected .name")).to_have_text(["sfx/door_01", "sfx/long_01"])
    assert {event.asset for event in Reviews(project.store).events()[-2:]} == {"sfx/door", "sfx/long"}


def test_a_decision_that_reaches_nobody_is_kept_and_saved_when_the_server_is_back(
    page: Page, served: str, project: QuickProject
) -> None:
    open_master(open_page(page, served), "sfx/door")
    _sign_in(page, "Ada")
    page.keyboard.press("c")
    page.keyboard.type("too dark")
    page.keyboard.press("Escape")
    page.route("**/api/**", lambda route: route.abort("aborted"))
    page.keyboard.press("r")
    expect(page.locator("#unsaved")).to_contain_text("1 decision not saved yet (sfx/door_01 rejected)")
    expect(page.locator("#toast")).to_contain_text("Rejected sfx/door_01. Not saved yet")
    expect(page.locator("#export")).to_have_text("Export 1 decision")
    open_master(page, "sfx/door")
    expect(page.locator("#detail .badge.rejected")).to_be_visible()
    expect(page.locator("#detail .history")).to_contain_text("not saved yet")
    page.unroute("**/api/**")
    expect(page.locator("#unsaved")).to_be_empty()
    expect(page.locator("#export")).to_be_hidden()
    expect(page.locator("#detail .history")).to_contain_text("too dark")
    event = Reviews(project.store).events()[-1]
    assert (event.action, event.by, event.comment) == ("reject", "Ada", "too dark")


def test_a_store_that_cannot_be_read_is_reported_and_nothing_is_decided(
    context: BrowserContext, served: str, project: QuickProject
) -> None:
    with (project.outputs / "reviews.jsonl").open("a") as file:
        file.write("oops\n")
    page = open_page(context.new_page(), served)
    expect(page.locator("#problem")).to_contain_text("set the line aside: cuesmith verify --repair")
    expect(page.locator("[data-action=approve]")).to_be_disabled()


def test_a_served_page_decodes_every_sound_from_the_store(page: Page, served: str) -> None:
    open_master(open_page(page, served), "sfx/long")
    page.keyboard.press("Space")
    expect(page.locator(DETAIL)).to_have_attribute("data-playing", "running")


def test_a_page_without_the_token_may_only_read(page: Page, served: str) -> None:
    open_page(page, served.partition("#")[0])
    expect(page.locator("#connection")).to_contain_text("Read only")
    expect(page.locator("[data-action=approve]")).to_be_disabled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, report: Report, scheme: Any) -> None:
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    page = open_page(context.new_page(), report)
    open_master(page, "sfx/door")
    find(page, "")
    found = Axe().run(page).response["violations"]
    context.close()
    assert [
        (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
    ] == []


def test_a_phone_shows_list_and_master_without_sideways_scrolling(browser: Browser, report: Report) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    page = open_page(context.new_page(), report)
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= 360
    page.locator(".row .name").first.tap()
    expect(page.locator("#detail-name")).to_be_visible()
    assert page.evaluate(width) <= 360
    assert page.evaluate("document.querySelector('#detail').scrollWidth") <= 360
    page.click(".close")
    expect(page.locator("#detail-name")).to_be_hidden()
    context.close()


def test_on_a_phone_one_decides_on_master_after_master_and_sees_what_went_wrong(
    browser: Browser, served: str
) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    page = open_page(context.new_page(), served)
    page.locator("#reviewer").tap()
    _name(page, "Ada")
    page.fill("#search", "sfx/")
    page.locator(".row .name").first.tap()
    page.locator("[data-action=approve]").tap()
    expect(page.locator("#detail-name")).to_contain_text("sfx/long_01")
    expect(page.locator("#detail-name")).to_be_visible()
    page.route("**/api/decisions*", lambda route: route.abort("aborted"))
    page.locator("[data-action=approve]").tap()
    expect(page.locator("#unsaved")).to_contain_text("sfx/long_01 approved")
    expect(page.locator("#unsaved")).to_be_in_viewport()
    page.locator("#unsaved").click(trial=True)
    context.close()
