"""Decisions on a page in a real Chromium: several at once, undone, on a page that is no longer the latest."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect
from quick import QuickProject
from report_page import find, open_master, open_page

from pipeline.catalog import Reviews
from pipeline.report import write_report

pytestmark = pytest.mark.browser


def said(project: QuickProject, since: int = 2) -> list[tuple[str, str]]:
    """Action and name of each event after those of the fixture."""
    return [(event.action, event.name) for event in Reviews(project.store).events()[since:]]


def test_several_are_selected_by_mouse_and_keys_and_decided_in_one_request(
    page: Page, served: str, project: QuickProject
) -> None:
    posts: list[Request] = []
    page.on("request", lambda request: posts.append(request) if request.method == "POST" else None)
    find(open_page(page, served, by="Ada"), "sfx/")
    rows = page.locator(".row .name")
    rows.nth(0).click()
    rows.nth(3).click(modifiers=["Shift"])
    expect(page.locator("#batch-count")).to_have_text("4 selected")
    rows.nth(1).click(modifiers=["Control"])
    expect(page.locator(".row[aria-selected=true] .name")).to_have_text(
        ["sfx/door_01", "sfx/steps_01", "sfx/steps_02"]
    )
    page.keyboard.press("a")
    expect(page.locator("#toast")).to_contain_text("Approved 3 masters")
    expect(page.locator("#live")).to_contain_text("3 masters approved")
    expect(page.locator("#batch")).to_be_hidden()
    assert len(posts) == 1
    assert said(project) == [("approve", f"sfx/{name}") for name in ("door_01", "steps_01", "steps_02")]
    page.click("#toast-undo")
    expect(page.locator("#toast")).to_contain_text("Undone: sfx/")
    assert [action for action, _ in said(project)] == ["approve"] * 3 + ["clear"] * 3
    expect(page.locator(".row.approved .name")).to_have_text(["sfx/long_01"])
    rows.nth(2).click()
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    expect(page.locator("#batch-count")).to_have_text("3 selected")
    page.keyboard.press("Escape")
    expect(page.locator("#batch")).to_be_hidden()


def test_all_shown_and_all_variations_and_many_ask_first(
    page: Page, served: str, project: QuickProject
) -> None:
    open_master(open_page(page, served, by="Ada"), "steps_02")
    page.get_by_role("button", name="Select all 3 variations").click()
    expect(page.locator("#batch-count")).to_have_text("3 selected, 2 not in the list")
    page.click("[data-batch=lock]")
    expect(page.locator("#ask")).to_contain_text("2 of them are not in the list at present")
    page.get_by_role("button", name="Lock 3").click()
    expect(page.locator("#toast")).to_contain_text("Locked 3 masters")
    find(page, "sfx/")
    page.keyboard.press("Control+a")
    page.click("[data-batch=reject]")
    expect(page.locator("#toast")).to_contain_text(
        "Rejected 2 masters. Left out because of a lock or a re-roll: sfx/steps_01"
    )
    find(page, "hostile/")
    page.click("#approve-shown")
    expect(page.locator("#ask-title")).to_have_text("Approve 50 masters?")
    page.keyboard.press("Escape")
    assert len(said(project)) == 5
    page.click("#approve-shown")
    page.get_by_role("button", name="Approve 50").click()
    expect(page.locator("#toast")).to_contain_text("Approved 50 masters")
    assert len(said(project)) == 55


def test_quarantined_masters_are_left_out_of_a_batch(page: Page, project: QuickProject) -> None:
    project.manifest.write_text(
        project.manifest.read_text()
        + "  - {id: sfx/hushed, kind: sfx, prompt: silence, duration: 1s, quality: {silence: 0 LUFS}}\n"
    )
    project.build()
    find(open_page(page, write_report(project.store), by="Ada"), "sfx/")
    expect(page.locator(".badge.quarantined").first).to_be_visible()
    page.click("#approve-shown")
    expect(page.locator("#toast")).to_contain_text("1 quarantined left out")


def test_undo_by_key_steps_back_and_overrules_nobody(page: Page, served: str, project: QuickProject) -> None:
    open_master(open_page(page, served, by="Ada"), "sfx/")
    page.keyboard.press("a")
    expect(page.locator("#toast")).to_contain_text("Approved sfx/door_01")
    page.keyboard.press("r")
    expect(page.locator("#toast")).to_contain_text("Rejected sfx/long_01")
    page.keyboard.press("Control+z")
    expect(page.locator("#toast")).to_have_text("Undone: sfx/long_01 ×", use_inner_text=True)
    expect(page.locator("#detail-name")).to_contain_text("sfx/long_01")
    expect(page.locator("#detail .badge.approved")).to_be_visible()
    project.say("reject", project.row("sfx/door"), by="Bo")
    page.keyboard.press("Control+z")
    expect(page.locator("#toast")).to_contain_text("Not undone: sfx/door_01: Bo rejected it after you")
    assert said(project) == [
        ("approve", "sfx/door_01"),
        ("reject", "sfx/long_01"),
        ("clear", "sfx/long_01"),
        ("approve", "sfx/long_01"),
        ("reject", "sfx/door_01"),
    ]
    page.keyboard.press("Control+z")
    expect(page.locator("#toast")).to_contain_text("Nothing to undo")


def test_a_reroll_is_a_state_of_its_own_a_lock_forbids_it_and_clear_ends_it(page: Page, served: str) -> None:
    open_master(open_page(page, served, by="Ada"), "sfx/door")
    expect(page.locator("[data-action=clear]")).to_be_hidden()
    page.click("[data-action=reroll]")
    expect(page.locator("#detail .badge.reroll")).to_have_text("re-roll")
    expect(page.locator("#detail .badge.rejected")).to_have_count(0)
    expect(page.locator("#chips [data-badge=reroll]")).to_be_visible()
    expect(page.locator("[data-action=lock]")).to_be_disabled()
    expect(page.locator("#refusal")).to_contain_text("replaced by the next build, so you cannot lock it")
    page.click("[data-action=clear]")
    expect(page.locator("#detail .badge.reroll")).to_have_count(0)
    page.click("[data-action=lock]")
    for action in ("reject", "reroll"):
        expect(page.locator(f"[data-action={action}]")).to_be_disabled()
    expect(page.locator("#refusal")).to_contain_text("locked, so no build replaces it: unlock it first")
    page.keyboard.press("r")
    expect(page.locator("#toast")).to_contain_text("unlock it first")
    page.keyboard.press("Control+z")
    expect(page.locator("[data-action=reject]")).to_be_enabled()


def test_a_page_from_disk_undoes_what_is_not_exported(page: Page, project: QuickProject) -> None:
    find(open_page(page, write_report(project.store)), "sfx/steps")
    page.keyboard.press("Control+a")
    page.click("[data-batch=reroll]")
    page.fill("#name", "Ada")
    page.keyboard.press("Enter")
    expect(page.locator("#batch")).to_be_hidden()
    expect(page.locator("#export")).to_have_text("Export 3 decisions")
    page.keyboard.press("Control+z")
    expect(page.locator("#export")).to_be_hidden()
    expect(page.locator(".row.reroll")).to_have_count(0)


def test_an_open_page_says_that_a_version_is_published_and_asks_about_replaced_takes(
    context: BrowserContext, served: str, project: QuickProject
) -> None:
    # The browser logs the answer 409 as an error.
    page = context.new_page()
    open_master(open_page(page, served, by="Ada"), "sfx/door")
    page.keyboard.press("r")
    expect(page.locator("#toast")).to_contain_text("Rejected sfx/door_01")
    old = project.row("sfx/door")
    project.build()
    expect(page.locator("#newer")).to_have_text("Version 3 is published: open it")
    page.reload()
    expect(page.locator("#newer")).to_have_text("Version 3 is published: open it")
    open_master(page, "sfx/door")
    page.keyboard.press("a")
    expect(page.locator("#ask")).to_contain_text("Version 3 has another take")
    expect(page.locator("#ask")).to_contain_text("the next build uses this one again")
    page.get_by_role("button", name="Do not decide").click()
    expect(page.locator("#unsaved")).to_be_empty()
    assert said(project) == [("reject", "sfx/door_01")]
    open_master(page, "sfx/door")
    page.keyboard.press("a")
    page.get_by_role("button", name="Approve anyway").click()
    expect(page.locator("#toast")).to_contain_text("Approved sfx/door_01")
    assert Reviews(project.store).events()[-1].master == old["master"]
    page.click("#newer a")
    expect(page.locator("h1")).to_contain_text("version 3")
    expect(page.locator("#newer")).to_be_hidden()
    expect(page.locator("#connection")).to_have_text("Live review")


def test_an_old_page_from_disk_sees_the_newer_one_beside_it(page: Page, project: QuickProject) -> None:
    write_report(project.store)
    open_page(page, write_report(project.store, 1))
    expect(page.locator("#newer")).to_have_text("Version 2 is published: open it")
    page.click("#newer a")
    expect(page.locator("h1")).to_contain_text("version 2")
    expect(page.locator("#newer")).to_be_hidden()


def test_on_a_phone_one_selects_by_touch(browser: Browser, served: str, project: QuickProject) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = open_page(context.new_page(), served)
    page.evaluate("localStorage.setItem('cuesmith reviewer', 'Ada')")
    page.reload()
    page.fill("#search", "sfx/steps")
    page.locator("#select-mode").tap()
    for place in range(3):
        page.locator(".row .name").nth(place).tap()
    expect(page.locator("#batch-count")).to_have_text("3 selected")
    expect(page.locator(".row.marked .check").first).to_be_visible()
    for button in page.locator("#batch button:visible").all():
        expect(button).to_be_in_viewport()
        assert (button.bounding_box() or {"height": 0})["height"] >= 44
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("[data-batch=reject]").tap()
    expect(page.locator("#toast")).to_be_in_viewport()
    page.locator("#toast-undo").tap()
    expect(page.locator("#toast")).to_contain_text("Undone")
    assert [action for action, _ in said(project)] == ["reject"] * 3 + ["clear"] * 3
    context.close()


@pytest.mark.parametrize(
    ("size", "scheme"),
    [
        ((1280, 720), "light"),
        ((820, 1180), "dark"),
        ((390, 844), "light"),
        pytest.param((1280, 720), "dark", marks=pytest.mark.slow),
        pytest.param((820, 1180), "light", marks=pytest.mark.slow),
        pytest.param((390, 844), "dark", marks=pytest.mark.slow),
    ],
)
def test_axe_finds_nothing_serious_in_bar_confirmation_and_question(
    browser: Browser, project: QuickProject, size: tuple[int, int], scheme: Any
) -> None:
    viewport: Any = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, color_scheme=scheme, bypass_csp=True)
    page = open_page(context.new_page(), write_report(project.store, 1), by="Ada")
    open_master(page, "sfx/door")
    page.keyboard.press("a")
    page.click("#clear")
    page.keyboard.press("Control+a")
    expect(page.locator("#batch")).to_be_in_viewport()
    found = Axe().run(page).response["violations"]
    page.keyboard.press("a")
    expect(page.locator("#ask")).to_be_visible()
    found += Axe().run(page).response["violations"]
    context.close()
    assert [
        (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
    ] == []


def test_what_another_person_decided_unseen_is_asked_about(
    context: BrowserContext, served: str, project: QuickProject
) -> None:
    page = context.new_page()
    find(open_page(page, served, by="Ada"), "sfx/")
    page.route("**/api/standing*", lambda route: route.abort("aborted"))
    project.say("reject", project.row("sfx/door"), by="Bo")
    page.keyboard.press("Control+a")
    page.keyboard.press("a")
    expect(page.locator("#ask")).to_contain_text("sfx/door_01: Bo rejected it meanwhile")
    page.keyboard.press("Escape")
    expect(page.locator("#unsaved")).to_contain_text("Not saved: 5 masters approved")
    page.get_by_role("button", name="Answer").click()
    page.get_by_role("button", name="Only the other 4").click()
    expect(page.locator("#toast")).to_contain_text("Approved 4 masters")
    expect(page.locator("#unsaved")).to_be_empty()
    assert [name for action, name in said(project) if action == "approve"] == [
        "sfx/long_01",
        "sfx/steps_01",
        "sfx/steps_02",
        "sfx/steps_03",
    ]


def test_decisions_of_a_page_that_may_no_longer_write_are_saved_by_the_new_link(
    context: BrowserContext, served: str, project: QuickProject
) -> None:
    page = context.new_page()
    open_master(
        open_page(page, f"{served.partition('#')[0]}#token=of-an-earlier-server", by="Ada"), "sfx/door"
    )
    page.keyboard.press("a")
    expect(page.locator("#unsaved")).to_contain_text("this page may not write. Open the link")
    expect(page.locator("#export")).to_have_text("Export 1 decision")
    assert said(project) == []
    other = open_page(context.new_page(), served)
    for each in (page, other):
        expect(each.locator("#unsaved")).to_be_empty()
    open_master(other, "sfx/door")
    expect(other.locator("#detail .badge.approved")).to_be_visible()
    assert said(project) == [("approve", "sfx/door_01")]
