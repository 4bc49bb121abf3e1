"""Which setting counts: built-in, then defaults, then the profile, then the asset."""

from __future__ import annotations

from pathlib import Path

import pytest
from manifest_texts import Load

from manifests import load
from pipeline.generators.audiocraft.manifest_keys import keys_of
from pipeline.manifest import Project
from pipeline.manifest.spec import DeliverySpec, MasteringSpec

ASSETS = """\
assets:
- {id: m, kind: music, prompt: a song, duration: 20s}
- {id: s, kind: sfx, prompt: a door, duration: 1s}
"""


def test_built_in_settings_are_those_of_the_handbook(loaded: Load) -> None:
    music, sfx = loaded(ASSETS).assets
    assert music.mastering == MasteringSpec(-16.0, -1.0, 48000, 2, 20.0, False, None, False, 0.01, 0.25)
    assert sfx.mastering == MasteringSpec(
        -23.0, -1.0, 48000, 1, 1.0, False, None, True, 0.0, 0.01, limit_db=9.0
    )
    for asset in (music, sfx):
        assert asset.delivery == DeliverySpec(("wav",), "24")
        assert keys_of(asset).sampling == {}
        assert (asset.engine, asset.model, asset.license) == ("sketch", None, "any")
        assert (asset.variations, asset.candidates, asset.seed, asset.tags) == (1, 1, 0, ())
        assert (asset.loop, asset.lock, keys_of(asset).extend) == (False, False, False)


def test_each_layer_goes_before_the_one_below(loaded: Load) -> None:
    text = """\
        defaults:
          sfx: {loudness: -20, true_peak: -2, variations: 2, candidates: 2}
        profiles:
          night:
            sfx: {loudness: -21, true_peak: -3, variations: 3}
        assets:
        - {id: s, kind: sfx, prompt: a door, duration: 1s, loudness: -22, true_peak: -4}
        """
    plain, night = loaded(text).assets[0], loaded(text, profile="night").assets[0]
    assert (plain.mastering.loudness_lufs, plain.mastering.true_peak_dbtp) == (-22.0, -4.0)
    assert (plain.variations, plain.candidates) == (2, 2)
    assert (night.mastering.loudness_lufs, night.variations, night.candidates) == (-22.0, 3, 2)


def test_a_profile_counts_only_when_it_is_chosen(loaded: Load) -> None:
    text = f"profiles: {{night: {{engine: audiocraft}}}}\n{ASSETS}"
    assert {asset.engine for asset in loaded(text).assets} == {"sketch"}
    assert {asset.engine for asset in loaded(text, profile="night").assets} == {"audiocraft"}


def test_the_name_of_a_profile_leaves_no_trace_in_an_asset(loaded: Load) -> None:
    one = loaded(f"profiles: {{night: {{sfx: {{variations: 3}}}}}}\n{ASSETS}", profile="night")
    other = loaded(f"profiles: {{late: {{sfx: {{variations: 3}}}}}}\n{ASSETS}", profile="late")
    assert one.assets == other.assets


def test_a_kind_may_have_an_engine_of_its_own(loaded: Load) -> None:
    text = f"profiles: {{night: {{engine: audiocraft, sfx: {{engine: sketch}}}}}}\n{ASSETS}"
    assert [asset.engine for asset in loaded(text, profile="night").assets] == ["audiocraft", "sketch"]


def test_another_engine_takes_back_the_model_below_it(loaded: Load) -> None:
    text = f"""\
defaults: {{engine: audiocraft, music: {{model: facebook/musicgen-small}}}}
profiles: {{prototype: {{engine: sketch}}, same: {{engine: audiocraft}}}}
{ASSETS}"""
    assert loaded(text).assets[0].model == "facebook/musicgen-small"
    assert loaded(text, profile="same").assets[0].model == "facebook/musicgen-small"
    assert loaded(text, profile="prototype").assets[0].model is None


def test_an_asset_may_have_an_engine_of_its_own_unless_a_profile_sets_one(loaded: Load) -> None:
    text = """\
        defaults: {sfx: {engine: audiocraft, model: facebook/audiogen-medium}}
        profiles: {prototype: {engine: sketch}, louder: {sfx: {loudness: -12 LUFS}}}
        assets:
        - {id: a, kind: sfx, prompt: a, duration: 1}
        - {id: b, kind: sfx, prompt: a, duration: 1, engine: toy}
        - {id: c, kind: sfx, prompt: a, duration: 1, engine: toy, model: toy/two}
        """
    audiocraft = ("audiocraft", "facebook/audiogen-medium")

    def engines(profile: str | None) -> list[tuple[str, str | None]]:
        return [(asset.engine, asset.model) for asset in loaded(text, profile=profile).assets]

    assert engines(None) == engines("louder") == [audiocraft, ("toy", None), ("toy", "toy/two")]
    assert engines("prototype") == [("sketch", None)] * 3


