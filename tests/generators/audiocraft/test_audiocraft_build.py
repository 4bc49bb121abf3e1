"""The whole command on two tiny local checkpoints: a catalog with everything that is known of each take."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from quick import build_prepared
from tiny_checkpoints import copy_checkpoint
from tiny_diffusion import write_diffusion
from typer.testing import CliRunner

from flows.cli.app import app
from pipeline.build.prepare import BuildRequest, prepare
from pipeline.catalog import Catalog
from pipeline.generators.audiocraft import checkpoints, codec, conversion
from pipeline.generators.audiocraft.model_store import STORE
from pipeline.generators.model_store import added_local
from pipeline.store import ObjectRef, Store

CONVERT = checkpoints._convert
HEAD = """\
cuesmith: 1
project: tiny
defaults:
  music: {{engine: audiocraft, model: {music}, formats: [wav], quality: {{gate: false}}}}
  sfx: {{engine: audiocraft, model: {sfx}, formats: [wav], quality: {{gate: false}}}}
assets:
"""
"""Models that learned nothing may repeat themselves: gates have tests of their own."""
CALM = "  - {id: music/calm, kind: music, prompt: calm flute, duration: 1s, variations: 2}\n"
LONG = "  - {id: music/long, kind: music, prompt: heavy drums, duration: 3s, extend: true}\n"
DOOR = "  - {id: sfx/door, kind: sfx, prompt: wooden door, duration: 0.6s, variations: 2, sampling: {top_k: 30}}\n"
STYLES = """\
  - {id: music/twice, kind: music, prompt: drums, duration: 1s, variations: 2, style: {file: song.wav}}
  - {id: music/alike, kind: music, prompt: drums, duration: 1s, style: {file: song.wav, text: 1, excerpt: 2s}}
  - {id: music/long, kind: music, prompt: drums, duration: 3s, extend: true, style: {file: song.wav, text: 3}}
  - {id: music/further, kind: music, prompt: drums, duration: 0.6s, style: {file: song.wav}, continue_from: song.wav}
  - {id: music/plain, kind: music, prompt: drums, duration: 1s}
"""


@pytest.fixture(scope="module", autouse=True)
def converts_here() -> Iterator[None]:
    """Conversion in this process: the child's own seconds are for a test of their own."""

    def here(folder: Path, model_id: str) -> str:
        return conversion.import_folder(folder, model_id).revision

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "_convert", here)
        yield


@pytest.fixture(autouse=True)
def forgets() -> Iterator[None]:
    added_local.cache_clear()
    yield
    added_local.cache_clear()


