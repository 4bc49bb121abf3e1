"""A build whose time is up: what it begins, what it publishes, what it leaves, and who learns of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from junitparser import JUnitXml
from quick import QuickProject, build_prepared
from typer.testing import CliRunner
from webhook import Webhook

from flows.build import TIME_UP, _notify_result, build
from flows.cli.app import app
from pipeline.build.ci import build_summary
from pipeline.build.dispatch import Dispatcher
from pipeline.build.notify import WEBHOOK_VARIABLE
from pipeline.build.prepare import Prepared
from pipeline.jobs.orders import OrderSource
from pipeline.jobs.work_items import AssetOrder

SOUNDS = {"a/small": 0, "b/urgent": 5, "c/large": 0, "d/last": -5}
LENGTHS = {"c/large": "0.4s"}


@pytest.fixture
def project(tmp_path: Path) -> QuickProject:
    """Four sounds, of which the third is the longest and the second the most urgent."""
    project = QuickProject(tmp_path / "toys")
    write(project)
    return project


def write(project: QuickProject, word: str = "first") -> None:
    project.write(
        "".join(
            f"  - {{id: {name}, kind: sfx, prompt: {word} {name}, priority: {priority}, duration: {length}}}\n"
            for name, priority in SOUNDS.items()
            for length in [LENGTHS.get(name, "0.1s")]
        )
    )


class TimeIsUp:
    """The time of a build is up when ``enough`` says so of the orders that its worker has begun."""

    def __init__(self, enough: Callable[[list[Any]], bool], monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list[Any] = []
        begin = OrderSource.next

        def note(source: OrderSource[Any]) -> Any:
            if (order := begin(source)) is not None:
                self.begun.append(order)
            return order

        monkeypatch.setattr(OrderSource, "next", note)
        for where in (OrderSource, Dispatcher):
            monkeypatch.setattr(where, "is_late", lambda self_: enough(self.begun))


def has_begun_to_master(name: str) -> Callable[[list[Any]], bool]:
    return lambda begun: any(isinstance(order, AssetOrder) and order.asset.id == name for order in begun)


def build_until(
    enough: Callable[[list[Any]], bool], project: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> tuple[Prepared, dict[str, Any]]:
    with monkeypatch.context() as patch:
        TimeIsUp(enough, patch)
        prepared = project.prepare()
        return prepared, build_prepared(prepared)


def names(result: dict[str, Any]) -> list[str]:
    return [one["asset"] for one in result["left"]]


def published(project: QuickProject) -> dict[str, str]:
    return {row["asset"]: row["status"] for row in project.latest.masters}


def test_the_urgent_sound_is_published_in_time_and_the_next_build_makes_the_rest(
    project: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, result = build_until(has_begun_to_master("b/urgent"), project, monkeypatch)
    assert (result["version"], result["failed"], result["mastered"]) == (1, [], 1)
    assert published(project) == {"b/urgent": "current"}
    assert names(result) == ["a/small", "c/large", "d/last"]
    rest = project.build()
    assert (rest["generated"], rest["mastered"], rest["left"]) == (4 - result["generated"], 3, [])
    assert published(project) == dict.fromkeys(SOUNDS, "current")
    assert project.harm() == []


def test_takes_are_made_by_priority_then_the_longest_first(
    project: QuickProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "made.log"
    monkeypatch.setenv("TOY_LOG", str(log))
    orders = list(project.prepare().plan.orders())
    by_digest = {order.recipe.digest: order.recipe.prompt for order in orders}
    project.build()
    made = [by_digest[digest] for digest in log.read_text().split()]
    assert made == ["first b/urgent", "first c/large", "first a/small", "first d/last"]


def test_what_a_worker_holds_and_has_not_begun_is_left_and_its_take_is_not_made_again(
    project: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, result = build_until(lambda begun: len(begun) >= 1, project, monkeypatch)
    assert (result["generated"], result["mastered"], result["version"]) == (1, 0, None)
    assert names(result) == list(SOUNDS)
    assert (project.build()["generated"], project.harm()) == (3, [])


def test_an_earlier_master_stays_until_its_successor_is_made(
    project: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.build()
    before = {row["asset"]: row["master"] for row in project.latest.masters}
    write(project, "second")
    _, result = build_until(has_begun_to_master("b/urgent"), project, monkeypatch)
    after = {row["asset"]: row["master"] for row in project.latest.masters}
    assert {name for name in after if after[name] != before[name]} == {"b/urgent"}
    assert published(project) == {name: "current" if name == "b/urgent" else "stale" for name in SOUNDS}
    assert names(result) == ["a/small", "c/large", "d/last"]


def test_a_build_that_begins_its_last_master_in_time_leaves_nothing(
    project: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, result = build_until(lambda begun: len(begun) >= 2 * len(SOUNDS), project, monkeypatch)
    assert (result["left"], result["reused"]) == ([], 0)
    assert published(project) == dict.fromkeys(SOUNDS, "current")


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    with Webhook() as hook:
        monkeypatch.setenv(WEBHOOK_VARIABLE, hook.url)
        yield hook


def test_what_is_left_is_in_the_message_and_in_the_summary_and_not_among_the_changes(
    project: QuickProject, monkeypatch: pytest.MonkeyPatch, webhook: Webhook
) -> None:
    prepared, result = build_until(has_begun_to_master("b/urgent"), project, monkeypatch)
    _notify_result(prepared, result)
    [(_, message)] = webhook.received
    headline, left, changed = (block["text"]["text"] for block in message["blocks"])
    assert "version 1 is published" in headline
    assert (
        left
        == "*Left for the next build, because the time was up* (3)\n• a/small_01\n• c/large_01\n• d/last_01"
    )
    assert {line.split()[1] for line in changed.splitlines()[1:]} == {"b/urgent_01:"}
    summary = "\n".join(build_summary("toys", result))
    assert (
        "**3 left for the next build**, because the time was up: a/small_01, c/large_01, d/last_01" in summary
    )


def test_the_command_tells_what_is_left_and_ends_with_3(project: QuickProject, tmp_path: Path) -> None:
    project.build()
    write(project, "second")
    words = ["build", str(project.manifest), "--outputs", str(project.outputs), "--max-minutes", "0"]
    result = CliRunner().invoke(app, [*words, "--junit", str(tmp_path / "junit.xml")])
    assert result.exit_code == 3, result.output
    assert "the time was up: 4 masters left for the next build (a/small_01, b/urgent_01, " in result.stderr
    [suite] = JUnitXml.fromroot(ElementTree.parse(tmp_path / "junit.xml").getroot())
    assert (suite.tests, suite.failures, suite.skipped) == (4, 0, 4)


def test_a_flow_run_ends_in_a_state_of_its_own(project: QuickProject, prefect_server: str) -> None:
    project.build()
    write(project, "second")
    state = build(
        str(project.manifest), str(project.outputs), devices="cpu", max_minutes=0.0, return_state=True
    )
    assert (state.name, state.is_completed(), state.message) == (TIME_UP, True, "4 masters are left")
    assert len(state.result()["left"]) == 4
