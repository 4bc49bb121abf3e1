"""The whole build: a real Prefect server, real worker processes, a toy engine. What needs neither builds in-process."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import soundfile
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.settings import PREFECT_API_URL, temporary_settings
from quick import QuickProject
from reviewing import add
from toys import HEAD, ONE, THREE, TWO, ToyProject

from pipeline.build.prepare import up_to_date
from pipeline.catalog import Catalog, ReviewEvent, Reviews
from pipeline.errors import CuesmithError, MachineError
from pipeline.store import Store, verify


@pytest.fixture
def new(tmp_path: Path) -> QuickProject:
    """The small project, which builds within this process."""
    return QuickProject(tmp_path / "toys")


def _latest(toys: ToyProject) -> Any:
    return Catalog(Store.open(toys.outputs)).latest()


def _harm(toys: ToyProject) -> list[str]:
    return [str(finding) for finding in verify(Store.open(toys.outputs)) if finding.harmful]


def test_a_first_build_makes_everything_and_publishes_version_1(toys: ToyProject) -> None:
    result = toys.build(devices="cpu:2")
    assert (result["version"], result["published"], result["generated"], result["mastered"]) == (
        1,
        True,
        4,
        4,
    )
    assert result["failed"] == []
    assert list(toys.library()) == ["a/one_01.wav", "a/one_02.wav", "a/two_01.wav", "b/three_01.wav"]
    assert _harm(toys) == []


def test_a_second_plan_reuses_everything(built: ToyProject) -> None:
    assert built.actions() == {"reuse": ["a/one_1", "a/one_2", "a/two_1", "b/three_1"]}
    assert up_to_date(built.prepare())


def test_a_changed_prompt_makes_only_that_asset_again(project: QuickProject) -> None:
    before = project.library()
    project.write(ONE + TWO.replace("second", "changed") + THREE)
    assert project.reasons() == {"a/two_1": ["prompt changed"]}
    result = project.build()
    assert (result["version"], result["generated"], result["mastered"], result["reused"]) == (2, 1, 1, 3)
    changed = {name for name, data in project.library().items() if data != before[name]}
    assert changed == {"a/two_01.wav"}


def test_a_changed_loudness_runs_mastering_only(project: QuickProject) -> None:
    assert project.reasons(profile="quiet")["a/two_1"] == ["loudness changed: -23 LUFS -> -24 LUFS"]
    result = project.build(profile="quiet")
    assert (result["generated"], result["mastered"]) == (0, 4)


def test_reordering_the_file_and_renaming_a_profile_runs_nothing(new: QuickProject) -> None:
    new.build(profile="quiet")
    new.write(THREE + TWO + ONE, HEAD.replace("quiet:", "hushed:"))
    prepared = new.prepare("hushed")
    assert not prepared.plan.stale
    assert up_to_date(prepared)


@pytest.mark.slow
def test_audio_is_the_same_in_another_folder_with_other_workers_and_order(tmp_path: Path) -> None:
    one, other = ToyProject(tmp_path / "one"), ToyProject(tmp_path / "elsewhere" / "other")
    other.write(THREE + TWO + ONE)
    one.build(devices="cpu")
    other.build(devices="cpu:4")
    assert one.library() == other.library()


def test_a_failing_take_stops_no_other_and_is_reported(toys: ToyProject) -> None:
    toys.write(ONE + TWO.replace("second", "please fail") + THREE)
    result = toys.build(devices="cpu:2")
    assert result["failed"] == [
        {
            "asset": "a/two",
            "variation": 1,
            "stage": "generate",
            "reason": "the toy was told to fail; change the prompt",
        }
    ]
    assert result["published"]
    assert result["generated"] == 3


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("nan", "not numbers"),
        ("silent", "silence"),
        ("break", "engine toy broke: RuntimeError: toy broke"),
    ],
)
def test_a_take_that_goes_wrong_in_any_way_fails_alone(new: QuickProject, word: str, reason: str) -> None:
    assert_fails_alone(new, word, reason)


def test_a_take_whose_worker_dies_fails_alone(toys: ToyProject) -> None:
    assert_fails_alone(toys, "die", "the worker on cpu ended with exit code 9")


def assert_fails_alone(project: ToyProject, word: str, reason: str) -> None:
    """A take whose prompt is ``word`` fails with ``reason``, and the three others are made."""
    project.write(ONE + TWO.replace("second", word) + THREE)
    result = project.build(devices="cpu")
    assert [(one["asset"], one["stage"]) for one in result["failed"]] == [("a/two", "generate")]
    assert reason in result["failed"][0]["reason"]
    assert result["generated"] == 3


def test_what_the_machine_lacks_is_found_out_once(
    toys: ToyProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "begun.log"
    monkeypatch.setenv("TOY_LOG", str(log))
    toys.write("".join(TWO.replace("two", f"n{n}").replace("second", "lack") for n in range(4)))
    with pytest.raises(CuesmithError, match="the toy lacks a part; buy one") as caught:
        toys.build(devices="cpu")
    assert caught.value.exit_code == MachineError.exit_code
    assert len(log.read_text().split()) == 1


def test_a_failed_asset_keeps_its_previous_master_marked_stale(project: QuickProject) -> None:
    before = project.library()
    project.write(ONE + TWO.replace("second", "now fail") + THREE)
    result = project.build()
    assert result["version"] == 2
    assert project.library() == before
    row = _latest(project).by_variation["a/two", 1]
    assert (row["status"], row["reason"]) == ("stale", "the toy was told to fail; change the prompt")
    assert project.reasons() == {"a/two_1": ["prompt changed"]}


def test_when_everything_fails_nothing_is_published(new: QuickProject) -> None:
    new.write(TWO.replace("second", "fail"))
    result = new.build()
    assert (result["version"], result["published"], len(result["failed"])) == (None, False, 1)


def test_a_removed_asset_leaves_the_next_version_and_stays_in_the_last(project: QuickProject) -> None:
    project.write(ONE + THREE)
    assert not up_to_date(project.prepare())
    project.build()
    catalog = Catalog(Store.open(project.outputs))
    assert ("a/two", 1) not in catalog.read(2).by_variation
    assert ("a/two", 1) in catalog.read(1).by_variation
    assert "a/two_01.wav" not in project.library()


def test_only_builds_what_matches_and_keeps_the_rest(project: QuickProject) -> None:
    changed = ONE.replace("hello", "other") + TWO.replace("second", "other") + THREE
    project.write(changed)
    result = project.build(only=("a/one",))
    assert (result["generated"], result["version"]) == (2, 2)
    assert project.actions() == {"generate": ["a/two_1"], "reuse": ["a/one_1", "a/one_2", "b/three_1"]}


def test_a_locked_asset_is_kept_whatever_its_prompt_says(project: QuickProject) -> None:
    before = project.library()
    project.write(ONE + TWO.replace("second", "changed").replace("}\n", ", lock: true}\n") + THREE)
    assert project.reasons() == {"a/two_1": ["lock: true in the manifest", "prompt changed"]}
    project.build()
    assert project.library() == before
    assert _latest(project).by_variation["a/two", 1]["status"] == "locked"


def test_a_rejected_take_is_rolled_again_and_its_siblings_are_not(project: QuickProject) -> None:
    row = _latest(project).by_variation["a/one", 2]
    reviews = Reviews(Store.open(project.outputs))
    event = ReviewEvent("2026-01-01T00:00:00Z", "lead", "reject", "a/one", 2, row["take"], row["master"])
    add(reviews, event)
    sibling = _latest(project).by_variation["a/one", 1]
    add(
        reviews, replace(event, action="approve", variation=1, take=sibling["take"], master=sibling["master"])
    )
    assert project.reasons() == {"a/one_2": ["rejected in review"]}
    before = project.library()
    result = project.build()
    assert (result["generated"], result["mastered"]) == (1, 1)
    changed = {name for name, data in project.library().items() if data != before[name]}
    assert changed == {"a/one_02.wav"}


def test_a_missing_take_object_is_planned_and_made_again(project: QuickProject) -> None:
    row = _latest(project).by_variation["b/three", 1]
    [sha256] = row["takes"].values()
    (project.outputs / "store" / sha256[:2] / f"{sha256}.wav").unlink()
    assert project.reasons() == {"b/three_1": ["take missing from store"]}
    result = project.build()
    assert (result["generated"], result["mastered"], result["published"]) == (1, 0, False)
    assert _harm(project) == []


def test_changed_tags_are_published_without_any_work(built: ToyProject) -> None:
    built.write(ONE.replace("[x]", "[x, y]") + TWO + THREE)
    prepared = built.prepare()
    assert not prepared.plan.stale
    assert not up_to_date(prepared)


def test_candidates_make_several_takes_and_keep_one(new: QuickProject) -> None:
    new.write(TWO.replace("}\n", ", candidates: 3}\n"))
    result = new.build()
    assert (result["generated"], result["mastered"]) == (3, 1)
    row = _latest(new).by_variation["a/two", 1]
    assert len(row["takes"]) == 3
    assert row["take"] in row["takes"]


def test_melody_is_kept_with_the_take_and_its_change_is_a_reason(new: QuickProject) -> None:
    soundfile.write(new.folder / "tune.wav", [0.0, 0.5, -0.5] * 100, 8000)
    new.write(TWO.replace("}\n", ", melody: tune.wav}\n"))
    new.build()
    store = Store.open(new.outputs)
    record: Any = store.get_record("takes", _latest(new).masters[0]["take"], "cuesmith.take/1")
    [kept] = record["inputs"]
    assert (new.folder / "tune.wav").stat().st_size == kept["size"]
    soundfile.write(new.folder / "tune.wav", [0.0, 0.25] * 100, 8000)
    assert new.reasons() == {"a/two_1": ["melody changed"]}


def test_provenance_says_everything(built: ToyProject) -> None:
    store = Store.open(built.outputs)
    row = _latest(built).by_variation["a/one", 2]
    record: Any = store.get_record("masters", row["master"], "cuesmith.master/1")
    take = record["take"]
    assert take["recipe"]["prompt"] == "hello"
    assert take["recipe"]["seed"] == row["seed"]
    assert take["model"]["placeholder"] is True
    assert take["model"]["license"] == "MIT"
    assert {"cuesmith", "python", "numpy", "scipy", "soundfile", "soxr"} <= set(take["made"]["software"])
    assert take["made"]["prefect_run"]
    assert record["manifest"]["file"] == "cues.yaml"
    assert record["manifest"]["line"] == HEAD.count("\n") + 1
    assert record["disclosure"]["label"] == "procedural"
    assert [step["step"] for step in record["chain"]][-2:] == ["gain", "limiter"]
    assert record["measurements"]["integrated_lufs"] is not None


def test_tables_say_what_the_catalog_says(built: ToyProject) -> None:
    folder = built.outputs / "catalog" / "000001"
    rows = json.loads((folder / "catalog.json").read_text())["masters"]
    for table in (pd.read_parquet(folder / "catalog.parquet"), pd.read_csv(folder / "catalog.csv")):
        assert list(table["asset"]) == [row["asset"] for row in rows]
        assert list(table["loudness_lufs"]) == pytest.approx([row["loudness_lufs"] for row in rows])
        assert list(table["master"]) == [row["master"] for row in rows]


def test_the_journal_tells_the_run_in_order(new: QuickProject) -> None:
    result = new.build()
    lines = (new.outputs / "runs" / result["run"] / "journal.jsonl").read_text().splitlines()
    events = [json.loads(line)["event"] for line in lines]
    assert events[0] == "build-began"
    assert events[-1] == "build-done"
    assert (events.count("take"), events.count("master")) == (4, 4)


@pytest.mark.slow
def test_two_builds_at_once_agree(toys: ToyProject) -> None:
    first, second = ToyProject(toys.folder), ToyProject(toys.folder)
    results: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda one=one: results.append(one.build())) for one in (first, second)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    assert Catalog(Store.open(toys.outputs)).numbers() == [1]
    assert _harm(toys) == []


def test_an_unknown_device_is_reported_before_anything_is_made(toys: ToyProject) -> None:
    with pytest.raises(CuesmithError, match="'gpu' is not a device; give auto, cpu, cpu:4"):
        toys.build(devices="gpu")
    assert not toys.outputs.exists()


def test_a_prefect_server_that_does_not_answer_is_named_with_the_remedy(toys: ToyProject) -> None:
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(MachineError, match=r"does not answer .*unset PREFECT_API_URL"),
    ):
        toys.build()


def test_the_prefect_server_shows_what_the_build_made(toys: ToyProject) -> None:
    result = toys.build()
    with get_client(sync_client=True) as client:
        flow_filter = ArtifactFilter(key=ArtifactFilterKey(any_=["cuesmith-build"]))
        [newest, *_] = client.read_artifacts(artifact_filter=flow_filter, sort="CREATED_DESC", limit=1)
    assert f"catalog version {result['version']}" in str(newest.data)
