"""A value means what it looks like, and its key says how to read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifest_texts import Complain, Load

from pipeline.generators.audiocraft.manifest_keys import keys_of
from pipeline.manifest import values
from pipeline.manifest.problems import Fault

ASSET = "assets:\n- {id: a, kind: music, prompt: a song, duration: 60, %s}\n"


@pytest.mark.parametrize(
    "word", ["no", "on", "yes", "off", "017", "1:30", "0x1F", "1_000", "3.10", "True", ".5"]
)
def test_words_that_yaml_turns_into_something_else_stay_text(word: str, loaded: Load) -> None:
    text = f"""\
        assets:
        - id: sfx/{{word}}
          kind: sfx
          prompt: {word}
          duration: 1
          tags: [{word}]
          for_each: {{word: [x{word.replace(":", "-")}]}}
        """
    asset = loaded(text).assets[0]
    assert (asset.prompt, asset.tags) == (word, (word,))
    assert asset.id == f"sfx/x{word.replace(':', '-')}"


def test_for_each_values_stay_text(loaded: Load) -> None:
    each = "for_each: {v: [no, on, 017, 1e3, 'null']}"
    text = f"assets:\n- {{id: 's/{{v}}', kind: sfx, prompt: a, duration: 1, {each}}}\n"
    assert [asset.id for asset in loaded(text).assets] == ["s/017", "s/1e3", "s/no", "s/null", "s/on"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("40s", 40.0),
        ("1.5 s", 1.5),
        ("600ms", 0.6),
        ("700 MS", 0.7),
        ("2min", 120.0),
        ("1:30", 90.0),
        ("0:07.25", 7.25),
        ("017", 17.0),
        (".5", 0.5),
        ("12", 12.0),
        ("+3", 3.0),
        ("60:00", 3600.0),
    ],
)
def test_a_duration_is_read_as_written(text: str, seconds: float, loaded: Load) -> None:
    asset = loaded(f"assets:\n- {{id: a, kind: sfx, prompt: a, duration: {text}}}\n").assets[0]
    assert asset.duration_s == seconds
    assert asset.mastering.duration_s == seconds


@pytest.mark.parametrize(
    "text", ["1:60", "1:2:3", "1,5", "-1", "0", "61min", "3 bars", "1 e3", "٣", "inf", "1_0", "s"]
)
def test_a_duration_that_could_mean_two_things_is_refused(text: str) -> None:
    with pytest.raises(Fault):
        values.DURATION.read(text)


@pytest.mark.parametrize(
    ("key", "field", "value"),
    [
        ("loudness: -16 LUFS", "loudness_lufs", -16.0),
        ("loudness: -23.5 lkfs", "loudness_lufs", -23.5),
        ("loudness: -14", "loudness_lufs", -14.0),
        ("true_peak: -1.5 dBTP", "true_peak_dbtp", -1.5),
        ("true_peak: -2", "true_peak_dbtp", -2.0),
        ("sample_rate: 48 kHz", "sample_rate_hz", 48000),
        ("sample_rate: 44.1kHz", "sample_rate_hz", 44100),
        ("sample_rate: 22050 Hz", "sample_rate_hz", 22050),
        ("sample_rate: 32000", "sample_rate_hz", 32000),
        ("channels: 1", "channels", 1),
        ("trim: true", "trim", True),
        ("fade: 20ms", "fade_out_s", 0.02),
        ("fade: {out: 2 s}", "fade_out_s", 2.0),
        ("fade: {in: 0}", "fade_in_s", 0.0),
    ],
)
def test_mastering_values_are_read_with_and_without_units(
    key: str, field: str, value: Any, loaded: Load
) -> None:
    found = getattr(loaded(ASSET % key).assets[0].mastering, field)
    assert found == value
    assert type(found) is type(value)


def test_a_number_field_reads_decimal_numbers(loaded: Load) -> None:
    asset = loaded(ASSET % "bpm: 092, variations: 017, seed: 010").assets[0]
    assert (asset.bpm, asset.variations, asset.seed) == (92.0, 17, 10)


def test_sampling_is_read_and_leaves_the_rest_to_the_model(loaded: Load) -> None:
    sampling = keys_of(loaded(ASSET % "sampling: {temperature: 0.8, top_k: 100}").assets[0]).sampling
    assert sampling == {"temperature": 0.8, "top_k": 100}


def test_a_temperature_of_zero_asks_for_the_likeliest_token(loaded: Load) -> None:
    assert keys_of(loaded(ASSET % "sampling: {temperature: 0}").assets[0]).sampling == {"temperature": 0.0}


def test_a_wrapped_prompt_is_one_line(loaded: Load) -> None:
    text = """\
        assets:
        - id: a
          kind: sfx
          duration: 1
          prompt: >
            a heavy door,
              slow   creak

            and a thud
        """
    assert loaded(text).assets[0].prompt == "a heavy door, slow creak and a thud"


def test_quotes_make_a_word_text_where_it_would_be_nothing(loaded: Load, complaints: Complain) -> None:
    assert loaded(ASSET % "tags: ['null', \"~\"]").assets[0].tags == ("null", "~")
    assert complaints(ASSET % "tags: [null]") == [
        "m.yaml:4: assets[0].tags[0]: has no value; write a short text, or remove the line"
    ]


@given(st.decimals(min_value="0.01", max_value=3600, places=3))
def test_seconds_milliseconds_and_plain_numbers_agree(seconds: Any) -> None:
    plain = values.DURATION.read(f"{seconds:f}")
    assert values.DURATION.read(f"{seconds:f} s") == plain
    assert values.DURATION.read(f"{seconds * 1000:f}ms") == plain


def _remedy(read: Callable[[str], object], text: str) -> str:
    try:
        read(text)
    except Fault as fault:
        return fault.remedy
    return "none needed"


@given(st.text())
def test_any_text_is_read_or_refused_with_a_remedy(text: str) -> None:
    for quantity in (values.DURATION, values.LOUDNESS, values.VARIATIONS, values.TEMPO):
        assert _remedy(quantity.read, text)
