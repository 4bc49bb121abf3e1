"""Signing and checking: unchanged files are valid, every change is found, the sound does not change."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import replace
from pathlib import Path

import mutagen
import pytest
from encoders import ENCODABLE
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import ONE_FIXTURE_FOR_ALL, examples
from signed_sounds import ROW, claim, rendition, studio_identity

from pipeline.audio import read
from pipeline.credentials import PROVENANCE
from pipeline.credentials.checking import Verdict, check
from pipeline.credentials.development import development_identity, root_path
from pipeline.credentials.identity import Identity
from pipeline.credentials.signing import Signed, Signer
from pipeline.errors import MachineError, UsageError
from pipeline.formats import FORMATS

STUDIO, STUDIO_ROOT = studio_identity()
EMBEDDED = tuple(name for name in ENCODABLE if FORMATS[name].holds_credentials)
SIGNED: dict[str, Signed] = {}
TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def signed(audio_format: str) -> Signed:
    """A rendition signed by the studio, made once."""
    if audio_format not in SIGNED:
        data = rendition(audio_format)
        SIGNED[audio_format] = Signer(STUDIO).sign(data, f".{audio_format}", claim())
    return SIGNED[audio_format]


def write(folder: Path, audio_format: str, data: bytes, sidecar: bytes | None) -> Path:
    path = folder / f"sound.{audio_format}"
    path.write_bytes(data)
    beside = folder / f"{path.name}.c2pa"
    beside.unlink(missing_ok=True)
    if sidecar is not None:
        beside.write_bytes(sidecar)
    return path


def checked(
    folder: Path, audio_format: str, data: bytes, sidecar: bytes | None, trust: bool = True
) -> Verdict:
    root = folder / "root.pem"
    root.write_text(STUDIO_ROOT)
    return check(write(folder, audio_format, data, sidecar), [root] if trust else [])


@pytest.mark.parametrize("audio_format", ENCODABLE)
def test_a_signed_file_is_trusted_with_its_root_and_valid_without(audio_format: str, tmp_path: Path) -> None:
    made = signed(audio_format)
    assert checked(tmp_path, audio_format, made.data, made.sidecar).state == "Trusted"
    verdict = checked(tmp_path, audio_format, made.data, made.sidecar, trust=False)
    assert verdict.state == "Valid"
    assert [reason.partition(":")[0] for reason in verdict.reasons] == ["signingCredential.untrusted"]
    assert verdict.signer == "Studio signer, Studio"
    assert not verdict.development


@pytest.mark.parametrize("audio_format", ENCODABLE)
def test_samples_are_bit_identical_before_and_after_signing(audio_format: str, tmp_path: Path) -> None:
    before = write(tmp_path, audio_format, rendition(audio_format), None)
    sound = read(before)
    after = read(write(tmp_path, audio_format, *_parts(signed(audio_format))))
    assert after.rate == sound.rate
    assert after.samples.tobytes() == sound.samples.tobytes()


def _parts(made: Signed) -> tuple[bytes, bytes | None]:
    return made.data, made.sidecar


@pytest.mark.parametrize("audio_format", ["ogg", "opus"])
def test_formats_that_cannot_hold_credentials_stay_as_they_are(audio_format: str) -> None:
    made = signed(audio_format)
    assert made.data == rendition(audio_format)
    assert made.sidecar is not None


@pytest.mark.parametrize("audio_format", ENCODABLE)
@settings(max_examples=examples(20), suppress_health_check=ONE_FIXTURE_FOR_ALL)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit_is_found_wherever_it_is(
    audio_format: str, tmp_path: Path, where: float, bit: int
) -> None:
    made = signed(audio_format)
    for part in ("data", "sidecar"):
        whole = getattr(made, part)
        if whole is not None:
            broken = bytearray(whole)
            broken[int(where * len(whole))] ^= 1 << bit
            touched = replace(made, **{part: bytes(broken)})
            assert not checked(tmp_path, audio_format, touched.data, touched.sidecar).is_valid


@pytest.mark.slow
@pytest.mark.parametrize("audio_format", ENCODABLE)
def test_a_flipped_bit_is_found_in_every_single_byte(audio_format: str, tmp_path: Path) -> None:
    made = signed(audio_format)
    missed = []
    for part in ("data", "sidecar"):
        whole = getattr(made, part) or b""
        for place in range(len(whole)):
            broken = bytearray(whole)
            broken[place] ^= 1 << (place * 5 % 8)
            touched = replace(made, **{part: bytes(broken)})
            if checked(tmp_path, audio_format, touched.data, touched.sidecar).is_valid:
                missed.append((part, place))
    assert missed == []


@pytest.mark.parametrize("audio_format", ["flac", "mp3", "m4a", "ogg", "opus"])
def test_an_edited_tag_is_found(audio_format: str, tmp_path: Path) -> None:
    if audio_format not in ENCODABLE:
        pytest.skip("the m4a extra is not installed")
    made = signed(audio_format)
    path = write(tmp_path, audio_format, made.data, made.sidecar)
    file = mutagen.File(path, easy=True)
    file["title"] = "mine now"
    file.save()
    assert check(path).state == "Invalid"


def test_an_edited_tag_of_a_wav_is_found(tmp_path: Path) -> None:
    made = signed("wav")
    assert made.data.count(b"emberfall") > 1
    assert checked(tmp_path, "wav", made.data.replace(b"emberfall", b"otherfall"), None).state == "Invalid"


def test_credentials_of_another_sound_do_not_fit(tmp_path: Path) -> None:
    other = rendition("ogg", samples=900)
    assert checked(tmp_path, "ogg", other, signed("ogg").sidecar).state == "Invalid"


def test_hidden_data_in_the_padding_is_found(tmp_path: Path) -> None:
    made = signed("wav")
    place = made.data.index(bytes(200), made.data.index(b"pad\x59"))
    hidden = made.data[:place] + b"a message" + made.data[place + 9 :]
    verdict = checked(tmp_path, "wav", hidden, None)
    assert verdict.state == "Invalid"
    assert verdict.reasons == ("cuesmith.seal: the padding of the signature was changed",)


@pytest.mark.parametrize("name", [b"free", b"skip"])
@pytest.mark.parametrize("long", [False, True])
def test_hidden_data_in_a_filler_box_of_an_m4a_is_found(name: bytes, long: bool, tmp_path: Path) -> None:
    if "m4a" not in ENCODABLE:
        pytest.skip("the m4a extra is not installed")
    head = struct.pack(">I4sQ", 1, name, 25) if long else struct.pack(">I4s", 17, name)
    verdict = checked(tmp_path, "m4a", signed("m4a").data + head + b"a message", None)
    assert verdict.state == "Invalid"
    assert verdict.reasons[0].startswith("cuesmith.seal: a box of the file")


def test_a_sound_in_capitals_without_its_sidecar_is_missing_credentials(tmp_path: Path) -> None:
    (tmp_path / "SOUND.OGG").write_bytes(signed("ogg").data)
    assert check(tmp_path / "SOUND.OGG").state == "Missing"


def test_a_file_without_credentials_is_missing_them(tmp_path: Path) -> None:
    verdict = check(write(tmp_path, "flac", rendition("flac"), None))
    assert (verdict.state, verdict.manifest) == ("Missing", None)
    assert verdict.reasons == ("no Content Credentials in it or beside it",)
    (tmp_path / "notes.txt").write_text("no sound")
    assert check(tmp_path / "notes.txt").state == "Missing"


def test_the_sidecar_may_be_named_in_place_of_the_sound(tmp_path: Path) -> None:
    made = signed("ogg")
    path = write(tmp_path, "ogg", made.data, made.sidecar)
    assert check(tmp_path / "sound.ogg.c2pa").path == str(path)


def test_the_claim_says_what_made_it_and_holds_the_prompt_as_a_digest_only(tmp_path: Path) -> None:
    made = signed("wav")
    manifest = checked(tmp_path, "wav", made.data, None).manifest
    assert manifest is not None
    by_label = {item["label"]: item["data"] for item in manifest["assertions"]}
    [created] = by_label["c2pa.actions.v2"]["actions"]
    assert created["action"] == "c2pa.created"
    assert created["digitalSourceType"] == TRAINED
    assert created["softwareAgent"] == {"name": ROW["model"], "version": ROW["revision"]}
    facts = by_label[PROVENANCE]
    assert facts["prompt_sha256"] == hashlib.sha256(ROW["prompt"].encode()).hexdigest()
    assert (facts["project"], facts["catalog_id"]) == ("emberfall", ROW["master"])
    keys = ("asset", "variation", "engine", "model", "revision", "license")
    assert {key: facts[key] for key in keys} == {key: ROW[key] for key in keys}
    assert facts["recipe_sha256"] == ROW["take"]
    assert ROW["prompt"].encode() not in made.data
    assert ROW["prompt"] not in json.dumps(manifest)


def test_two_signatures_of_one_file_differ_and_both_hold(tmp_path: Path) -> None:
    signer, data = Signer(STUDIO), rendition("flac")
    first, second = (signer.sign(data, ".flac", claim()) for _ in range(2))
    assert first.data != second.data
    assert all(checked(tmp_path, "flac", signed.data, None).is_valid for signed in (first, second))


def test_the_development_certificate_is_made_once_labelled_and_kept_for_its_owner(config: Path) -> None:
    first = development_identity()
    assert development_identity() == first
    assert first.name == "development"
    stored = config / "development-credentials.pem"
    assert first.key.strip() in stored.read_text()
    assert "PRIVATE KEY" not in root_path().read_text()
    assert stored.stat().st_mode & 0o077 == 0


def test_a_development_signature_is_trusted_here_with_a_note_and_nowhere_else(
    tmp_path: Path, config: Path
) -> None:
    made = Signer(development_identity()).sign(rendition("wav"), ".wav", claim())
    here = check(write(tmp_path, "wav", made.data, None))
    assert (here.state, here.development) == ("Trusted", True)
    assert "not for release" in here.notes[0]
    assert "made on this machine" in here.notes[1]
    config.rename(tmp_path / "elsewhere")
    there = check(write(tmp_path, "wav", made.data, None))
    assert (there.state, there.development) == ("Valid", True)
    assert check(tmp_path / "sound.wav", [tmp_path / "elsewhere" / "development-root.pem"]).state == "Trusted"


def test_a_key_that_belongs_to_another_certificate_is_refused_before_any_work() -> None:
    other, _ = studio_identity()
    with pytest.raises(MachineError, match="cannot be signed"):
        Signer(Identity(STUDIO.certificates, other.key, development=False))


def test_a_certificate_that_has_run_out_is_refused_before_any_work() -> None:
    old, _ = studio_identity(days=-1)
    with pytest.raises(MachineError, match="valid today"):
        Signer(old)


def test_a_file_that_is_no_certificate_is_not_trusted_silently(tmp_path: Path) -> None:
    made = signed("wav")
    (tmp_path / "root.txt").write_text("trust me")
    with pytest.raises(UsageError, match=r"root.txt: contains no certificate"):
        check(write(tmp_path, "wav", made.data, None), [tmp_path / "root.txt"])
    with pytest.raises(UsageError, match=r"no.pem: .*; give the path of a PEM file"):
        check(tmp_path / "sound.wav", [tmp_path / "no.pem"])


def test_the_verdict_on_a_file_that_is_no_sound_says_that_it_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "text.wav"
    path.write_text("hello")
    verdict = check(path)
    assert verdict.state == "Invalid"
    assert verdict.reasons[0].startswith("it cannot be read: ")
