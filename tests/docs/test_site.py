"""The static site of the docs: complete, as on a code host, and without the network."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from chromium import chromium_or_skip
from loopback import LoopbackServer
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
LOOKED_AT: tuple[tuple[str, Literal["light", "dark"]], ...] = (("tutorial", "light"), ("prompts", "dark"))
"""Pages and colour schemes that axe checks."""
ELEMENTS = {
    "table_open": "table",
    "list_item_open": "li",
    "fence": "pre",
    "code_block": "pre",
    "heading_open": "heading",
}


def _build(to: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(to), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does."""
    to = tmp_path_factory.mktemp("site")
    built = _build(to)
    assert built.returncode == 0, built.stderr
    return to


class _Elements(HTMLParser):
    """Counts the elements of a page's text, and collects what the page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.loads: list[str] = []
        self._in_text = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "article":
            self._in_text = True
        if tag in ("script", "img", "iframe") and values.get("src"):
            self.loads.append(str(values["src"]))
        if tag == "link":
            self.loads.append(str(values.get("href")))
        if self._in_text:
            name = "heading" if tag in ("h1", "h2", "h3", "h4") else tag
            self.counts[name] += name in ELEMENTS.values()

    def handle_endtag(self, tag: str) -> None:
        if tag == "article":
            self._in_text = False


def _read(html: Path) -> _Elements:
    elements = _Elements()
    elements.feed(html.read_text(encoding="utf-8"))
    return elements


def _html(site: Path, page: Path) -> Path:
    return site / page.relative_to(ROOT / "docs").with_suffix(".html")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_the_same_parts_in_the_site_as_on_a_code_host(site: Path, page: Path) -> None:
    """MkDocs reads another Markdown than code hosts: a list or a table that only one of them sees is lost."""
    tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
    expected = Counter(ELEMENTS[token.type] for token in tokens if token.type in ELEMENTS)
    assert +_read(_html(site, page)).counts == expected


def test_the_site_loads_nothing_from_the_network(site: Path) -> None:
    loads = {load for html in site.rglob("*.html") for load in _read(html).loads}
    assert len(loads) > 3
    assert [load for load in loads if "//" in load] == []


def test_files_outside_of_docs_that_pages_link_to_are_in_the_site(site: Path) -> None:
    assert (site / "files" / "prefect.yaml").read_bytes() == (ROOT / "prefect.yaml").read_bytes()
    assert 'href="files/prefect.yaml"' in (site / "operations.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [("[x](manifest.md#nowhere)", "does not contain an anchor"), ("[x](gone.md)", "not found")],
)
def test_a_broken_link_fails_the_site(tmp_path: Path, line: str, complaint: str) -> None:
    for name in ("docs", "manifests", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("mkdocs.yml", "prefect.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    with (tmp_path / "docs" / "glossary.md").open("a") as page:
        page.write(f"\n{line}\n")
    built = _build(tmp_path / "site", "--config-file", str(tmp_path / "mkdocs.yml"))
    assert built.returncode == 1
    assert complaint in built.stderr


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """The site, served on loopback."""
    handler = functools.partial(_Quiet, directory=str(site))
    with LoopbackServer(handler) as server:
        yield server.url


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.mark.browser
def test_axe_finds_nothing_serious_in_the_site(address: str) -> None:
    with chromium_or_skip() as browser:
        page = browser.new_page()
        for name, scheme in LOOKED_AT:
            page.emulate_media(color_scheme=scheme)
            page.goto(f"{address}/{name}.html")
            found = Axe().run(page).response["violations"]
            assert [rule["id"] for rule in found if rule["impact"] in ("serious", "critical")] == []


@pytest.mark.browser
def test_a_browser_finds_words_in_the_site_and_asks_no_other_host(address: str) -> None:
    with chromium_or_skip() as browser:
        page = browser.new_page(viewport={"width": 390, "height": 844})
        requested: list[str] = []
        page.on("request", lambda request: requested.append(request.url))
        page.goto(f"{address}/manifest.html")
        wider = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wider
        page.locator("label[for=__search]").first.click()
        page.locator(".md-search__input").press_sequentially("quarantine")
        page.wait_for_selector(".md-search-result__link[href*=quality]")
        assert len(requested) > 3
        assert [url for url in requested if not url.startswith((address, "blob:", "data:"))] == []
