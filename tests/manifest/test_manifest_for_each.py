"""One entry stands for every combination of its lists."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifest_texts import Complain, Load, write_sound

from pipeline.generators.audiocraft.manifest_keys import keys_of
from pipeline.generators.shared_keys import FileKeys
from pipeline.manifest.names import compile_template


def test_every_combination_becomes_an_asset(loaded: Load) -> None:
    text = """\
        assets:
        - id: sfx/door/{door}/{move}
          kind: sfx
          prompt: "{door} door, {move}"
          duration: 1s
          variations: 3
          tags: [door, "{move}"]
          ucs: {category: DOORWood, name: "{door} {move}"}
          for_each: {door: [oak, iron], move: [open, close]}
        """
    assets = loaded(text).assets
    assert [asset.id for asset in assets] == [
        "sfx/door/iron/close",
        "sfx/door/iron/open",
        "sfx/door/oak/close",
        "sfx/door/oak/open",
    ]
    iron = assets[0]
    assert (iron.prompt, iron.tags, iron.variations) == ("iron door, close", ("door", "close"), 3)
    assert iron.ucs is not None
    assert (iron.ucs.category, iron.ucs.name) == ("DOORWood", "iron close")
    assert {asset.source.line for asset in assets} == {4}


def test_a_space_in_a_value_is_an_underscore_in_the_id(loaded: Load) -> None:
    text = "assets:\n- {id: 's/{v}', kind: sfx, prompt: 'on {v}', duration: 1, for_each: {v: [wet grass]}}\n"
    asset = loaded(text).assets[0]
    assert (asset.id, asset.prompt) == ("s/wet_grass", "on wet grass")


def test_two_braces_are_one_brace(loaded: Load) -> None:
    text = "assets:\n- {id: s, kind: sfx, prompt: 'a {{door}} }}', duration: 1}\n"
    assert loaded(text).assets[0].prompt == "a {door} }"


def test_tags_that_come_out_equal_stand_once(loaded: Load) -> None:
    text = (
        "assets:\n- {id: '{v}', kind: sfx, prompt: a, duration: 1, tags: [a, '{v}'], for_each: {v: [a, b]}}\n"
    )
    assert [asset.tags for asset in loaded(text).assets] == [("a",), ("a", "b")]


def test_each_combination_may_have_a_melody_of_its_own(loaded: Load, folder: Path) -> None:
    by_day = write_sound(folder / "audio" / "day.wav", level=0.5)
    write_sound(folder / "audio" / "night.wav", level=0.25)
    text = """\
        assets:
        - id: music/{time}
          kind: music
          prompt: a song
          duration: 9
          melody: audio/{time}.wav
          for_each: {time: [day, night]}
        """
    day, night = loaded(text).assets
    assert keys_of(day).melody is not None
    assert keys_of(night).melody is not None
    assert (keys_of(day).melody.name, Path(keys_of(day).melody.path)) == (
        "audio/day.wav",
        (folder / "audio" / "day.wav").resolve(),
    )
    assert keys_of(day).melody.sha256 == hashlib.sha256(by_day).hexdigest()
    assert keys_of(night).melody.sha256 != keys_of(day).melody.sha256


def test_a_style_is_a_file_or_a_file_and_how_it_is_heard(loaded: Load, folder: Path) -> None:
    data = write_sound(folder / "day.wav", seconds=95)
    text = """\
        assets:
        - {id: "{time}", kind: music, prompt: a song, duration: 9, style: "{time}.wav", for_each: {time: [day]}}
        - id: music/other
          kind: music
          prompt: a song
          duration: 9
          style: {file: day.wav, at: 1:30, excerpt: 4.5s, codebooks: 1, text: 2}
        """
    day, other = loaded(text).assets
    style = keys_of(day).style
    assert style is not None
    assert style.file.sha256 == hashlib.sha256(data).hexdigest()
    usual = {"style_excerpt_s": 3.0, "style_codebooks": 3, "cfg_text": 5.0}
    asked = {"style_at_s": 90.0, "style_excerpt_s": 4.5, "style_codebooks": 1, "cfg_text": 2.0}
    assert style == FileKeys(style.file, usual)
    assert keys_of(other).style == FileKeys(style.file, asked)


def test_what_is_wrong_with_one_combination_is_said_once(complaints: Complain) -> None:
    text = """\
        assets:
        - id: sfx/{v}
          kind: sfx
          prompt: a
          duration: 1
          melody: "{v}.wav"
          for_each: {v: [con, nul, fine]}
        """
    assert complaints(text) == [
        "m.yaml:4: assets[0].id: 'con' is a device's name on Windows; choose another name",
        "m.yaml:8: assets[0].melody: path 'con.wav' contains a name that Windows cannot open; "
        "rename that folder or file",
    ]


def test_values_that_make_one_name_are_refused(complaints: Complain) -> None:
    text = "assets:\n- {id: 's/{v}', kind: sfx, prompt: a, duration: 1, for_each: {v: [a b, a_b]}}\n"
    assert complaints(text) == [
        "m.yaml:4: assets[0].id: for_each makes 's/a_b' and 's/a_b', which are the same name; "
        "give each asset its own id"
    ]


def test_a_misspelt_placeholder_names_the_nearest(complaints: Complain) -> None:
    text = (
        "assets:\n- {id: 's/{place}', kind: sfx, prompt: 'in {plaec}', duration: 1, for_each: {place: [a]}}\n"
    )
    assert complaints(text) == [
        "m.yaml:4: assets[0].prompt: unknown placeholder '{plaec}'; did you mean {place}?"
    ]


def test_a_list_that_is_not_in_the_id_is_refused(complaints: Complain) -> None:
    text = "assets:\n- {id: 's/{a}', kind: sfx, prompt: '{b}', duration: 1, for_each: {a: [x], b: [y, z]}}\n"
    assert complaints(text) == [
        "m.yaml:4: assets[0].for_each.b: b is not used in the id; write {b} in the id, or remove b"
    ]


def test_more_combinations_than_a_catalog_should_hold_are_refused(complaints: Complain) -> None:
    many = ", ".join(map(str, range(600)))
    text = f"""\
