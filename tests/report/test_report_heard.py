"""What a player of the report really sounds like: the page's own audio graph, rendered by a real Chromium."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import numpy.typing as npt
import pyloudnorm
import pytest
import soundfile
from playwright.sync_api import Page, expect
from quick import QuickProject
from report_page import open_master, open_page
from scipy.signal import lfilter, resample_poly
from toys import WITH_MUSIC

from pipeline.report import write_report

pytestmark = pytest.mark.browser

LOOPS = """\
  - {id: music/round, kind: music, prompt: a loop, duration: 1.5s, loop: true}
  - {id: music/led, kind: music, prompt: a loop after an intro, duration: 2.5s, loop: {intro: 1s}}
"""
DOOR = "  - {id: sfx/door, kind: sfx, prompt: PROMPT, duration: 2s, loudness: LOUD LUFS}\n"
SECONDS = 5
STARTS_S = 0.03
"""The page schedules a sound that far ahead."""
FADES_S = 0.03
RENDERED = """
window.AudioContext = class extends OfflineAudioContext {
  constructor({ sampleRate }) {
    super(2, SECONDS * sampleRate, sampleRate);
    window.rendered = this;
  }
  get state() { return "running"; }
  close() { return Promise.resolve(); }
};
""".replace("SECONDS", str(SECONDS))
"""In place of the context that plays through a sound card: the same nodes and times, into memory."""

Samples = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> QuickProject:
    project = QuickProject(tmp_path_factory.mktemp("heard") / "toys")
    project.write(LOOPS + DOOR.replace("PROMPT", "an oak door").replace("LOUD", "-15"), WITH_MUSIC)
    project.build()
    project.write(LOOPS + DOOR.replace("PROMPT", "an iron door").replace("LOUD", "-24"), WITH_MUSIC)
    project.build()
    return project


def _open(page: Page, project: QuickProject, asset: str) -> None:
    report = write_report(project.store)
    page.add_init_script(RENDERED)
    open_page(page, report)
    open_master(page, asset)


def _play(page: Page, project: QuickProject, asset: str) -> None:
    _open(page, project, asset)
    page.keyboard.press("Space")
    expect(page.locator("#detail")).to_have_attribute("data-playing", "running")


def _pause_rendering(page: Page, seconds: float) -> None:
    """Render up to this time and wait there; `_sound` goes on to the end."""
    page.evaluate(
        """seconds => {
          rendered.suspend(seconds).then(() => { window.waiting = true; });
          window.whole = rendered.startRendering();
        }""",
        seconds,
    )
    page.wait_for_function("() => window.waiting")


def _sound(page: Page) -> Samples:
    """All that comes out of the page, shape [2, samples]."""
    address = page.evaluate(
        """async () => {
          if (window.whole) rendered.resume();
          const sound = await (window.whole ?? rendered.startRendering());
          const reader = new FileReader();
          const read = new Promise((done) => { reader.onload = done; });
          reader.readAsDataURL(new Blob([0, 1].map((side) => sound.getChannelData(side))));
          await read;
          return reader.result;
        }"""
    )
    data = base64.b64decode(address.partition(",")[2])
    return np.frombuffer(data, np.float32).reshape(2, -1)


def _samples(project: QuickProject, asset: str, version: int | None = None) -> tuple[Samples, int]:
    """A delivered file, shape [channels, samples], and its rate."""
    found = project.catalog.read(version) if version else project.latest
    [item] = found.by_variation[asset, 1]["files"].values()
    path = project.outputs / "store" / item["sha256"][:2] / f"{item['sha256']}.wav"
    samples, rate = soundfile.read(io.BytesIO(path.read_bytes()), dtype="float32", always_2d=True)
    return samples.T, rate


def _heard(samples: Samples) -> Samples:
    """As a browser plays it: a mono sound on both channels."""
    return np.broadcast_to(samples, (2, samples.shape[1]))


def _loudness(samples: Samples, rate: int) -> float:
    return float(pyloudnorm.Meter(rate).integrated_loudness(samples.T.astype(np.float64)))


@pytest.mark.parametrize("asset", ["music/round", "music/led"])
def test_a_loop_wraps_on_its_sample_after_its_intro_once(
    page: Page, project: QuickProject, asset: str
) -> None:
    _play(page, project, asset)
    heard = _sound(page)
    samples, rate = _samples(project, asset)
    start, end = project.row(asset)["loop"]
    assert (start > 0) == (asset == "music/led")
    began = round(STARTS_S * rate)
    faded = began + round(FADES_S * rate)
    rounds = 1 + SECONDS * rate // (end - start)
    wanted = np.concatenate([samples[:, :end], *([samples[:, start:end]] * rounds)], axis=1)
    wanted = _heard(wanted)[:, : heard.shape[1] - began]
    assert rounds > 3
    assert not heard[:, :began].any()
    off = np.abs(heard[:, faded:] - wanted[:, faded - began :])
    one_late = np.abs(heard[:, faded + 1 :] - wanted[:, faded - began : -1])
    assert off.max() < 2 / 32768, "the page holds loops in 16 bits with dither"
    assert one_late[:, end - start :].max() > 20 / 32768


def test_a_loop_of_another_rate_goes_round_at_its_own_points(page: Page, project: QuickProject) -> None:
    project.write(LOOPS, WITH_MUSIC.replace("music: {", "music: {sample_rate: 44100, "))
    project.build()
    _play(page, project, "music/led")
    page.keyboard.press("b")
    expect(page.locator("#detail")).to_have_attribute("data-side", "B")
    rate = page.evaluate("rendered.sampleRate")
    before = project.catalog.read(2).by_variation["music/led", 1]
    assert (rate, before["sample_rate_hz"]) == (44100, 48000)
    assert before["loop"] is not None
    start, end = before["loop"]
    once = round((end - start) / 48000 * rate)
    began = round((STARTS_S + start / 48000 + 0.1) * rate)
    heard = _sound(page)[0]
    rounds = [heard[began + n * once : began + (n + 1) * once] for n in (0, 1)]
    # Converted to another rate, a loop's points fall between samples: alike, and not equal.
    assert np.corrcoef(rounds)[0, 1] > 0.9


def test_a_and_b_are_heard_equally_loud(page: Page, project: QuickProject) -> None:
    loudness = []
    for side in ("A", "B"):
        _play(page, project, "sfx/door")
        if side == "B":
            page.keyboard.press("b")
        expect(page.locator("#detail")).to_have_attribute("data-side", side)
        rate = page.evaluate("rendered.sampleRate")
        began = round(STARTS_S * rate)
        loudness.append(_loudness(_sound(page)[:, began : began + 2 * rate], rate))
    assert abs(loudness[0] - loudness[1]) < 0.1
    samples, rate = _samples(project, "sfx/door")
    level = _loudness(_heard(samples), rate)
    assert loudness[0] == pytest.approx(level, abs=0.1), "the louder side is turned down to the quieter"


def _roughness(samples: Samples) -> float:
    """The largest second difference: a click stands out, a steep tone does not."""
    return float(np.abs(np.diff(samples, 2, axis=1)).max())


def test_a_switch_is_a_crossfade_of_12_ms_on_the_same_sample_without_a_click(
    page: Page, project: QuickProject
) -> None:
    _play(page, project, "sfx/door")
    rate = page.evaluate("rendered.sampleRate")
    switched = 128 * round(0.5 * rate / 128)
    _pause_rendering(page, switched / rate)
    page.keyboard.press("b")
    expect(page.locator("#detail")).to_have_attribute("data-side", "B")
    heard = _sound(page)
    began, fade = round(STARTS_S * rate), round(0.012 * rate)
    sides = [_heard(_samples(project, "sfx/door", version)[0]) for version in (2, 1)]
    quieter = min(_loudness(side, rate) for side in sides)
    sides = [side * 10 ** ((quieter - _loudness(side, rate)) / 20) for side in sides]
    near = slice(switched - began - 2 * fade, switched - began + 3 * fade)
    share = np.clip((np.arange(5 * fade) - 2 * fade) / fade, 0, 1)
    wanted = sides[0][:, near] * (1 - share) + sides[1][:, near] * share
    found = heard[:, switched - 2 * fade : switched + 3 * fade]
    assert np.abs(found - wanted).max() < 0.01 * np.abs(wanted).max() + 3 / 32768
    assert _roughness(found) <= 1.05 * max(_roughness(side[:, near]) for side in sides)


def test_around_the_seam_is_the_end_of_the_loop_then_its_start_then_silence(
    page: Page, project: QuickProject
) -> None:
    _open(page, project, "music/led")
    page.get_by_role("button", name="Play around the seam").click()
    expect(page.locator("#detail")).to_have_attribute("data-playing", "running")
    heard = _sound(page)
    samples, rate = _samples(project, "music/led")
    loop = project.row("music/led")["loop"]
    assert loop is not None
    start, end = loop
    around = min(rate, end - start)
    wanted = np.concatenate([samples[:, end - around : end], samples[:, start : start + around]], axis=1)
    began, fade = round(STARTS_S * rate), round(FADES_S * rate)
    found = heard[:, began : began + 2 * around]
    assert np.abs(found - wanted)[:, fade:-fade].max() < 2 / 32768
    assert not heard[:, began + 2 * around :].any()
    first_ms = rate // 1000
    assert np.abs(found[:, :first_ms]).max() < 0.1 * np.abs(wanted).max(), "no click where it starts"
    assert np.abs(found[:, -first_ms:]).max() < 0.1 * np.abs(wanted).max(), "no click where it ends"
    expect(page.locator("#detail")).to_have_attribute("data-playing", "")


@pytest.mark.parametrize("asset", ["music/round", "sfx/door"])
def test_the_meters_show_true_peak_and_momentary_loudness(
    page: Page, project: QuickProject, asset: str
) -> None:
    _play(page, project, asset)
    rate = page.evaluate("rendered.sampleRate")
    now = 128 * round(0.53 * rate / 128)
    _pause_rendering(page, now / rate)
    samples, _ = _samples(project, asset)
    played = samples[:, : now - round(STARTS_S * rate)].astype(np.float64)
    meters = page.locator(".meter")
    weighted = played
    for filter_ in pyloudnorm.Meter(rate)._filters.values():
        weighted = filter_.passband_gain * lfilter(filter_.b, filter_.a, weighted, axis=1)
    block = weighted[:, -round(0.4 * rate) :]
    momentary = -0.691 + 10 * np.log10(np.mean(block**2, axis=1).sum())
    expect(meters.nth(1)).to_have_attribute("data-value", re.compile(r"^-\d"))
    assert float(meters.nth(1).get_attribute("data-value") or 0) == pytest.approx(momentary, abs=0.1)
    peak = 20 * np.log10(np.abs(resample_poly(played, 16, 1, axis=1)).max())
    assert float(meters.nth(0).get_attribute("data-highest") or 0) == pytest.approx(peak, abs=0.1)
    _sound(page)
