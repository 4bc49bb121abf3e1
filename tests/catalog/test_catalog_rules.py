"""Channels whose gate allows more, as the manifest says."""

from __future__ import annotations

from typing import Any

import pytest
from quick import QuickProject
from toys import HEAD, ONE, THREE, TWO

from manifests import load, load_cached
from pipeline.errors import ManifestError
from pipeline.release import promote

ASSETS = ONE + TWO + THREE
RULES = "promotion:\n  playtest: {allow: [credentials, placeholder]}\n"


def with_rules(project: QuickProject, rules: str = RULES) -> None:
    project.write(ASSETS, HEAD.replace("assets:\n", rules + "assets:\n"))


def moved(project: QuickProject, number: int, channel: str) -> Any:
    return promote(project.catalog, number, channel, at="2026-02-01T00:00:00Z", by="Pat")


def test_a_channel_allows_what_the_manifest_says_and_its_history_keeps_that(project: QuickProject) -> None:
    with_rules(project)
    project.build()
    assert [one.code for one in moved(project, 1, "playtest").refused] == ["unapproved"]
    project.say_all("approve")
    verdict = moved(project, 1, "playtest")
    assert verdict.moved
    assert [one.code for one in verdict.allowed] == ["placeholder", "credentials"]
    assert verdict.channel["history"][0]["allowed"] == ["placeholder", "credentials"]
    assert [one.code for one in moved(project, 1, "release").refused] == ["placeholder", "credentials"]


def test_rules_belong_to_the_version_and_a_change_of_them_makes_a_new_one(project: QuickProject) -> None:
    project.first_build()
    project.say_all("approve")
    with_rules(project)
    done = project.build()
    assert (done["published"], done["generated"], done["mastered"]) == (True, 0, 0)
    assert project.build()["published"] is False
    assert not moved(project, 1, "playtest").moved
    assert moved(project, 2, "playtest").moved
    with_rules(project, "")
    project.build()
    assert not moved(project, 3, "playtest").moved


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("promotion: {latest: {allow: [credentials]}}\n", "channel latest has no gate"),
        ("promotion: {Play Test: {allow: [credentials]}}\n", "is not a valid name of a channel"),
        ("promotion: {playtest: {allow: [credential]}}\n", "did you mean credentials?"),
        ("promotion: {playtest: {allow: [verification]}}\n", "not a reason that a channel can allow"),
        ("promotion: {playtest: {}}\n", "promotion.playtest"),
        ("promotion: {playtest: [credentials]}\n", "promotion.playtest"),
        ("promotion: {playtest: {deny: [credentials]}}\n", "deny"),
    ],
)
def test_a_rule_that_cannot_be_is_reported_with_its_line(
    project: QuickProject, rules: str, said: str
) -> None:
    with_rules(project, rules)
    with pytest.raises(ManifestError) as error:
        load(project.manifest)
    assert said in str(error.value)
    assert f"{project.manifest}:7: promotion" in str(error.value)


def test_rules_come_back_from_the_compiled_manifest(project: QuickProject) -> None:
    with_rules(project)
    for _ in range(2):
        kept = load_cached(project.manifest, None, project.folder / "cache").promotion
        assert kept == (("playtest", ("credentials", "placeholder")),)


@pytest.mark.parametrize("rules", ["promotion:\n", "promotion: {}\n"])
def test_no_rules_are_none(project: QuickProject, rules: str) -> None:
    with_rules(project, rules)
    assert load(project.manifest).promotion == ()
