"""Assets in several files: one manifest, and every message names the file and the line that a person must open."""

from __future__ import annotations

from pathlib import Path

import pytest
from manifest_texts import HEAD, Complain, Load, write_sound

from manifests import load_cached
from pipeline.errors import ManifestError
from pipeline.generators.audiocraft.manifest_keys import keys_of
from pipeline.plan import check_profiles

MUSIC = "cuesmith: 1\nassets:\n- {id: music/a, kind: music, prompt: a song, duration: 9}\n"
SFX = """\
cuesmith: 1
assets:
- id: sfx/{v}
  kind: sfx
  prompt: a {v}
  duration: 1
  for_each: {v: [door, gate]}
"""


@pytest.fixture
def files(folder: Path) -> Path:
    (folder / "sound").mkdir()
    (folder / "music.yaml").write_text(MUSIC)
    (folder / "sound" / "sfx.yaml").write_text(SFX)
    return folder


def test_assets_of_listed_files_are_the_manifests(files: Path, loaded: Load) -> None:
    own = "- {id: ui/click, kind: sfx, prompt: a click, duration: 1}\n"
    text = f"seed: 4\ndefaults: {{sfx: {{variations: 2}}}}\nassets:\n- music.yaml\n{own}- sound/sfx.yaml\n"
    project = loaded(text)
    assert {asset.id: (asset.source.file, asset.source.line) for asset in project.assets} == {
        "music/a": ("music.yaml", 3),
        "sfx/door": ("sound/sfx.yaml", 3),
        "sfx/gate": ("sound/sfx.yaml", 3),
        "ui/click": ("m.yaml", 7),
    }
    assert {asset.seed for asset in project.assets} == {4}
    assert [asset.variations for asset in project.assets] == [1, 2, 2, 2]


def test_where_an_asset_stands_changes_nothing_else(files: Path, loaded: Load) -> None:
    apart = loaded("assets: [music.yaml, sound/sfx.yaml]\n").assets
    together = loaded(f"assets:\n{MUSIC.split('assets:')[1]}{SFX.split('assets:')[1]}").assets
    assert [asset.id for asset in apart] == [asset.id for asset in together]
    assert [asset.prompt for asset in apart] == [asset.prompt for asset in together]


def test_paths_start_at_the_file_that_holds_them(files: Path, loaded: Load) -> None:
    write_sound(files / "sound" / "tune.wav")
    asset = "cuesmith: 1\nassets:\n- {{id: m/{0}, kind: music, prompt: a, duration: 9, melody: {1}, model: ./m}}\n"
    (files / "sound" / "sfx.yaml").write_text(asset.format("a", "tune.wav"))
    (files / "music.yaml").write_text(asset.format("b", "sound/tune.wav"))
    inner, outer = loaded("assets: [sound/sfx.yaml, music.yaml]\n").assets
    assert keys_of(inner).melody == keys_of(outer).melody
    assert keys_of(inner).melody is not None
    assert keys_of(inner).melody.name == "sound/tune.wav"
    assert inner.model_folder == str((files / "sound").resolve())


