"""Independent faults of a manifest, each in an asset of its own, are all named at once, and nothing that follows."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from flows.cli.app import app
from pipeline.errors import ManifestError, Problem
from pipeline.plan import check_profiles

HEAD = """\
cuesmith: 1
project: toys
policy: {forbid: [{words: [cursed], reason: not in this game}]}
defaults: {sfx: {DEFAULT}}
profiles: {soft: {sfx: {loudness: -24 LUFS}}}
assets:
"""
ASSET = {"id": "sfx/NUMBER", "kind": "sfx", "prompt": "a door", "duration": "1s"}
FAULTS = {
    "bad value": ({"loudness": "loud"}, "'loud' is not a loudness"),
    "unknown key": ({"lodness": "-20 LUFS"}, "unknown key"),
    "no prompt": ({"prompt": None}, "prompt: is missing"),
    "misspelled": ({"duration": None, "duratoin": "2s"}, "did you mean duration?"),
    "range": ({"duration": "0.001s"}, "out of range"),
    "template": ({"prompt": '"a {what}"'}, "unknown placeholder '{what}'"),
    "policy": ({"prompt": "a cursed door"}, "'cursed' is forbidden"),
    "formats": ({"formats": "[wav, wav]"}, "wav is listed twice"),
    "conflict": ({"loop": "true", "fade": "0.1s"}, "a loop cannot fade"),
    "yaml": ({"seed": "1, seed: 2"}, "duplicate key 'seed'"),
    "id": ({"id": "sfx/a b/NUMBER"}, "contains ' '"),
    "engine": ({"engine": "nonesuchNUMBER"}, "is not installed"),
    "model": ({"engine": "audiocraft", "model": "facebook/nonesuch"}, "no model that AudioCraft publishes"),
    "licence": ({"engine": "audiocraft", "license": "commercial"}, "license is commercial, and the weights"),
    "watermark": ({"watermark": "nonesuch"}, "watermark 'nonesuch' is not installed"),
    "score": ({"scores": "{nonesuch: {}}"}, "score 'nonesuch' is not installed"),
}
"""Keys of an asset that are wrong, and what is said of them."""
HARMLESS = {
    "engine: toy": "",
    "engine: toy, loudness: loud": "'loud'",
    "engine: toy, qality: {}": "quality",
}
"""Defaults that leave open nothing that an engine sees, with what is said of them."""
VAGUE = {
    "engine: [a], loop: perhaps": "perhaps",
    "engin: toy": "did you mean engine?",
    "duration: long": "long",
}
"""Defaults with a fault in what engines see."""


def problems_of(faults: list[str], default: str) -> list[Problem]:
    lines = []
    for number, name in enumerate(["", *faults]):
        keys = {**ASSET, **(FAULTS[name][0] if name else {})}
        text = ", ".join(f"{key}: {value}" for key, value in keys.items() if value is not None)
        lines.append(f"  - {{{text}}}\n".replace("NUMBER", f"n{number}"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.yaml"
        path.write_text(HEAD.replace("DEFAULT", default) + "".join(lines))
        try:
            check_profiles(path)
        except ManifestError as error:
            return list(error.problems)
        return []


FIRST_LINE = HEAD.count("\n") + 2
"""Of the assets with faults."""


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(sorted(FAULTS)), max_size=12), st.sampled_from(sorted(HARMLESS)))
def test_k_faults_in_k_assets_are_k_problems(faults: list[str], default: str) -> None:
    found = problems_of(faults, default)
    said = HARMLESS[default]
    of_default = [problem for problem in found if problem.line < FIRST_LINE]
    assert [said in str(problem) for problem in of_default] == ([True] if said else [])
    of_assets = [problem for problem in found if problem.line >= FIRST_LINE]
    assert [problem.line - FIRST_LINE for problem in of_assets] == list(range(len(faults))), found
    for name, problem in zip(faults, of_assets, strict=True):
        assert FAULTS[name][1] in str(problem)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(sorted(FAULTS)), max_size=6), st.sampled_from(sorted(VAGUE)))
def test_a_default_that_engines_would_see_makes_no_false_problem(faults: list[str], default: str) -> None:
    found = problems_of(faults, default)
    assert any(VAGUE[default] in str(problem) for problem in found)
    for problem in found:
        if problem.line >= FIRST_LINE:
            assert FAULTS[faults[problem.line - FIRST_LINE]][1] in str(problem)


def test_a_fault_that_no_engine_sees_hides_none_that_one_does(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    asset = "  - {id: a, kind: sfx, prompt: a, duration: 1s, watermark: nonesuch}\n"
    path.write_text(f"cuesmith: 1\nproject: toys\nseeds: 3\nexports: 3\nprofiles: []\nassets:\n{asset}")
    with pytest.raises(ManifestError) as caught:
        check_profiles(path)
    assert [problem.line for problem in caught.value.problems] == [3, 4, 5, 7]


def test_a_fault_of_one_profile_hides_nothing_of_another(tmp_path: Path) -> None:
    text = HEAD.replace("DEFAULT", "engine: toy").replace(
        "soft: {sfx: {loudness: -24 LUFS}}", "soft: {engine: [a]}"
    )
    path = tmp_path / "m.yaml"
    path.write_text(text + "  - {id: a, kind: sfx, prompt: a, duration: 1s, watermark: nonesuch}\n")
    done = CliRunner().invoke(app, ["validate", str(path)])
    assert done.exit_code == 2
    assert "m.yaml:5: profiles.soft.engine" in done.stderr
    assert "m.yaml:7: a.watermark: watermark 'nonesuch' is not installed" in done.stderr


def test_validate_plan_and_build_print_the_same_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "m.yaml"
    wrong = ("loudness: loud", "watermark: nonesuch", "engine: nonesuch")
    assets = [f"  - {{id: {key[0]}, kind: sfx, prompt: a, duration: 1s, {key}}}\n" for key in wrong]
    path.write_text("cuesmith: 1\nproject: toys\nassets:\n" + "".join(assets))
    results = [CliRunner().invoke(app, [command, str(path)]) for command in ("validate", "plan", "build")]
    assert [done.exit_code for done in results] == [2, 2, 2]
    said, *others = [[line for line in done.stderr.splitlines() if "m.yaml:" in line] for done in results]
    assert [line.partition("m.yaml:")[2][:2] for line in said] == ["4:", "5:", "6:"]
    assert others == [said, said]


@pytest.mark.parametrize("broken", ["defaults: []", "defualts: {sfx: {engine: toy}}", "defaults: {sfx: 3}"])
def test_defaults_that_cannot_be_read_make_no_other_problem(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(
        f"cuesmith: 1\nproject: toys\n{broken}\nassets:\n  - {{id: sfx/a, kind: sfx, prompt: a door}}\n"
    )
    with pytest.raises(ManifestError) as caught:
        check_profiles(path)
    assert [problem.line for problem in caught.value.problems] == [3]
