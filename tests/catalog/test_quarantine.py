"""Masters that fail their quality gates are kept and never published."""

import json
from pathlib import Path

import pytest
from quick import QuickProject
from toys import TWO, plan_rows

from pipeline.catalog import read_quarantine
from pipeline.errors import UsageError
from pipeline.provenance import MASTER_SCHEMA
from pipeline.quality.gates import Failure, QualityReport
from pipeline.report import write_report
from pipeline.review import read_decisions
from pipeline.store import gc

STRICT = "  - {id: a/two, kind: sfx, prompt: second, duration: 0.4s, quality: {silence: 0 LUFS}}\n"
OTHER = "  - {id: b/three, kind: sfx, prompt: third, duration: 0.3s}\n"


@pytest.fixture
def quick(tmp_path: Path) -> QuickProject:
    project = QuickProject(tmp_path)
    project.write(TWO + OTHER)
    return project


def test_what_fails_has_no_row_and_its_record_can_be_heard(quick: QuickProject) -> None:
    quick.write(STRICT + OTHER)
    result = quick.build()
    (failed,) = result["failed"]
    assert (failed["asset"], failed["stage"], result["mastered"]) == ("a/two", "quality", 1)
    assert "silent" in failed["reason"]
    assert [row["asset"] for row in quick.latest.masters] == ["b/three"]
    record = quick.store.get_record("masters", failed["master"], MASTER_SCHEMA)
    assert record is not None
    assert [one["name"] for one in record["quality"]["failures"]] == ["silence"]
    assert record["renditions"][0]["object"]["sha256"] in quick.store.objects()
    assert quick.harm() == []


def test_the_master_before_it_stays_and_is_marked(quick: QuickProject) -> None:
    quick.build()
    before = quick.row("a/two")
    quick.write(STRICT + OTHER)
    quick.build()
    after = quick.row("a/two")
    assert (after["status"], after["master"]) == ("stale", before["master"])
    assert after["reason"].startswith("quality gate:")


def test_a_second_build_makes_nothing_and_tells_again(quick: QuickProject) -> None:
    quick.write(STRICT + OTHER)
    first = quick.build()
    second = quick.build()
    assert (second["generated"], second["mastered"], second["published"]) == (0, 0, False)
    assert second["failed"] == first["failed"]
    (planned,) = [row for row in _plan(quick) if row["asset"] == "a/two"]
    assert planned["action"] == "reuse"
    assert planned["reasons"][0].startswith("quality gate:")


def test_a_moved_limit_or_an_open_gate_publishes_the_same_take(quick: QuickProject) -> None:
    quick.write(STRICT + OTHER)
    quick.build()
    for asset in (TWO, STRICT.replace("silence: 0 LUFS", "silence: 0 LUFS, gate: false")):
        quick.write(asset + OTHER)
        result = quick.build()
        assert (result["generated"], result["failed"]) == (0, [])
        assert quick.row("a/two")["status"] == "current"


def test_when_everything_fails_nothing_is_published(quick: QuickProject) -> None:
    quick.write(STRICT)
    result = quick.build()
    assert (result["version"], len(result["failed"])) == (None, 1)


def held(quick: QuickProject) -> list[tuple[str, int]]:
    found = read_quarantine(quick.store)
    return [(row["asset"], row["variation"]) for row in found.masters] if found else []


def test_what_is_quarantined_is_known_until_it_passes_or_goes(quick: QuickProject) -> None:
    assert read_quarantine(quick.store) is None
    quick.write(STRICT + OTHER)
    quick.build()
    quick.build()
    assert held(quick) == [("a/two", 1)]
    found = read_quarantine(quick.store)
    assert found is not None
    assert found.masters[0]["status"] == "quarantined"
    assert "silent" in found.masters[0]["reason"]
    quick.write(TWO + OTHER)
    quick.build()
    assert held(quick) == []
    quick.write(STRICT + OTHER)
    quick.build()
    quick.write(OTHER)
    quick.build()
    assert held(quick) == []


def test_a_build_of_other_assets_leaves_it_there(quick: QuickProject) -> None:
    quick.write(STRICT + OTHER)
    quick.build()
    quick.build(only=["b/*"])
    assert held(quick) == [("a/two", 1)]


