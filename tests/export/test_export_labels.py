"""Files that a profile encodes: the labels and the signature of the delivered files; ids that survive a rename."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import c2pa
import jsonschema
import mutagen
import pytest
from packs import export, files_of, read_pack
from quick import QuickProject
from signed_sounds import studio_identity
from typer.testing import CliRunner

from flows.cli.app import app
from manifests import engine_keys
from pipeline.audio import read_chunks
from pipeline.credentials.checking import check
from pipeline.export.encoding import profile_files
from pipeline.manifest.loader import export_profiles

PACK_JSON = json.loads((Path(__file__).parents[2] / "docs/pack.schema.json").read_text(encoding="utf-8"))
HEAD = """\
cuesmith: 1
project: toys
defaults:
  music: {engine: toy, formats: [FORMAT], credentials: development, quality: {gate: false}}
  sfx: {engine: toy, formats: [FORMAT], credentials: development, quality: {gate: false}}
exports:
  small: {format: wav, sample_rate: 22.05 kHz, bit_depth: 16, music: {format: mp3, bit_rate: 96 kbps}}
  vorbis: {format: ogg}
  calls: {format: opus}
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


def ledger_of(folder: Path) -> set[str]:
    return set(json.loads((folder / ".cuesmith-export.json").read_text())["files"])


def claimed_by(sound: bytes, beside: bytes) -> str:
    """The master that credentials name, as the C2PA library itself reads them."""
    read = json.loads(c2pa.Reader("audio/ogg", io.BytesIO(sound), beside).json())
    assert read["validation_state"] == "Valid"
    return str(read["manifests"][read["active_manifest"]]["assertions"][-1]["data"]["catalog_id"])


def test_files_that_cannot_hold_credentials_have_them_beside(project: QuickProject, tmp_path: Path) -> None:
    built(project)
    game = tmp_path / "game"
    result = export(project, "godot", game, "vorbis")
    assert not any(file.lost_signature for file in result.pack.files)
    files = files_of(read_pack(game))
    assert set(files) == {"music/calm_01.ogg", "sfx/step_01.ogg"}
    for path, file in files.items():
        sound, beside = (game / path).read_bytes(), (game / f"{path}.c2pa").read_bytes()
        digest = hashlib.sha256(beside).hexdigest()
        stated = {"path": f"{path}.c2pa", "size": len(beside), "sha256": digest}
        assert (file["signed"], file["credentials"]) == (True, stated)
        assert claimed_by(sound, beside) == file["master"]
    jsonschema.validate(read_pack(game), PACK_JSON)
    sidecars = {f"{path}.c2pa" for path in files}
    assert sidecars < ledger_of(game)
    assert export(project, "godot", game, "vorbis").changes.written == ()
    verify = ["credentials", "verify", str(game)]
    done = CliRunner().invoke(app, verify)
    assert (done.exit_code, done.stdout.count("Trusted")) == (0, 2), done.output
    back = export(project, "godot", game)
    assert set(back.changes.removed) >= {*files, *sidecars}
    assert not list(game.rglob("*.c2pa"))
    assert not sidecars & ledger_of(game)
    (game / "other.ogg").write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    (game / "other.ogg.c2pa").write_bytes(beside)
    done = CliRunner().invoke(app, verify)
    assert (done.exit_code, f"Invalid  {game / 'other.ogg'}" in done.stdout) == (5, True), done.output


def test_opus_files_of_a_profile_have_their_credentials_beside(project: QuickProject) -> None:
    built(project)
    profile = export_profiles(project.manifest, engine_keys)["calls"]
    for _ in range(2):
        for file in profile_files(project.store, project.latest, profile, ("opus",)):
            assert file.sidecar is not None
            sound, beside = ((project.outputs / key).read_bytes() for key in (file.key, file.sidecar.key))
            assert claimed_by(sound, beside) == file.row["master"]


def test_credentials_beside_a_delivered_file_go_along_with_it(project: QuickProject, tmp_path: Path) -> None:
    built(project, "ogg")
    export(project, "godot", tmp_path / "game")
    library = project.outputs / "library/latest"
    for path in ("music/calm_01.ogg", "music/calm_01.ogg.c2pa", "sfx/step_01.ogg.c2pa"):
        assert (tmp_path / "game" / path).read_bytes() == (library / path).read_bytes()
    assert check(tmp_path / "game/music/calm_01.ogg").state == "Trusted"
    tags: Any = mutagen.File(tmp_path / "game/music/calm_01.ogg")
    assert tags["ai_prompt"] == [project.row("music/calm")["prompt"]]
    (tmp_path / "empty").mkdir()
    done = CliRunner().invoke(app, ["credentials", "verify", str(tmp_path / "empty")])
    assert (done.exit_code, "no sound file in this folder" in done.stderr) == (2, True)


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
