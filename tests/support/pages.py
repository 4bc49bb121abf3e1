"""Steps that a person takes on a report's page."""

from __future__ import annotations

from playwright.sync_api import Page, expect


def open_page(page: Page, address: str) -> Page:
    """The page at ``address``, ready for use."""
    page.goto(address)
    expect(page.locator("html")).to_have_attribute("data-ready", "true")
    return page


def find(page: Page, words: str) -> None:
    """Search for ``words``."""
    page.fill("#search", words)
    page.keyboard.press("Escape")


def choose(page: Page, name: str) -> None:
    """Open the first master that a search for ``name`` finds."""
    find(page, name)
    page.keyboard.press("Home")
    expect(page.locator("#detail-name")).to_contain_text(name)


def sign_in(page: Page, name: str) -> None:
    """Say who reviews."""
    page.click("#reviewer")
    page.fill("#name", name)
    page.keyboard.press("Enter")
    expect(page.locator("#reviewer")).to_have_text(f"Reviewer: {name}")
