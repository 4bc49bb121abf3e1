"""Pictures of the report and the review page for README and docs, taken from the demo's outputs.

    make demo && python scripts/screenshots.py [--outputs outputs] [--to docs/images]

Works on a copy, so that the demo's reviews stay as they are. Needs Chromium; see `make browser`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from chromium import chromium  # noqa: E402

from pipeline.catalog import Catalog  # noqa: E402
from pipeline.report import write_report  # noqa: E402
from pipeline.review.server import ReviewServer  # noqa: E402
from pipeline.store import Store  # noqa: E402

_DESK = {"width": 1440, "height": 900}
_PHONE = {"width": 390, "height": 844}


def take(browser: Browser, to: Path, address: str, steps: Callable[[Page], None], **context: Any) -> None:
    """One picture: open ``address``, do ``steps``, save."""
    with browser.new_context(device_scale_factor=1, **context) as opened:
        page = opened.new_page()
        page.goto(address)
        page.wait_for_selector("html[data-ready=true]", state="attached")
        page.wait_for_timeout(400)
        steps(page)
        page.wait_for_timeout(600)
        page.screenshot(path=to)
    print(to)


def find(words: str) -> Callable[[Page], None]:
    """Search, and open what is found first."""

    def steps(page: Page) -> None:
        page.fill("#search", words)
        page.keyboard.press("Escape")
        page.keyboard.press("Home")

    return steps


def play(words: str) -> Callable[[Page], None]:
    """Search, open, and play for a moment."""

    def steps(page: Page) -> None:
        find(words)(page)
        page.fill("#search", "")
        page.keyboard.press("Escape")
        page.keyboard.press("Space")
        page.wait_for_timeout(2500)

    return steps


def decide(page: Page) -> None:
    """Approve some, reject one with its reason, stay on it."""
    page.keyboard.press("Home")
    page.keyboard.press("a")
    page.fill("#name", "Ada")
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    for key in "aa":
        page.keyboard.press(key)
        page.wait_for_timeout(300)
    page.fill("#comment", "Too thin beside the others: more body below 200 Hz.")
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    page.wait_for_timeout(400)
    page.keyboard.press("a")
    page.wait_for_timeout(400)
    for _ in range(2):
        page.keyboard.press("ArrowUp")


def phone(page: Page) -> None:
    """A master opened on a phone."""
    find("victory")(page)
    page.keyboard.press("Enter")


def main() -> None:
    """Take them all."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--outputs", type=Path, default=ROOT / "outputs")
    asked.add_argument("--to", type=Path, default=ROOT / "docs" / "images")
    options = asked.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        if browser is None:
            sys.exit("no Chromium here: install one, or name it in CHROMIUM")
        copy = Path(folder) / "outputs"
        shutil.copytree(
            options.outputs, copy, ignore=shutil.ignore_patterns("takes", "reviews.jsonl", "reports")
        )
        store = Store.open(copy)
        if Catalog(store).latest() is None:
            sys.exit(f"{options.outputs} holds no catalog: make demo")
        written = write_report(store)
        assert written.path is not None
        disk = written.path.as_uri()
        take(browser, options.to / "report.png", disk, play("music/"), viewport=_DESK)
        take(
            browser,
            options.to / "report-dark.png",
            disk,
            play("stinger"),
            viewport=_DESK,
            color_scheme="dark",
        )
        take(browser, options.to / "report-phone.png", disk, phone, viewport=_PHONE)
        server = ReviewServer(store)
        threading.Thread(target=server.run, daemon=True).start()
        address = f"{server.origin}/{written.key}#token={server.token}"
        take(browser, options.to / "review.png", address, decide, viewport=_DESK)
        server.stop()


if __name__ == "__main__":
    main()
