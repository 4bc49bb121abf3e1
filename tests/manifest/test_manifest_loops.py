"""Loops with an intro, exact lengths, fade curves and width: what is read, and what cannot stand together."""

from __future__ import annotations

import contextlib
import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from manifest_texts import Complain, Load
from properties import ONE_FIXTURE_FOR_ALL

from manifests import json_schema
from pipeline.errors import ManifestError

CUE = "assets:\n- id: m\n  kind: music\n  prompt: a song\n  duration: 20s\n"
"""Stands on lines 3 to 7 of a manifest."""


@pytest.mark.parametrize(
    ("keys", "loop", "intro_s"),
    [
        ("loop: true", True, 0.0),
        ("loop: false", False, 0.0),
        ("loop: {intro: 2 bars}, bpm: 120", True, 4.0),
        ("loop: {intro: 6 beats}, bpm: 120", True, 3.0),
        ("loop: {intro: 1 BAR}, bpm: 120", True, 2.0),
        ("loop: {intro: 2.5s}, bpm: 120", True, 2.5),
        ("loop: {intro: 2.5}", True, 2.5),
        ("loop: {}", True, 0.0),
    ],
)
def test_an_intro_is_said_in_bars_beats_or_seconds(
    loaded: Load, keys: str, loop: bool, intro_s: float
) -> None:
    (asset,) = loaded(f"assets:\n- {{id: m, kind: music, prompt: p, duration: 20s, {keys}}}\n").assets
    assert (asset.loop, asset.mastering.loop, asset.mastering.intro_s) == (loop, loop, intro_s)


def test_an_asset_takes_the_intro_of_the_defaults_back(loaded: Load) -> None:
    text = """\
        defaults:
          music: {loop: {intro: 2s}, fade: {curve: linear}}
        assets:
        - {id: a, kind: music, prompt: p, duration: 20s}
        - {id: b, kind: music, prompt: p, duration: 20s, loop: true}
        - {id: c, kind: music, prompt: p, duration: 20s, loop: false, fade: 1s, exact: true, width: 0.5}
        """
    first, second, third = (asset.mastering for asset in loaded(text).assets)
    assert (first.intro_s, second.intro_s, third.intro_s) == (2.0, 0.0, 0.0)
    assert (third.fade_curve, third.fade_out_s, third.exact, third.width) == ("linear", 1.0, True, 0.5)


@pytest.mark.parametrize(
    ("keys", "line", "message"),
    [
        (
            "  loop: {intro: 2 bars}\n",
            8,
            "an intro in bars needs a tempo; write bpm, or the intro in seconds",
        ),
        ("  loop: {intro: 2 bras}\n  bpm: 90\n", 8, "'2 bras' is not a length; write 2 bars, 6 beats or 4s"),
        (
            "  loop: {intro: 0 bars}\n  bpm: 90\n",
            8,
            "'0 bars' is out of range; write a number of bars from 1 beat",
        ),
        ("  loop: {outro: 2 bars}\n", 8, "loop.outro: unknown key; did you mean intro?"),
        ("  loop: often\n", 8, "'often' is neither true nor false"),
        (
            "  loop: {intro: 19s}\n  bpm: 120\n",
            7,
            "is too short for a whole bar at 120 bpm after an intro of 19 s; write 21s",
        ),
        (
            "  loop: {intro: 20s}\n",
            7,
            "20 s is too short for a loop after an intro of 20 s; write 20.5s or more",
        ),
        (
            "  loop: true\n  bpm: 100\n  exact: true\n",
            10,
            "a loop of exactly 20 s is not a whole number of bars at 100 bpm; write duration: 19.2s, or remove exact",
        ),
        (
            "  loop: {intro: 4s}\n  formats: [mp3]\n",
            9,
            "mp3 cannot store where the loop starts after its intro; add one of wav, flac, ogg, opus",
        ),
        ("  channels: 1\n  width: 1.5\n", 9, "mono has no width; set channels: 2, or remove width"),
        ("  fade: {curve: round}\n", 8, "'round' is not a curve; write one of"),
        ("  width: 3\n", 8, "'3' is out of range; write a width from 0 to 2"),
    ],
)
def test_what_cannot_be_is_reported_with_its_line_and_the_remedy(
    complaints: Complain, keys: str, line: int, message: str
) -> None:
    (problem,) = complaints(CUE + keys)
    assert f":{line}: " in problem or problem.startswith(f"{line}: ")
    assert message in problem


@given(st.decimals(20, 400, places=2), st.integers(0, 60), st.booleans())
@settings(suppress_health_check=ONE_FIXTURE_FOR_ALL)
def test_the_duration_that_a_message_asks_for_is_taken(
    loaded: Load, complaints: Complain, bpm: Decimal, beats: int, exact: bool
) -> None:
    loop = f"{{intro: {beats} beats}}" if beats else "true"
    keys = f"  bpm: {bpm}\n  loop: {loop}\n" + ("  exact: true\n" if exact else "")
    too_short = CUE.replace("20s", "0.01s") + keys
    [problem] = complaints(too_short)
    enough = re.search("write ([0-9.]+s) or more", problem)
    assert enough
    longer = CUE.replace("20s", enough[1]) + keys
    if exact:
        with contextlib.suppress(ManifestError):
            loaded(longer)
            return
        [problem] = complaints(longer)
        fitting = re.search("write duration: ([0-9.]+s), or", problem)
        assert fitting
        longer = CUE.replace("20s", fitting[1]) + keys
    assert loaded(longer).assets


@pytest.mark.parametrize(
    ("bpm", "intro", "duration"), [("25", 3, "38.4"), ("28", 6, "60"), ("22.5", 5, "64")]
)
def test_a_loop_of_one_bar_after_its_intro_fits_whatever_binary_fractions_make_of_it(
    loaded: Load, bpm: str, intro: int, duration: str
) -> None:
    text = CUE.replace("20s", duration) + f"  bpm: {bpm}\n  loop: {{intro: {intro} bars}}\n"
    assert loaded(text).assets


@pytest.mark.parametrize("loop", [True, False, {"intro": "2 bars"}, {"intro": "1.5 s"}, {"intro": 4}])
def test_editors_take_what_is_read(loop: object) -> None:
    asset = {"id": "m", "kind": "music", "prompt": "p", "duration": "20s", "loop": loop, "bpm": 90}
    document = {"cuesmith": 1, "project": "game", "assets": [asset]}
    assert list(Draft7Validator(json_schema()).iter_errors(document)) == []


def test_editors_refuse_an_intro_of_nothing_known() -> None:
    asset = {"id": "m", "kind": "music", "prompt": "p", "duration": "20s", "loop": {"intro": "2 bras"}}
    document = {"cuesmith": 1, "project": "game", "assets": [asset]}
    assert list(Draft7Validator(json_schema()).iter_errors(document))
