"""A manifest takes in defaults and profiles of other files, from inside its folder only."""

from __future__ import annotations

from pathlib import Path

import pytest
from manifest_texts import Complain, Load

ASSET = "assets:\n- {id: s, kind: sfx, prompt: a door, duration: 1s}\n"


@pytest.fixture
def shared(folder: Path) -> Path:
    """A folder for included files."""
    path = folder / "shared"
    path.mkdir()
    return path


def test_later_files_go_before_earlier_ones_and_the_manifest_before_all(loaded: Load, shared: Path) -> None:
    (shared / "a.yaml").write_text(
        "cuesmith: 1\ndefaults: {sfx: {variations: 2, candidates: 2, loudness: -20}}\n"
    )
    (shared / "b.yaml").write_text("cuesmith: 1\ndefaults: {sfx: {variations: 3, candidates: 3}}\n")
    text = f"include: [shared/a.yaml, shared/b.yaml]\ndefaults: {{sfx: {{variations: 4}}}}\n{ASSET}"
    asset = loaded(text).assets[0]
    assert (asset.variations, asset.candidates, asset.mastering.loudness_lufs) == (4, 3, -20.0)


def test_a_profile_of_an_included_file_can_be_chosen_and_added_to(loaded: Load, shared: Path) -> None:
    (shared / "a.yaml").write_text(
        "cuesmith: 1\nprofiles: {night: {engine: audiocraft, sfx: {variations: 2}}}\n"
    )
    text = f"include: [shared/a.yaml]\nprofiles: {{night: {{sfx: {{candidates: 5}}}}}}\n{ASSET}"
    asset = loaded(text, profile="night").assets[0]
    assert (asset.engine, asset.variations, asset.candidates) == ("audiocraft", 2, 5)


def test_an_included_seed_holds_until_the_manifest_names_one(loaded: Load, shared: Path) -> None:
    (shared / "a.yaml").write_text("cuesmith: 1\nseed: 5\n")
    assert loaded(f"include: [shared/a.yaml]\n{ASSET}").assets[0].seed == 5
    assert loaded(f"include: [shared/a.yaml]\nseed: 0\n{ASSET}").assets[0].seed == 0


def test_an_included_file_may_include_from_its_own_folder(loaded: Load, shared: Path, folder: Path) -> None:
    (shared / "a.yaml").write_text("cuesmith: 1\ninclude: [b.yaml, ../c.yaml]\n")
    (shared / "b.yaml").write_text("cuesmith: 1\ndefaults: {sfx: {variations: 2}}\n")
    (folder / "c.yaml").write_text("cuesmith: 1\ndefaults: {sfx: {candidates: 3}}\n")
    asset = loaded(f"include: [shared/a.yaml]\n{ASSET}").assets[0]
    assert (asset.variations, asset.candidates) == (2, 3)


def test_a_file_included_twice_keeps_its_first_place(loaded: Load, shared: Path) -> None:
    (shared / "base.yaml").write_text("cuesmith: 1\ndefaults: {sfx: {variations: 2}}\n")
    (shared / "a.yaml").write_text("cuesmith: 1\ninclude: [base.yaml]\ndefaults: {sfx: {variations: 3}}\n")
    (shared / "b.yaml").write_text("cuesmith: 1\ninclude: [base.yaml]\n")
    assert loaded(f"include: [shared/a.yaml, shared/b.yaml]\n{ASSET}").assets[0].variations == 3


def test_the_hash_of_a_project_covers_every_file(loaded: Load, shared: Path) -> None:
    (shared / "a.yaml").write_text("cuesmith: 1\n")
    text = f"include: [shared/a.yaml]\n{ASSET}"
    before = loaded(text).sha256
    assert loaded(text).sha256 == before
    (shared / "a.yaml").write_text("cuesmith: 1\n\n")
    assert loaded(text).sha256 != before


def test_problems_of_every_file_come_together_the_manifests_first(complaints: Complain, shared: Path) -> None:
    (shared / "a.yaml").write_text("cuesmith: 1\ndefaults: {sfx: {loop: maybe}}\nprofile: {}\n")
    text = "include: [shared/a.yaml]\nassets:\n- {id: s, kind: sfx, prompt: a door, duration: 1s, bpm: 7}\n"
    assert complaints(text) == [
        "m.yaml:5: assets[0].bpm: '7' is out of range; write a tempo from 20 to 400",
        "shared/a.yaml:2: defaults.sfx.loop: 'maybe' is neither true nor false; write true or false",
        "shared/a.yaml:3: profile: unknown key; did you mean profiles?",
    ]


