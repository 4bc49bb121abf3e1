"""Fetching from a hub: pinned, resumed, checked, converted; afterwards no network is needed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_hub import FakeHub
from tiny_checkpoints import write_checkpoint
from tiny_diffusion import write_diffusion
from typer.testing import CliRunner

from flows.cli.app import app
from pipeline.errors import MachineError, UsageError
from pipeline.generators.audiocraft import conversion
from pipeline.generators.audiocraft.fetching import fetch
from pipeline.generators.audiocraft.loading import load
from pipeline.generators.audiocraft.model_store import STORE
from pipeline.generators.audiocraft.models import BY_ID, HELPERS, MBD, MERT
from pipeline.generators.model_store import sha256_of

MODEL = "facebook/musicgen-small"
COMMIT = str(BY_ID[MODEL].revision)
T5_COMMIT = "5" * 40


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with the window that MusicGen has."""
    return write_checkpoint(tmp_path_factory.mktemp("published"), "music", window_s=30)


@pytest.fixture
def hub(empty_hub: FakeHub, published: Path) -> FakeHub:
    empty_hub.repositories[MODEL] = (COMMIT, published)
    empty_hub.repositories["facebook/musicgen-medium"] = ("3" * 40, published)
    empty_hub.repositories["google-t5/t5-small"] = (T5_COMMIT, published / "t5-small")
    return empty_hub


