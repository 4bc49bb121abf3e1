"""The whole command on tiny pipelines of the three families: catalog, provenance, loops, replay, releases."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from quick import build_prepared
from toys import plan_rows
from typer.testing import CliRunner

from flows.cli.app import app
from pipeline.build.prepare import BuildRequest, prepare
from pipeline.catalog import Catalog
from pipeline.store import Store

HEAD = """\
cuesmith: 1
project: tiny
defaults:
  engine: diffusers
  music: {{model: {music}, formats: [wav], steps: 3, quality: {{gate: false}}}}
  sfx: {{model: {sfx}, formats: [wav], steps: 3, quality: {{gate: false}}}}
assets:
"""
"""Models that learned nothing make noise: gates have tests of their own."""
LOOP = "  - {id: music/loop, kind: music, prompt: calm, duration: 3s, loop: true, exact: true}\n"
DOOR = "  - {id: sfx/door, kind: sfx, prompt: door, duration: 0.6s, variations: 2, negative: hiss}\n"
SONG = (
    "  - {id: music/song, kind: music, prompt: song, model: ACE, duration: 10s, "
    "bpm: 90, key: A minor, lyrics: la}\n"
)
MORE = "  - {id: music/more, kind: music, prompt: drums, duration: 2s, continue_from: song.wav}\n"


class _Project:
    def __init__(self, folder: Path, tiny: Callable[..., Path]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.manifest, self.outputs = folder / "cues.yaml", folder / "outputs"
        self.models = {
            "music": tiny("stable-audio-3"),
            "sfx": tiny("stable-audio-open"),
            "ace": tiny("ace-step"),
        }
        noise = np.random.default_rng(1).normal(0.0, 0.1, (16_000, 2))
        soundfile.write(folder / "song.wav", noise, 8000)
        self.write(LOOP + DOOR + SONG + MORE)

    def write(self, assets: str) -> None:
        text = HEAD.format(**self.models) + assets.replace("ACE", str(self.models["ace"]))
        self.manifest.write_text(text)

    def run(self, *words: str) -> Any:
        return CliRunner().invoke(app, [*words[:1], str(self.manifest), "-o", str(self.outputs), *words[1:]])

    def quick(self) -> dict[str, Any]:
        return build_prepared(prepare(BuildRequest(self.manifest, str(self.outputs))))

    def masters(self) -> dict[str, Any]:
        """The latest version's records by row."""
        store = Store.open(self.outputs)
        latest = Catalog(store).latest()
        assert latest is not None
        return {
            f"{row['asset']}_{row['variation']}": store.get_record(
                "masters", row["master"], "cuesmith.master/1"
            )
            for row in latest.masters
        }


