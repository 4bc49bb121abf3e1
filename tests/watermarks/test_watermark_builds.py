"""The watermark in builds: the manifest's key, the weights, the record, the files, what checks and discloses it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from fake_hub import FakeHub
from packs import export
from quick import QuickProject
from tiny_audioseal import use_small_cards
from typer.testing import CliRunner, Result

from flows.cli.app import app
from pipeline.audio import Clip, read_chunks
from pipeline.credentials import configured
from pipeline.credentials.claim import claim_of
from pipeline.credentials.development import development_identity
from pipeline.credentials.signing import Signer
from pipeline.delivery import decode
from pipeline.disclosure.documents import write_disclosure
from pipeline.errors import ManifestError
from pipeline.jobs import masters
from pipeline.plan import check_profiles
from pipeline.plan.estimates import mastering_seconds
from pipeline.provenance import MasterRecord, MasterRow, master_record
from pipeline.watermarks import audioseal, find_watermark, message_of, message_text, watermark_names
from pipeline.watermarks.registry import open_watermarker

HEAD = (
    "cuesmith: 1\nproject: toys\n"
    "defaults: {sfx: {engine: toy, formats: [wav, ogg], quality: {gate: false}KEYS}}\nassets:\n"
)
ASSETS = (
    "  - {id: a/one, kind: sfx, prompt: hiss, duration: 2s}\n"
    "  - {id: a/two, kind: sfx, prompt: hiss two, duration: 2s, variations: 2, watermark: none}\n"
)
MESSAGE = message_text(message_of("toys"))


def write(project: QuickProject, keys: str = ", watermark: audioseal") -> None:
    project.write(ASSETS, HEAD.replace("KEYS", keys))


def record(row: MasterRow, project: QuickProject) -> MasterRecord:
    found = master_record(project.store, row["master"])
    assert found is not None
    return found


def run(*words: Any) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_only_assets_that_ask_for_a_mark_get_one_and_everything_says_so(project: QuickProject) -> None:
    write(project, "")
    project.build()
    before = project.latest.by_variation
    write(project)
    assert project.reasons() == {"a/one_1": ["watermark changed: none -> audioseal"]}
    estimated = mastering_seconds(project.prepare().plan)
    assert estimated > 2 * find_watermark("audioseal").seconds_a_second
    built = project.build()
    assert (built["generated"], built["mastered"]) == (0, 1)
    row = project.row("a/one")
    facts = {
        "name": "audioseal",
        "model": "facebook/audioseal",
        "revision": audioseal.REVISION,
        "license": "MIT",
        "message": MESSAGE,
        "strength": 1.0,
    }
    assert row["watermark"] == record(row, project)["watermark"] == facts
    [step] = [step for step in record(row, project)["chain"] if step["step"] == "watermark"]
    assert step == {"step": "watermark", **facts, "level_db": step["level_db"]}
    for rendition in record(row, project)["renditions"]:
        assert rendition["watermark"]["probability"] > 0.5
        assert (rendition["watermark"]["found"], rendition["watermark"]["message"]) == (True, MESSAGE)
    files = project.library()
    assert b"<AI_WATERMARK>audioseal " + MESSAGE.encode() in files["a/one_01.wav"]
    assert b"AI_WATERMARK" not in files["a/two_01.wav"]
    tags: Any = mutagen.File(project.outputs / "library/latest/a/one_01.ogg")
    assert tags["ai_watermark"] == [f"audioseal {MESSAGE}"]
    assert project.row("a/two") == before["a/two", 1]
    assert "watermark" not in record(project.row("a/two"), project)
    assert not project.build()["published"]
    assert project.harm() == []
    write(project, "")
    assert project.build()["mastered"] == 0, "the master without it is still in the store"
    assert project.row("a/one")["master"] == before["a/one", 1]["master"]


def test_two_builds_give_the_same_files(project: QuickProject, tmp_path: Path) -> None:
    other = QuickProject(tmp_path / "other" / "toys")
    for each in (project, other):
        write(each)
        each.build()
    assert project.library() == other.library()


def test_another_revision_of_the_model_masters_again_and_says_why(
    project: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project)
    project.build()
    found = find_watermark("audioseal")
    monkeypatch.setattr(type(found), "revision", "f" * 40)
    monkeypatch.setattr(type(found), "version", "1 ffffffffffff")
    said = f"revision of the watermark changed: {audioseal.REVISION[:12]} -> ffffffffffff"
    assert project.reasons() == {"a/one_1": [said]}


def test_a_mark_that_a_sound_is_too_short_for_is_recorded_as_not_found(
    project: QuickProject, tmp_path: Path
) -> None:
    write(project)
    project.write(ASSETS.replace("2s}", "0.02s}", 1), HEAD.replace("KEYS", ", watermark: audioseal"))
    project.build()
    renditions = record(project.row("a/one"), project)["renditions"]
    assert [rendition["watermark"]["found"] for rendition in renditions] == [False, False]
    write_disclosure(project.catalog, project.latest, tmp_path)
    assert "| 1, found again in every file of 0 |" in (tmp_path / "ai-act.md").read_text()


@pytest.fixture
def lossy(project: QuickProject, monkeypatch: pytest.MonkeyPatch) -> QuickProject:
    """A project whose ogg files lose every mark, and a sound too short for one."""

    def decode_without_mark(data: bytes, audio_format: str) -> Clip:
        clip = decode(data, audio_format)
        return replace(clip, samples=np.zeros_like(clip.samples)) if audio_format == "ogg" else clip

    monkeypatch.setattr(masters, "decode", decode_without_mark)
    short = "  - {id: b/short, kind: sfx, prompt: hiss, duration: 0.01s}\n"
    project.write(ASSETS + short, HEAD.replace("KEYS", ", watermark: tones"))
    return project


def test_a_mark_that_is_lost_in_a_format_is_counted_listed_and_explained(lossy: QuickProject) -> None:
    assert lossy.build()["watermark_lost"] == 2
    assert lossy.build()["watermark_lost"] == 2, "also if there is nothing to make"
    facts = json.loads((lossy.outputs / "catalog/000001/build.json").read_text())
    assert facts["watermark_lost"] == 2
    assert lossy.row("a/one")["watermark_lost"] == ["ogg"]
    assert "watermark_lost" not in lossy.row("a/two")
    place = ("--state", "watermark-lost", "--outputs", lossy.outputs)
    listed = json.loads(run("catalog", "show", *place, "--json").stdout)["masters"]
    assert [row["asset"] for row in listed] == ["a/one", "b/short"]
    shown = run("catalog", "show", *place)
    assert "watermark-lost (in ogg)" in shown.stdout
    assert "1 master lost the watermark in ogg: the coding removed it; deliver another format" in shown.stderr
    assert "1 master lost the watermark in wav, ogg: the sound is too short or too quiet" in shown.stderr
    said = run("build", lossy.manifest, "--outputs", lossy.outputs).stderr
    assert "1 master lost the watermark in ogg: the coding removed it; deliver another format" in said
    assert "1 master lost the watermark in wav, ogg: the sound is too short or too quiet" in said
    assert "cuesmith catalog show --state watermark-lost" in said
    assert lossy.harm() == []
    lossy.write(ASSETS.replace("hiss,", "hiss, watermark: none,", 1), HEAD.replace("KEYS", ""))
    assert lossy.build()["watermark_lost"] == 0


def test_an_unknown_watermark_is_reported_with_its_line(project: QuickProject) -> None:
    assert watermark_names() == ("audioseal", "tones")
    for name, said in {
        "sealed": "a/one.watermark: watermark 'sealed' is not installed; installed watermarks: audioseal, tones",
        "Audio Seal": "'Audio Seal' is not a watermark; use lower-case letters",
    }.items():
        project.write(ASSETS.replace("hiss,", f"hiss, watermark: {name},", 1), HEAD.replace("KEYS", ""))
        with pytest.raises(ManifestError) as caught:
            check_profiles(project.manifest)
        assert f"{project.manifest}:5: " in str(caught.value)
        assert said in str(caught.value)


def test_a_watermark_of_another_package_is_used_and_found(project: QuickProject) -> None:
    write(project, ", watermark: tones, credentials: development")
    project.build()
    assert project.row("a/one")["watermark"]["model"] == "tones"
    code, mark = verified(project.outputs / "library/latest/a/one_01.ogg")
    assert (code, mark["state"], mark["name"], mark["message"]) == (0, "found", "tones", MESSAGE)


class TestWeights:
    @pytest.fixture(autouse=True)
    def empty(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("CUESMITH_MODELS", str(tmp_path / "empty"))
        use_small_cards(monkeypatch)
        return tmp_path / "empty" / "audioseal"

    def fetch(self) -> Result:
        return run("models", "fetch", audioseal.REPOSITORY, "--engine", "audioseal")

    def test_without_weights_a_build_stops_before_any_work_and_a_plan_says_what_to_do(
        self, project: QuickProject
    ) -> None:
        write(project)
        remedy = f"cuesmith models fetch --engine audioseal {audioseal.REPOSITORY}"
        assert remedy in run("plan", project.manifest, "--outputs", project.outputs).stderr
        done = run("build", project.manifest, "--outputs", project.outputs)
        assert done.exit_code == 4
        assert remedy in done.stderr
        assert not list(project.outputs.glob("takes/*"))

    def test_weights_are_fetched_at_their_commit_converted_and_verified(
        self, project: QuickProject, published: Path, empty: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert "not installed" in run("models", "list", "--engine", "audioseal").stdout
        with FakeHub() as hub:
            hub.repositories[audioseal.REPOSITORY] = (audioseal.REVISION, published)
            monkeypatch.setenv("HF_ENDPOINT", hub.url)
            hub.spoil = audioseal.DETECTOR
            assert self.fetch().exit_code == 4
            assert not list(empty.rglob("model.json"))
            hub.spoil = None
            done = self.fetch()
            assert done.exit_code == 0, done.output
            asked = len(hub.requests)
            assert self.fetch().exit_code == 0, "an installed model is only verified"
            assert len(hub.requests) == asked
            write(project)
            project.build()
            assert len(hub.requests) == asked, "a build is offline"
        assert {path.suffix for path in empty.rglob("*") if path.is_file()} == {".json", ".safetensors"}
        assert "  installed" in run("models", "list", "--engine", "audioseal").stdout
        assert run("models", "verify", "--engine", "audioseal").exit_code == 0
        [weights] = empty.rglob("generator.safetensors")
        weights.write_bytes(weights.read_bytes()[:-1])
        damaged = run("models", "verify", "--engine", "audioseal")
        assert damaged.exit_code == 5
        assert str(weights) in damaged.stderr

    def test_a_checkpoint_of_other_sizes_is_refused(
        self, published: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.undo()
        with FakeHub() as hub:
            hub.repositories[audioseal.REPOSITORY] = (audioseal.REVISION, published)
            monkeypatch.setenv("HF_ENDPOINT", hub.url)
            done = self.fetch()
        assert done.exit_code == 4
        assert "its weights do not fit AudioSeal's network" in done.stderr


def test_a_plan_with_a_watermark_imports_no_torch(project: QuickProject) -> None:
    project.write(ASSETS, HEAD.replace("KEYS", ", watermark: audioseal").replace("toy,", "sketch,"))
    code = (
        "import sys\nfrom flows.cli import main\n"
        f"sys.argv = ['cuesmith', 'plan', {str(project.manifest)!r}, '--outputs', {str(project.outputs)!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'audioseal', 'numpy', 'scipy', 'prefect'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def stripped(path: Path) -> bytes:
    """A wav with nothing but its format and its samples."""
    chunks = {chunk.id: chunk.data for chunk in read_chunks(path.read_bytes())}
    body = b"".join(
        name.encode() + len(chunks[name]).to_bytes(4, "little") + chunks[name] for name in ("fmt ", "data")
    )
    return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WAVE" + body


def verified(*words: Any) -> tuple[int, dict[str, Any]]:
    done = run("credentials", "verify", *words, "--json")
    [file] = json.loads(done.stdout)["files"]
    return done.exit_code, file["watermark"]


class TestChecking:
    @pytest.fixture
    def signed(self, project: QuickProject) -> QuickProject:
        write(project, ", watermark: audioseal, credentials: development")
        project.build()
        return project

    def test_the_mark_is_found_in_signed_and_in_stripped_files(
        self, signed: QuickProject, tmp_path: Path
    ) -> None:
        folder = signed.outputs / "library" / "latest" / "a"
        for name in ("one_01.wav", "one_01.ogg"):
            code, mark = verified(folder / name)
            assert (code, mark["state"], mark["message"], mark["expected"]) == (0, "found", MESSAGE, MESSAGE)
            assert mark["probability"] > 0.5
        result = run("credentials", "verify", folder / "one_01.wav", folder / "two_01.wav")
        assert result.exit_code == 0
        assert "         watermark: found (audioseal, probability " in result.stdout
        assert verified(folder / "two_01.wav")[1]["state"] == "not asked"
        code, mark = verified(folder / "two_01.wav", "--watermark", "audioseal")
        assert (code, mark["state"], mark["message"]) == (5, "not found", None)
        bare = tmp_path / "bare.wav"
        bare.write_bytes(stripped(folder / "one_01.wav"))
        code, mark = verified(bare, "--watermark", "audioseal")
        assert (code, mark["state"], mark["message"], mark["expected"]) == (5, "found", MESSAGE, None)
        assert run("credentials", "verify", bare, "--watermark", "sealed").exit_code == 2
        shown = run("credentials", "show", folder / "one_01.wav").stdout
        assert f"  watermark              license MIT, message {MESSAGE}, model facebook/audioseal, " in shown
        assert "c2pa.watermarked.unbound by facebook/audioseal" in " ".join(shown.split())
        assert "watermarked" not in run("credentials", "show", folder / "two_01.wav").stdout

    @pytest.mark.parametrize(
        ("settings", "ending"),
        [("format: wav, sample_rate: 22.05 kHz, channels: 1, bit_depth: 16", "wav"), ("format: mp3", "mp3")],
    )
    def test_a_signed_file_of_an_export_profile_carries_it(
        self, signed: QuickProject, tmp_path: Path, settings: str, ending: str
    ) -> None:
        head = HEAD.replace("KEYS", ", watermark: audioseal, credentials: development")
        signed.write(ASSETS, head.replace("assets:", f"exports: {{small: {{{settings}}}}}\nassets:"))
        export(signed, "godot", tmp_path / "game", "small")
        path = tmp_path / f"game/a/one_01.{ending}"
        code, mark = verified(path)
        assert (code, mark["state"], mark["message"], mark["expected"]) == (0, "found", MESSAGE, MESSAGE)
        tag = b"AI_WATERMARK" if ending == "mp3" else b"<AI_WATERMARK>audioseal "
        assert tag in path.read_bytes()

    def test_a_claim_without_its_mark_or_with_another_message_is_a_failure(
        self, signed: QuickProject, tmp_path: Path
    ) -> None:
        folder, path = signed.outputs / "library" / "latest" / "a", tmp_path / "sound.wav"
        signer = Signer(configured() or development_identity())
        row = signed.row("a/one")
        path.write_bytes(signer.sign(stripped(folder / "two_01.wav"), ".wav", claim_of("toys", row)).data)
        assert verified(path)[0] == 5
        assert verified(path)[1]["state"] == "not found"
        other: Any = {**row, "watermark": {**row["watermark"], "message": message_text(message_of("game"))}}
        path.write_bytes(signer.sign(stripped(folder / "one_01.wav"), ".wav", claim_of("toys", other)).data)
        code, mark = verified(path)
        assert (code, mark["state"], mark["message"]) == (5, "other message", MESSAGE)
        assert mark["expected"] != MESSAGE

    def test_without_the_detector_a_signature_is_still_checked(
        self, signed: QuickProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CUESMITH_MODELS", str(tmp_path / "none"))
        open_watermarker.cache_clear()
        path = signed.outputs / "library" / "latest" / "a" / "one_01.wav"
        code, mark = verified(path)
        assert (code, mark["state"]) == (0, "not checked")
        assert "cuesmith models fetch --engine audioseal" in mark["reason"]
        assert run("credentials", "verify", path, "--watermark", "audioseal").exit_code == 4

    def test_disclosures_count_the_sounds_that_carry_it(self, signed: QuickProject, tmp_path: Path) -> None:
        write_disclosure(signed.catalog, signed.latest, tmp_path)
        facts = json.loads((tmp_path / "disclosure.json").read_text())
        [use] = facts["watermarks"]
        assert (use["name"], use["sounds"], use["found"], facts["unmarked"]) == ("audioseal", 1, 1, 2)
        marks = {sound["name"]: sound["watermark"] for sound in facts["sounds"]}
        assert marks["a/one_01"]["message"] == MESSAGE
        assert marks["a/two_01"] is None
        text = (tmp_path / "ai-act.md").read_text()
        assert (
            f"(facebook/audioseal, revision {audioseal.REVISION}) | 1, found again in every file of 1 |"
            in text
        )
        assert "| without an imperceptible watermark | 2 |" in text
        assert f"| audioseal {MESSAGE} |" in text
        assert "- 1 sound marked with facebook/audioseal" in (tmp_path / "credits.md").read_text()
        bom = json.loads((tmp_path / "ml-bom.cdx.json").read_text())
        purl = f"pkg:huggingface/facebook/audioseal@{audioseal.REVISION}"
        [component] = [item for item in bom["components"] if item["bom-ref"] == purl]
        assert component["licenses"] == [{"license": {"id": "MIT"}}]
        assert JsonStrictValidator(SchemaVersion.V1_7).validate_str(json.dumps(bom)) is None
