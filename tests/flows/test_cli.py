"""The command line: what it prints where, and its exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prefect.client.orchestration import get_client
from prefect.client.schemas.sorting import LogSort
from properties import examples
from quick import QuickProject
from toys import ONE, THREE, TWO, ToyProject
from typer.testing import CliRunner, Result

from flows.cli.app import app
from manifests import json_schema_text, load
from pipeline.generators import engine_keys
from pipeline.manifest.starter import starter_files
from pipeline.plan.estimates import START_S

COMMANDS = [
    "init",
    "validate",
    "schema",
    "plan",
    "build",
    "catalog",
    "review",
    "promote",
    "export",
    "disclose",
    "measure",
    "credentials",
    "models",
    "verify",
    "gc",
    "doctor",
]
ONE_WORKER = ("--devices", "cpu")


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def answer(*words: str | Path) -> Any:
    """The one JSON object on standard output."""
    return json.loads(run(*words, "--json").stdout)


@pytest.fixture
def place(toys: ToyProject) -> list[str]:
    return [str(toys.manifest), "--outputs", str(toys.outputs)]


@pytest.fixture
def built_place(built: ToyProject) -> list[str]:
    return [str(built.manifest), "--outputs", str(built.outputs)]


def test_help_names_every_command_and_the_exit_codes() -> None:
    said = run("--help").output
    assert [name for name in COMMANDS if f"\n  {name} " not in said] == []
    assert "Exit codes" in said


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert len(result.output) > 200


def test_init_makes_a_project_that_is_valid_and_never_overwrites(tmp_path: Path) -> None:
    folder = tmp_path / "game"
    assert run("init", folder).exit_code == 0
    assert run("validate", folder / "cues.yaml").exit_code == 0
    again = run("init", folder)
    assert again.exit_code == 2
    assert "already exists" in again.stderr


@given(
    st.from_regex(r"[A-Za-z0-9._ -]{1,130}", fullmatch=True)
    | st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), max_size=60)
)
@example("1.5")
@example("null")
@example("Con.fig")
@example("sound.wav")
@settings(max_examples=examples(20))
def test_init_names_the_project_like_its_folder_as_far_as_a_name_goes(folder: str) -> None:
    files = starter_files(folder, engine_keys)
    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / "cues.yaml"
        path.write_text(files["cues.yaml"], encoding="utf-8")
        named = load(path).name
    assert named in (folder, "mygame") or not re.fullmatch(r"[A-Za-z0-9]+", folder)


def test_init_tells_the_project_apart_from_others(tmp_path: Path) -> None:
    assert run("init", tmp_path / "emberfall").exit_code == 0
    assert load(tmp_path / "emberfall" / "cues.yaml").name == "emberfall"


def test_what_cannot_be_written_is_reported_in_one_line(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file")
    lines = [run("init", taken), run("init", taken / "game"), run("schema", "--write", tmp_path)]
    assert [(line.exit_code, line.stderr.count("\n")) for line in lines] == [(2, 1), (4, 1), (4, 1)]
    assert all(str(tmp_path) in line.stderr and "; choose" in line.stderr for line in lines)


def test_doctor_says_that_outputs_are_a_file(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file")
    [line] = [
        line for line in answer("doctor", "--outputs", taken)["lines"] if line["what"] == "disk for outputs"
    ]
    assert line == {
        "what": "disk for outputs",
        "found": f"{taken} is a file",
        "fix": "give the path of a folder",
    }


def test_the_next_step_after_init_can_be_pasted(tmp_path: Path) -> None:
    folder = tmp_path / "my game"
    assert run("init", folder).stdout.endswith(f'Next: cd "{folder}" && cuesmith build\n')


@pytest.mark.parametrize(
    ("name", "what"), [("none.yaml", "no such manifest"), ("", "not a file"), ("n" * 300, "")]
)
def test_a_path_that_is_no_manifest_is_reported_in_one_line(name: str, what: str, tmp_path: Path) -> None:
    for command in ("validate", "plan", "build"):
        result = run(command, tmp_path / name)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"error: {tmp_path / name}: {what}")
        assert result.stderr.endswith("; give the path of a .yaml file, or create one: cuesmith init\n")


def test_outputs_that_cannot_be_looked_at_are_reported(place: list[str], tmp_path: Path) -> None:
    result = run("plan", place[0], "--outputs", tmp_path / ("n" * 300))
    assert result.exit_code == 4
    assert "the path is too long for this file system" in result.stderr


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
def test_an_output_that_does_not_know_every_character_still_gets_an_answer(
    encoding: str, tmp_path: Path
) -> None:
    right, wrong = tmp_path / "明.yaml", tmp_path / "悪.yaml"
    text = "cuesmith: 1\nproject: g\nassets:\n- {id: a, kind: sfx, prompt: é 音, duration: 1 s}\n"
    right.write_text(text, encoding="utf-8")
    wrong.write_text(text.replace("1 s", "1 秒"), encoding="utf-8")

    def said(*words: str | Path) -> str:
        program = [sys.executable, "-c", "from flows.cli import main; main()", *map(str, words)]
        environment = os.environ | {"PYTHONIOENCODING": encoding}
        return subprocess.run(program, env=environment, capture_output=True, check=False).stdout.decode(
            encoding
        )

    assert json.loads(said("validate", "--json", right))["manifest"] == str(right)
    assert json.loads(said("validate", "--json", wrong))["problems"][0]["what"].startswith("'1 秒' is not")
    assert said("validate", right).endswith(".yaml: 1 asset, no problems (profiles: default)\n")


def test_schema_prints_what_is_checked_in() -> None:
    assert run("schema").stdout == json_schema_text()


def test_validate_counts_assets_under_every_profile(place: list[str]) -> None:
    assert answer("validate", place[0])["assets"] == {"default": 3, "quiet": 3}


def test_manifest_errors_are_reported_all_at_once_with_exit_2(toys: ToyProject, place: list[str]) -> None:
    toys.write(ONE.replace("kind", "knd") + TWO.replace("0.4s", "soon"))
    result = run("plan", *place)
    assert result.exit_code == 2
    assert result.stderr.count("error: ") >= 2
    output = answer("plan", *place)
    assert output["exit_code"] == 2
    assert {"file", "line", "where", "what", "remedy"} == set(output["problems"][0])


def test_plan_prints_one_object(place: list[str]) -> None:
    output = answer("plan", *place)
    assert set(output) == {"assets", "totals", "leaving", "missing", "removals", "library", "estimate"}
    assert (output["missing"], output["removals"], output["library"]) == ([], None, [])
    assert output["leaving"] == []
    [model] = output["estimate"].pop("models")
    workers = (model["device_seconds"] - 1.7) / START_S
    assert model["takes"] == 4
    assert workers == pytest.approx(round(workers))
    assert 1 <= round(workers) <= len(model["devices"])
    assert 0.5 <= output["estimate"]["generate_seconds"] - START_S <= 1.7
    assert output["assets"][0] == {
        "asset": "a/one",
        "variation": 1,
        "action": "generate",
        "reasons": ["new asset"],
        "engine": "toy",
        "model": "toy",
        "seconds": 0.5,
    }
    assert output["totals"]["actions"]["generate"] == 4
    assert output["totals"]["generate"] == [
        {"engine": "toy", "model": "toy", "takes": 4, "audio_seconds": 1.7}
    ]


def test_plan_names_what_leaves_the_catalog(built: ToyProject, built_place: list[str]) -> None:
    assert answer("plan", *built_place)["leaving"] == []
    built.write(ONE.replace("variations: 2", "variations: 1") + THREE.replace("b/three", "b/third"))
    assert answer("plan", *built_place)["leaving"] == ["a/one_02", "a/two_01", "b/three_01"]
    assert answer("plan", *built_place, "--only", "a/*")["leaving"] == ["a/one_02", "a/two_01"]
    said = "no longer in the manifest, to be removed from the next version: a/one_02, a/two_01, b/three_01\n"
    assert said in run("plan", *built_place).stderr


def test_build_prints_one_object_and_check_follows_it(toys: ToyProject, place: list[str]) -> None:
    assert run("plan", "--check", *place).exit_code == 1
    output = answer("build", *place, "--devices", "cpu")
    made = {"version", "published", "generated", "mastered", "reused", "waiting", "failed", "left"}
    keys = made | {
        "off_target",
        "watermark_lost",
        "removed",
        "library",
        "run",
        "report",
        "generate",
        "seconds",
        "estimated_seconds",
    }
    assert set(output) == keys
    assert output["generate"]["estimated_seconds"] == 1.7 + START_S
    assert 0 < output["generate"]["seconds"] < output["seconds"]
    assert run("plan", "--check", *place).exit_code == 0
    again = answer("build", *place)
    assert (again["version"], again["published"], again["reused"]) == (output["version"], False, 4)
    assert set(again) == keys


def test_a_build_in_which_some_failed_exits_with_3_and_all_with_1(toys: ToyProject, place: list[str]) -> None:
    toys.write(TWO.replace("second", "fail"))
    assert run("build", *place, *ONE_WORKER).exit_code == 1
    toys.write(TWO.replace("second", "fail") + THREE)
    result = run("build", *place, *ONE_WORKER)
    assert result.exit_code == 3
    assert "a/two variation 1 (generate): the toy was told to fail" in result.stderr


def test_an_engine_that_is_not_installed_is_a_wrong_input(toys: ToyProject, place: list[str]) -> None:
    toys.write(TWO, toys.manifest.read_text().split("assets:")[0].replace("toy,", "tuba,") + "assets:\n")
    result = run("plan", *place)
    assert result.exit_code == 2
    assert f"{toys.manifest}:8: a/two.engine: engine 'tuba' is not installed; choose one of" in result.stderr


def test_catalog_shows_versions_masters_and_provenance(built_place: list[str]) -> None:
    assert [one["version"] for one in answer("catalog", "versions", *built_place[1:])["versions"]] == [1]
    shown = answer("catalog", "show", "a/*", *built_place[1:])
    assert [(row["asset"], row["variation"]) for row in shown["masters"]] == [
        ("a/one", 1),
        ("a/one", 2),
        ("a/two", 1),
    ]
    output = answer("catalog", "show", "a/two", "--provenance", *built_place[1:])["masters"][0]
    assert output["provenance"]["take"]["recipe"]["prompt"] == "second"


def test_verify_finds_a_flipped_bit_and_repair_lets_the_next_build_make_it_again(
    built: ToyProject, built_place: list[str]
) -> None:
    before = built.library()
    assert run("verify", *built_place[1:]).exit_code == 0
    victim = next(path for path in (built.outputs / "store").rglob("*.wav"))
    victim.chmod(0o644)
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.write_bytes(data)
    broken = run("verify", *built_place[1:])
    assert broken.exit_code == 5
    assert victim.stem in broken.stdout
    assert run("verify", "--repair", *built_place[1:]).exit_code == 0
    assert QuickProject(built.folder).build()["failed"] == []
    assert run("verify", *built_place[1:]).exit_code == 0
    assert built.library() == before


def test_a_version_that_a_channel_names_and_is_gone_is_found_and_reported(
    built: ToyProject, built_place: list[str]
) -> None:
    (built.outputs / "catalog" / "000001" / "catalog.json").unlink()
    found = run("verify", *built_place[1:])
    assert found.exit_code == 5
    assert (
        "catalog/000001/catalog.json: missing: it is not in the catalog (named by channels/latest.json)"
        in found.stdout
    )
    assert "catalog rollback --to" in run("build", *built_place).stderr
    assert run("verify", "--repair", *built_place[1:]).exit_code == 0
    assert answer("build", *built_place)["published"] is False


def test_what_repair_cannot_repair_is_not_called_repaired(built: ToyProject, built_place: list[str]) -> None:
    path = built.outputs / "channels" / "latest.json"
    path.write_text(path.read_text().replace("cuesmith.channel/1", "cuesmith.channel/2"))
    repaired = run("verify", "--repair", *built_place[1:])
    assert repaired.exit_code == 5
    assert "repaired" not in repaired.stdout
    assert "channels/latest.json: update cuesmith" in repaired.stdout
    assert "could not repair 1 problem" in repaired.stderr


@pytest.mark.parametrize("name", ["verify", "gc"])
def test_a_slip_in_outputs_is_not_a_whole_store(name: str, tmp_path: Path) -> None:
    said = run(name, "--outputs", tmp_path / "otputs")
    assert said.exit_code == 2
    assert "no store in" in said.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_library_mark_that_cannot_be_read_makes_the_library_again(
    built: ToyProject, built_place: list[str]
) -> None:
    mark = built.outputs / "library" / "latest" / ".version"
    mark.write_bytes(b"\xff\xfe")
    assert run("build", *built_place).exit_code == 0
    assert mark.read_bytes() == b"1\n"


def test_json_is_utf_8_on_an_output_of_another_encoding(toys: ToyProject, place: list[str]) -> None:
    toys.write("  - {id: a/森, kind: sfx, prompt: hello, duration: 1s}\n")
    said = CliRunner(charset="cp1252").invoke(app, ["validate", *place[:1], "--json"])
    assert said.exit_code == 2
    assert "森" in json.loads(said.stdout_bytes.decode("ascii"))["error"]


def run_apart(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, under ``environment``."""
    command = [sys.executable, "-c", "from flows.cli import main; main()", *map(str, words)]
    return subprocess.run(
        command, check=False, env={**os.environ, **environment}, capture_output=True, text=True
    )


