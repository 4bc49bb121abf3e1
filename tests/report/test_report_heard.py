"""What a player of the report really sounds like: the page's own audio graph, rendered by a real Chromium."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyloudnorm
import pytest
import soundfile
from playwright.sync_api import Page, expect
from quick import QuickProject
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


@pytest.fixture
def project(tmp_path: Path) -> QuickProject:
    project = QuickProject(tmp_path / "toys")
    project.write(LOOPS + DOOR.replace("PROMPT", "an oak door").replace("LOUD", "-15"), WITH_MUSIC)
    project.build()
    project.write(LOOPS + DOOR.replace("PROMPT", "an iron door").replace("LOUD", "-24"), WITH_MUSIC)
    project.build()
    return project


def _play(page: Page, project: QuickProject, asset: str) -> None:
    report = write_report(project.store)
    assert report.path is not None
    page.add_init_script(RENDERED)
    page.goto(report.path.as_uri())
    expect(page.locator("html")).to_have_attribute("data-ready", "true")
    page.fill("#search", asset)
    page.keyboard.press("Escape")
    page.keyboard.press("Home")
    expect(page.locator("#detail-name")).to_contain_text(asset)
    page.keyboard.press("Space")
    expect(page.locator("#detail")).to_have_attribute("data-playing", "running")


def _sound(page: Page) -> Samples:
    """All that comes out of the page, shape [2, samples]."""
    heard = page.evaluate(
        "rendered.startRendering().then((sound) => [0, 1].map((side) => [...sound.getChannelData(side)]))"
    )
    return np.asarray(heard, np.float32)


def _samples(project: QuickProject, asset: str) -> tuple[Samples, int]:
    path = project.outputs / "library/latest" / f"{asset}_01.wav"
    samples, rate = soundfile.read(io.BytesIO(path.read_bytes()), dtype="float32", always_2d=True)
    return samples.T, rate


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
    wanted = np.broadcast_to(wanted, (2, wanted.shape[1]))[:, : heard.shape[1] - began]
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
    assert abs(loudness[0] - loudness[1]) < 0.2
    quieter, rate = _samples(project, "sfx/door")
    level = _loudness(np.repeat(quieter, 2, axis=0), rate)
    assert loudness[0] == pytest.approx(level, abs=0.2), "the louder side is turned down to the quieter"