class _Project:
    def __init__(self, folder: Path, music: Path | str, sfx: Path | str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.manifest, self.outputs = folder / "cues.yaml", folder / "outputs"
        self.models = {"music": music, "sfx": sfx}
        self.write(CALM + LONG + DOOR)

    def write(self, assets: str) -> None:
        self.manifest.write_text(HEAD.format(**self.models) + assets)

    def run(self, *words: str) -> Any:
        return CliRunner().invoke(app, [*words[:1], str(self.manifest), "-o", str(self.outputs), *words[1:]])

    def build(self, device: str = "cpu") -> Any:
        return self.run("build", "--json", "-q", "-d", device)


@pytest.fixture(scope="module")
def built(
    prefect_server: str, tmp_path_factory: pytest.TempPathFactory, checkpoint: Callable[[str], Path]
) -> _Project:
    """A project that was built once, for tests that only look; it is left as it was found."""
    project = _Project(tmp_path_factory.mktemp("game"), checkpoint("music"), checkpoint("sfx"))
    done = project.build()
    assert done.exit_code == 0, done.output
    return project


@pytest.fixture
def project(prefect_server: str, tmp_path: Path, checkpoint: Callable[[str], Path]) -> _Project:
    return _Project(tmp_path / "game", checkpoint("music"), checkpoint("sfx"))


def test_a_build_gives_a_catalog_with_full_provenance(built: _Project) -> None:
    store = Store.open(built.outputs)
    latest = Catalog(store).latest()
    assert latest is not None
    assert len(latest.masters) == 5
    for row in latest.masters:
        record: Any = store.get_record("masters", row["master"], "cuesmith.master/1")
        take = record["take"]
        stored = STORE.require(row["model"], row["revision"])
        assert row["revision"] == f"sha256:{stored.checkpoint_sha256}"
        assert take["notes"]["checkpoint"]["sha256"] == stored.checkpoint_sha256
        assert take["notes"]["checkpoint"]["files"]["state_dict.bin"] == stored.sources["state_dict.bin"]
        assert take["model"]["license"] == "unknown (a local checkpoint)"
        assert (take["model"]["commercial"], take["model"]["neural"]) == (False, True)
        assert take["notes"]["seed"] == row["seed"]
        assert take["notes"]["sampling"]["top_k"] == (30 if row["kind"] == "sfx" else 250)
        [codes] = take["attachments"].values()
        assert take["notes"]["codes_sha256"] == codes["sha256"]
        tokens, about = codec.unpack(store.get(ObjectRef.from_json(codes)))
        assert (tokens.shape[0], about["model"]) == (4, row["model"])
        assert {"torch", "audiocraft", "transformers", "threads"} <= set(take["made"]["software"])
        assert record["disclosure"]["label"] == "AI-generated"
        assert str(built.manifest.parent) not in json.dumps([take["recipe"], take["model"], take["notes"]])


def test_a_take_beyond_the_window_records_its_stride_and_passes(built: _Project) -> None:
    store = Store.open(built.outputs)
    [long] = [row for row in Catalog(store).read(1).masters if row["asset"] == "music/long"]
    record: Any = store.get_record("takes", long["take"], "cuesmith.take/1")
    assert record["recipe"]["settings"]["stride_s"] == 1.2
    assert record["notes"]["windows"] == [[0, 0, 100], [60, 40, 90]]


def test_a_replay_gives_the_same_bytes(built: _Project) -> None:
    done = CliRunner().invoke(app, ["verify", "--replay", "-o", str(built.outputs)])
    assert done.exit_code == 0, done.output
    assert "5 of 5 takes replayed to the same bytes" in done.output


def test_a_checkpoint_that_moved_is_the_same_and_nothing_is_made_again(
    built: _Project, tmp_path: Path
) -> None:
    home = built.models["music"]
    try:
        built.models["music"] = copy_checkpoint(Path(home), tmp_path / "elsewhere" / "music")
        built.write(CALM + LONG + DOOR)
        assert json.loads(built.build().stdout)["generated"] == 0
    finally:
        built.models["music"] = home
        built.write(CALM + LONG + DOOR)


def _one_line(done: Any, code: int) -> str:
    assert done.exit_code == code, done.output
    report = json.loads(done.stdout)
    assert report["exit_code"] == code
    assert "\n" not in report["error"]
    assert "Traceback" not in done.output
    return str(report["error"])


def test_what_is_wrong_with_a_checkpoint_is_one_line_at_the_manifests_place(
    project: _Project, tmp_path: Path
) -> None:
    bad = copy_checkpoint(Path(project.models["music"]), tmp_path / "bad")
    torch.save({"best_state": tmp_path, "xp.cfg": ""}, bad / "state_dict.bin")
    good, project.models["music"] = project.models["music"], bad
    project.write(CALM)
    error = _one_line(project.run("plan", "--json"), 2)
    assert "cues.yaml:7: music/calm.model:" in error
    assert "refused: it contains more than weights" in error
    (bad / "state_dict.bin").unlink()
    assert "has no state_dict.bin" in _one_line(project.run("plan", "--json"), 2)
    project.models["music"] = project.models["sfx"]
    project.write(CALM)
    assert "makes sfx, and this asset is music" in _one_line(project.run("plan", "--json"), 2)
    project.models["music"] = good
    project.write(CALM)
    assert project.run("plan").exit_code == 0


def test_what_the_machine_lacks_is_one_line_with_exit_4_and_nothing_is_lost(built: _Project) -> None:
    more = CALM.replace("calm flute", "a new prompt")
    built.write(more + LONG + DOOR)
    if not torch.cuda.is_available():
        assert "device cuda:0 is not on this machine" in _one_line(built.build("cuda:0"), 4)
    stored = next(one for one in STORE.all_stored()[0] if one.id == "local/music")
    weights, kept = stored.folder / "lm.safetensors", stored.folder.parent / "kept"
    shutil.move(weights, kept)
    weights.write_bytes(kept.read_bytes()[:-1] + b"x")
    home = built.models["music"]
    try:
        assert "the file changed" in _one_line(built.build(), 4)
        built.models["music"] = "facebook/musicgen-small"
        built.write(more + LONG + DOOR)
        assert "run: cuesmith models fetch facebook/musicgen-small" in _one_line(built.build(), 4)
    finally:
        shutil.move(kept, weights)
        built.models["music"] = home
        built.write(CALM + LONG + DOOR)
    assert Catalog(Store.open(built.outputs)).numbers() == [1]
    assert json.loads(built.build().stdout)["generated"] == 0


def test_a_model_store_that_cannot_be_written_is_one_line(
    project: _Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    monkeypatch.setenv("CUESMITH_MODELS", str(blocked / "models"))
    project.write(CALM)
    error = _one_line(project.run("plan", "--json"), 4)
    assert "cannot write to the model store" in error


def test_a_folder_is_converted_apart_from_the_planner(
    project: _Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUESMITH_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(checkpoints, "_convert", CONVERT)
    model = checkpoints.read_folder(str(project.models["sfx"]))
    assert (model.id, model.kind, model.window_s) == ("local/sfx", "sfx", 2.0)
    assert STORE.find(model.id, str(model.revision)) is not None


@pytest.mark.slow
def test_another_decoder_on_a_built_project_needs_no_language_model(
    project: _Project, tmp_path: Path, checkpoint: Callable[[str], Path]
) -> None:
    home = copy_checkpoint(checkpoint("music"), tmp_path / "tune")
    project.models["music"] = home
    diffused = CALM.replace("duration: 1s", "duration: 1s, decoder: mbd")
    project.write(CALM)
    assert json.loads(project.build().stdout)["generated"] == 2
    write_diffusion(home / "multiband-diffusion")
    project.write(diffused)
    plan = json.loads(project.run("plan", "--json").stdout)
    assert [row["action"] for row in plan["assets"]] == ["generate"] * 2
    first, *_, last = plan["assets"][0]["reasons"]
    assert first == "decoder changed: encodec -> mbd"
    assert last == "from the stored data of its take, without the model"
    stored = next(one for one in STORE.all_stored()[0] if one.id == "local/tune")
    shutil.move(stored.folder / "lm.safetensors", tmp_path / "kept")
    try:
        done = project.build()
        assert (done.exit_code, json.loads(done.stdout)["generated"]) == (0, 2), done.output
    finally:
        shutil.move(tmp_path / "kept", stored.folder / "lm.safetensors")
    store = Store.open(project.outputs)
    old, new = (
        {
            row["variation"]: store.get_record("takes", row["take"], "cuesmith.take/1")
            for row in version.masters
        }
        for version in (Catalog(store).read(1), Catalog(store).read(2))
    )
    for variation, record in new.items():
        earlier: Any = old[variation]
        take: Any = record
        assert take["attachments"] == earlier["attachments"]
        assert take["object"] != earlier["object"]
        assert take["recipe"]["seed"] == earlier["recipe"]["seed"]
        assert take["notes"]["codes_of"] == earlier["digest"]
        assert take["notes"]["decoder_checkpoint"]["name"] == "local/multiband-diffusion"
    replay = CliRunner().invoke(app, ["verify", "--replay", "-o", str(project.outputs)])
    assert "2 of 2 takes replayed to the same bytes" in replay.output, replay.output
    project.write(CALM)
    assert json.loads(project.build().stdout)["generated"] == 0


@pytest.mark.slow
def test_a_style_project_is_built_in_the_slots_and_replayed(
    tmp_path: Path, checkpoint: Callable[[str], Path]
) -> None:
    """Two and three rows a cue, beyond the window and carrying on, from one manifest."""
    project = _Project(tmp_path / "game", checkpoint("music-style"), checkpoint("sfx"))
    noise = np.random.default_rng(3).standard_normal(5 * 32_000) * 0.2
    soundfile.write(project.manifest.parent / "song.wav", noise, 32_000)
    project.write(STYLES)
    plan = json.loads(project.run("plan", "--json").stdout)
    assert plan["estimate"]["seconds"] > 0
    done = project.build()
    assert (done.exit_code, json.loads(done.stdout)["generated"]) == (0, 6), done.output
    store = Store.open(project.outputs)
    text = {}
    for row in Catalog(store).read(1).masters:
        take: Any = store.get_record("takes", row["take"], "cuesmith.take/1")
        notes = take["notes"]
        assert (notes["step"], notes["rows"], notes["dtype"]) == ("cpu", 8, "float32")
        text[row["asset"]] = notes["sampling"].get("cfg_text")
    assert text == {
        "music/twice": 5.0,
        "music/alike": 1.0,
        "music/long": 3.0,
        "music/further": 5.0,
        "music/plain": None,
    }
    replay = CliRunner().invoke(app, ["verify", "--replay", "-o", str(project.outputs)])
    assert "6 of 6 takes replayed to the same bytes" in replay.output, replay.output


def test_codes_that_are_gone_are_generated_again(
    project: _Project, tmp_path: Path, checkpoint: Callable[[str], Path]
) -> None:
    def build() -> dict[str, Any]:
        return build_prepared(prepare(BuildRequest(project.manifest, str(project.outputs))))

    home = copy_checkpoint(checkpoint("music"), tmp_path / "tune")
    write_diffusion(home / "multiband-diffusion")
    project.models["music"] = home
    project.write(CALM)
    assert build()["generated"] == 2
    store = Store.open(project.outputs)
    for row in Catalog(store).read(1).masters:
        record: Any = store.get_record("takes", row["take"], "cuesmith.take/1")
        path = store.path(ObjectRef.from_json(record["attachments"]["codes"]))
        assert path is not None
        path.chmod(0o644)
        path.write_bytes(b"x" * path.stat().st_size)
    project.write(CALM.replace("duration: 1s", "duration: 1s, decoder: mbd"))
    assert build()["generated"] == 2
    for row in Catalog(store).read(2).masters:
        again: Any = store.get_record("takes", row["take"], "cuesmith.take/1")
        assert again["notes"]["decoder"] == "mbd"
        assert "codes_of" not in again["notes"]
