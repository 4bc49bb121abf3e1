"""`was`: earlier ids of renamed assets, and what cannot be one."""

from __future__ import annotations

import pytest
from manifest_texts import Complain, Load

FAMILY = """\
assets:
- id: sfx/step/{surface}
  was: %s
  kind: sfx
  prompt: a step on {surface}
  duration: 1
  for_each: {surface: [gravel, wet grass]}
"""


def _asset(id_: str, was: str = "") -> str:
    return f"- {{id: {id_}, {was}kind: sfx, prompt: a, duration: 1}}\n"


def test_earlier_ids_are_one_or_a_list_and_may_be_templates(loaded: Load) -> None:
    assert [asset.was for asset in loaded(FAMILY % '"foot/{surface}"').assets] == [
        ("foot/gravel",),
        ("foot/wet_grass",),
    ]
    listed = loaded(FAMILY % '["foot/{surface}", "feet/{surface}"]').assets
    assert listed[1].was == ("foot/wet_grass", "feet/wet_grass")
    assert listed[1].origin == "feet/wet_grass"
    assert loaded("assets:\n" + _asset("a")).assets[0].origin == "a"


def test_capitals_alone_may_change(loaded: Load) -> None:
    assert loaded("assets:\n" + _asset("SFX/Door", "was: sfx/door, ")).assets[0].was == ("sfx/door",)


@pytest.mark.parametrize(
    ("assets", "said"),
    [
        (
            _asset("b", "was: a, ") + _asset("a"),
            "m.yaml:4: assets[0].was: 'b' was 'a', and assets[1] on line 5 has the id 'a'; give that asset another "
            "id, or remove was",
        ),
        (
            _asset("b", "was: b, "),
            "m.yaml:4: assets[0].was: 'b' is the asset's own id; write its earlier id, or remove was",
        ),
        (
            _asset("b", "was: a, ") + _asset("c", "was: A, "),
            "m.yaml:5: assets[1].was: 'A' is already an earlier id of 'b' (assets[0] on line 4); "
            "write was at only one of the two",
        ),
        (_asset("b", "was: '../a', "), "m.yaml:4: assets[0].was: was '../a' has '..' as a part; write the whole name: "
         "an id is not a path that leads from folder to folder"),
        (_asset("b", "was: , "), "m.yaml:4: assets[0].was: has no value; write one, or remove the line"),
        (_asset("b", "was: [], "), "m.yaml:4: assets[0].was: is empty; write at least one value, or remove the line"),
        (_asset("b", "was: '{x}', "), "m.yaml:4: assets[0].was[0]: unknown placeholder '{x}'; add for_each: "
         "{x: [...]}, or write {{x}} for braces"),
        (_asset("b", "was: {a: b}, "), "m.yaml:4: assets[0].was: is a mapping, not a list; write [a, b] or one value "
         "a line, each after '- '"),
    ],
)  # fmt: skip
def test_what_cannot_be_an_earlier_id_is_reported(assets: str, said: str, complaints: Complain) -> None:
    messages = complaints("assets:\n" + assets)
    assert [message.replace("was[0]: was '", "was: was '") for message in messages] == [said]


def test_two_that_swap_their_names_are_refused(complaints: Complain) -> None:
    messages = complaints("assets:\n" + _asset("a", "was: b, ") + _asset("b", "was: a, "))
    assert [message.partition(";")[0] for message in messages] == [
        "m.yaml:4: assets[0].was: 'a' was 'b', and assets[1] on line 5 has the id 'b'",
        "m.yaml:5: assets[1].was: 'b' was 'a', and assets[0] on line 4 has the id 'a'",
    ]


def test_a_family_whose_earlier_ids_are_one_is_refused(complaints: Complain) -> None:
    assert complaints(FAMILY % "foot") == [
        "m.yaml:5: assets[0].was: for_each makes two assets with the earlier id 'foot'; use the names of "
        "for_each in was, as in the id"
    ]


def test_a_settings_layer_has_no_earlier_ids(complaints: Complain) -> None:
    [message] = complaints("defaults: {sfx: {was: a}}\nassets: []\n")
    assert message == (
        "m.yaml:3: defaults.sfx.was: unknown key; only an asset can have it; move it to the asset"
    )
