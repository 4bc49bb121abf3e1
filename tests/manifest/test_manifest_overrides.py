"""`overrides`: other values for some combinations of for_each, and messages that name the override."""

from __future__ import annotations

from pathlib import Path

import pytest
from manifest_texts import Complain, Load, write_sound

from pipeline.generators.audiocraft.manifest_keys import keys_of
from pipeline.manifest import Project
from pipeline.manifest.spec import AssetSpec

DOORS = """\
defaults: {sfx: {quality: {noise: 0.5}}}
assets:
- id: door/{door}/{move}
  kind: sfx
  prompt: a {door} door, {move}
  duration: 1
  quality: {dc: 0.1}
  for_each: {door: [oak, iron], move: [open, close]}
  overrides:
"""


def _doors(overrides: str) -> str:
    return DOORS + "".join(f"  - {line}\n" for line in overrides.splitlines())


def _by_id(project: Project) -> dict[str, AssetSpec]:
    return {asset.id.removeprefix("door/"): asset for asset in project.assets}


def test_one_combination_has_values_of_its_own(loaded: Load) -> None:
    text = (
        "{when: {door: oak, move: open}, seed: 7, prompt: 'one {door} gate', lock: true, quality: {noise: 1}}"
    )
    doors = _by_id(loaded(_doors(text)))
    oak = doors["oak/open"]
    assert (oak.seed, oak.prompt, oak.lock) == (7, "one oak gate", True)
    assert (oak.quality.noise, oak.quality.dc) == (1.0, 0.1)
    others = [doors[name] for name in ("oak/close", "iron/open", "iron/close")]
    assert {(one.seed, one.lock, one.quality.noise, one.quality.dc) for one in others} == {
        (0, False, 0.5, 0.1)
    }
    assert doors["iron/open"].prompt == "a iron door, open"


def test_a_name_that_is_left_out_means_every_value(loaded: Load) -> None:
    doors = _by_id(
        loaded(_doors("{when: {door: iron}, variations: 3}\n{when: {move: [open, close]}, candidates: 2}"))
    )
    assert [doors[name].variations for name in ("oak/open", "iron/open", "iron/close")] == [1, 3, 3]
    assert {one.candidates for one in doors.values()} == {2}


def test_the_last_override_that_writes_a_key_counts(loaded: Load) -> None:
    doors = _by_id(loaded(_doors("{when: {door: oak}, seed: 1, bpm: 90}\n{when: {move: open}, seed: 2}")))
    assert {name: one.seed for name, one in doors.items()} == {
        "oak/open": 2,
        "oak/close": 1,
        "iron/open": 2,
        "iron/close": 0,
    }
    assert doors["oak/open"].bpm == 90


def test_every_key_of_one_asset_may_be_overridden(loaded: Load, folder: Path) -> None:
    write_sound(folder / "tune.wav", seconds=4)
    keys = (
        "duration: 2s, loop: true, tags: ['{move}'], formats: [flac], melody: tune.wav, style: tune.wav, "
        "ucs: {category: DOORWood}, model: ./m, was: 'old/{door}/{move}', naming: 'x/{name}_{variation}'"
    )
    oak = _by_id(loaded(_doors(f"{{when: {{door: oak, move: open}}, {keys}}}")))["oak/open"]
    assert (oak.duration_s, oak.loop, oak.tags, oak.delivery.formats) == (2.0, True, ("open",), ("flac",))
    keys = keys_of(oak)
    assert keys.melody is not None
    assert keys.style is not None
    assert keys.style.file == keys.melody
    assert oak.ucs is not None
    assert (oak.model, oak.model_folder) == ("./m", str(folder.resolve()))
    assert (oak.was, oak.naming) == (("old/oak/open",), "x/open_{variation}")


