"""A version knows what its manifest asked for and does not have."""

from __future__ import annotations

import pytest
from quick import QuickProject
from toys import ONE, THREE, TWO

from pipeline.catalog import Filter, Reviews, asset_history, diff
from pipeline.catalog.version import Version
from pipeline.release import promote, refusals

QUIET = TWO.replace("}", ", quality: {silence: 0 LUFS}}")
FAILS = TWO.replace("second", "now fail")


def gaps(version: Version) -> list[tuple[str, int, str]]:
    return [(gap["asset"], gap["variation"], gap["code"]) for gap in version.missing]


def against(project: QuickProject) -> dict[str, list[tuple[str, str]]]:
    found = refusals(project.store, project.latest, Reviews(project.store).state())
    return {one.code: list(one.masters) for one in found}


@pytest.mark.parametrize(("asset", "code"), [(QUIET, "quarantined"), (FAILS, "failed")])
def test_what_could_not_be_published_stands_in_the_gate(project: QuickProject, asset: str, code: str) -> None:
    project.write(asset + THREE)
    project.build()
    assert gaps(project.latest) == [("a/two", 1, code)]
    project.say_all("approve")
    [(name, why)] = against(project)[code]
    assert name == "a/two_01"
    assert why
    others = {"placeholder": "a demo", "credentials": "a demo"}
    refused = promote(project.catalog, 1, "release", at="2026-02-01T00:00:00Z", by="Pat", overrides=others)
    assert [one.code for one in refused.refused] == [code]
    moved = promote(
        project.catalog, 1, "beta", at="2026-02-01T00:00:00Z", by="Pat", overrides={**others, code: "known"}
    )
    assert moved.moved
    assert moved.channel is not None
    assert moved.channel["history"][0]["overrides"][-1]["reason"] == code


def test_what_a_build_left_out_with_only_is_missing_until_it_is_built(project: QuickProject) -> None:
    project.build(only=["a/one"])
    assert gaps(project.latest) == [("a/two", 1, "missing"), ("b/three", 1, "missing")]
    assert [name for name, _ in against(project)["missing"]] == ["a/two_01", "b/three_01"]
    assert project.build(only=["a/one"])["published"] is False
    project.build(only=["a/two"])
    assert gaps(project.latest) == [("b/three", 1, "missing")]
    project.build()
    assert gaps(project.latest) == []


def test_what_failed_stays_known_when_others_are_built(project: QuickProject) -> None:
    project.write(QUIET + THREE)
    project.build()
    project.write(QUIET + THREE.replace("third", "other"))
    project.build(only=["b/*"])
    assert gaps(project.latest) == [("a/two", 1, "quarantined")]
    project.write(THREE)
    project.build(only=["b/*"])
    assert gaps(project.latest) == []


def test_a_new_asset_that_fails_makes_a_version_that_says_so_once(project: QuickProject) -> None:
    project.write(THREE)
    project.build()
    project.write(QUIET + THREE)
    assert project.build()["published"] is True
    assert gaps(project.latest) == [("a/two", 1, "quarantined")]
    assert project.build()["published"] is False
    project.write(TWO + THREE)
    project.build()
    assert gaps(project.latest) == []


def test_one_variation_of_an_asset_can_be_missing(project: QuickProject) -> None:
    project.write(ONE.replace("variations: 2", "variations: 1"))
    project.build()
    project.write(ONE.replace("hello", "hello") + THREE)
    project.build(only=["b/*"])
    assert gaps(project.latest) == [("a/one", 2, "missing")]


def test_diff_and_history_tell_what_became_missing_and_what_came(project: QuickProject) -> None:
    project.write(THREE)
    project.build()
    project.write(QUIET + THREE)
    project.build()
    project.write(TWO + THREE)
    project.build()
    steps = asset_history(project.catalog, "a/two")
    assert [(step.version, step.change.kind) for step in steps] == [(2, "missing"), (3, "added")]
    assert str(steps[0].change).startswith("missing  a/two_01")
    assert "quarantined: quality gate: the sound is silent" in str(steps[0].change)
    read = project.catalog.read
    [change] = diff(project.store, read(1), read(2))
    assert (change.kind, change.audible, change.to_json()["after"]) == ("missing", False, None)
    project.write(QUIET.replace("a/two", "a/six") + TWO + THREE)
    project.build()
    project.write(TWO + THREE)
    project.build()
    assert [str(one) for one in diff(project.store, read(4), read(5))] == [
        f"removed  {'a/six_01':<40} it was missing"
    ]


def test_a_filter_narrows_what_is_missing_too(project: QuickProject) -> None:
    project.build(only=["b/*"])
    missing = project.latest.missing

    def names(chosen: Filter) -> list[str]:
        return [f"{gap['asset']}_{gap['variation']}" for gap in chosen.select_missing(missing)]

    assert names(Filter("a/two")) == names(Filter("a/two_01")) == ["a/two_1"]
    assert names(Filter("b/*")) == names(Filter("no/such")) == []
    assert names(Filter("a/*", 1)) == ["a/one_1", "a/two_1"]
    assert names(Filter(tags=("x",))) == ["a/one_1", "a/one_2"]
    assert names(Filter(states=("missing",))) == ["a/one_1", "a/one_2", "a/two_1"]
    assert names(Filter(states=("failed",))) == names(Filter(kind="music")) == names(Filter(model="*")) == []
