"""The page in a real Firefox: find, open, go back, save a playlist, on a desktop and on a phone."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from firefox import firefox
from report_page import path_of
from waiting import wait_until

from pipeline.report import Report

pytestmark = pytest.mark.browser

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
SERIOUS = """axe.run().then(({ violations }) => violations
  .filter(({ impact }) => ["serious", "critical"].includes(impact)).map(({ id, nodes }) => [id, nodes[0].html]))"""


def test_firefox_finds_opens_goes_back_and_keeps_playlists(report: Report, tmp_path: Path) -> None:
    with firefox(tmp_path / "profile") as tab:
        if tab is None:
            pytest.skip("no Firefox: install one, or name it in FIREFOX (see `make browser`)")

        def shows(code: str, value: Any) -> None:
            assert wait_until(lambda: tab.run(code) == value, 20), (code, tab.run(code))

        def type_in(selector: str, text: str) -> None:
            tab.run(
                f"(() => {{ const field = document.querySelector({selector!r}); field.value = {text!r};"
                "field.dispatchEvent(new Event('input', { bubbles: true })); })()"
            )

        def click(selector: str) -> None:
            tab.run(f"document.querySelector({selector!r}).click()")

        def text(selector: str) -> str:
            return f"document.querySelector({selector!r}).textContent"

        tab.resize(1280, 720)
        tab.goto(path_of(report).as_uri())
        shows("document.documentElement.dataset.ready", "true")
        shows("document.querySelectorAll('.row').length > 8", True)
        shows("document.documentElement.scrollHeight <= innerHeight", True)
        click("[data-panel=charts]")
        tab.run(f"(() => {{ {AXE} }})()")
        for _ in ("light", "dark"):
            click("#theme")
            assert tab.run(SERIOUS) == []
        click("[data-panel=charts]")
        type_in("#search", "gravel -wind lenght>5")
        shows(text("#shown"), f"3 of {report.masters} masters")
        shows(f"{text('#query-problem')}.startsWith('Ignored lenght>5')", True)
        shows("location.hash", "#q=gravel+-wind+lenght%3E5")
        type_in("#search", "gravel")
        shows("location.hash", "#q=gravel")
        click("#show-playlists")
        type_in("#playlist-name", "Steps")
        click("#playlist-form button")
        shows("document.querySelector('#playlist-list a').hash", "#q=gravel")
        tab.run("document.querySelector('#playlists').close()")
        click("[data-badge=new]")
        shows("location.hash", "#q=gravel&show=new")
        tab.run("history.back()")
        shows(text("#shown"), f"3 of {report.masters} masters")
        tab.resize(390, 844)
        click(".row .name")
        shows("document.querySelector('#detail-name').checkVisibility()", True)
        shows("location.hash", "#sound=sfx/steps_01&q=gravel")
        click("#next")
        shows(text("#detail-name"), "sfx/steps_02")
        tab.run("history.back()")
        shows("document.querySelector('#detail-name').checkVisibility()", False)
        shows("document.documentElement.scrollWidth <= innerWidth", True)
        assert tab.wrong == []
