"""Files that a profile encodes: the labels and the signature of the delivered files; ids that survive a rename."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import mutagen
import pytest
from packs import export, files_of, read_pack
from quick import QuickProject
from signed_sounds import studio_identity
from typer.testing import CliRunner

from flows.cli.app import app
from pipeline.audio import read_chunks
from pipeline.credentials.checking import check

HEAD = """\
cuesmith: 1
project: toys
defaults:
  music: {engine: toy, formats: [FORMAT], credentials: development, quality: {gate: false}}
  sfx: {engine: toy, formats: [FORMAT], credentials: development, quality: {gate: false}}
exports:
  small: {format: wav, sample_rate: 22.05 kHz, bit_depth: 16, music: {format: mp3, bit_rate: 96 kbps}}
  vorbis: {format: ogg}
assets:
"""
ASSETS = """\
  - {id: music/calm, kind: music, prompt: "a hiss & <calm> épée", duration: 3.5s, bpm: 91.7}
  - {id: sfx/step, kind: sfx, prompt: a secret idea, duration: 0.5s, private_prompts: true,
     ucs: {category: FOOTHmn, name: Step}}
"""


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUESMITH_CONFIG", str(tmp_path / "config"))


def built(project: QuickProject, lossless: str = "wav") -> QuickProject:
    project.write(ASSETS, HEAD.replace("FORMAT", lossless))
    project.build()
    return project


def probed(path: Path) -> dict[str, str]:
    """Tags as ffprobe reads them, by lower-case name."""
    entries = ["-show_entries", "format_tags:stream_tags", "-of", "json"]
    done = subprocess.run(
        ["ffprobe", "-v", "error", *entries, str(path)], capture_output=True, text=True, check=True
    )
    facts = json.loads(done.stdout)
    tags = [facts["format"].get("tags", {}), *(stream.get("tags", {}) for stream in facts["streams"])]
    return {name.lower(): value for part in tags for name, value in part.items()}


def user_labels(path: Path) -> bytes:
    """The labels in the iXML of a wav."""
    [xml] = [chunk.data for chunk in read_chunks(path.read_bytes()) if chunk.id == "iXML"]
    return xml.partition(b"<USER>")[2].strip()


@pytest.mark.parametrize("lossless", ["wav", "flac"])
def test_encoded_files_have_the_labels_of_the_delivered_ones(
    project: QuickProject, tmp_path: Path, lossless: str
) -> None:
    built(project, lossless)
    export(project, "godot", tmp_path / "game", "small")
    theme, step = tmp_path / "game/music/calm_01.mp3", tmp_path / "game/sfx/step_01.wav"
    tags = probed(theme)
    row = project.row("music/calm")
    assert tags["ai_prompt"] == row["prompt"] == "a hiss & <calm> épée"
    assert tags["title"] == "music/calm_01"
    assert tags["cuesmith_catalog_id"] == row["master"]
    assert tags["cuesmith_asset"] == "music/calm"
    assert tags["tbpm"] == "92"
    assert "db" in tags["replaygain_track_gain"].lower()
    loudness = files_of(read_pack(tmp_path / "game"))["music/calm_01.mp3"]["loudness_lufs"]
    gain = float(tags["replaygain_track_gain"].split()[0])
    assert gain == pytest.approx(-18.0 - loudness, abs=0.5)
    labels = user_labels(step)
    assert b"AI_PROMPT" not in labels
    assert b"secret" not in step.read_bytes()
    assert b"<CATID>FOOTHmn</CATID><FXNAME>Step</FXNAME>" in labels
    if lossless == "wav":
        assert labels == user_labels(project.outputs / "library/latest/sfx/step_01.wav")
    said = subprocess.run(
        ["exiftool", "-s3", "-Title", str(theme), str(step)], capture_output=True, text=True, check=True
    ).stdout
    assert "music/calm_01" in said
    assert "sfx/step_01" in said


def test_encoded_files_are_signed_as_the_delivered_ones_and_only_once(
    project: QuickProject, tmp_path: Path
) -> None:
    built(project)
    result = export(project, "godot", tmp_path / "game", "small")
    for path, file in files_of(read_pack(tmp_path / "game")).items():
        verdict = check(tmp_path / "game" / path)
        assert (verdict.state, verdict.development, file["signed"]) == ("Trusted", True, True)
        assert verdict.manifest is not None
        facts = verdict.manifest["assertions"][-1]["data"]
        assert facts["catalog_id"] == file["master"]
    assert not any(file.lost_signature for file in result.pack.files)
    assert export(project, "godot", tmp_path / "game", "small").changes.written == ()
    vorbis = export(project, "godot", tmp_path / "vorbis", "vorbis")
    assert not any(file.chosen.signed or file.lost_signature for file in vorbis.pack.files)
    tags: Any = mutagen.File(tmp_path / "vorbis/music/calm_01.ogg")
    assert tags["ai_prompt"] == [project.row("music/calm")["prompt"]]


def test_files_signed_by_a_studio_are_never_signed_for_development(
    project: QuickProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity, root = studio_identity()
    (tmp_path / "root.pem").write_text(root)
    with monkeypatch.context() as studio:
        studio.setenv("CUESMITH_C2PA_CERT", identity.certificates)
        studio.setenv("CUESMITH_C2PA_KEY", identity.key)
        built(project)
        export(project, "godot", tmp_path / "studio", "small")
    signed = check(tmp_path / "studio/sfx/step_01.wav", [tmp_path / "root.pem"])
    assert (signed.state, signed.development) == ("Trusted", False)
    words = [
        "export",
        "godot",
        "--to",
        tmp_path / "other",
        "--profile",
        "small",
        "--manifest",
        project.manifest,
    ]
    done = CliRunner().invoke(app, [*map(str, words), "--outputs", str(project.outputs)])
    assert done.exit_code == 0
    assert (
        "2 files not signed, because the certificate that signed the version is not configured" in done.stderr
    )
    assert check(tmp_path / "other/sfx/step_01.wav").state == "Missing"


def test_a_rename_that_was_tells_moves_the_files_and_keeps_the_ids(
    project: QuickProject, tmp_path: Path
) -> None:
    built(project)
    export(project, "unity", tmp_path / "game")
    before = {sound["id"]: sound for sound in read_pack(tmp_path / "game")["sounds"]}
    for asset, was in (("sfx/walk/step", "sfx/step"), ("sfx/walk/stride", "[sfx/walk/step, sfx/step]")):
        project.write(
            ASSETS.replace("{id: sfx/step,", f"{{id: {asset}, was: {was},"), HEAD.replace("FORMAT", "wav")
        )
        project.build()
        export(project, "unity", tmp_path / "game")
        after = {sound["id"]: sound for sound in read_pack(tmp_path / "game")["sounds"]}
        assert after[asset]["guid"] == before["sfx/step"]["guid"]
        assert [file["id"] for file in after[asset]["files"]] == [
            file["id"] for file in before["sfx/step"]["files"]
        ]
        assert after["music/calm"] == before["music/calm"]
        assert (tmp_path / f"game/{asset}_01.wav").is_file()
        assert not (tmp_path / "game/sfx/step_01.wav").exists()
    other = QuickProject(tmp_path / "fresh" / "toys")
    other.write(project.manifest.read_text().partition("assets:\n")[2], HEAD.replace("FORMAT", "wav"))
    other.build()
    export(other, "unity", tmp_path / "again")
    again = {sound["id"]: sound["guid"] for sound in read_pack(tmp_path / "again")["sounds"]}
    assert again["sfx/walk/stride"] == before["sfx/step"]["guid"], "an empty library gives the same ids"


def test_a_new_asset_under_an_earlier_id_has_ids_of_its_own(project: QuickProject, tmp_path: Path) -> None:
    built(project)
    export(project, "unity", tmp_path / "game")
    old = {sound["id"]: sound["guid"] for sound in read_pack(tmp_path / "game")["sounds"]}
    renamed = ASSETS.replace("{id: sfx/step,", "{id: sfx/stride, was: sfx/step,")
    project.write(renamed, HEAD.replace("FORMAT", "wav"))
    project.build()
    both = ASSETS.replace("{id: sfx/step,", "{id: sfx/stride,") + ASSETS.partition("91.7}\n")[2]
    project.write(both, HEAD.replace("FORMAT", "wav"))
    project.build()
    export(project, "unity", tmp_path / "game")
    new = {sound["id"]: sound["guid"] for sound in read_pack(tmp_path / "game")["sounds"]}
    assert len(set(new.values())) == 3
    assert new["sfx/step"] == old["sfx/step"]
