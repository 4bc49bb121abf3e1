"""A manifest under all its profiles: everything that is wrong, once, where it stands, and under which profile."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ManifestError
from pipeline.plan import check_profiles

HEAD = "cuesmith: 1\nproject: game\n"
ASSETS = """\
assets:
- {id: sfx/b, kind: sfx, prompt: click, duration: 1}
- {id: sfx/a/{x}, kind: sfx, prompt: long, duration: 20, for_each: {x: [1, 2]}}
""".replace("sfx/a/{x}", '"sfx/a/{x}"')


def complaints(folder: Path, text: str, profile: str | None = None) -> list[str]:
    """What is wrong with ``text``, with the file's path left out."""
    path = folder / "games" / "m.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEAD + text, encoding="utf-8")
    with pytest.raises(ManifestError) as caught:
        check_profiles(path, profile)
    lines = [str(problem) for problem in caught.value.problems]
    assert [line for line in lines if not line.startswith(f"{path}:")] == []
    return [line.removeprefix(f"{path}:") for line in lines]


def test_what_is_wrong_under_some_profiles_names_them_and_hides_nothing(tmp_path: Path) -> None:
    profiles = (
        "profiles: {low: {sfx: {true_peak: -19}}, deep: {sfx: {true_peak: -19}}, off: {engine: audicraft}}\n"
    )
    loud = ASSETS.replace("kind: sfx", "kind: sfx, loudness: -18")
    assert complaints(tmp_path, profiles + loud) == [
        "5: assets[0].loudness: under profiles deep, low: -18 LUFS cannot be reached below a true peak of -19 dBTP; "
        "lower loudness or raise true_peak",
        "5: sfx/b.engine: under profile off: engine 'audicraft' is not installed; did you mean audiocraft? "
        "it is set in defaults or a profile",
        "6: assets[1].loudness: under profiles deep, low: -18 LUFS cannot be reached below a true peak of -19 dBTP; "
        "lower loudness or raise true_peak",
    ]


def test_what_is_wrong_under_every_profile_is_reported_once_and_names_none(tmp_path: Path) -> None:
    text = "seeds: 1\nprofiles: {one: {}, two: {}}\n" + ASSETS
    assert complaints(tmp_path, text) == ["3: seeds: unknown key; did you mean seed?"]


def test_a_profile_that_was_asked_for_is_not_named(tmp_path: Path) -> None:
    text = "profiles: {one: {engine: nosuch}, two: {engine: neither}}\n" + ASSETS
    assert complaints(tmp_path, text, "one") == [
        "5: sfx/b.engine: engine 'nosuch' is not installed; choose one of audiocraft, diffusers, sketch, toy, "
        "toy-gpu: it is set in defaults or a profile"
    ]


def test_engines_complain_in_file_order_and_once_for_a_family(tmp_path: Path) -> None:
    text = "defaults: {engine: audiocraft, sfx: {license: commercial}}\n" + ASSETS
    found = complaints(tmp_path, text)
    assert [line.split(":")[:2] for line in found] == [
        ["5", " sfx/b.license"],
        ["6", " sfx/a/1.duration"],
        ["6", " sfx/a/1.license"],
    ]


def test_a_manifest_that_is_right_comes_back_once_a_profile(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(f"{HEAD}profiles: {{b: {{}}, a: {{}}}}\n{ASSETS}", encoding="utf-8")
    assert [project.profile for project in check_profiles(path)] == [None, "a", "b"]
    assert [project.profile for project in check_profiles(path, "b")] == ["b"]
