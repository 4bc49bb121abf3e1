"""What an engine does wrong while a plan is made is reported with the asset, the engine and the line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import toy_engine

from manifests import load
from pipeline.errors import CuesmithError, MachineError, ManifestError
from pipeline.generators import Requirements
from pipeline.generators.audiocraft.engine import ENGINE as AUDIOCRAFT
from pipeline.generators.model_store import StoreNotReady
from pipeline.plan import check_profiles

MANIFEST = """\
cuesmith: 1
project: toys
defaults:
  sfx: {engine: toy}
assets:
  - {id: a/one, kind: sfx, prompt: good, duration: 1s}
  - id: a/{name}
    for_each: {name: [two, three]}
    kind: sfx
    prompt: bad
    duration: 1s
"""


def _break_over_bad(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    real = toy_engine.ToyEngine.requirements

    def ask(self: toy_engine.ToyEngine, asset: Any) -> Requirements:
        if asset.prompt == "bad":
            raise error
        return real(self, asset)

    monkeypatch.setattr(toy_engine.ToyEngine, "requirements", ask)


def _refusal(folder: Path) -> CuesmithError:
    (folder / "cues.yaml").write_text(MANIFEST)
    with pytest.raises(CuesmithError) as caught:
        check_profiles(folder / "cues.yaml")
    return caught.value


@pytest.mark.parametrize(
    "error", [KeyError("shape"), OSError(13, "Permission denied"), RecursionError("deep")]
)
def test_an_engine_that_breaks_over_an_asset_is_a_problem_of_the_manifest(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _break_over_bad(error, monkeypatch)
    refused = _refusal(tmp_path)
    assert isinstance(refused, ManifestError)
    [problem] = refused.problems
    assert (problem.line, problem.where) == (7, "a/three.engine")
    assert (
        problem.what == f"engine 'toy' cannot state what this asset requires: {type(error).__name__}: {error}"
    )
    assert problem.remedy == "report this to the engine's makers, or choose another engine"


def test_an_engine_that_answers_with_nothing_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toy_engine.ToyEngine, "requirements", lambda self, asset: None)
    refused = _refusal(tmp_path)
    assert isinstance(refused, ManifestError)
    assert [problem.line for problem in refused.problems] == [6, 7]


def test_what_the_machine_lacks_keeps_its_exit_code_and_names_the_asset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _break_over_bad(StoreNotReady("no room for the weights; free space"), monkeypatch)
    refused = _refusal(tmp_path)
    assert isinstance(refused, MachineError)
    assert refused.exit_code == 4
    assert str(refused) == (
        f"{tmp_path / 'cues.yaml'}:7: a/three: engine 'toy': no room for the weights; free space"
    )


LOCAL = """\
cuesmith: 1
project: local
include: [shared/base.yaml]
profiles:
  mine: {music: {model: ./checkpoints/ours}}
assets:
  - {id: music/own, kind: music, prompt: a, duration: 2s, model: ../models/own}
  - {id: music/usual, kind: music, prompt: a, duration: 2s}
  - {id: sfx/plain, kind: sfx, prompt: a, duration: 2s}
"""


def test_a_path_to_a_model_starts_at_the_file_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = tmp_path / "game"
    (game / "shared").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (game / "cues.yaml").write_text(LOCAL)
    base = "cuesmith: 1\ndefaults:\n  engine: audiocraft\n  music: {model: ./checkpoints/base}\n"
    (game / "shared" / "base.yaml").write_text(base)
    looked_for = {}
    for profile in (None, "mine"):
        for asset in load(game / "cues.yaml", profile).assets:
            [*problems] = AUDIOCRAFT.requirements(asset).problems
            looked_for[profile, asset.id] = problems[0].what if problems else ""
    assert f"(looked for {tmp_path / 'models' / 'own'})" in looked_for[None, "music/own"]
    assert f"(looked for {game / 'shared' / 'checkpoints' / 'base'})" in looked_for[None, "music/usual"]
    assert f"(looked for {game / 'checkpoints' / 'ours'})" in looked_for["mine", "music/usual"]
    assert looked_for[None, "sfx/plain"] == ""


def test_a_folder_of_weights_beside_the_manifest_is_found_by_its_bare_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    game, here = tmp_path / "game", tmp_path / "here"
    for folder in (game / "ours", here / "theirs"):
        folder.mkdir(parents=True)
        (folder / "state_dict.bin").write_bytes(b"no weights")
    monkeypatch.chdir(here)
    head = "cuesmith: 1\nproject: local\ndefaults: {engine: audiocraft}\nassets:\n"
    asset = "  - {{id: music/{0}, kind: music, prompt: a, duration: 2s, model: {0}}}\n"
    (game / "cues.yaml").write_text(head + asset.format("ours") + asset.format("theirs"))
    ours, theirs = load(game / "cues.yaml").assets
    assert "is no model that AudioCraft publishes" in AUDIOCRAFT.requirements(theirs).problems[0].what
    try:
        found = AUDIOCRAFT.requirements(ours).problems[0].what
    except StoreNotReady:
        return  # without torch nothing can be converted, and the folder was found all the same
    assert str(game / "ours") in found