@pytest.mark.parametrize("name", ["music.yaml", "sound/sfx.yaml"])
def test_a_listed_file_counts_for_the_manifests_hash_and_its_cache(
    name: str, files: Path, loaded: Load, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    before = loaded("assets: [music.yaml, sound/sfx.yaml]\n")
    assert load_cached(Path("m.yaml"), None, cache) == load_cached(Path("m.yaml"), None, cache) == before
    (files / name).write_text((files / name).read_text().replace("prompt: a", "prompt: the"))
    after = load_cached(Path("m.yaml"), None, cache)
    assert after.sha256 != before.sha256
    assert any(asset.prompt.startswith("the") for asset in after.assets)


def test_problems_name_the_file_and_the_line(files: Path, complaints: Complain) -> None:
    (files / "music.yaml").write_text(MUSIC.replace("duration: 9", "duratoin: 9"))
    (files / "sound" / "sfx.yaml").write_text(
        SFX.replace("{v}\n", "{w}\n").replace("id: sfx/{w}", "id: sfx/{v}")
    )
    assert complaints("assets:\n- music.yaml\n- sound/sfx.yaml\n- {id: sfx/x, kind: sfx, prompt: x}\n") == [
        "m.yaml:6: assets[2].duration: is missing; write one such as duration: 2s, here or in defaults",
        "music.yaml:3: assets[0].duratoin: unknown key; did you mean duration?",
        "sound/sfx.yaml:5: assets[0].prompt: unknown placeholder '{w}'; add for_each: {w: [...]}, "
        "or write {{w}} for braces",
    ]


TWO_IDS = """\
assets:
- {id: SFX/door, kind: sfx, prompt: a, duration: 1}
- {id: music/a, kind: sfx, prompt: a, duration: 1}
- music.yaml
- sound/sfx.yaml
"""
ONE_FILE_NAME = """\
defaults: {sfx: {naming: 'x_{variation}'}, music: {naming: 'x_{variation}'}}
assets: [music.yaml, sound/sfx.yaml]
"""
SAID = {
    TWO_IDS: [
        "music.yaml:3: assets[0].id: id 'music/a' is used by assets[1] on line 5 of m.yaml; "
        "give each asset its own id",
        "sound/sfx.yaml:3: assets[0].id: id 'sfx/door' differs from 'SFX/door' of assets[0] on line 4 of m.yaml "
        "only in letter case or Unicode form; some file systems treat them as the same; give each asset its own id",
    ],
    ONE_FILE_NAME: [
        "sound/sfx.yaml:3: assets[0].naming: two sounds have the file name 'x_01' (the other is assets[0] on line 3 "
        "of music.yaml); give each its own ucs name, or use {id} in the template"
    ],
}


@pytest.mark.parametrize("text", SAID, ids=["id", "file name"])
def test_what_two_files_may_not_share_names_both(text: str, files: Path, complaints: Complain) -> None:
    assert complaints(text) == SAID[text]


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ("[gone.yaml]", "there is no file 'gone.yaml'; check the path, which starts at this file's folder"),
        (
            "[music.yaml, music.yaml]",
            "file 'music.yaml' is read already; list each file once, and no included one",
        ),
        ("[m.yaml]", "file 'm.yaml' is read already; list each file once, and no included one"),
        (
            "[../m.yaml]",
            "path '../m.yaml' leads out of the manifest's folder; move the file into that folder",
        ),
        ("[music]", "is not a mapping; write key: value lines, such as id: sfx/door/wood"),
    ],
)
def test_a_file_that_cannot_be_listed_is_refused(
    listed: str, said: str, files: Path, complaints: Complain
) -> None:
    [message] = complaints(f"assets: {listed}\n")
    place = "assets[1]" if "music.yaml, " in listed else "assets[0]"
    assert message == f"m.yaml:3: {place}: {said}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "cuesmith: 1\ndefaults: {}\nassets: []\n",
            "2: defaults: unknown key; a file of assets contains only cuesmith, assets; move it to the manifest",
        ),
        ("cuesmith: 1\nproject: b\nassets: []\n", "2: project: unknown key; a file of assets contains only cuesmith, "
         "assets; move it to the manifest"),
        ("cuesmith: 1\n", "1: assets: is missing; write assets: and a list of assets, or assets: [] for none"),
        ("cuesmith: 2\nassets: []\n", "1: cuesmith: schema version 2 is newer than this release reads; write "
         "cuesmith: 1, or upgrade Cuesmith"),
        ("cuesmith: 1\nassets: [sound/sfx.yaml]\n", "2: assets[0]: is not a mapping; list every file of assets in "
         "the manifest itself"),
        ("", "1: the file is empty; start with the line cuesmith: 1"),
    ],
)  # fmt: skip
def test_a_file_of_assets_holds_assets_alone(text: str, said: str, files: Path, complaints: Complain) -> None:
    (files / "music.yaml").write_text(text)
    assert complaints("assets: [music.yaml]\n") == [f"music.yaml:{said}"]


def test_a_manifest_elsewhere_shows_paths_as_the_person_wrote_them(files: Path) -> None:
    (files / "game").mkdir()
    (files / "game" / "m.yaml").write_text(f"{HEAD}assets: [music.yaml]\n")
    (files / "game" / "music.yaml").write_text(MUSIC.replace("9", "soon"))
    with pytest.raises(ManifestError, match=r"^game/music\.yaml:3: assets\[0\]\.duration"):
        check_profiles(Path("game/m.yaml"))


def test_what_an_engine_refuses_names_the_file_of_the_asset(files: Path, loaded: Load) -> None:
    text = "defaults: {engine: audiocraft}\nassets: [sound/sfx.yaml, music.yaml]\n"
    (files / "music.yaml").write_text(MUSIC.replace("duration: 9", "duration: 99"))
    loaded(text)
    with pytest.raises(ManifestError) as caught:
        check_profiles(Path("m.yaml"))
    assert [(problem.file, problem.line) for problem in caught.value.problems] == [("music.yaml", 3)]
