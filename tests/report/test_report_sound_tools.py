"""The tools of an open sound in a real Chromium: zoom, seam, files, variations, comments at a time, meters, phone."""

from __future__ import annotations

import io
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from quick import QuickProject
from report_page import open_master, open_page, path_of

from pipeline.report import Report, write_report

pytestmark = pytest.mark.browser

SLOW_MACHINE_MS = 60_000
EDGES = """
([name, colour]) => {
  const canvas = document.querySelector(name);
  const style = getComputedStyle(document.documentElement);
  const pen = new OffscreenCanvas(1, 1).getContext("2d");
  pen.fillStyle = style.getPropertyValue(colour).trim();
  pen.fillRect(0, 0, 1, 1);
  const wanted = pen.getImageData(0, 0, 1, 1).data;
  const { width, height } = canvas;
  const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, width, height);
  const is = (x, y) => [0, 1, 2].every((part) => data[(y * width + x) * 4 + part] === wanted[part]);
  const rows = Array.from({ length: height }, (_, y) => y);
  const first = Array.from({ length: width }, (_, x) => rows.find((y) => is(x, y)) ?? -1);
  return { height, first };
}
"""
"""The highest point of a colour in every column of a canvas; -1 without one."""


@pytest.fixture
def detail(page: Page) -> Locator:
    return page.locator("#detail")


def _view(page: Page) -> tuple[float, float]:
    start, end = (page.locator("#detail").get_attribute("data-view") or "").split()
    return float(start), float(end)


def _samples(project: QuickProject, name: str) -> tuple[Any, int]:
    """A delivered file, shape [samples, channels], and its rate."""
    data = (project.outputs / "library/latest" / f"{name}.wav").read_bytes()
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    return samples, int(rate)


def _wheel(page: Page, x: float, pixels: float) -> None:
    box = page.locator(".screen").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + x * box["width"], box["y"] + 40)
    page.mouse.wheel(0, pixels)


def _drag(page: Page, start: float, end: float) -> None:
    box = page.locator(".screen").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + start * box["width"], box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], box["y"] + 40, steps=4)
    page.mouse.up()


def test_wheel_keys_and_drag_zoom_and_pan_and_a_click_seeks(page: Page, served: str, detail: Locator) -> None:
    open_master(open_page(page, served), "sfx/long")
    expect(detail).to_have_attribute("data-view", "0.0000 4.0000")
    expect(page.locator(".range")).to_have_text("Whole sound, from the stored picture")
    _wheel(page, 0.5, 30)
    page.wait_for_function("() => document.querySelector('#detail').scrollTop > 0")
    _wheel(page, 0.5, -30)
    page.wait_for_function("() => document.querySelector('#detail').scrollTop === 0")
    expect(detail).to_have_attribute("data-view", "0.0000 4.0000")
    _wheel(page, 0.5, -300)
    expect(detail).not_to_have_attribute("data-view", "0.0000 4.0000")
    start, end = _view(page)
    assert (start + end) / 2 == pytest.approx(2, abs=0.05), "the moment under the pointer stays"
    assert end - start < 3
    _drag(page, 0.8, 0.3)
    panned = _view(page)
    assert panned[0] == pytest.approx(start + 0.5 * (end - start), abs=0.05)
    expect(detail).to_have_attribute("data-position", "0.000")
    _drag(page, 0.25, 0.25)
    wanted = panned[0] + 0.25 * (panned[1] - panned[0])
    expect(detail).to_have_attribute("data-position", re.compile(r"^[1-9]"))
    assert float(detail.get_attribute("data-position") or 0) == pytest.approx(wanted, abs=0.02)
    page.keyboard.press("+")
    assert _view(page)[1] - _view(page)[0] == pytest.approx((end - start) / 2, abs=0.01)
    page.keyboard.press("ArrowRight")
    moved = float(detail.get_attribute("data-position") or 0)
    assert moved == pytest.approx(wanted + (end - start) / 20, abs=0.02)
    page.keyboard.press("-")
    page.keyboard.press("0")
    expect(detail).to_have_attribute("data-view", "0.0000 4.0000")
    page.get_by_role("button", name="+", exact=True).click()
    expect(page.locator(".range")).to_contain_text("(2×), from the samples")


