"""Channels: the release gate, overrides with names, rollback, and a history that only grows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quick import QuickProject
from toys import ONE, THREE, TWO

import pipeline.release
from pipeline.catalog import Reviews
from pipeline.catalog.channels import earlier_versions
from pipeline.errors import FormatError, UsageError, VerificationError
from pipeline.release import promote, refusals, rollback
from pipeline.store import Busy, ObjectRef

AT = "2026-02-01T00:00:00Z"
USUAL = {"placeholder": "a demo", "credentials": "not shipped"}
"""What stands against every toy: it is a placeholder, and nothing signs it."""


def codes(project: QuickProject) -> dict[str, list[str]]:
    found = refusals(project.store, project.latest, Reviews(project.store).state())
    return {one.code: [name for name, _ in one.masters] for one in found}


def release(project: QuickProject, number: int, overrides: Any = USUAL, by: str = "Pat") -> Any:
    return promote(project.catalog, number, "release", at=AT, by=by, overrides=overrides)


@pytest.fixture
def built(project: QuickProject) -> QuickProject:
    project.first_build()
    return project


def test_the_gate_says_everything_that_speaks_against_a_version(built: QuickProject) -> None:
    names = ["a/one_01", "a/one_02", "a/two_01", "b/three_01"]
    assert codes(built) == {"placeholder": names, "unapproved": names, "credentials": names}
    verdict = promote(built.catalog, 1, "release", at=AT, by="Pat")
    assert not verdict.moved
    assert {refusal.code for refusal in verdict.refused} == {"placeholder", "unapproved", "credentials"}
    assert built.catalog.channel("release") is None


def test_rejected_masters_are_told_apart_from_unapproved_ones(built: QuickProject) -> None:
    built.say_all("approve")
    built.say("reject", built.row("a/two"))
    assert codes(built)["rejected"] == ["a/two_01"]
    assert "unapproved" not in codes(built)


def test_a_missing_and_a_damaged_file_are_both_found(built: QuickProject) -> None:
    for asset, harm in (("a/two", "missing"), ("b/three", "damaged")):
        [item] = built.row(asset)["files"].values()
        path = built.outputs / "store" / item["sha256"][:2] / f"{item['sha256']}{item['suffix']}"
        data = path.read_bytes()
        path.unlink()
        if harm == "damaged":
            path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert codes(built)["verification"] == ["a/two_01", "b/three_01"]


def test_a_stale_master_is_reported(built: QuickProject) -> None:
    built.write(ONE + TWO.replace("second", "now fail") + THREE)
    built.build()
    assert codes(built)["stale"] == ["a/two_01"]


def test_a_closed_quality_gate_is_reported(built: QuickProject) -> None:
    row = built.row("a/two")
    record: Any = built.store.get_record("masters", row["master"], "cuesmith.master/1")
    record["quality"]["failures"] = [{"name": "dc", "what": "DC offset too high"}]
    built.store.put_record("masters", row["master"], record)
    assert codes(built)["quality-gate"] == ["a/two_01"]


@pytest.mark.parametrize(
    ("signed_by", "particular"),
    [("ab" * 32, None), ("development", "signed with a development certificate"), (None, "not installed")],
)
def test_only_a_certificate_of_ones_own_passes_the_gate(
    built: QuickProject, signed_by: str | None, particular: str | None
) -> None:
    version = built.latest
    output = {"signed_by": signed_by, "reason": None if signed_by else "not installed", "unsigned": {}}
    rows: Any = tuple({**row, "credentials": output} for row in version.masters)
    object.__setattr__(version, "masters", rows)
    found = {one.code: one for one in refusals(built.store, version, Reviews(built.store).state())}
    assert ("credentials" in found) == (particular is not None)
    if particular:
        assert found["credentials"].masters[0] == ("a/one_01", particular)


def test_weights_that_may_not_be_sold_are_reported(built: QuickProject) -> None:
    version = built.latest
    rows: Any = tuple({**row, "commercial": False, "license": "CC-BY-NC-4.0"} for row in version.masters)
    object.__setattr__(version, "masters", rows)
    [found] = [
        one
        for one in refusals(built.store, version, Reviews(built.store).state())
        if one.code == "non-commercial"
    ]
    assert found.code == "non-commercial"
    assert found.masters[0] == ("a/one_01", "toy: CC-BY-NC-4.0 is not known to allow commercial use")


def test_overrides_are_kept_with_reason_name_and_word(built: QuickProject) -> None:
    built.say_all("approve")
    verdict = release(built, 1)
    assert verdict.moved
    channel = built.catalog.channel("release")
    assert channel is not None
    assert channel["version"] == 1
    [move] = channel["history"]
    assert move["overrides"] == [
        {"reason": "placeholder", "because": "a demo", "by": "Pat", "masters": 4},
        {"reason": "credentials", "because": "not shipped", "by": "Pat", "masters": 4},
    ]


def test_an_override_that_nothing_needs_is_not_recorded(built: QuickProject) -> None:
    built.say_all("approve")
    verdict = release(built, 1, {**USUAL, "stale": "just in case"})
    assert [one.code for one in verdict.overridden] == ["placeholder", "credentials"]


def test_one_reason_left_is_enough_to_refuse(built: QuickProject) -> None:
    verdict = release(built, 1)
    assert [one.code for one in verdict.refused] == ["unapproved"]
    assert built.catalog.channel("release") is None


@pytest.mark.parametrize(
    ("overrides", "by", "said"),
    [
        ({"ugly": "x"}, "Pat", "unknown; choose from non-commercial, placeholder"),
        ({"placeholder": " "}, "Pat", "needs an explanation"),
        ({"placeholder": "x"}, "", "needs the name"),
    ],
)
def test_an_override_needs_a_known_reason_a_word_and_a_name(
    built: QuickProject, overrides: Any, by: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        release(built, 1, overrides, by)


def test_a_version_without_masters_is_not_shipped(built: QuickProject) -> None:
    built.write("  []\n")
    built.build()
    with pytest.raises(UsageError, match="version 2 has no masters; "):
        release(built, 2)
    assert built.catalog.channel("release") is None


def test_a_rejection_that_comes_while_the_gate_looks_at_files_is_seen(
    built: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    built.say_all("approve")
    real, waiting = pipeline.release.refusals, [built.row("a/two")]

    def slow(*arguments: Any) -> Any:
        found = real(*arguments)
        if waiting:
            built.say("reject", waiting.pop())
        return found

    monkeypatch.setattr("pipeline.release.refusals", slow)
    verdict = release(built, 1)
    assert ([one.code for one in verdict.refused], verdict.moved) == (["rejected"], False)


def test_the_gate_is_within_the_lock_of_its_channel(
    built: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    built.say_all("approve")
    real = pipeline.release.refusals

    def look(*arguments: Any) -> Any:
        with pytest.raises(Busy), built.store.backend.lock("publish", 0.0):
            pass
        return real(*arguments)

    monkeypatch.setattr("pipeline.release.refusals", look)
    assert release(built, 1).moved


@pytest.mark.parametrize("text", ["\udcff", "a\x1b[2J", "x" * 10_001])
def test_a_name_and_a_reason_that_cannot_be_kept_are_refused(built: QuickProject, text: str) -> None:
    built.say_all("approve")
    with pytest.raises(UsageError, match="--by: it"):
        release(built, 1, by=text)
    with pytest.raises(UsageError, match="--because: it"):
        release(built, 1, dict.fromkeys(USUAL, text))
    with pytest.raises(UsageError, match="--by: it"):
        rollback(built.catalog, "latest", at=AT, by=text)
    with pytest.raises(UsageError, match="--because: it"):
        rollback(built.catalog, "latest", at=AT, by="Pat", because=text)


def test_latest_is_not_promoted_to(built: QuickProject) -> None:
    with pytest.raises(UsageError, match="moved by builds"):
        promote(built.catalog, 1, "latest", at=AT, by="Pat")


@pytest.mark.parametrize("name", ["Release", "../latest", "a b", "", "con.x"])
def test_a_channel_name_is_plain(built: QuickProject, name: str) -> None:
    with pytest.raises(UsageError, match="not a valid channel name"):
        promote(built.catalog, 1, name, at=AT, by="Pat")


def test_overriding_again_is_recorded_again(built: QuickProject) -> None:
    built.say_all("approve")
    release(built, 1)
    assert release(built, 1, by="Sam").moved
    channel = built.catalog.channel("release")
    assert channel is not None
    assert [move["by"] for move in channel["history"]] == ["Pat", "Sam"]


def test_rollback_brings_latest_and_the_library_back_byte_for_byte(built: QuickProject) -> None:
    first = built.library()
    catalog = (built.outputs / "catalog" / "000001" / "catalog.json").read_bytes()
    built.write(ONE.replace("hello", "changed") + THREE)
    built.build()
    assert built.library() != first
    channel = rollback(built.catalog, "latest", at=AT, by="Pat", because="the new steps were wrong")
    assert channel["version"] == 1
    assert built.library() == first
    assert (built.outputs / "catalog" / "000001" / "catalog.json").read_bytes() == catalog
    assert [move.get("action") for move in channel["history"]] == ["publish", "publish", "rollback"]
    assert channel["history"][-1]["because"] == "the new steps were wrong"
    assert built.harm() == []


def test_rollback_to_where_latest_is_completes_the_library(built: QuickProject) -> None:
    before = built.library()
    (built.outputs / "library" / "latest" / "a" / "two_01.wav").unlink()
    rollback(built.catalog, "latest", at=AT, by="Pat", to=1)
    assert built.library() == before


def test_a_build_after_a_rollback_follows_the_version_that_was_brought_back(built: QuickProject) -> None:
    built.write(ONE + TWO.replace("second", "changed") + THREE)
    built.build()
    rollback(built.catalog, "latest", at=AT, by="Pat")
    result = built.build()
    assert (result["version"], result["generated"], result["mastered"]) == (3, 0, 0)
    assert built.latest.parent == 1


def test_rollback_twice_goes_back_two_steps(built: QuickProject) -> None:
    for word in ("two", "three"):
        built.write(ONE + TWO.replace("second", word) + THREE)
        built.build()
    assert rollback(built.catalog, "latest", at=AT, by="Pat")["version"] == 2
    assert rollback(built.catalog, "latest", at=AT, by="Pat")["version"] == 1
    with pytest.raises(UsageError, match="no version before version 1"):
        rollback(built.catalog, "latest", at=AT, by="Pat")
    assert rollback(built.catalog, "latest", at=AT, by="Pat", to=3)["version"] == 3


def test_a_channel_goes_back_only_to_where_it_was(built: QuickProject) -> None:
    built.say_all("approve")
    release(built, 1)
    built.write(ONE + THREE)
    built.build()
    with pytest.raises(UsageError, match="never pointed to version 2"):
        rollback(built.catalog, "release", at=AT, by="Pat", to=2)
    with pytest.raises(UsageError, match="unknown channel 'beta'; existing channels: latest, release"):
        rollback(built.catalog, "beta", at=AT, by="Pat")


def test_a_version_that_is_not_whole_is_not_brought_back(built: QuickProject) -> None:
    [item] = built.row("a/two")["files"].values()
    built.write(ONE + THREE)
    built.build()
    (built.outputs / "store" / item["sha256"][:2] / f"{item['sha256']}{item['suffix']}").unlink()
    with pytest.raises(VerificationError, match=r"version 1 is incomplete or damaged: a/two_01\.wav"):
        rollback(built.catalog, "latest", at=AT, by="Pat")
    assert built.latest.number == 2


@given(st.lists(st.integers(1, 6), min_size=1, max_size=12))
def test_without_rollbacks_one_goes_back_the_way_one_came(numbers: list[int]) -> None:
    moves: Any = [{"version": number} for number in numbers]
    path = [number for at, number in enumerate(numbers) if at == 0 or numbers[at - 1] != number]
    assert earlier_versions(moves) == path[:-1]


def test_a_channel_of_a_newer_release_is_refused(built: QuickProject) -> None:
    (built.outputs / "channels" / "latest.json").write_text('{"schema": "cuesmith.channel/9"}')
    with pytest.raises(FormatError, match=r"newer cuesmith .*update cuesmith"):
        built.catalog.latest()


@pytest.mark.parametrize(
    "name", [".DS_Store", "latest (1).json", "latest.json.sync-conflict", "Release.json"]
)
def test_a_stray_file_beside_the_channels_is_no_channel(built: QuickProject, name: str) -> None:
    (built.outputs / "channels" / name).write_text("{}")
    assert built.catalog.channels.names() == ["latest"]


def test_a_channel_that_lacks_its_version_is_reported_with_its_place(built: QuickProject) -> None:
    (built.outputs / "channels" / "latest.json").write_text('{"schema": "cuesmith.channel/1", "history": []}')
    with pytest.raises(FormatError, match=r"channels/latest.json: not a channel: 'version' is missing"):
        built.catalog.latest()


def test_a_torn_channel_is_reported_with_its_place(built: QuickProject) -> None:
    (built.outputs / "channels" / "latest.json").write_text('{"schema"')
    with pytest.raises(FormatError, match=r"channels/latest.json: not a channel"):
        built.catalog.latest()


def test_a_rolled_back_library_has_files_of_its_own(built: QuickProject) -> None:
    built.write(ONE + THREE)
    built.build()
    rollback(built.catalog, "latest", at=AT, by="Pat")
    shown = built.outputs / "library" / "latest" / "a" / "two_01.wav"
    (item,) = built.row("a/two")["files"].values()
    assert shown.read_bytes() == built.store.get(ObjectRef.from_json(item))
    assert shown.stat().st_nlink == 1
