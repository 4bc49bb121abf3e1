"""Builds that sign: last of all, once, and without changing what is signed."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from quick import QuickProject
from signed_sounds import studio_identity
from toys import HEAD, THREE, TWO
from typer.testing import CliRunner, Result

from flows.cli.app import app
from pipeline.audio import read
from pipeline.build import prepare as preparing
from pipeline.build.prepare import up_to_date
from pipeline.build.publish import publish_only
from pipeline.catalog import Catalog
from pipeline.credentials import signing as signing_room
from pipeline.credentials.checking import check
from pipeline.store import Store, verify

SIGNING = HEAD.replace("formats: [wav]", "formats: [wav, ogg], credentials: development")
PLAIN = SIGNING.replace("credentials: development", "credentials: none")
STUDIO, STUDIO_ROOT = studio_identity()


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUESMITH_CONFIG", str(tmp_path / "config"))


@pytest.fixture
def signing(tmp_path: Path) -> QuickProject:
    """A project that asks for credentials, not built yet."""
    project = QuickProject(tmp_path / "toys")
    project.write(TWO + THREE, SIGNING)
    return project


@pytest.fixture(scope="module")
def unsigned(tmp_path_factory: pytest.TempPathFactory) -> QuickProject:
    """The same project built without credentials; to be copied."""
    project = QuickProject(tmp_path_factory.mktemp("unsigned"))
    project.write(TWO + THREE, PLAIN)
    project.build()
    return project


@pytest.fixture
def mastered(unsigned: QuickProject, tmp_path: Path) -> QuickProject:
    """A project whose masters are made, and of which credentials are asked from now on."""
    project = unsigned.copy(tmp_path / "mastered")
    project.write(TWO + THREE, SIGNING)
    return project


@pytest.fixture
def signed(mastered: QuickProject) -> QuickProject:
    """A project that is built and signed."""
    assert command(mastered).exit_code == 0
    return mastered


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configured identity: the certificate from a file, the key from the environment. Gives the root's file."""
    (tmp_path / "studio.pem").write_text(STUDIO.certificates)
    (tmp_path / "root.pem").write_text(STUDIO_ROOT)
    monkeypatch.setenv("CUESMITH_C2PA_CERT", str(tmp_path / "studio.pem"))
    monkeypatch.setenv("CUESMITH_C2PA_KEY", STUDIO.key)
    return tmp_path / "root.pem"


def command(toys: QuickProject, *words: str) -> Result:
    return CliRunner().invoke(app, ["build", str(toys.manifest), "--outputs", str(toys.outputs), *words])


def rows(toys: QuickProject) -> Any:
    version = Catalog(Store.open(toys.outputs)).latest()
    assert version is not None
    return version.masters


def states(toys: QuickProject, *trust: Path) -> set[str]:
    """What is said of every sound in the library."""
    root = toys.outputs / "library" / "latest"
    found = [path for path in root.rglob("*") if path.suffix in (".wav", ".ogg")]
    return {check(path, trust).state for path in found}


def test_a_build_signs_what_it_publishes_and_shows_sidecars_beside(signing: QuickProject) -> None:
    signing.build()
    assert list(signing.library()) == [
        f"{name}_01.{suffix}" for name in ("a/two", "b/three") for suffix in ("ogg", "ogg.c2pa", "wav")
    ]
    assert states(signing) == {"Trusted"}
    assert [row["credentials"]["signed_by"] for row in rows(signing)] == ["development"] * 2
    assert [str(one) for one in verify(Store.open(signing.outputs)) if one.harmful] == []


def test_a_signed_master_keeps_digest_samples_and_unsigned_bytes(
    unsigned: QuickProject, signed: QuickProject
) -> None:
    for before, after in zip(rows(unsigned), rows(signed), strict=True):
        assert after["master"] == before["master"]
        assert after["credentials"]["unsigned"] == before["files"]
        assert after["files"]["a/two_01.wav" if before["asset"] == "a/two" else "b/three_01.wav"] not in (
            before["files"].values()
        )
    for name, data in unsigned.library().items():
        assert read(signed.library()[name]).samples.tobytes() == read(data).samples.tobytes()