def test_an_override_leaves_the_other_sounds_as_they_are(loaded: Load) -> None:
    plain = _by_id(loaded(DOORS.replace("  overrides:\n", "")))
    changed = _by_id(loaded(_doors("{when: {door: oak, move: open}, prompt: other}")))
    assert {name for name, one in plain.items() if changed[name] != one} == {"oak/open"}


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ("{when: {doors: oak}, seed: 1}", "overrides[0].when.doors: for_each has no 'doors'; did you mean door?"),
        ("{when: {door: oack}, seed: 1}", "overrides[0].when.door: 'oack' is not a value of door in for_each; did "
         "you mean oak?"),
        ("{when: {door: [oak, lead]}, seed: 1}", "overrides[0].when.door: 'lead' is not a value of door in for_each; "
         "its values are oak, iron"),
        ("{when: {}, seed: 1}", "overrides[0].when: is empty; write at least one value, or remove the line"),
        ("{seed: 1}", "overrides[0].when: is missing; write when: and names of for_each, such as "
         "when: {surface: gravel}"),
        ("{when: {door: oak}}", "overrides[0]: has only when; add a key such as seed: 7, or remove it"),
        ("{when: {door: oak}, seed: many}", "overrides[0].seed: 'many' is not a whole number; write a whole number "
         "such as 7"),
        ("{when: {door: oak}, sead: 1}", "overrides[0].sead: unknown key; did you mean seed?"),
        ("{when: {door: oak}, id: a}", "overrides[0].id: unknown key; only an asset can have it; move it to the "
         "asset"),
        ("{when: {door: oak}, engine: toy}", "overrides[0].engine: unknown key; only an asset can have it; move it "
         "to the asset"),
        ("{when: {door: oak}, prompt: 'a {gate}'}", "overrides[0].prompt: unknown placeholder '{gate}'; add for_each: "
         "{gate: [...]}, or write {{gate}} for braces"),
        ("{when: {door: oak}, melody: gone.wav}", "overrides[0].melody: there is no file 'gone.wav'; check the path, "
         "which starts at this file's folder"),
        ("{when: {door: oak}, fade: 2s}", "overrides[0].fade: fades of 4 s together are longer than the sound (1 s); "
         "shorten fade or lengthen duration"),
        ("{when: {door: oak}, loop: true, fade: 1s}", "overrides[0].fade: a loop cannot fade: its end runs into its "
         "start; remove fade, or write loop: false"),
        ("{when: {door: oak}, was: a}", "overrides[0].was: for_each makes two assets with the earlier id 'a'; "
         "use the names of for_each in was, as in the id"),
    ],
)  # fmt: skip
def test_a_fault_of_an_override_names_the_override(overrides: str, said: str, complaints: Complain) -> None:
    line = DOORS.count("\n") + 3
    assert complaints(_doors(overrides)) == [f"m.yaml:{line}: assets[0].{said}"]


def test_the_same_combination_twice_is_refused(complaints: Complain) -> None:
    [message] = complaints(_doors("{when: {door: oak}, seed: 1}\n{when: {door: [oak]}, bpm: 90}"))
    place = "m.yaml:13: assets[0].overrides[1].when"
    assert message == f"{place}: overrides[0] has the same when; write all of its keys in one"


def test_overrides_without_a_family_are_refused(complaints: Complain) -> None:
    text = "assets:\n- {id: a, kind: sfx, prompt: a, duration: 1, overrides: [{when: {x: y}, seed: 1}]}\n"
    assert complaints(text) == [
        "m.yaml:4: assets[0].overrides: overrides need a for_each; write these keys in the asset itself"
    ]


def test_when_in_an_asset_is_reported_its_place(complaints: Complain) -> None:
    [message] = complaints("assets:\n- {id: a, kind: sfx, prompt: a, duration: 1, when: {x: y}}\n")
    assert message == "m.yaml:4: assets[0].when: unknown key here; write it below overrides"


def test_a_fault_of_the_entry_itself_is_said_once(complaints: Complain) -> None:
    text = (
        _doors("{when: {door: oak}, seed: 1}")
        .replace("a {door} door", "a {gate} door")
        .replace("{dc: 0.1}", "{dc: 3}")
    )
    assert [message.partition(";")[0] for message in complaints(text)] == [
        "m.yaml:7: assets[0].prompt: unknown placeholder '{gate}'",
        "m.yaml:9: assets[0].quality.dc: '3' is out of range",
    ]


def test_variations_of_an_override_count_for_the_limit(complaints: Complain) -> None:
    text = (
        "assets:\n- {id: 'a/{n}', kind: sfx, prompt: a, duration: 1, candidates: 64, "
        "for_each: {n: [" + ", ".join(map(str, range(100))) + "]}, "
        "overrides: [{when: {n: [" + ", ".join(map(str, range(50))) + "]}, variations: 999}]}\n"
    )
    [message] = complaints(text)
    assert message.startswith(
        "m.yaml:4: assets[0].overrides[0].variations: the manifest makes more than 1,000,000 takes"
    )