def test_an_included_file_holds_no_assets(complaints: Complain, shared: Path) -> None:
    (shared / "a.yaml").write_text("cuesmith: 1\nassets: []\n")
    assert complaints(f"include: [shared/a.yaml]\n{ASSET}") == [
        "shared/a.yaml:2: assets: unknown key; an included file contains only "
        "cuesmith, seed, include, license, profiles, defaults, policy; move it to the manifest"
    ]


def test_files_that_include_each_other_are_refused(complaints: Complain, shared: Path) -> None:
    (shared / "a.yaml").write_text("cuesmith: 1\ninclude: [b.yaml]\n")
    (shared / "b.yaml").write_text("cuesmith: 1\nseed: 1\ninclude: [a.yaml]\n")
    assert complaints(f"include: [shared/a.yaml]\n{ASSET}") == [
        "shared/b.yaml:3: include[0]: files include each other in a circle: a.yaml -> b.yaml -> a.yaml; "
        "remove one of these includes"
    ]


def test_a_manifest_that_includes_itself_is_refused(complaints: Complain) -> None:
    assert complaints(f"include: [m.yaml]\n{ASSET}") == [
        "m.yaml:3: include[0]: files include each other in a circle: m.yaml -> m.yaml; remove one of these includes"
    ]


def test_an_included_file_of_another_version_is_refused(complaints: Complain, shared: Path) -> None:
    (shared / "a.yaml").write_text("cuesmith: 9\nwhatever: {}\n")
    assert complaints(f"include: [shared/a.yaml]\n{ASSET}") == [
        "shared/a.yaml:1: cuesmith: schema version 9 is newer than this release reads; "
        "write cuesmith: 1, or upgrade Cuesmith"
    ]


def test_a_missing_include_hides_no_profile_problem_behind_another(complaints: Complain) -> None:
    assert complaints(f"include: [gone.yaml]\n{ASSET}", profile="night") == [
        "m.yaml:3: include[0]: there is no file 'gone.yaml'; check the path, which starts at this file's folder"
    ]


@pytest.mark.parametrize("name", ["../m.yaml", "shared/../../m.yaml"])
def test_an_include_outside_the_folder_is_refused(name: str, complaints: Complain, shared: Path) -> None:
    assert complaints(f"include: [{name}]\n{ASSET}") == [
        f"m.yaml:3: include[0]: path '{name}' leads out of the manifest's folder; move the file into that folder"
    ]


def _link(link: Path, target: Path) -> None:
    try:
        link.symlink_to(target)
    except OSError:
        pytest.skip("this system makes no links for this user")


def test_a_link_out_of_the_folder_is_refused(
    complaints: Complain, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.wav"
    outside.write_bytes(b"secret")
    _link(folder / "theme.wav", outside)
    text = "assets:\n- {id: m, kind: music, prompt: a, duration: 9, melody: theme.wav}\n"
    assert complaints(text) == [
        "m.yaml:4: assets[0].melody: path 'theme.wav' leads out of the manifest's folder; "
        "move the file into that folder"
    ]


def test_a_link_to_itself_is_refused(complaints: Complain, folder: Path) -> None:
    _link(folder / "loop.wav", folder / "loop.wav")
    text = "assets:\n- {id: m, kind: music, prompt: a, duration: 9, melody: loop.wav}\n"
    (message,) = complaints(text)
    assert message.startswith("m.yaml:4: assets[0].melody: ")


def test_more_files_than_anyone_needs_are_refused(complaints: Complain, shared: Path) -> None:
    for number in range(70):
        (shared / f"{number}.yaml").write_text(f"cuesmith: 1\ninclude: [{number + 1}.yaml]\n")
    assert complaints(f"include: [shared/0.yaml]\n{ASSET}") == [
        "shared/62.yaml:2: include[0]: more than 64 files are included; put shared settings into fewer files"
    ]