def test_a_second_build_signs_nothing_again(signed: QuickProject) -> None:
    before = signed.library()
    assert up_to_date(signed.prepare())
    output = json.loads(command(signed, "--json").stdout)
    assert (output["version"], output["published"]) == (2, False)
    assert signed.library() == before


def test_turning_credentials_on_and_off_makes_nothing_again(
    unsigned: QuickProject, mastered: QuickProject
) -> None:
    assert mastered.actions() == {"reuse": ["a/two_1", "b/three_1"]}
    result = command(mastered)
    assert result.exit_code == 0
    assert "2 masters are signed with a development certificate (not for release)" in result.stderr
    assert states(mastered) == {"Trusted"}
    mastered.write(TWO + THREE, PLAIN)
    assert command(mastered).exit_code == 0
    assert mastered.library() == unsigned.library()


def test_only_what_is_mastered_again_is_signed_again(signed: QuickProject) -> None:
    before = signed.library()
    signed.write(TWO.replace("second", "changed") + THREE, SIGNING)
    signed.build()
    changed = {name for name, data in signed.library().items() if data != before[name]}
    assert changed == {"a/two_01.ogg", "a/two_01.ogg.c2pa", "a/two_01.wav"}
    assert states(signed) == {"Trusted"}


def test_a_configured_certificate_signs_and_takes_the_place_of_the_development_one(
    signed: QuickProject, request: pytest.FixtureRequest
) -> None:
    root = request.getfixturevalue("studio")
    assert not up_to_date(signed.prepare())
    result = command(signed)
    assert f"2 masters are signed with certificate {STUDIO.name}" in result.stderr
    assert states(signed, root) == {"Trusted"}
    assert states(signed) == {"Valid"}