assets:
- id: s/{{a}}/{{b}}
  kind: sfx
  prompt: x
  duration: 1
  for_each:
    a: [{many}]
    b: [{many}]
"""
    assert complaints(text) == [
        "m.yaml:8: assets[0].for_each: the manifest makes more than 200,000 assets; "
        "shorten the lists, or split the manifest"
    ]


@pytest.mark.parametrize("naming", ["", "  naming: '{id}-{variation}'\n"])
def test_more_takes_than_a_plan_can_hold_are_refused_before_any_is_thought_of(
    naming: str, complaints: Complain
) -> None:
    places = [str(number) for number in range(300)]
    text = (
        "assets:\n- id: sfx/{x}/{y}\n  kind: sfx\n  prompt: step\n  duration: 1s\n"
        f"  for_each: {{x: {places}, y: {places}}}\n  candidates: 2\n  variations: 999\n{naming}"
        "- {id: sfx/few, kind: sfx, prompt: step, duration: 1s, variations: 999, candidates: 64}\n"
    )
    assert complaints(text) == [
        "m.yaml:10: assets[0].variations: the manifest makes more than 1,000,000 takes; "
        "ask for fewer variations or candidates, shorten for_each, or split the manifest"
    ]


@given(st.text(alphabet=st.characters(exclude_characters="{}")), st.text(), st.text())
def test_filling_in_puts_the_value_where_the_name_stood(text: str, value: str, other: str) -> None:
    template = compile_template(f"{text}{{b}}{text}", ["a", "b"])
    assert template.fill([other, value]) == text + value + text


@given(st.text())
def test_doubled_braces_bring_any_text_through(text: str) -> None:
    doubled = text.replace("{", "{{").replace("}", "}}")
    assert compile_template(doubled, []).fill([]) == text
