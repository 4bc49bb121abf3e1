"""The report of 2,000 masters: how long it takes to make, how large it is, how soon and how smoothly it moves.

    python benchmarks/report.py [--masters 2000] [--folder FOLDER]

The catalog is made by the real build (the sketch engine, tiny sounds; every 20th asset a loop) and kept in the
folder for the next run. Needs Chromium for what the browser is asked; see `make browser`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from chromium import chromium  # noqa: E402

from flows.command import run_build  # noqa: E402
from pipeline.build.prepare import BuildRequest  # noqa: E402
from pipeline.catalog import Catalog  # noqa: E402
from pipeline.report import write_report  # noqa: E402
from pipeline.store import Store  # noqa: E402

VARIATIONS = 4
_SOUNDS = ("footstep on gravel", "coin pickup", "wooden door knock", "soft interface click", "sword swing")
_SCROLL = """async (list) => {
  const times = [];
  let last = performance.now();
  const began = last;
  return new Promise((resolve) => {
    const step = (now) => {
      times.push(now - last);
      last = now;
      list.scrollTop += 240;
      if (now - began < 4000 && list.scrollTop + list.clientHeight < list.scrollHeight - 1) requestAnimationFrame(step);
      else resolve(times.slice(1));
    };
    requestAnimationFrame(step);
  });
}"""


def manifest_text(masters: int) -> str:
    """A manifest of ``masters`` variations, four to an asset."""
    assets = []
    for number in range(masters // VARIATIONS):
        what = _SOUNDS[number % len(_SOUNDS)]
        loop = ", loop: true, duration: 2s" if number % 20 == 0 else ", duration: 0.3s"
        assets.append(
            f"  - {{id: sfx/group{number % 50:02d}/sound{number:04d}, kind: sfx, "
            f"prompt: {what} number {number}{loop}, variations: {VARIATIONS}, tags: [group{number % 50:02d}]}}\n"
        )
    head = "cuesmith: 1\nproject: bench\ndefaults: {sfx: {engine: sketch, formats: [wav]}}\nassets:\n"
    return head + "".join(assets)


def make_catalog(folder: Path, masters: int) -> Store:
    """Build the catalog where it is not there yet."""
    outputs = folder / "outputs"
    store = Store.open(outputs)
    latest = Catalog(store).latest()
    if latest is None or len(latest.masters) != masters:
        folder.mkdir(parents=True, exist_ok=True)
        manifest = folder / "cues.yaml"
        manifest.write_text(manifest_text(masters), encoding="utf-8")
        run_build(BuildRequest(manifest, str(outputs)), quiet=False)
    return store


def measure_page(page: Page, address: str) -> dict[str, Any]:
    """Milliseconds until the page is usable, and between frames while its list is scrolled without rest."""
    began = time.perf_counter()
    page.goto(address)
    page.wait_for_selector("html[data-ready=true]", state="attached")
    usable = (time.perf_counter() - began) * 1000
    frames = sorted(page.locator("#list").evaluate(_SCROLL))
    rows = page.locator(".row").count()
    search = page.evaluate(
        """() => { const box = document.querySelector('#search'); box.value = 'coin';
        const began = performance.now(); box.dispatchEvent(new Event('input')); return performance.now() - began; }"""
    )
    return {
        "usable": usable,
        "median": frames[len(frames) // 2],
        "p95": frames[int(len(frames) * 0.95)],
        "worst": frames[-1],
        "frames": len(frames),
        "rows": rows,
        "search": search,
    }


def main() -> None:
    """Print one line a figure."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--masters", type=int, default=2000)
    asked.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "cuesmith-report-benchmark"
    )
    options = asked.parse_args()
    store = make_catalog(options.folder, options.masters)
    shutil.rmtree(options.folder / "outputs" / "reports", ignore_errors=True)
    first = write_report(store)
    again = write_report(store)
    print(f"cores                     {os.cpu_count()}")
    print(f"masters                   {first.masters}")
    print(f"report, nothing cached    {first.seconds:.1f} s")
    print(f"report, pictures cached   {again.seconds:.1f} s")
    print(f"HTML                      {first.html_bytes / 1e6:.2f} MB")
    assert first.path is not None
    with chromium() as browser:
        if browser is None:
            print("no Chromium here: install one, or name it in CHROMIUM")
            return
        found = measure_page(browser.new_page(viewport={"width": 1440, "height": 900}), first.path.as_uri())
    print(f"usable after              {found['usable']:.0f} ms")
    print(f"search                    {found['search']:.1f} ms")
    print(f"rows in the document      {found['rows']}")
    print(
        f"frames while scrolling    median {found['median']:.1f} ms, 95th {found['p95']:.1f} ms, "
        f"worst {found['worst']:.1f} ms of {found['frames']}"
    )


if __name__ == "__main__":
    main()