def test_a_zoom_draws_the_samples_themselves_linear_and_in_decibels(
    page: Page, served: str, detail: Locator, project: QuickProject
) -> None:
    open_master(open_page(page, served), "sfx/long")
    for _ in range(4):
        page.keyboard.press("+")
    expect(detail).to_have_attribute("data-drawn", "samples")
    samples, rate = _samples(project, "sfx/long_01")
    start, end = _view(page)
    assert (start, end) == (0, 0.25)

    def drawn() -> tuple[Any, Any]:
        found = page.evaluate(EDGES, [".wave", "--wave"])
        columns = len(found["first"])
        edges = np.linspace(start * rate, end * rate, columns + 1).astype(int)
        peaks = np.array([samples[a:b].max() for a, b in pairwise(edges)])
        middle = found["height"] / 2
        return (middle - np.array(found["first"])) / (middle - 2), peaks

    reach, peaks = drawn()
    assert np.median(np.abs(reach - peaks)) < 0.03
    assert np.corrcoef(reach, peaks)[0, 1] > 0.95
    page.keyboard.press("d")
    expect(page.get_by_label("Scale of level")).to_have_value("db72")
    reach, peaks = drawn()
    decibels = np.clip(1 + 20 * np.log10(np.maximum(peaks, 1e-9)) / 72, 0, 1)
    assert np.median(np.abs(reach - decibels)) < 0.03
    page.reload()
    expect(page.get_by_label("Scale of level")).to_have_value("db72")


def test_from_disk_a_zoom_of_a_streamed_sound_says_that_it_is_the_stored_picture(
    page: Page, report: Report, detail: Locator
) -> None:
    open_master(open_page(page, report), "sfx/long")
    page.keyboard.press("+")
    expect(page.locator(".range")).to_contain_text("from the stored picture: a page from disk cannot read")
    expect(detail).to_have_attribute("data-drawn", "picture")
    page.keyboard.press("Space")
    expect(page.locator(".meters .hint")).to_contain_text("No meters")


