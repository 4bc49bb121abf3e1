"""A real Chromium for tests and screenshots, found where machines usually have one."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)


def find_chromium(playwright: Playwright) -> str | None:
    """``$CHROMIUM``, one on the path, or the one that `playwright install` brought; None where there is none."""
    if named := os.environ.get("CHROMIUM"):
        return named
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    own = playwright.chromium.executable_path
    return found or (own if Path(own).exists() else None)


@contextlib.contextmanager
def chromium() -> Iterator[Browser | None]:
    """A headless browser; None where the machine has no Chromium."""
    with sync_playwright() as playwright:
        path = find_chromium(playwright)
        if path is None:
            yield None
            return
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        yield browser
        browser.close()


@contextlib.contextmanager
def chromium_or_skip() -> Iterator[Browser]:
    """A headless browser; the test is skipped where the machine has no Chromium."""
    with chromium() as found:
        if found is None:
            pytest.skip("no Chromium: install one, or name it in CHROMIUM (see `make browser`)")
        yield found
