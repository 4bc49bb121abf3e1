"""Fetching pipelines from a hub: pinned, checked, safetensors only; consent and tokens; nothing fetched afterwards."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_hub import FakeHub
from typer.testing import CliRunner

from flows.cli.app import app
from pipeline.errors import MachineError, UsageError
from pipeline.generators.diffusers import model_store
from pipeline.generators.diffusers.engine import ENGINE
from pipeline.generators.diffusers.fetching import fetch
from pipeline.generators.diffusers.generator import DiffusersGenerator
from pipeline.generators.protocol import GeneratedTake
from pipeline.recipe import Recipe

MODELS = {
    "stable-audio-open": "stabilityai/stable-audio-open-1.0",
    "stable-audio-3": "stabilityai/stable-audio-3-small-music",
    "ace-step": "ACE-Step/acestep-v15-xl-turbo-diffusers",
}
OPEN = MODELS["stable-audio-open"]
COMMIT = "a" * 40


@pytest.fixture
def hub(empty_hub: FakeHub, tiny: Callable[..., Path]) -> FakeHub:
    for family, name in MODELS.items():
        empty_hub.repositories[name] = (COMMIT, tiny(family))
    return empty_hub


def _copy(hub: FakeHub, folder: Path, name: str = OPEN) -> Path:
    """A copy of a repository, to spoil."""
    shutil.copytree(hub.repositories[name][1], folder)
    hub.repositories[name] = (COMMIT, folder)
    return folder


def _cli(*words: str) -> Any:
    return CliRunner().invoke(app, ["models", *words, "--engine", "diffusers"])


def _no_progress(line: str) -> None:
    pass


@pytest.mark.parametrize(("family", "name"), MODELS.items())
def test_a_fetched_pipeline_generates_without_the_hub(family: str, name: str, hub: FakeHub) -> None:
    lines: list[str] = []
    [stored] = fetch(name.partition("/")[2], lines.append)
    assert (stored.id, stored.revision) == (name, COMMIT)
    assert stored.model is not None
    assert stored.model.family == family
    assert "transformer/diffusion_pytorch_model.safetensors" in stored.sources
    assert any("vae/diffusion_pytorch_model.safetensors, 0.00 GB" in line for line in lines)
    before = len(hub.requests)
    recipe = Recipe("diffusers", "1", name, COMMIT, "music", "calm", 0.5, 1, {"steps": 2})
    [(_, take)] = DiffusersGenerator("cpu").generate([recipe], {})
    assert isinstance(take, GeneratedTake)
    assert take.notes["checkpoint"]["revision"] == COMMIT
    assert list(ENGINE.missing([recipe])) == []
    assert len(hub.requests) == before


def test_the_commit_of_the_first_fetch_is_used_from_then_on(hub: FakeHub) -> None:
    assert model_store.STORE.pinned_commit(OPEN) is None
    fetch(OPEN, _no_progress)
    downloads = hub.downloads()
    hub.repositories[OPEN] = ("b" * 40, Path("/nowhere"))
    assert fetch(OPEN, _no_progress)[0].revision == COMMIT
    assert hub.downloads() == downloads


def test_a_commit_can_be_named_and_an_error_names_the_one_that_a_recipe_needs(hub: FakeHub) -> None:
    recipe = Recipe("diffusers", "1", OPEN, COMMIT, "sfx", "door", 1.0, 1, {"steps": 2})
    [line] = ENGINE.missing([recipe])
    assert line.endswith(f"run: cuesmith models fetch --engine diffusers {OPEN}@{COMMIT}")
    done = _cli("fetch", f"{OPEN}@{COMMIT}")
    assert done.exit_code == 0, done.output
    assert list(ENGINE.missing([recipe])) == []
    assert model_store.STORE.pinned_commit(OPEN) == COMMIT
    done = _cli("fetch", f"{OPEN}@main")
    assert (done.exit_code, "'main' is no commit; write all 40" in done.output) == (2, True)


def test_another_commit_leaves_the_pinned_one(hub: FakeHub) -> None:
    fetch(OPEN, _no_progress)
    hub.repositories[OPEN] = ("b" * 40, hub.repositories[OPEN][1])
    assert fetch(f"{OPEN}@{'b' * 40}", _no_progress)[0].revision == "b" * 40
    assert fetch(OPEN, _no_progress)[0].revision == model_store.STORE.pinned_commit(OPEN) == COMMIT


def test_only_what_the_pipeline_needs_is_downloaded(hub: FakeHub, tmp_path: Path) -> None:
    folder = _copy(hub, tmp_path / "more")
    for name in (
        "model.ckpt",
        "README.md",
        "evil.py",
        "vae/evil.py",
        "vae/diffusion_pytorch_model.bin",
        "vae/diffusion_pytorch_model.fp16.safetensors",
        "examples/sound.wav",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"no")
    [stored] = fetch(OPEN, _no_progress)
    assert sorted(stored.files) == sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.read_bytes() != b"no"
    )


def _edit_index(folder: Path, **changes: Any) -> None:
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | changes))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "model_index.json").unlink(), "convert_stable_audio_3_to_diffusers.py"),
        (lambda folder: _edit_index(folder, _class_name="FluxPipeline"), "names FluxPipeline"),
        (
            lambda folder: _edit_index(folder, vae=["evil", "AutoencoderOobleck"]),
            r"vae \(evil\) needs code of its own, which is never run",
        ),
        (
            lambda folder: _edit_index(folder, **{"..": ["diffusers", "AutoencoderOobleck"]}),
            r"\.\. \(diffusers\) needs code of its own",
        ),
        (
            lambda folder: (folder / "vae" / "diffusion_pytorch_model.safetensors").rename(
                folder / "vae" / "diffusion_pytorch_model.bin"
            ),
            "the weights of vae are pickles",
        ),
        (lambda folder: shutil.rmtree(folder / "vae"), "the folder vae is missing"),
    ],
)
def test_what_the_engine_cannot_use_is_refused_before_the_weights_are_downloaded(
    spoil: Callable[[Path], None], said: str, hub: FakeHub, tmp_path: Path
) -> None:
    spoil(_copy(hub, tmp_path / "spoilt"))
    with pytest.raises(MachineError, match=said):
        fetch(OPEN, _no_progress)
    assert not any(name.endswith(".safetensors") for name in hub.downloads())
    assert model_store.STORE.find(OPEN, COMMIT) is None


def test_a_file_that_is_not_what_the_hub_announced_is_refused(hub: FakeHub) -> None:
    hub.spoil = "diffusion_pytorch_model.safetensors"
    with pytest.raises(MachineError, match="expected"):
        fetch(OPEN, _no_progress)
    assert model_store.STORE.find(OPEN, COMMIT) is None


def test_a_gated_repository_says_where_to_consent_and_how_to_give_a_token(
    hub: FakeHub, own_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.token = "hf_secret"
    done = _cli("fetch", OPEN)
    assert done.exit_code == 4
    assert f"accept them at https://huggingface.co/{OPEN}" in done.output
    assert "HF_TOKEN" in done.output
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    done = _cli("fetch", OPEN, "--json")
    assert done.exit_code == 0, done.output
    assert "hf_secret" not in done.output
    assert not any(b"hf_secret" in path.read_bytes() for path in own_store.rglob("*") if path.is_file())


def test_an_unknown_name_names_the_known_ones(own_store: Path) -> None:
    with pytest.raises(UsageError, match=r"available: stabilityai/stable-audio-open-1.0, .*ACE-Step"):
        fetch("stabilityai/stable-audio-9", _no_progress)


def test_models_lists_licences_with_their_conditions(hub: FakeHub) -> None:
    fetch(OPEN, _no_progress)
    rows = {row["id"]: row for row in json.loads(_cli("list", "--json").stdout)["models"]}
    row = rows[OPEN]
    assert (row["here"], row["revision"], row["commercial"]) == (True, COMMIT, True)
    assert (row["terms"]["revenue_below_usd"], row["terms"]["attribution"]) == (
        1_000_000,
        "Powered by Stability AI",
    )
    assert row["terms"]["registration"].startswith("https://stability.ai/")
    assert row["terms"]["source"].startswith("https://")
    assert rows[MODELS["ace-step"]]["commercial"] is True
    assert not rows[MODELS["ace-step"]]["here"]
    assert f"{OPEN:<44} music+sfx" in _cli("list").stdout


def test_verify_finds_a_file_that_changed(hub: FakeHub) -> None:
    [stored] = fetch(OPEN, _no_progress)
    assert _cli("verify").exit_code == 0
    (stored.folder / "vae" / "config.json").write_text("{}")
    done = _cli("verify", OPEN)
    assert done.exit_code == 5
    assert "models fetch --engine diffusers" in done.output
    assert _cli("verify", "local/none").exit_code == 2


def test_models_that_are_not_here_are_named_with_the_command(own_store: Path) -> None:
    recipe = Recipe("diffusers", "1", OPEN, "unfetched", "sfx", "door", 1.0, 1, {"steps": 100})
    [line] = ENGINE.missing([recipe])
    assert f"run: cuesmith models fetch --engine diffusers {OPEN}" in line