def test_a_machine_without_the_certificate_keeps_signatures_that_it_could_not_make(
    studio: Path, signed: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUESMITH_C2PA_CERT")
    monkeypatch.delenv("CUESMITH_C2PA_KEY")
    assert up_to_date(signed.prepare())


def test_required_credentials_stop_a_build_before_any_work_where_nothing_is_configured(
    signing: QuickProject,
) -> None:
    signing.write(TWO + THREE, SIGNING.replace(": development", ": required"))
    result = command(signing)
    assert result.exit_code == 4
    assert "a/two has credentials: required, but no certificate is configured" in result.stderr
    assert not (signing.outputs / "takes").exists()


def test_required_credentials_replace_development_ones(
    signed: QuickProject, request: pytest.FixtureRequest
) -> None:
    signed.write(TWO + THREE, SIGNING.replace(": development", ": required"))
    assert command(signed).exit_code == 4
    request.getfixturevalue("studio")
    assert command(signed).exit_code == 0
    assert {row["credentials"]["signed_by"] for row in rows(signed)} == {STUDIO.name}


@pytest.fixture
def without_extra(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    def set_missing(missing: bool) -> None:
        monkeypatch.setattr(preparing, "available", lambda: not missing)
        monkeypatch.setattr(signing_room, "available", lambda: not missing)

    set_missing(True)
    return set_missing


def test_without_the_extra_a_development_build_stays_unsigned_and_says_so_until_it_is_there(
    mastered: QuickProject, without_extra: Callable[[bool], None]
) -> None:
    result = command(mastered)
    assert result.exit_code == 0
    assert "2 masters are NOT signed: c2pa-python is not installed; install the extra with" in result.stderr
    assert {row["credentials"]["signed_by"] for row in rows(mastered)} == {None}
    assert states(mastered) == {"Missing"}
    assert up_to_date(mastered.prepare())
    without_extra(False)
    assert command(mastered).exit_code == 0
    assert states(mastered) == {"Trusted"}


def test_a_lost_signed_file_is_signed_again(signed: QuickProject) -> None:
    item = rows(signed)[0]["files"]["a/two_01.wav"]
    (signed.outputs / "store" / item["sha256"][:2] / f"{item['sha256']}.wav").unlink()
    assert not up_to_date(signed.prepare())
    output = json.loads(command(signed, "--json").stdout)
    assert (output["generated"], output["mastered"], output["published"]) == (0, 0, True)
    assert states(signed) == {"Trusted"}


def test_two_builds_that_sign_the_same_at_once_agree_on_one_version(mastered: QuickProject) -> None:
    both = [mastered.prepare() for _ in range(2)]
    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(publish_only, both))
    assert [result["version"] for result in results] == [2, 2]
    assert sorted(result["published"] for result in results) == [False, True]
    assert states(mastered) == {"Trusted"}


def test_the_private_key_appears_nowhere_in_the_outputs(signing: QuickProject, studio: Path) -> None:
    result = command(signing)
    assert states(signing, studio) == {"Trusted"}
    secrets = [line.encode() for line in STUDIO.key.splitlines() if line and "-----" not in line]
    files = [path.read_bytes() for path in signing.outputs.rglob("*") if path.is_file()]
    assert len(files) > 20
    for data in [*files, result.output.encode(), result.stderr.encode()]:
        assert not any(secret in data for secret in secrets)
        assert b"PRIVATE KEY" not in data
        assert b"studio.pem" not in data


def test_a_key_that_cannot_sign_is_reported_before_any_work(
    signing: QuickProject, studio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUESMITH_C2PA_KEY", studio_identity()[0].key)
    result = command(signing)
    assert result.exit_code == 4
    assert "cannot be signed" in result.stderr
    assert not (signing.outputs / "takes").exists()


def test_verify_and_show_tell_states_with_exit_codes(signed: QuickProject) -> None:
    folder = signed.outputs / "library" / "latest"
    good, broken = folder / "a" / "two_01.wav", signed.folder / "broken.wav"
    data = bytearray(good.read_bytes())
    data[data.index(b"data") + 100] ^= 1
    broken.write_bytes(data)

    def run(*words: str | Path) -> Result:
        return CliRunner().invoke(app, ["credentials", *map(str, words)])

    assert run("verify", good).exit_code == 0
    assert run("verify", good).stdout.startswith("Trusted ")
    assert run("verify", good, broken).exit_code == 5
    output = json.loads(run("verify", broken, good, signed.manifest, folder / "gone.wav", "--json").stdout)
    assert [one["state"] for one in output["files"]] == ["Invalid", "Trusted", "Missing"]
    assert "dataHash.mismatch" in output["files"][0]["reasons"][0]
    assert [one["path"] for one in output["problems"]] == [str(folder / "gone.wav")]
    assert run("verify", folder / "gone.wav").exit_code == 2
    shown = run("show", folder / "a" / "two_01.ogg")
    assert shown.exit_code == 0
    assert "algorithmicMedia by toy" in shown.stdout
    assert run("show", broken).exit_code == 5
    assert json.loads(run("show", good, "--json").stdout)["manifest"]["title"] == "a/two_01"


def test_a_new_naming_renames_signed_files_and_makes_nothing_again(signed: QuickProject) -> None:
    before = signed.library()
    named = SIGNING.replace("credentials:", "naming: '{project} {name} {variation}', credentials:")
    signed.write(TWO + THREE, named)
    output = json.loads(command(signed, "--json").stdout)
    assert (output["generated"], output["mastered"], output["published"]) == (0, 0, True)
    after = signed.library()
    assert after["toys two 01.ogg.c2pa"] == before["a/two_01.ogg.c2pa"]
    assert sorted(after.values()) == sorted(before.values())
    assert states(signed) == {"Trusted"}
    assert up_to_date(signed.prepare())