def _cli(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


def test_a_fetched_model_has_its_helpers_and_loads_without_the_hub(hub: FakeHub) -> None:
    lines: list[str] = []
    stored = fetch(MODEL, lines.append)
    assert [(one.id, one.revision) for one in stored] == [(MODEL, COMMIT), ("t5-small", T5_COMMIT)]
    assert any("state_dict.bin, 0.00 GB" in line for line in lines)
    before = len(hub.requests)
    loaded = load(MODEL, COMMIT, "cpu")
    assert loaded.model.license == "CC-BY-NC-4.0"
    assert dict(loaded.helpers) == {"t5-small": T5_COMMIT}
    assert len(hub.requests) == before


def test_the_diffusion_models_are_fetched_and_converted(hub: FakeHub, tmp_path: Path) -> None:
    folder = write_diffusion(tmp_path / "mbd", bands=1).parent
    hub.repositories[MBD] = (str(HELPERS[MBD][1]), folder)
    [stored] = fetch("multiband-diffusion", lambda line: None)
    assert (stored.id, stored.revision) == (MBD, HELPERS[MBD][1])
    assert stored.sources["mbd_musicgen_32khz.th"] == sha256_of(folder / "mbd_musicgen_32khz.th")
    assert sorted(stored.files) == ["bands.json", "bands.safetensors"]
    before = len(hub.requests)
    assert fetch(MBD, lambda line: None) == [stored]
    assert len(hub.requests) == before
    rows = json.loads(_cli("models", "list", "--json").stdout)["decoders"]
    assert [(row["id"], row["here"], row["revision"]) for row in rows] == [(MBD, True, HELPERS[MBD][1])]


def test_musicgen_style_comes_with_mert_converted(hub: FakeHub, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "published", "music-style", window_s=30)
    hub.repositories["facebook/musicgen-style"] = (str(BY_ID["facebook/musicgen-style"].revision), folder)
    hub.repositories[MERT] = (str(HELPERS[MERT][1]), folder / "MERT-v1-95M")
    stored = {one.id: one for one in fetch("musicgen-style", lambda line: None)}
    assert set(stored) == {"facebook/musicgen-style", "t5-small", MERT}
    assert sorted(stored[MERT].files) == ["config.json", "model.safetensors"]
    assert stored[MERT].sources["pytorch_model.bin"] == sha256_of(
        folder / "MERT-v1-95M" / "pytorch_model.bin"
    )
    loaded = load("facebook/musicgen-style", str(BY_ID["facebook/musicgen-style"].revision), "cpu")
    assert loaded.helpers[MERT] == HELPERS[MERT][1]


def test_fetching_again_downloads_nothing(hub: FakeHub) -> None:
    fetch(MODEL, lambda line: None)
    before = hub.downloads()
    fetch("musicgen-small", lambda line: None)
    assert hub.downloads() == before


def test_a_model_without_a_known_commit_is_pinned_at_the_first_fetch(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpinned = replace(BY_ID["facebook/musicgen-medium"], revision=None)
    monkeypatch.setitem(BY_ID, "facebook/musicgen-medium", unpinned)
    assert STORE.pinned_commit("facebook/musicgen-medium") is None
    fetch("facebook/musicgen-medium", lambda line: None)
    assert STORE.pinned_commit("facebook/musicgen-medium") == "3" * 40
    hub.repositories["facebook/musicgen-medium"] = ("4" * 40, Path("/nowhere"))
    assert fetch("facebook/musicgen-medium", lambda line: None)[0].revision == "3" * 40


def test_a_commit_can_be_named(hub: FakeHub) -> None:
    hub.repositories[MODEL] = ("7" * 40, hub.repositories[MODEL][1])
    with pytest.raises(MachineError, match=f"run: cuesmith models fetch {MODEL}@{'7' * 40}"):
        STORE.require(MODEL, "7" * 40)
    assert fetch(f"musicgen-small@{'7' * 40}", lambda line: None)[0].revision == "7" * 40
    assert STORE.require(MODEL, "7" * 40).id == MODEL
    with pytest.raises(MachineError, match=f"run: cuesmith models fetch {MODEL}$"):
        STORE.require(MODEL, COMMIT)


def test_a_fetch_that_broke_off_goes_on_where_it_was(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.cut = "compression_state_dict.bin"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 1)
    monkeypatch.setattr("huggingface_hub.file_download.time", SimpleNamespace(sleep=lambda seconds: None))
    with pytest.raises(MachineError, match="run the same command again"):
        fetch(MODEL, lambda line: None)
    assert "state_dict.bin" in hub.downloads()
    hub.cut = None
    hub.requests.clear()
    fetch(MODEL, lambda line: None)
    assert hub.downloads()[0] == "compression_state_dict.bin"
    assert STORE.find(MODEL, COMMIT) is not None


def test_a_file_that_is_not_what_the_hub_announced_is_refused(hub: FakeHub) -> None:
    hub.spoil = "state_dict.bin"
    with pytest.raises(MachineError, match="expected"):
        fetch(MODEL, lambda line: None)
    assert STORE.find(MODEL, COMMIT) is None


def test_without_a_network_one_line_says_so(own_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    done = _cli("models", "fetch", MODEL)
    assert done.exit_code == 4
    [line] = [line for line in done.output.splitlines() if line]
    assert "cannot be fetched" in line
    assert "run the same command again" in line


def test_a_name_that_is_not_published_is_a_mistake_in_usage(own_store: Path) -> None:
    with pytest.raises(UsageError, match="available: facebook/musicgen-small"):
        fetch("facebook/musicgen-huge", lambda line: None)


def test_models_lists_what_there_is_and_what_is_here(hub: FakeHub) -> None:
    assert _cli("models", "fetch", MODEL, "--json").exit_code == 0
    rows = {row["id"]: row for row in json.loads(_cli("models", "list", "--json").stdout)["models"]}
    assert rows[MODEL]["here"]
    assert rows[MODEL]["revision"] == COMMIT
    assert not rows["facebook/audiogen-medium"]["here"]
    assert "facebook/musicgen-small" in _cli("models", "list").stdout


def test_models_verify_finds_a_changed_file(hub: FakeHub) -> None:
    [stored, _] = fetch(MODEL, lambda line: None)
    assert _cli("models", "verify").exit_code == 0
    (stored.folder / "lm.json").write_text("{}")
    listed = _cli("models", "verify", MODEL, "--json")
    assert listed.exit_code == 5
    assert json.loads(listed.stdout)["models"][0]["fault"]
    done = _cli("models", "verify", MODEL)
    assert done.exit_code == 5
    assert "the file changed" in done.output
    assert _cli("models", "verify", "facebook/nothing").exit_code == 2


def test_models_verify_knows_short_names_and_tells_of_an_empty_store(hub: FakeHub) -> None:
    nothing = _cli("models", "verify")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert "no models in" in nothing.stderr
    fetch(MODEL, lambda line: None)
    assert _cli("models", "verify", MODEL.removeprefix("facebook/")).stdout.startswith(f"ok      {MODEL}")


def test_of_two_revisions_of_a_checkpoint_each_is_listed_and_verified_by_itself(
    own_store: Path, tmp_path: Path
) -> None:
    for seed in (1, 2):
        folder = write_checkpoint(tmp_path / str(seed), "music-lut", seed=seed)
        last = conversion.convert(folder, "local/ours", None, None)
    (last.folder / "lm.json").write_text("{}")
    lines = _cli("models", "verify").stdout.splitlines()
    assert sorted(line.split()[0] for line in lines) == ["damaged", "ok"]
    rows = json.loads(_cli("models", "list", "--json").stdout)["models"]
    assert len({row["revision"] for row in rows if row["id"] == "local/ours"}) == 2


def test_a_model_whose_record_is_broken_is_reported_beside_the_others(hub: FakeHub, tmp_path: Path) -> None:
    [stored, helper] = fetch(MODEL, lambda line: None)
    (stored.folder / "model.json").write_text("{")
    listed = _cli("models", "list")
    assert listed.exit_code == 0
    assert "not a readable record of a model; remove" in listed.stderr
    verified = _cli("models", "verify")
    assert verified.exit_code == 5
    assert f"ok      {helper.id}" in verified.stdout
    lines = json.loads(_cli("doctor", "--outputs", str(tmp_path), "--json").stdout)["lines"]
    [broken] = [line for line in lines if line["found"] == "cannot read a model"]
    assert str(stored.folder) in broken["fix"]


def test_doctor_says_one_line_each_with_the_fix(hub: FakeHub, tmp_path: Path) -> None:
    fetch(MODEL, lambda line: None)
    done = _cli("doctor", "--outputs", str(tmp_path))
    assert done.exit_code == 0
    lines = {line[4:].split("  ")[0].strip(): line for line in done.stdout.splitlines()}
    assert {"cuesmith", "python", "cpu", "disk for models", "disk for outputs", "torch", "audiocraft"} <= set(
        lines
    )
    assert lines["audiocraft"].startswith("ok")
    assert "verified" in lines[MODEL]
    STORE.model_folder(MODEL, COMMIT).joinpath("lm.json").write_text("{}")
    found = json.loads(_cli("doctor", "--outputs", str(tmp_path), "--json").stdout)["lines"]
    [wrong] = [line for line in found if line["what"] == MODEL]
    assert "cuesmith models fetch" in wrong["fix"]