def test_sampling_and_fade_are_laid_key_by_key(loaded: Load) -> None:
    text = """\
        defaults: {music: {sampling: {top_k: 50, cfg: 3}, fade: {in: 1s, out: 2s}}}
        assets:
        - {id: m, kind: music, prompt: a, duration: 20, sampling: {cfg: 4}, fade: {out: 3s}}
        """
    asset = loaded(text).assets[0]
    assert keys_of(asset).sampling == {"top_k": 50, "cfg": 4.0}
    assert (asset.mastering.fade_in_s, asset.mastering.fade_out_s) == (1.0, 3.0)


def test_tags_of_the_asset_stand_in_place_of_those_below(loaded: Load) -> None:
    text = """\
        defaults: {sfx: {tags: [foley]}}
        assets:
        - {id: a, kind: sfx, prompt: a, duration: 1}
        - {id: b, kind: sfx, prompt: a, duration: 1, tags: [door]}
        - {id: c, kind: sfx, prompt: a, duration: 1, tags: []}
        """
    assert [asset.tags for asset in loaded(text).assets] == [("foley",), ("door",), ()]


def test_an_empty_tempo_or_model_takes_back_the_default(loaded: Load) -> None:
    text = """\
        defaults: {music: {bpm: 120, model: big}}
        assets:
        - {id: m, kind: music, prompt: a, duration: 20, bpm: , model: ~}
        """
    asset = loaded(text).assets[0]
    assert (asset.bpm, asset.model) == (None, None)


def test_a_loop_is_neither_faded_nor_trimmed_by_defaults(loaded: Load) -> None:
    text = """\
        defaults: {sfx: {fade: 1s, trim: true}}
        assets:
        - {id: wind, kind: sfx, prompt: wind, duration: 9, loop: true}
        """
    mastering = loaded(text).assets[0].mastering
    assert (mastering.trim, mastering.fade_in_s, mastering.fade_out_s) == (False, 0.0, 0.0)


def test_a_tempo_changes_the_master_of_a_loop_only(loaded: Load) -> None:
    text = "assets:\n- {id: m, kind: music, prompt: a, duration: 20, bpm: 90, loop: %s}\n"
    assert loaded(text % "true").assets[0].mastering.bpm == 90.0
    assert loaded(text % "false").assets[0].mastering.bpm is None


def test_the_seed_of_an_asset_stands_in_place_of_the_manifests(loaded: Load) -> None:
    text = "seed: 7\nassets:\n- {id: a, kind: sfx, prompt: a, duration: 1}\n"
    assert loaded(text).assets[0].seed == 7
    assert loaded(text.replace("1}", "1, seed: 0}")).assets[0].seed == 0


def test_equal_settings_are_one_object(loaded: Load) -> None:
    text = "assets:\n" + "".join(f"- {{id: a{n}, kind: sfx, prompt: a, duration: 1}}\n" for n in range(3))
    assert len({id(asset.mastering) for asset in loaded(text).assets}) == 1


def test_the_order_of_assets_and_keys_changes_nothing(loaded: Load) -> None:
    door, bell = (
        "{id: b, kind: sfx, prompt: door, duration: 1}",
        "{id: a, kind: sfx, prompt: bell, duration: 2}",
    )
    turned = "{duration: 1, prompt: door, kind: sfx, id: b}"
    one = loaded(f"assets:\n- {door}\n- {bell}\n")
    other = loaded(f"assets:\n- {bell}\n- {turned}\n")

    def without_place(project: Project) -> list[object]:
        return [(asset.id, asset.prompt, asset.mastering, asset.seed) for asset in project.assets]

    assert without_place(one) == without_place(other)
    assert [asset.id for asset in one.assets] == ["a", "b"]


def test_empty_sections_are_as_good_as_none(loaded: Load) -> None:
    text = f"include:\ndefaults:\nprofiles:\n  night:\n{ASSETS}"
    assert loaded(text, profile="night").assets == loaded(text).assets


@pytest.mark.parametrize("name", ["a.yaml", "sub/a.yaml"])
def test_a_project_knows_its_file_profile_and_source_lines(name: str, folder: Path) -> None:
    text = f"cuesmith: 1\nproject: game\n{ASSETS}"
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    project = load(Path(name))
    assert (project.name, project.file, project.profile) == ("game", str(Path(name)), None)
    assert [(asset.source.file, asset.source.line) for asset in project.assets] == [
        ("a.yaml", 4),
        ("a.yaml", 5),
    ]
