"""`cuesmith export`: what it prints, its exit codes, and wrong input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from packs import files_of, read_pack
from quick import QuickProject
from toys import HEAD, ONE, TWO
from typer.testing import CliRunner, Result

from flows.cli.app import app
from pipeline.release import promote

MOBILE = HEAD.replace("assets:", "exports:\n  mobile: {format: ogg}\n  tiny: {size: 1 kB}\nassets:")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> QuickProject:
    """Version 1 has one asset, version 2 two; channel playtest points to version 1."""
    project = QuickProject(tmp_path_factory.mktemp("toys"))
    project.write(ONE, MOBILE)
    project.build()
    overrides = dict.fromkeys(
        ("placeholder", "unapproved", "credentials", "non-commercial", "loudness"), "a test"
    )
    promote(project.catalog, 1, "playtest", at="2026-01-01T00:00:00Z", by="lead", overrides=overrides)
    project.write(ONE + TWO, MOBILE)
    project.build()
    return project


def run(project: QuickProject, *words: str | Path) -> Result:
    place = ("--outputs", project.outputs, "--manifest", project.manifest)
    return CliRunner().invoke(app, ["export", *map(str, (*words, *place))])


def test_it_prints_sizes_and_changes(project: QuickProject, tmp_path: Path) -> None:
    done = run(project, "godot", "--to", tmp_path / "game")
    assert done.exit_code == 0, done.output
    assert "3 files  a\n" in done.stdout
    assert "version 2 for Godot 4 in " in done.stdout
    assert ": 8 files written, 0 removed, 0 unchanged; sounds " in done.stdout
    answer = json.loads(run(project, "godot", "--to", tmp_path / "game", "--json").stdout)
    assert answer | {"sizes": [], "bytes": 0, "folder": ""} == {
        "target": "godot",
        "version": 2,
        "channel": "latest",
        "profile": None,
        "folder": "",
        "written": [],
        "removed": [],
        "kept": [],
        "unchanged": 8,
        "bytes": 0,
        "sizes": [],
        "missing": 0,
    }


def test_a_channel_or_a_number_names_the_version(project: QuickProject, tmp_path: Path) -> None:
    for channel, version, sounds in (("playtest", 1, 1), ("latest", 2, 2), ("1", 1, 1)):
        assert run(project, "unity", "--to", tmp_path / "game", "--channel", channel).exit_code == 0
        pack = read_pack(tmp_path / "game")
        assert (pack["version"], len(pack["sounds"])) == (version, sounds)


def test_a_profile_of_the_manifest(project: QuickProject, tmp_path: Path) -> None:
    assert run(project, "fmod", "--to", tmp_path / "game", "--profile", "mobile").exit_code == 0
    assert {file["format"] for file in files_of(read_pack(tmp_path / "game")).values()} == {"ogg"}


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (("unity3d", "--to", "game"), 2, "unknown target 'unity3d'; available: godot, godot3, unity"),
        (
            ("godot", "--to", "game", "--channel", "release"),
            2,
            "unknown channel 'release'; available: latest, playtest",
        ),
        (("godot", "--to", "game", "--channel", "9"), 2, "the catalog has no version 9"),
        (("godot", "--to", "game", "--channel", "²"), 2, "unknown channel '²'"),
        (("godot", "--to", "game", "--channel", "9" * 5000), 2, "unknown channel '999"),
        (
            ("godot", "--to", "game", "--profile", "console"),
            2,
            "no export profile 'console'; available: mobile",
        ),
        (("wwise", "--to", "game", "--profile", "mobile"), 2, "makes ogg, and this target imports wav"),
        (("godot", "--to", "game", "--profile", "tiny"), 1, "profile tiny allows 0.001 MB"),
        (("godot",), 2, "Missing option '--to'"),
    ],
)
def test_wrong_input_is_an_error_and_writes_nothing(
    project: QuickProject,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
    what: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(project, *words)
    assert (done.exit_code, what in done.output) == (code, True), done.output
    assert list(tmp_path.iterdir()) == []


def test_without_a_catalog(tmp_path: Path) -> None:
    empty = QuickProject(tmp_path / "empty")
    done = run(empty, "godot", "--to", tmp_path / "game")
    assert (done.exit_code, "create one: cuesmith build" in done.output) == (2, True)


def test_an_edited_file_is_a_warning(project: QuickProject, tmp_path: Path) -> None:
    run(project, "godot", "--to", tmp_path)
    (tmp_path / "a" / "one_01.wav").write_bytes(b"mine")
    done = run(project, "godot", "--to", tmp_path)
    assert done.exit_code == 0
    assert (
        "a/one_01.wav was edited and differs from the version; to get the version's, delete it" in done.stderr
    )


def test_an_export_without_a_profile_imports_no_encoder() -> None:
    code = (
        "import sys, pipeline.export.run; print([name for name in sys.modules if name in "
        "('scipy', 'torch', 'prefect', 'yaml', 'pipeline.delivery')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