def test_a_name_that_the_output_cannot_hold_is_escaped(tmp_path: Path) -> None:
    said = run_apart("init", tmp_path / "森", PYTHONIOENCODING="cp1252", PYTHONUTF8="0")
    assert said.returncode == 0, said.stderr
    assert "\\u68ee" in said.stdout


def test_a_build_whose_progress_nobody_reads_any_more_goes_on(place: list[str], prefect_server: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-c", "from flows.cli import main; main()", "build", *place, "--json"]
    environment = {**os.environ, "PREFECT_API_URL": prefect_server}
    said = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, stderr=writer)
    os.close(writer)
    assert json.loads(said.stdout)["published"] is True


def test_settings_that_prefect_refuses_are_named_with_the_remedy(place: list[str]) -> None:
    said = run_apart("build", *place, PREFECT_CLIENT_MAX_RETRIES="lots")
    assert said.returncode == 4
    assert "max_retries: Input should be a valid integer" in said.stderr
    assert "Traceback" not in said.stderr


def test_replay_makes_the_same_bytes(built_place: list[str]) -> None:
    assert {one["result"] for one in answer("verify", "--replay", *built_place[1:])["replayed"]} == {"same"}


def test_gc_keeps_what_is_named_and_tells_what_it_would_remove(
    built: ToyProject, built_place: list[str]
) -> None:
    stray = built.outputs / "tmp" / "stray"
    stray.write_bytes(b"half")
    output = answer("gc", *built_place[1:], "--grace", "0", "--dry-run")
    assert (output["objects"], len(output["temporary"])) == ([], 1)
    assert stray.exists()
    assert answer("gc", *built_place[1:], "--grace", "0")["kept_objects"] > 0
    assert not stray.exists()
    assert run("verify", *built_place[1:]).exit_code == 0


