"""Gates close on what is broken, stay open on what is not, and the score orders candidates."""

import json
from typing import Any

import numpy as np
import pytest
from labelled_sounds import RATE, broken, good

from pipeline.audio import Clip, Loop
from pipeline.manifest.spec import Kind
from pipeline.quality import GateInput, QualityReport, limits_of, score


def noise(seconds: float = 1.0, level: float = 0.1) -> Clip:
    wave = np.random.default_rng(1).standard_normal((1, round(seconds * RATE))) * level
    return Clip(wave.astype(np.float32), RATE)


def judge(clip: Clip, kind: Kind = "sfx", **required: Any) -> QualityReport:
    return score(GateInput(clip, **required), limits_of(kind))


def names(clip: Clip, **required: Any) -> set[str]:
    return {failure.name for failure in judge(clip, **required).failures}


def test_precision_and_recall_on_the_labelled_set_are_at_least_98_percent() -> None:
    accused = [seed for seed in range(200) if not judge(good(seed)).passed]
    detected = [seed for seed in range(200) if not judge(broken(seed)[1]).passed]
    assert len(detected) / 200 >= 0.98
    assert len(detected) / (len(detected) + len(accused)) >= 0.98


@pytest.mark.parametrize("seed", range(7))
def test_each_gate_closes_on_its_own_fault_with_figures(seed: int) -> None:
    name, clip = broken(seed)
    report = judge(clip)
    assert name in {failure.name for failure in report.failures}
    assert report.score < 0.75
    json.dumps(report.to_json(), allow_nan=False)


def test_a_sound_with_nothing_wrong_passes_with_more_than_nine_tenths() -> None:
    report = judge(good(3), requested_s=2.0, rate_hz=RATE)
    assert report.passed
    assert report.score > 0.9


def test_length_and_rate_are_held_against_what_was_asked() -> None:
    assert names(good(2), requested_s=0.5) == {"too long"}
    assert names(good(1), requested_s=60.0) == {"too short"}
    assert names(good(1), rate_hz=44100) == {"wrong rate"}


def test_music_that_is_mostly_silence_fails_and_a_short_effect_does_not() -> None:
    sparse = Clip(np.pad(good(0).samples, ((0, 0), (0, 8 * RATE))), RATE)
    assert "silent ends" in {failure.name for failure in judge(sparse, "music").failures}
    assert names(sparse) == set()


def test_unusable_sounds_score_nothing_and_flawed_ones_something() -> None:
    assert judge(Clip(np.zeros((1, RATE), np.float32), RATE)).score == 0.0
    assert judge(Clip(np.full((1, 9999), np.nan, np.float32), RATE)).score == 0.0
    assert 0.0 < judge(broken(1)[1]).score < 0.75


def test_an_empty_clip_is_too_short() -> None:
    assert names(Clip(np.zeros((1, 0), np.float32), RATE)) == {"too short"}


def test_of_two_that_pass_the_cleaner_one_scores_higher() -> None:
    clean = good(4)
    off = Clip(clean.samples + np.float32(0.007), RATE)
    assert judge(off).passed
    assert judge(clean).score > judge(off).score


def test_a_loop_that_wraps_passes_and_a_straight_cut_fails() -> None:
    places = np.arange(2 * RATE) / RATE
    whole = Clip((0.3 * np.sin(2 * np.pi * 100 * places))[None].astype(np.float32), RATE)
    assert names(whole, loop=Loop(0, whole.length)) == set()
    assert names(whole, loop=Loop(0, whole.length - 120)) == {"loop seam"}


def test_a_loop_that_ends_quieter_than_it_begins_is_a_step() -> None:
    wave = noise(4.0).samples * np.linspace(1, 0.02, 4 * RATE, dtype=np.float32)
    assert "loop step" in names(Clip(wave, RATE), loop=Loop(0, 4 * RATE))


def test_limits_can_be_moved() -> None:
    name, clip = broken(1)
    assert name == "dc"
    limits = {**limits_of("sfx"), "dc": 0.9}
    assert score(GateInput(clip), limits).passed


def tone(seconds: float = 1.0, hertz: float = 330.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


def clip_of(wave: np.ndarray) -> Clip:
    return Clip(np.atleast_2d(wave).astype(np.float32), RATE)


@pytest.mark.parametrize("gain", [1.05, 1.5, 4.0, 20.0])
@pytest.mark.parametrize("level", [0.1, 0.5, 1.0])
def test_clipping_is_found_at_any_level_and_a_square_or_a_saturation_is_none(
    gain: float, level: float
) -> None:
    driven = gain * 2 * tone()
    assert names(clip_of(level * np.clip(driven, -1, 1))) == {"clipping"}
    assert names(clip_of(level * np.sign(driven))) == set()
    assert names(clip_of(level * np.tanh(8 * driven))) == set()
    assert names(clip_of(np.round(level * driven / gain * 32767) / 32768)) == set()


@pytest.mark.parametrize("hertz", [31, 55, 110, 220])
@pytest.mark.parametrize("level", [0.05, 0.08, 0.2, 0.5])
def test_a_quiet_low_note_rounded_to_16_bit_is_not_clipped_and_a_clipped_one_is(
    level: float, hertz: int
) -> None:
    for rate in (16_000, 48_000):
        wave = np.sin(2 * np.pi * hertz * np.arange(2 * rate) / rate)
        for expected, played in ((set(), wave), ({"clipping"}, np.clip(1.3 * wave, -1, 1))):
            rounded = np.round(level * played * 32_767) / 32_768
            assert names(Clip(rounded[None].astype(np.float32), rate)) == expected


def test_a_pulse_wave_and_a_dying_asymmetric_wave_stand_on_zero() -> None:
    phase = np.arange(RATE) * 220 / RATE % 1
    dying = np.exp(-6 * np.arange(RATE) / RATE)
    assert names(clip_of(np.where(phase < 0.125, 0.5, -0.5))) == set()
    assert names(clip_of((np.maximum(0, np.sin(2 * np.pi * phase)) - 0.2) * dying)) == set()
    assert names(clip_of(tone() * dying + 0.02)) == {"dc"}


@pytest.mark.parametrize("power", [0, 1, 2])
def test_noise_of_any_colour_is_noise_and_what_is_shaped_is_a_sound(power: int) -> None:
    random = np.random.default_rng(power)
    spectrum = np.fft.rfft(random.standard_normal(2 * RATE))
    spectrum[1:] *= np.arange(1, len(spectrum)) ** (-power / 2)
    spectrum[0] = 0
    steady = np.fft.irfft(spectrum)
    steady *= 0.5 / np.abs(steady).max()
    swell = np.sin(np.pi * np.arange(len(steady)) / len(steady)) ** 2
    assert names(clip_of(steady)) == {"noise only"}
    assert names(clip_of(steady * swell)) == set()
