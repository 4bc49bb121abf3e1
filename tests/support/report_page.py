"""What tests do on every page of a report: open it, and open one of its masters."""

from __future__ import annotations

from playwright.sync_api import Page, expect


def open_page(page: Page, address: str) -> Page:
    """Open the page and wait until it is usable."""
    page.goto(address)
    expect(page.locator("html")).to_have_attribute("data-ready", "true")
    return page


def open_master(page: Page, asset: str) -> None:
    """Open the first master whose name contains ``asset``."""
    page.fill("#search", asset)
    page.keyboard.press("Escape")
    page.keyboard.press("Home")
    expect(page.locator("#detail-name")).to_contain_text(asset)