def test_gc_of_unused_takes_leaves_what_versions_stand_on(built: ToyProject, built_place: list[str]) -> None:
    quick = QuickProject(built.folder)
    quick.write(ONE + TWO.replace("second", "other") + THREE)
    quick.build()
    assert run("gc", *built_place[1:], "--unused-takes", "--grace", "0").exit_code == 0
    assert run("verify", *built_place[1:]).exit_code == 0
    built.write(ONE + TWO + THREE)
    assert built.actions() == {"reuse": ["a/one_1", "a/one_2", "a/two_1", "b/three_1"]}


@pytest.mark.parametrize(
    ("options", "levels"),
    [
        pytest.param([], set(), marks=pytest.mark.slow),
        pytest.param(["-v"], {"INFO"}, marks=pytest.mark.slow),
        (["-vv"], {"INFO", "DEBUG"}),
    ],
)
def test_the_log_of_a_build_is_shown_on_request_and_always_in_prefect(
    place: list[str], prefect_server: str, options: list[str], levels: set[str]
) -> None:
    done = run_apart("build", *place, "--json", *options, PREFECT_API_URL=prefect_server)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stderr.splitlines() if re.match(r"\d\d:\d\d:\d\d ", line)]
    assert {words[1] for words in lines} == levels
    assert ("journal: take:" in done.stderr) == ("DEBUG" in levels)
    assert ("pipeline.build.worker: opened engine" in done.stderr) == ("INFO" in levels)
    run = json.loads(done.stdout)["run"]
    with get_client(sync_client=True) as client:
        logged = [log.message for log in client.read_logs(limit=200, sort=LogSort.TIMESTAMP_DESC)]
        mine = [
            message for message in logged if message.startswith("build-began") and f"run={run}" in message
        ]
    assert len(mine) == 1
    assert "version 1 published" in logged
    assert any(message.startswith("opened engine") for message in logged)
