"""The mark in the sound: found again in every format, silent in silence, without a seam, the same each time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from encoders import HAS_M4A
from specs import ASSET

from pipeline.audio import Clip, Loop, pcm_sha256, resample
from pipeline.delivery import Content, decode, render
from pipeline.formats import FORMATS
from pipeline.manifest.spec import MasteringSpec
from pipeline.mastering import watermark
from pipeline.mastering.chain import Master, master
from pipeline.mastering.shape import TakeInput
from pipeline.mastering.watermark import Watermarking, detect
from pipeline.watermarks import message_text
from pipeline.watermarks.registry import open_watermarker

RATE, MESSAGE = 48_000, 0xA3F1
SPEC = replace(ASSET.mastering, duration_s=3.0, channels=2, trim=False)


def pad(seconds: float = 3.0, seed: int = 1) -> Clip:
    """A soft chord with noise, different on each side."""
    random, time = np.random.default_rng(seed), np.arange(round(seconds * RATE)) / RATE
    chord = sum(np.sin(2 * np.pi * pitch * time) for pitch in (220.0, 277.18, 329.63, 440.0)) / 4
    noise = random.standard_normal((2, time.size)) * 0.02
    return Clip((0.2 * np.stack([chord, 0.6 * chord]) + noise).astype(np.float32), RATE)


def marking(strength: float = 1.0) -> Watermarking:
    facts: Any = {"name": "audioseal", "message": message_text(MESSAGE), "strength": strength}
    return Watermarking(open_watermarker("audioseal"), facts)


def mastered(
    clip: Clip, spec: MasteringSpec = SPEC, *, loop: Loop | None = None, marked: bool = True
) -> Master:
    [result] = master([TakeInput(clip, loop)], spec, watermarking=marking() if marked else None)
    assert isinstance(result, Master)
    return result


@pytest.mark.parametrize("audio_format", FORMATS)
def test_the_mark_survives_every_delivery_format_and_only_a_marked_sound_has_it(audio_format: str) -> None:
    if audio_format == "m4a" and not HAS_M4A:
        pytest.skip("the m4a extra is not installed")
    found = []
    for marked in (True, False):
        clip = mastered(pad(), marked=marked).clip
        data = render(clip, audio_format, Content("24"), ceiling_dbtp=-1.0).data
        found.append(detect(decode(data, audio_format), open_watermarker("audioseal")))
    assert found[0].probability > 0.9
    assert found[0].message == MESSAGE
    assert found[1].probability < 0.1


@pytest.mark.parametrize("rate", [16_000, 22_050, 32_000, 44_100])
def test_the_mark_survives_the_rates_and_the_fold_to_mono_of_export_profiles(rate: int) -> None:
    clip = resample(mastered(pad()).clip, rate)
    mono = Clip(clip.samples.mean(axis=0, keepdims=True), rate)
    for version in (clip, mono):
        found = detect(version, open_watermarker("audioseal"))
        assert (found.probability > 0.9, found.message) == (True, MESSAGE)


def test_the_same_take_gives_the_same_bytes_and_the_mark_is_in_the_middle_and_far_below() -> None:
    marked, again, plain = mastered(pad()), mastered(pad()), mastered(pad(), marked=False)
    assert pcm_sha256(marked.clip) == pcm_sha256(again.clip) != pcm_sha256(plain.clip)
    [step] = [step for step in marked.chain if step["step"] == "watermark"]
    names = [step["step"] for step in marked.chain]
    assert names.index("watermark") + 1 == names.index("gain") < names.index("limiter")
    assert -30 < step["level_db"] < -12
    assert marked.measured.integrated_lufs == pytest.approx(SPEC.loudness_lufs, abs=0.2)
    scaled = plain.clip.samples * np.float32(10 ** ((marked.gain_db - plain.gain_db) / 20))
    mark = marked.clip.samples - scaled
    assert np.abs(mark[0] - mark[1]).max() < 1e-5
    assert np.sqrt((mark**2).mean() / (scaled**2).mean()) == pytest.approx(
        10 ** (step["level_db"] / 20), rel=0.1
    )


def test_silence_in_a_sound_stays_silent() -> None:
    spec = replace(SPEC, exact=True, trim=True)
    result = mastered(pad(1.0), spec)
    assert result.clip.length == 3 * RATE
    assert not result.clip.samples[:, round(1.2 * RATE) :].any()
    assert np.abs(result.clip.samples[:, [0, -1]]).max() < 1e-4


@pytest.mark.parametrize("intro_s", [0.0, 1.0])
def test_a_loop_wraps_as_well_with_the_mark_as_without(intro_s: float) -> None:
    spec = replace(SPEC, loop=True, intro_s=intro_s, duration_s=4.0)
    marked, plain = (mastered(pad(6.0, seed=5), spec, marked=marked) for marked in (True, False))
    assert marked.loop == plain.loop is not None
    assert marked.seam is not None
    assert plain.seam is not None
    assert marked.seam.click < 1.0
    gain = np.float32(10 ** ((marked.gain_db - plain.gain_db) / 20))
    mark = (marked.clip.samples - plain.clip.samples * gain)[0]
    step = mark[marked.loop.end - 1] - mark[marked.loop.start]
    assert abs(step) <= np.abs(np.diff(mark)).max() * 1.1
    found = detect(marked.clip, open_watermarker("audioseal"))
    assert (found.probability > 0.8, found.message) == (True, MESSAGE)


def test_a_loop_that_the_engine_declared_is_marked_over_its_wrap() -> None:
    clip = pad(2.0)
    result = mastered(clip, replace(SPEC, loop=True, duration_s=2.0), loop=Loop(0, clip.length))
    assert result.loop == Loop(0, clip.length)
    twice = Clip(np.tile(result.clip.samples, 2), RATE)
    assert detect(twice, open_watermarker("audioseal")).probability > 0.8


def test_a_long_sound_is_marked_in_windows_that_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = mastered(pad())
    monkeypatch.setattr(watermark, "WINDOW_S", 1)
    parts = mastered(pad())
    # The windows of the small pair begin on one of its frames, so both marks are the same wave.
    assert np.abs(whole.clip.samples - parts.clip.samples).max() < 2e-3
    found = detect(parts.clip, open_watermarker("audioseal"))
    assert (found.probability > 0.9, found.message) == (True, MESSAGE)


def test_a_click_is_marked_without_an_error() -> None:
    spec = replace(SPEC, duration_s=0.02)
    assert mastered(pad(0.02), spec).clip.length > 0
