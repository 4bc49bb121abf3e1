"""Workers in processes and threads: one queue, mastering beside generating, and items that hang or kill."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from quick import HereRunner, QuickProject
from toy_engine import ToyGenerator
from waiting import wait_until

from pipeline.audio import Clip
from pipeline.build import run as build_run
from pipeline.build import workers as build_workers
from pipeline.build.devices import parse_devices
from pipeline.build.journal import new_run_id
from pipeline.build.run import BuildRun
from pipeline.build.runner import LocalRunner
from pipeline.generators import Outcome, RecipeSource
from pipeline.jobs.orders import OrderSource
from pipeline.jobs.takes import make_takes
from pipeline.jobs.work_items import EndSession, Give, TakeMade, TakeSession, Wants
from pipeline.plan import TakeOrder
from pipeline.recipe import Recipe


def assets(*prompts: str, variations: int = 1) -> str:
    return "".join(
        f"  - {{id: k/{number:02d}, kind: sfx, prompt: {prompt}, duration: 0.3s, variations: {variations}}}\n"
        for number, prompt in enumerate(prompts)
    )


def build(
    project: QuickProject, kind: type[LocalRunner] = LocalRunner, devices: str = "cpu"
) -> dict[str, Any]:
    """A build without Prefect, a thread for each worker."""
    prepared = project.prepare()
    runner = kind(prepared.store, parse_devices(devices))
    with BuildRun(prepared, runner, new_run_id(), None) as run, ThreadPoolExecutor(16) as pool:
        for served in [pool.submit(run.serve, seat) for seat in run.begin()]:
            served.result()
        run.publish()
        return run.result()


def journal(project: QuickProject, result: dict[str, Any]) -> list[dict[str, Any]]:
    path = project.outputs / "runs" / result["run"] / "journal.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def project(tmp_path: Path) -> QuickProject:
    return QuickProject(tmp_path / "toys")


def test_an_item_that_hangs_ends_with_its_reason_and_costs_no_other(
    project: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_run, "LIMIT_S", 0.5)
    monkeypatch.setattr(build_workers, "_WATCH_S", 0.05)
    project.write(assets("first", "hang", "third", "fourth"))
    result = build(project)
    [failed] = result["failed"]
    assert (failed["asset"], failed["stage"]) == ("k/01", "generate")
    assert "the worker on cpu gave no result after" in failed["reason"]
    assert "so it was ended" in failed["reason"]
    assert result["generated"] == 3


def test_an_item_that_kills_its_worker_twice_fails_alone(project: QuickProject) -> None:
    project.write(assets("first", "die", "third", variations=2))
    result = build(project, devices="cpu:2")
    assert {row["asset"] for row in result["failed"]} == {"k/01"}
    assert all("ended with exit code 9" in row["reason"] for row in result["failed"])
    assert result["generated"] == 4


def test_an_asset_is_mastered_and_drawn_while_the_device_makes_other_takes(
    project: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last take waits for the first master and its pictures; if these waited for it, this would never end."""
    mastered = threading.Event()
    pictures = project.outputs / "reports" / "cache"
    make_one, numbers = ToyGenerator._one, count(1)

    def one(self: ToyGenerator, recipe: Recipe) -> Any:
        if next(numbers) == 3:
            assert mastered.wait(60)
            assert wait_until(lambda: any(pictures.glob("*/*.js")), 60)
        return make_one(self, recipe)

    on_master = BuildRun._on_master

    def follow(self: BuildRun, event: Any) -> None:
        on_master(self, event)
        mastered.set()

    monkeypatch.setattr(ToyGenerator, "_one", one)
    monkeypatch.setattr(BuildRun, "_on_master", follow)
    monkeypatch.setattr(BuildRun, "_pool_of", lambda self, engine: ("devices", ("cpu",)))
    project.write(assets("first", "second", "third"))
    result = build(project, HereRunner)
    assert (result["mastered"], result["failed"]) == (3, [])
    [done] = [event for event in journal(project, result) if event["event"] == "generate-done"]
    [device] = done["devices"]
    assert (device["takes"], device["slots"]) == (3, 1)
    assert 0 < device["slot_use"] <= 1
    assert result["generate"]["devices"] == done["devices"]
    assert "Slots in use by device" in (project.outputs / result["report"]).read_text()


def test_masters_are_equal_however_the_takes_are_dealt(tmp_path: Path) -> None:
    text = assets("first", "second", "third", "fourth", variations=3)
    libraries = []
    for number, devices in enumerate(("cpu", "cpu:3")):
        project = QuickProject(tmp_path / str(number))
        project.write(text)
        build(project, devices=devices)
        libraries.append(project.library())
    assert libraries[0] == libraries[1]
    assert len(libraries[0]) == 12


class Slots:
    """A streaming engine with two slots whose takes end in the order of their seeds, odd ones first."""

    def __init__(self) -> None:
        self.together: list[int] = []

    def stream(self, source: RecipeSource, audio: Mapping[str, Clip]) -> Iterator[Outcome]:
        source.use_slots(2)
        slots: list[Recipe] = []
        while True:
            while len(slots) < 2 and (recipe := source.next()) is not None:
                source.begin(recipe)
                slots.append(recipe)
            if not slots:
                return
            self.together.append(len(slots))
            slots.sort(key=lambda recipe: (recipe.seed % 2, recipe.seed))
            ended = slots.pop()
            source.end(ended)
            yield ended, ToyGenerator()._one(ended)

    def generate(self, recipes: Sequence[Recipe], audio: Mapping[str, Clip]) -> Iterator[Outcome]:
        raise AssertionError("a streaming engine gets no batches")

    def software(self) -> Mapping[str, str]:
        return {}

    def close(self) -> None:
        pass


def test_a_streaming_engine_refills_its_slots_until_the_end(project: QuickProject) -> None:
    project.write(assets(*(f"sound {number}" for number in range(7))))
    orders = list(project.prepare().plan.orders())
    waiting, wanted = list(orders), [1]

    def receive() -> Give | EndSession:
        if not waiting:
            return EndSession()
        given = tuple(waiting.pop(0) for _ in range(min(wanted.pop(0), len(waiting))))
        return Give(given)

    def ask(wants: Wants) -> None:
        wanted.append(wants.count)

    source: OrderSource[TakeOrder] = OrderSource(receive, ask)
    events: list[Any] = []
    engine = Slots()
    make_takes(TakeSession("cpu", "run", None, "toy"), engine, project.store, source, events.append)
    made = [event.item for event in events if isinstance(event, TakeMade)]
    assert sorted(made) == sorted(order.recipe.digest for order in orders)
    assert engine.together == [2] * 6 + [1]
