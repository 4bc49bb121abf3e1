"""Templates for file names: what they make, and what no disk can hold is reported with place and remedy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifest_texts import Complain, Load

from manifests import load
from pipeline.catalog.rows import file_name
from pipeline.errors import ManifestError

STEP = "id: sfx/step/gravel, kind: sfx, prompt: x, duration: 1s"


def asset(more: str, head: str = STEP) -> str:
    return f"assets:\n- {{{head}, {more}}}\n"


def names(load_text: Load, text: str) -> list[str]:
    return [
        file_name(one.id, number, ".wav", one.naming)
        for one in load_text(text).assets
        for number in range(1, one.variations + 1)
    ]


def test_the_usual_name_is_the_id_and_the_variation(loaded: Load) -> None:
    [usual] = loaded(asset("variations: 1")).assets
    assert usual.naming is None
    assert names(loaded, asset("naming: '{id}_{variation}', variations: 2")) == [
        "sfx/step/gravel_01.wav",
        "sfx/step/gravel_02.wav",
    ]


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ("naming: '{project}/{name}-{variation}'", "game/gravel-01.wav"),
        (
            "naming: '{folder}/{category} {name} {variation}', ucs: {category: FOOTHmn}",
            "sfx/step/FOOTHmn gravel 01.wav",
        ),
        (
            "naming: ucs, ucs: {category: FOOTHmn, name: Boot Gravel}",
            "sfx/step/FOOTHmn_Boot Gravel_Cuesmith_game_01.wav",
        ),
        ("naming: ucs, ucs: {category: FOOTHmn}", "sfx/step/FOOTHmn_gravel_Cuesmith_game_01.wav"),
    ],
)
def test_templates_are_filled_in(loaded: Load, more: str, name: str) -> None:
    assert names(loaded, asset(more)) == [name]


def test_ucs_parts_hold_no_underscore_of_id_or_project(loaded: Load) -> None:
    gate = asset("naming: ucs, ucs: {category: DOORMetl}", STEP.replace("sfx/step/gravel", "iron_gate"))
    text = f"cuesmith: 1\nproject: my_game\n{gate}"
    [one] = loaded(text, head=False).assets
    assert file_name(one.id, 1, ".wav", one.naming) == "DOORMetl_iron gate_Cuesmith_my-game_01.wav"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            "naming: '{id}'",
            "'{id}' has no {variation}; add it: each alternate of a sound is a file of its own",
        ),
        (
            "naming: '{asset}_{variation}'",
            "unknown placeholder '{asset}'; known placeholders: {id}, {folder}",
        ),
        ("naming: '{id_{variation}'", "a single '{' in '{id_{variation}'"),
        ("naming: ucs", "naming: ucs needs a UCS category; write ucs: {category: FOOTHmn} for this asset"),
        ("naming: '{category}_{variation}'", "'{category}_{variation}' needs a UCS category"),
        ("naming: 'con.{variation}'", "'con.01' is a device's name on Windows; choose another name"),
        ("naming: '{id}_{variation}.wav'", "'gravel_01.wav' ends like a file's name; write gravel_01"),
        ("naming: 'a: {variation}'", "'a: 01' is not a valid file name on every system"),
        ("naming: '../{variation}'", "'../01' is not a valid file name on every system"),
        ("naming: 'a?{variation}'", "'a?01' is not a valid file name on every system"),
        ("naming: 'a./{variation}'", "'a./01' is not a valid file name on every system"),
        ("naming: 'a//{variation}'", "'a//01' is not a valid file name on every system"),
        ("naming: '{variation} '", "'01 ' is not a valid file name on every system"),
        (
            "naming: ucs, ucs: {category: FOOTHmn, name: Schritt über Kies}",
            "is not a valid file name on every",
        ),
        (f"naming: '{'a' * 170}{{variation}}'", "has 172 characters; shorten it to 160 or fewer"),
        (f"naming: '{'a' * 270}{{variation}}'", "has 272 characters; shorten it to 160 or fewer"),
    ],
)
def test_what_cannot_be_a_name_is_reported(complaints: Complain, more: str, said: str) -> None:
    [output] = complaints(asset(more))
    assert output.startswith("m.yaml:4: assets[0].naming: ")
    assert said in output


@pytest.mark.parametrize("length", [26, 201])
def test_a_long_fx_name_is_reported(complaints: Complain, length: int) -> None:
    [output] = complaints(asset(f"ucs: {{category: FOOTHmn, name: {'a' * length}}}"))
    assert output.startswith("m.yaml:4: assets[0].ucs.name: ")
    assert f"has {length} characters; shorten it to 25 or fewer" in output


def test_an_fx_name_made_of_a_long_id_is_reported(complaints: Complain) -> None:
    head = STEP.replace("gravel", "a_very_long_name_of_a_footstep")
    [output] = complaints(asset("naming: ucs, ucs: {category: FOOTHmn}", head))
    assert "has 30 characters; shorten it to 25 or fewer" in output


def test_two_assets_that_would_be_one_file_are_reported_once_whatever_their_capitals(
    complaints: Complain,
) -> None:
    text = """\
        defaults: {sfx: {naming: '{name}_{variation}', variations: 3}}
        assets:
        - {id: a/Step, kind: sfx, prompt: x, duration: 1s}
        - {id: b/step, kind: sfx, prompt: x, duration: 1s}
        """
    assert complaints(text) == [
        "m.yaml:6: assets[1].naming: two sounds have the file name 'step_01' (the other is assets[0] on line 5); "
        "give each its own ucs name, or use {id} in the template"
    ]


def test_combinations_of_one_entry_that_would_be_one_file_are_reported(complaints: Complain) -> None:
    head = "id: 'a/{x}', kind: sfx, prompt: x, duration: 1s, for_each: {x: [p, q]}"
    [output] = complaints(asset("naming: ucs, ucs: {category: FOOTHmn, name: Step}", head))
    assert "two sounds have the file name 'a/FOOTHmn_Step_Cuesmith_game_01'" in output


def test_a_template_may_not_take_another_assets_usual_name(complaints: Complain) -> None:
    text = """\
        assets:
        - {id: a/b, kind: sfx, prompt: x, duration: 1s}
        - {id: c, kind: sfx, prompt: x, duration: 1s, naming: 'a/b_{variation}'}
        """
    [output] = complaints(text)
    assert output.startswith("m.yaml:5: assets[1].naming: two sounds have the file name 'a/b_01'")


@given(template=st.text(alphabet="{}idnamevrto_/. -:con", max_size=30))
def test_any_template_makes_good_names_or_is_reported(
    template: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("naming") / "m.yaml"
    quoted = template.replace("'", "''")
    path.write_text(f"cuesmith: 1\nproject: game\nassets:\n- {{{STEP}, variations: 2, naming: '{quoted}'}}\n")
    try:
        [one] = load(path).assets
    except ManifestError:
        return
    files = {file_name(one.id, number, ".wav", one.naming) for number in (1, 2)}
    assert len(files) == 2
    assert all(part == part.strip(" .") and part for name in files for part in name.split("/"))
