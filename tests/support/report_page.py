"""What tests do on every page of a report: serve it, open it, find and open its masters, say who reviews."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect

from pipeline.report import Report, write_report
from pipeline.review.server import ReviewServer
from pipeline.store import Store


@contextmanager
def review_server(store: Store, report: Report | None = None) -> Iterator[str]:
    """The address of the report on a review server, with the token that lets the page decide."""
    server = ReviewServer(store)
    written = report or write_report(store)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"{server.origin}/{written.key}#token={server.token}"
    server.stop()
    thread.join(10)


def path_of(report: Report) -> Path:
    """The page of a report on this machine."""
    assert report.path is not None
    return report.path


def open_page(page: Page, address: str | Report, by: str | None = None) -> Page:
    """Open a page, on a server or from disk, wait until it is usable, and say who reviews."""
    page.goto(path_of(address).as_uri() if isinstance(address, Report) else address)
    expect(page.locator("html")).to_have_attribute("data-ready", "true")
    if by is not None:
        sign_in(page, by)
    return page


def find(page: Page, words: str) -> None:
    """Search for ``words``."""
    page.fill("#search", words)
    page.keyboard.press("Escape")


def open_master(page: Page, name: str) -> None:
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