def test_gc_keeps_what_the_report_plays_and_the_store_stays_whole(quick: QuickProject) -> None:
    quick.write(STRICT + OTHER)
    quick.build()
    found = read_quarantine(quick.store)
    assert found is not None
    gc(quick.store, keep=(), grace=0.0)
    (item,) = found.masters[0]["files"].values()
    assert item["sha256"] in quick.store.objects()
    assert quick.harm() == []
    assert write_report(quick.store).quarantined == 1


def test_a_project_in_which_all_fails_has_a_report_to_hear_it(quick: QuickProject) -> None:
    quick.write(STRICT)
    result = quick.build()
    assert (result["version"], result["report"]) == (None, "reports/000000/index.html")
    assert quick.store.backend.exists(result["report"])
    assert quick.build()["report"] == result["report"]


def test_a_build_that_publishes_nothing_new_still_says_where_to_hear_it(quick: QuickProject) -> None:
    quick.build()
    quick.write(STRICT + OTHER)
    first = quick.build()
    quick.write(STRICT.replace("0 LUFS", "-1 LUFS") + OTHER)
    second = quick.build()
    assert second["report"] is not None
    assert (first["failed"][0]["asset"], second["failed"][0]["asset"]) == ("a/two", "a/two")
    page = quick.store.backend.read(second["report"]).decode()
    assert second["failed"][0]["master"] in page


@pytest.mark.parametrize(("word", "gate"), [("clipped", "clipping"), ("hiss", "noise only")])
def test_a_fault_that_mastering_hides_is_found_in_the_take(quick: QuickProject, word: str, gate: str) -> None:
    quick.write(f"  - {{id: a/bad, kind: sfx, prompt: {word}, duration: 1s, sample_rate: 32000}}\n" + OTHER)
    result = quick.build()
    assert [(one["asset"], one["stage"]) for one in result["failed"]] == [("a/bad", "quality")]
    record = quick.store.get_record("masters", result["failed"][0]["master"], MASTER_SCHEMA)
    assert record is not None
    assert gate in [one["name"] for one in record["quality"]["failures"]]


@pytest.mark.parametrize("word", ["clipped", "hiss"])
def test_the_proposed_setting_opens_the_gates_for_every_variation(quick: QuickProject, word: str) -> None:
    asset = f"  - {{id: a/bad, kind: sfx, prompt: {word}, duration: 1s, sample_rate: 32000, variations: 3}}\n"
    quick.write(asset)
    failed = quick.build()["failed"]
    assert len(failed) == 3
    [setting] = {one["reason"].split("to publish it anyway, set ")[1] for one in failed}
    assert "gate: false" not in setting
    quick.write(asset.replace("}", f", {setting}}}"))
    assert quick.build()["failed"] == []


def test_the_worse_of_take_and_master_counts() -> None:
    on_master = QualityReport(0.6, (Failure("tail noise", 27.1, 12.0, "noise"),))
    judged = on_master.with_failure(Failure("tail noise", 29.4, 12.0, "noise"))
    assert judged.passing_setting() == "quality: {tail_noise: 29.5 dB}"
    assert judged.score == on_master.score
    assert judged.with_failure(Failure("tail noise", 13.0, 12.0, "noise")) == judged


def test_an_offset_is_taken_out_and_not_held_against_the_take(quick: QuickProject) -> None:
    quick.write("  - {id: a/off, kind: sfx, prompt: offset, duration: 1s, sample_rate: 32000}\n")
    result = quick.build()
    assert (result["mastered"], result["failed"]) == (1, [])
    [digest] = quick.store.records("masters")
    record = quick.store.get_record("masters", digest, MASTER_SCHEMA)
    assert record is not None
    assert abs(record["measurements"]["dc_offset"]) < 0.001


def test_no_decision_reaches_a_quarantined_master(quick: QuickProject) -> None:
    quick.write(STRICT + OTHER)
    quick.build()
    found = read_quarantine(quick.store)
    assert found is not None
    row = found.masters[0]
    decision = {key: row[key] for key in ("asset", "variation", "take", "master")}
    sent = {
        "schema": "cuesmith.decisions/1",
        "version": 1,
        "reviewer": "Ada",
        "decisions": [{**decision, "action": "approve", "comment": "", "at": "2026-01-31T05:45:12.123Z"}],
    }
    with pytest.raises(UsageError):
        read_decisions(json.dumps(sent).encode(), "decisions", quick.catalog.read)


def _plan(quick: QuickProject) -> list[dict]:
    return plan_rows(quick.prepare().plan)
