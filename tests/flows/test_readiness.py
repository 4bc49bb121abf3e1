"""What a machine lacks for a build is reported by `plan`, and ends `build` before Prefect starts."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import flows.command
from flows.cli.app import app
from pipeline.build import readiness
from pipeline.credentials import identity
from pipeline.generators.audiocraft.model_store import STORE
from pipeline.generators.audiocraft.models import BY_ID

HEAD = "cuesmith: 1\nproject: bare\n"
CUE = "  - {id: music/cue, kind: music, prompt: a calm song, duration: 2s}\n"
EFFECT = "  - {id: sfx/click, kind: sfx, prompt: a click, duration: 0.2s}\n"
SMALL = BY_ID["facebook/musicgen-small"]
NEURAL = "defaults:\n  music: {engine: audiocraft, model: musicgen-small}\nassets:\n" + CUE + EFFECT


class Bare:
    """A folder with a manifest, on a machine with an empty model store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str) -> None:
        (self.folder / "cues.yaml").write_text(HEAD + text)

    def run(self, command: str, *words: str) -> Result:
        place = [str(self.folder / "cues.yaml"), "-o", str(self.folder / "outputs")]
        return CliRunner().invoke(app, [command, *place, *words])

    def missing(self) -> list[str]:
        done = self.run("plan", "--json")
        assert done.exit_code == 0, done.output
        found: list[str] = json.loads(done.stdout).get("lacks", [])
        return found


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bare:
    monkeypatch.setenv("CUESMITH_MODELS", str(tmp_path / "models"))

    def start(*anything: Any, **more: Any) -> None:
        raise AssertionError("Prefect was started")

    monkeypatch.setattr(flows.command, "run_build", start)
    return Bare(tmp_path)


def _refused(done: Result, *said: str) -> None:
    assert done.exit_code == 4, done.output
    for text in said:
        assert text in done.stderr


def test_missing_weights_are_reported_with_the_command_that_brings_them(bare: Bare) -> None:
    bare.write(NEURAL)
    remedy = "run: cuesmith models fetch facebook/musicgen-small"
    assert any(remedy in line for line in bare.missing())
    result = bare.run("plan")
    assert result.exit_code == 0
    assert f"warning: this machine cannot run the build yet: the weights of {SMALL.id}" in result.stderr
    _refused(bare.run("build"), remedy)
    assert not (bare.folder / "outputs" / "takes").exists()


def _store_small(*parts: str) -> None:
    """A stored checkpoint without its parts, but for those that lie beside it."""
    assert SMALL.revision is not None
    with STORE.new_folder(SMALL.id, SMALL.revision) as folder:
        text = {"description": {"model": "t5", "t5": {"name": "t5-base"}}}
        (folder / "lm.json").write_text(json.dumps({"conditioners": text}))
        (folder / "codec.json").write_text(json.dumps({"pretrained": "facebook/encodec_32khz"}))
        for part in parts:
            (folder / part).mkdir()
        STORE.write_record(folder, SMALL.id, SMALL.revision, SMALL, {})


def test_parts_of_a_model_that_are_missing_are_reported_too(bare: Bare) -> None:
    bare.write(NEURAL)
    _store_small()
    said = " ".join(bare.missing())
    assert "needs t5-base, which is not installed; run: cuesmith models fetch t5-base" in said
    assert "needs facebook/encodec_32khz" in said


def test_parts_beside_a_model_are_there(bare: Bare) -> None:
    bare.write(NEURAL)
    _store_small("t5-base", "encodec_32khz")
    assert not any("needs" in line for line in bare.missing())


def test_weights_that_nothing_asks_for_are_not_missed(bare: Bare) -> None:
    bare.write("assets:\n" + CUE + EFFECT)
    assert bare.missing() == []


def test_a_device_that_is_not_here_is_reported_before_prefect(
    bare: Bare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.generators.devices.torch_devices", lambda: {"cpu": "a processor"})
    bare.write(NEURAL)
    _refused(bare.run("build", "-d", "cuda:1"), "device cuda:1 is not on this machine")


@pytest.mark.parametrize("gone", ["pydub", "ffmpeg"])
def test_m4a_without_its_encoder_is_reported_before_prefect(
    gone: str, bare: Bare, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = {"pydub"} if gone == "pydub" else {"imageio_ffmpeg"}
    real = importlib.util.find_spec
    monkeypatch.setattr(readiness, "find_spec", lambda name: None if name in absent else real(name))
    if gone == "ffmpeg":
        monkeypatch.setattr(shutil, "which", lambda name: None)
    bare.write("defaults:\n  sfx: {formats: [m4a]}\nassets:\n" + EFFECT)
    said = f"m4a needs {gone}, which is not installed; install the extra with: pip install 'cuesmith[m4a]'"
    assert said in bare.missing()
    _refused(bare.run("build"), said)


def test_required_credentials_that_cannot_be_had_are_reported_before_prefect(
    bare: Bare, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare.write("defaults:\n  sfx: {credentials: required}\nassets:\n" + EFFECT)
    _refused(bare.run("build"), "sfx/click has credentials: required, but no certificate is configured")
    monkeypatch.setattr(identity, "available", lambda: False)
    said = (
        "but the package c2pa-python is not installed; install the extra with: pip install 'cuesmith[c2pa]'"
    )
    assert any(said in line for line in bare.missing())


def test_everything_that_is_missing_is_reported_at_once(bare: Bare, monkeypatch: pytest.MonkeyPatch) -> None:
    bare.write(NEURAL.replace("assets:", "  sfx: {credentials: required}\nassets:"))
    done = bare.run("build")
    _refused(done, "the weights of facebook/musicgen-small", "no certificate is configured")