def test_the_seam_shows_the_step_from_the_last_sample_to_the_first(
    page: Page, report: Report, project: QuickProject
) -> None:
    open_master(open_page(page, report), "music/loop")
    seam = page.locator(".seam")
    expect(seam).to_be_visible()
    samples, rate = _samples(project, "music/loop_01")
    loop = project.row("music/loop")["loop"]
    assert loop is not None
    start, end = loop
    around = np.concatenate([samples[end - rate // 50 : end], samples[start : start + rate // 50]])
    steps = np.abs(np.diff(around, axis=0)).max(axis=1)
    wrap = rate // 50 - 1
    step, beside = 20 * np.log10(steps[wrap]), 20 * np.log10(np.delete(steps, wrap).max())
    # The page holds loops in 16 bits with dither.
    assert float(seam.get_attribute("data-step") or 0) == pytest.approx(step, abs=0.5)
    assert float(seam.get_attribute("data-beside") or 0) == pytest.approx(beside, abs=0.1)
    expect(seam.locator(".step")).to_contain_text("dBFS; largest within 20 ms")
    drawn = page.evaluate(EDGES, [".seam-wave", "--head"])["first"]
    assert drawn.index(0) == pytest.approx(len(drawn) / 2, abs=2), "the seam is in the middle"
    open_master(page, "sfx/long")
    expect(seam).to_be_hidden()


def test_a_file_is_copied_as_path_downloaded_and_dragged_out_under_its_name(
    page: Page, context: BrowserContext, served: str, project: QuickProject, tmp_path: Path
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_master(open_page(page, served), "sfx/door")
    files = page.locator(".files")
    expect(files.locator("a")).to_have_text(["door_01.wav", "door_01.ogg"])
    library = project.outputs / "library/latest/sfx"
    for place, name in enumerate(["door_01.wav", "door_01.ogg"]):
        files.get_by_role("button", name=f"Copy the path of {name}").click()
        expect(page.locator("#live")).to_contain_text(name)
        copied = Path(page.evaluate("navigator.clipboard.readText()"))
        assert copied == (library / name).resolve()
        with page.expect_download() as download:
            files.locator("a").nth(place).click()
        assert download.value.suggested_filename == name
        download.value.save_as(tmp_path / name)
        assert (tmp_path / name).read_bytes() == copied.read_bytes()
    kind, name, address = page.evaluate(
        """() => {
          const data = new DataTransfer();
          const link = document.querySelector(".files a[download$=ogg]");
          link.dispatchEvent(new DragEvent("dragstart", { dataTransfer: data, bubbles: true }));
          const [kind, name, ...address] = data.getData("DownloadURL").split(":");
          return [kind, name, address.join(":")];
        }"""
    )
    assert (kind, name) == ("audio/ogg", "door_01.ogg")
    assert page.request.get(address).body() == (library / name).read_bytes()


def test_from_disk_and_in_a_folder_to_send_the_files_are_those_that_are_there(
    page: Page, context: BrowserContext, report: Report, project: QuickProject, tmp_path: Path
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_master(open_page(page, report), "sfx/door")
    page.get_by_role("button", name="Copy the path of door_01.ogg").click()
    expect(page.locator("#live")).to_contain_text("door_01.ogg")
    copied = Path(page.evaluate("navigator.clipboard.readText()"))
    assert copied == project.outputs / "library/latest/sfx/door_01.ogg"
    sent = write_report(project.store, folder=tmp_path / "to send")
    assert str(project.outputs) not in path_of(sent).read_text()
    open_master(open_page(page, sent), "sfx/door")
    expect(page.locator(".files a")).to_have_text(["door_01.wav"])
    page.locator(".files .copy").click()
    expect(page.locator("#live")).to_contain_text("store/")
    copied = Path(page.evaluate("navigator.clipboard.readText()"))
    assert copied.read_bytes().startswith(b"RIFF")
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.locator(".files .copy").click()
    expect(page.get_by_role("textbox", name="Path of door_01.wav")).to_have_value(str(copied))
    expect(page.locator("#live")).to_contain_text("does not allow this page to copy")


RECORDED = """
Math.random = () => 0.999;
window.waits = [];
const later = window.setTimeout;
window.setTimeout = (then, ms, ...rest) => { window.waits.push(ms); return later(then, ms, ...rest); };
"""
"""Chance that always takes the last choice, and every wait that the page asks for."""


def test_variations_play_at_random_without_a_repeat_with_the_gap_that_is_set(page: Page, served: str) -> None:
    page.add_init_script(RECORDED)
    open_master(open_page(page, served), "sfx/steps")
    page.get_by_label("Order of variations").select_option("random")
    gap = page.get_by_label("Gap between variations")
    gap.fill("-5")
    expect(gap).to_have_attribute("aria-invalid", "true")
    gap.fill("77")
    expect(gap).to_have_attribute("aria-invalid", "false")
    page.keyboard.press("Escape")
    page.keyboard.press("v")
    for number in (3, 2, 3):
        expect(page.locator("#detail-name")).to_have_text(f"sfx/steps_{number:02d}", timeout=SLOW_MACHINE_MS)
    page.keyboard.press("v")
    assert page.evaluate("waits").count(77 - 30) >= 3, "a sound starts 30 ms after the page asks for it"
    page.reload()
    open_master(page, "sfx/steps")
    expect(gap).to_have_value("77")
    expect(page.get_by_label("Order of variations")).to_have_value("random")


def test_variations_lie_over_one_another_each_in_its_colour(page: Page, served: str) -> None:
    open_master(open_page(page, served), "sfx/steps")

    def wait_for_colours(*numbers: int) -> None:
        """Wait until these are the colours of variations on the waveform, and no others."""
        page.wait_for_function(
            f"""wanted => [0, 1, 2].every((number) => {{
              const {{ first }} = ({EDGES})([".wave", `--over-${{number}}`]);
              const columns = first.filter((y) => y >= 0).length;
              return wanted.includes(number) ? columns > 20 : columns === 0;
            }})""",
            arg=numbers,
        )

    toggle = page.get_by_role("button", name="Overlay")
    toggle.click()
    expect(page.locator(".legend li")).to_have_text(["steps_02", "steps_03"])
    wait_for_colours(1, 2)
    page.locator(".legend button").first.click()
    expect(page.locator("#detail-name")).to_have_text("sfx/steps_02")
    expect(page.locator(".legend li")).to_have_text(["steps_01", "steps_03"])
    wait_for_colours(0, 2)
    toggle.click()
    expect(page.locator(".legend li")).to_have_count(0)
    wait_for_colours()


def test_a_comment_at_a_time_has_a_mark_that_seeks(
    page: Page, served: str, detail: Locator, project: QuickProject
) -> None:
    project.say("comment", project.row("sfx/long"), comment="[2.500 s] a bump")
    open_master(open_page(page, served), "sfx/long")
    mark = page.get_by_role("button", name="Comment at 2.500 s, lead: a bump")
    place, screen = mark.bounding_box(), page.locator(".screen").bounding_box()
    assert place is not None
    assert screen is not None
    assert (place["x"] + place["width"] / 2 - screen["x"]) / screen["width"] == pytest.approx(
        2.5 / 4, abs=0.01
    )
    mark.press("Enter")
    expect(detail).to_have_attribute("data-position", "2.500")
    expect(mark).to_be_focused()
    page.keyboard.press("t")
    page.keyboard.type("too bright")
    expect(page.locator("#comment")).to_have_value("[2.500 s] too bright")
    page.keyboard.press("Escape")
    _drag(page, 0.25, 0.25)
    page.get_by_role("button", name="Comment at this time").click()
    stamped = page.locator("#comment").input_value()
    assert re.fullmatch(r"\[(0\.99\d|1\.00\d) s\] too bright", stamped), "one comment has one moment"
    page.get_by_role("button", name="Comment only").click()
    page.fill("#name", "Ada")
    page.keyboard.press("Enter")
    expect(page.locator(".mark")).to_have_count(2)
    page.locator(".history .moment").first.click()
    expect(detail).to_have_attribute("data-position", re.compile(r"^(0\.99|1\.00)"))
    last = json.loads((project.outputs / "reviews.jsonl").read_text().splitlines()[-1])
    assert last["comment"] == stamped


def test_meters_move_and_nothing_is_announced_while_a_sound_plays(
    page: Page, served: str, detail: Locator
) -> None:
    open_master(open_page(page, served), "music/loop")
    meters = page.get_by_role("meter")
    expect(meters).to_have_count(2)
    expect(meters.first).to_have_attribute("aria-valuetext", "nothing plays")
    page.keyboard.press("Space")
    expect(detail).to_have_attribute("data-playing", "running")
    page.evaluate(
        """() => {
          window.announced = [];
          const all = { childList: true, subtree: true, characterData: true };
          for (const region of document.querySelectorAll("[role=status], [role=alert], [aria-live], output")) {
            new MutationObserver(() => announced.push(region.textContent)).observe(region, all);
          }
        }"""
    )
    values = set()
    for _ in range(3):
        before = meters.first.get_attribute("data-value")
        values.add(before)
        expect(meters.first).not_to_have_attribute("data-value", before or "")
    expect(meters.first).to_have_attribute("aria-valuetext", re.compile("dBTP$"))
    expect(meters.nth(1)).to_have_attribute("aria-valuetext", re.compile("LUFS$"))
    assert len(values) >= 2
    assert page.evaluate("announced") == []


def test_on_a_phone_two_fingers_zoom_and_play_stays_in_reach(browser: Browser, served: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, bypass_csp=True)
    page = open_page(context.new_page(), served)
    page.fill("#search", "music/loop")
    page.locator(".row .name").first.tap()
    expect(page.locator(".seam")).to_be_visible()
    box = page.locator(".screen").bounding_box()
    assert box is not None
    session = context.new_cdp_session(page)
    y = box["y"] + 60

    def touch(kind: str, *places: float) -> None:
        points = [{"x": x, "y": y, "id": number} for number, x in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    whole = page.locator("#detail").get_attribute("data-view")
    touch("touchStart", 180, 220)
    touch("touchMove", 140, 260)
    touch("touchMove", 100, 300)
    touch("touchEnd")
    expect(page.locator("#detail")).not_to_have_attribute("data-view", whole or "")
    start, end = _view(page)
    assert end - start == pytest.approx(float((whole or "").split()[1]) / 5, rel=0.2)
    page.locator("#detail").evaluate("panel => { panel.scrollTop = panel.scrollHeight; }")
    play = page.locator("#detail .primary")
    expect(play).to_be_in_viewport()
    play.tap()
    expect(page.locator("#detail")).to_have_attribute("data-playing", "running")
    small = page.evaluate(
        """() => [...document.querySelectorAll("#detail button, #detail select, #detail a, #detail .gap")]
          .filter((each) => each.checkVisibility())
          .map((each) => [each.outerHTML.slice(0, 80), each.getBoundingClientRect()])
          .filter(([, box]) => box.width < 44 || box.height < 44).map(([text]) => text)"""
    )
    assert small == []
    assert page.evaluate("document.querySelector('#detail').scrollWidth") <= 390
    found = Axe().run(page).response["violations"]
    context.close()
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []


@pytest.mark.parametrize(("width", "height", "scheme"), [(1280, 720, "dark"), (820, 1180, "light")])
def test_every_tool_is_usable_at_this_size(
    browser: Browser, served: str, width: int, height: int, scheme: Any
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, bypass_csp=True
    )
    page = open_page(context.new_page(), served)
    page.fill("#search", "sfx/steps")
    page.locator(".row .name").first.click()
    page.get_by_role("button", name="Overlay").click()
    page.keyboard.press("d")
    page.keyboard.press("+")
    expect(page.locator("#detail")).to_have_attribute("data-drawn", "samples")
    panel = page.locator("#detail")
    assert panel.evaluate("panel => panel.scrollWidth <= panel.clientWidth")
    found = Axe().run(page).response["violations"]
    context.close()
    assert [
        (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
    ] == []
