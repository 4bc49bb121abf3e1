"""Gates close on what is broken, stay open on what is not, and the score orders candidates."""

import json

import numpy as np
import pytest

from pipeline.audio import Clip
from pipeline.quality import Limits, score

RATE = 48000


def noise(seconds: float = 1.0, level: float = 0.1, channels: int = 1) -> Clip:
    random = np.random.default_rng(1)
    wave = random.standard_normal((channels, round(seconds * RATE))) * level
    return Clip(wave.astype(np.float32), RATE)


def smooth_loop(seconds: float = 2.0) -> Clip:
    places = np.arange(round(seconds * RATE)) / RATE
    return Clip((0.3 * np.sin(2 * np.pi * 100 * places))[None].astype(np.float32), RATE)


def names(clip: Clip, **asked: object) -> set[str]:
    return {failure.name for failure in score(clip, "sfx", **asked).failures}


def test_a_sound_with_nothing_wrong_scores_one() -> None:
    report = score(noise(), "sfx", asked_s=1.0)
    assert (report.score, report.failures, report.passed) == (1.0, (), True)


BROKEN = {
    "not finite": Clip(np.full((1, 999), np.inf, np.float32), RATE),
    "silence": Clip(np.zeros((1, RATE), np.float32), RATE),
    "dc": Clip(noise().samples + np.float32(0.1), RATE),
    "clipping": Clip(np.clip(noise(level=1.0).samples, -0.5, 0.5), RATE),
    "too short": noise(0.001),
    "too long": noise(3.0),
    "silent ends": Clip(np.concatenate([noise(0.2).samples, np.zeros((1, RATE), np.float32)], axis=1), RATE),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_gate_closes_on_its_own_fault_with_figures(name: str) -> None:
    report = score(BROKEN[name], "sfx", asked_s=1.0)
    assert name in {failure.name for failure in report.failures}
    assert report.score < 1.0
    json.dumps(report.to_json(), allow_nan=False)


def test_unusable_sounds_score_nothing_and_flawed_ones_something() -> None:
    assert score(BROKEN["silence"], "sfx").score == 0.0
    assert 0.0 < score(BROKEN["dc"], "sfx").score < 1.0


def test_an_empty_clip_is_too_short() -> None:
    assert names(Clip(np.zeros((1, 0), np.float32), RATE)) == {"too short"}


def test_a_loop_that_wraps_passes_and_a_straight_cut_fails() -> None:
    whole = smooth_loop()
    assert names(whole, loop=(0, whole.length)) == set()
    quarter = whole.length - 120
    assert names(whole, loop=(0, quarter)) == {"loop seam"}


def test_limits_can_be_moved() -> None:
    assert names(BROKEN["dc"], limits=Limits(dc=0.5)) == set()
