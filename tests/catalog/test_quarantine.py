"""Masters that fail their quality gates are kept and never published."""

from pathlib import Path

import pytest
from quick import QuickProject
from toys import TWO

from flows.prepare import prepare
from pipeline.provenance import MASTER_SCHEMA

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


def _plan(quick: QuickProject) -> list[dict]:
    return prepare(quick.manifest, str(quick.outputs)).plan.to_json()["assets"]