@pytest.fixture(scope="module")
def built(
    prefect_server: str,
    tmp_path_factory: pytest.TempPathFactory,
    tiny: Callable[..., Path],
    store_folder: Path,
) -> _Project:
    """A project that was built once by the command, for tests that only look."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUESMITH_MODELS", str(store_folder))
        project = _Project(tmp_path_factory.mktemp("game"), tiny)
        done = project.run("build", "--json", "-q", "-d", "cpu")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["generated"] == 5
    return project


def test_a_build_records_everything_that_decides_a_take(built: _Project) -> None:
    masters = built.masters()
    assert len(masters) == 5
    for record in masters.values():
        take = record["take"]
        assert take["recipe"]["revision"].startswith("sha256:")
        assert take["notes"]["checkpoint"]["revision"] == take["recipe"]["revision"]
        assert take["notes"]["dtype"] == "float32"
        assert (take["model"]["license"], take["model"]["commercial"]) == ("unknown", False)
        assert {"torch", "diffusers", "transformers", "torchsde", "threads"} <= set(take["made"]["software"])
        assert record["disclosure"]["label"] == "AI-generated"
        assert str(built.manifest.parent) not in json.dumps([take["recipe"], take["notes"]])
    song = masters["music/song_1"]["take"]["recipe"]["settings"]
    assert song == {"steps": 3, "bpm": 90, "key": "A minor", "lyrics": "la", "language": "en"}
    assert masters["music/more_1"]["take"]["notes"]["continued_from_s"] == 2.0


def test_a_made_loop_is_mastered_as_it_is_and_its_seam_is_judged(built: _Project) -> None:
    record = built.masters()["music/loop_1"]
    assert record["take"]["loop"] == [0, 24_000]
    assert record["take"]["notes"]["loop"]["samples_around_seam"] == [-3040, 3104]
    assert record["loop"] == [0, 144_000]
    steps = {step["step"]: step for step in record["chain"]}
    assert steps["loop"]["how"] == "declared by the engine"
    assert 0.0 <= steps["seam"]["click"] < record["gates"]["seam"]


def test_the_seam_gate_judges_a_made_loop(tmp_path: Path, tiny: Callable[..., Path]) -> None:
    project = _Project(tmp_path / "game", tiny)
    project.write(LOOP.replace("exact: true", "quality: {gate: false, seam: 0.1}"))
    project.quick()
    record = project.masters()["music/loop_1"]
    click = next(step["click"] for step in record["chain"] if step["step"] == "seam")
    [failure] = [one for one in record["quality"]["failures"] if one["name"] == "loop seam"]
    assert failure["measured"] == pytest.approx(click, abs=1e-3)
    assert failure["limit"] == 0.1 < click


def test_a_replay_gives_the_same_bytes(built: _Project) -> None:
    done = CliRunner().invoke(app, ["verify", "--replay", "-o", str(built.outputs)])
    assert done.exit_code == 0, done.output
    assert "5 of 5 takes replayed to the same bytes" in done.output


def test_a_build_without_changes_makes_nothing(built: _Project) -> None:
    done = built.run("build", "--json", "-q", "-d", "cpu")
    assert json.loads(done.stdout)["generated"] == 0


def test_takes_do_not_depend_on_what_is_built_with_them(
    built: _Project, tmp_path: Path, tiny: Callable[..., Path]
) -> None:
    whole = {name: record["take"]["object"]["sha256"] for name, record in built.masters().items()}
    alone = _Project(tmp_path / "alone", tiny)
    for assets in (DOOR, LOOP + DOOR, SONG + MORE + LOOP + DOOR):
        alone.write(assets)
        alone.quick()
        made = {name: record["take"]["object"]["sha256"] for name, record in alone.masters().items()}
        assert made == {name: whole[name] for name in made}
    assert set(made) == set(whole)


def test_a_changed_key_makes_only_its_take_again_and_says_why(
    tmp_path: Path, tiny: Callable[..., Path]
) -> None:
    project = _Project(tmp_path / "game", tiny)
    project.write(DOOR + LOOP)
    project.quick()
    project.write(DOOR.replace("hiss", "hum") + LOOP)
    planned = plan_rows(prepare(BuildRequest(project.manifest, str(project.outputs))).plan)
    rows = [row for row in planned if row["action"] != "reuse"]
    assert {row["asset"] for row in rows} == {"sfx/door"}
    assert any("negative" in reason for reason in rows[0]["reasons"])


def test_a_repainted_file_is_built_and_named_in_its_record(tmp_path: Path, tiny: Callable[..., Path]) -> None:
    project = _Project(tmp_path / "game", tiny)
    project.write(MORE.replace("continue_from: song.wav", "repaint: {file: song.wav, from: 0.5s, to: 1s}"))
    project.quick()
    take = project.masters()["music/more_1"]["take"]
    assert take["notes"]["repainted_samples"] == [4000, 8000]
    assert (take["recipe"]["settings"]["from_s"], take["recipe"]["settings"]["to_s"]) == (0.5, 1.0)
    [role] = take["recipe"]["conditioning"]
    assert role == "repaint"


def test_a_model_that_cannot_is_one_line_at_the_manifests_place(
    tmp_path: Path, tiny: Callable[..., Path]
) -> None:
    project = _Project(tmp_path / "game", tiny)
    project.write(DOOR.replace("negative: hiss", "lyrics: la"))
    done = CliRunner().invoke(app, ["validate", str(project.manifest)])
    assert done.exit_code == 2
    assert (
        "cues.yaml:8: sfx/door.lyrics: local/stable-audio-open does not have lyrics; remove it" in done.output
    )
