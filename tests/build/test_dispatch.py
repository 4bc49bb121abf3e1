"""Whatever workers do, every item has one outcome, and nobody waits for ever."""

from __future__ import annotations

import random
import threading
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples

from pipeline.build.dispatch import START_LIMIT_S, Dispatcher, Work

A, B = ("toy", "a"), ("toy", "b")


def work(
    key: str, cost: float = 1.0, group: tuple[str, str] = A, limit_s: float = 60.0, priority: int = 0
) -> Work[None]:
    return Work(key, None, group, cost, limit_s, priority)


class Records:
    """Failures by key, and a dispatcher that reports to them."""

    def __init__(self, *open_groups: tuple[str, str], deadline: float | None = None) -> None:
        self.failed: dict[str, str] = {}
        self.now = 0.0
        self.dispatcher: Dispatcher[None] = Dispatcher(self._fail, open_groups, lambda: self.now, deadline)

    def _fail(self, failed: Work[None], reason: str) -> None:
        assert failed.key not in self.failed
        self.failed[failed.key] = reason

    def keys(self, worker: str, room: int) -> list[str]:
        return [one.key for one in self.dispatcher.take(worker, room)]


def test_the_costliest_items_go_first_and_a_worker_is_kept_full() -> None:
    records = Records()
    records.dispatcher.join("gpu", lambda group: True)
    records.dispatcher.add(work(f"cue {cost}", cost) for cost in range(10))
    assert records.keys("gpu", 3) == ["cue 9", "cue 8", "cue 7"]
    records.dispatcher.end("gpu", "cue 8")
    assert records.keys("gpu", 1) == ["cue 6"]


def test_workers_that_start_together_get_equally_costly_items() -> None:
    records = Records()
    for name in ("one", "two"):
        records.dispatcher.join(name, lambda group: True)
    records.dispatcher.add(work(f"cue {cost}", cost) for cost in range(10))
    assert records.keys("one", 1) == ["cue 9"]
    assert records.keys("two", 1) == ["cue 8"]
    records.dispatcher.begin("one", "cue 9")
    first = ["cue 9"]
    while dealt := records.keys("one", 1):
        first += dealt
    assert first == ["cue 9", "cue 7", "cue 5", "cue 3", "cue 1"], "the rest waits for the other worker"
    records.dispatcher.begin("two", "cue 8")
    assert records.keys("two", 9) == ["cue 6", "cue 4", "cue 2", "cue 0"]


def test_what_waits_for_a_worker_is_dealt_once_that_worker_has_begun_or_died() -> None:
    for death in (False, True):
        records = Records()
        for name in ("one", "two"):
            records.dispatcher.join(name, lambda group: True)
        records.dispatcher.add(work(f"cue {cost}", cost) for cost in range(4))
        assert records.keys("one", 1) == ["cue 3"]
        assert records.keys("two", 1) == ["cue 2"]
        assert records.keys("one", 4) == ["cue 1"]
        if death:
            records.dispatcher.lose("two", "killed by signal 9")
        else:
            records.dispatcher.begin("two", "cue 2")
        assert records.keys("one", 4) == ["cue 2", "cue 0"][not death :]


def test_a_higher_priority_goes_first_whatever_it_costs_and_whatever_is_loaded() -> None:
    records = Records()
    records.dispatcher.join("gpu", lambda group: True)
    records.dispatcher.add([work("a1", 9), work("a2", 8), work("a3", 1, priority=1)])
    assert records.keys("gpu", 2) == ["a3", "a1"]
    records.dispatcher.add([work("b1", 1, B, priority=5), work("b2", 9, B, priority=-5)])
    records.dispatcher.end("gpu", "a3")
    assert records.keys("gpu", 2) == [], (
        "what has begun is finished, and nothing is put before the other model"
    )
    records.dispatcher.end("gpu", "a1")
    assert records.keys("gpu", 2) == ["b1"]
    records.dispatcher.end("gpu", "b1")
    assert records.keys("gpu", 2) == ["a2"]
    records.dispatcher.end("gpu", "a2")
    assert records.keys("gpu", 2) == ["b2"]


def test_after_the_deadline_nothing_is_dealt_and_nobody_waits_for_what_could_still_come() -> None:
    records = Records(A, deadline=60.0)
    records.dispatcher.join("gpu", lambda group: True)
    records.dispatcher.add([work("a1", 2), work("a2", 1)])
    records.now = 59.9
    assert records.keys("gpu", 1) == ["a1"]
    records.now = 60.0
    assert records.keys("gpu", 1) == [], "beside what it holds"
    records.dispatcher.end("gpu", "a1")
    assert records.keys("gpu", 1) == [], "instead of what it held"
    assert records.failed == {}


def test_a_worker_stays_with_its_model_and_the_next_one_takes_the_other() -> None:
    records = Records()
    for name in ("one", "two", "three"):
        records.dispatcher.join(name, lambda group: True)
    records.dispatcher.add([work("a1", 5), work("a2", 5), work("b1", 4, B), work("b2", 4, B)])
    assert records.keys("one", 1) == ["a1"]
    assert records.keys("two", 1) == ["b1"]
    records.dispatcher.end("one", "a1")
    assert records.keys("one", 1) == ["a2"]
    records.dispatcher.end("one", "a2")
    assert records.keys("one", 1) == ["b2"], "nothing is left of its own model"


def test_only_what_a_dead_worker_had_begun_is_suspect_and_is_tried_alone() -> None:
    records = Records()
    records.dispatcher.join("gpu", lambda group: True)
    records.dispatcher.add(work(key, cost) for cost, key in enumerate("edcba"))
    assert records.keys("gpu", 4) == ["a", "b", "c", "d"]
    records.dispatcher.begin("gpu", "a")
    records.dispatcher.begin("gpu", "b")
    records.dispatcher.lose("gpu", "killed by signal 9")
    first = records.keys("gpu", 4)
    assert len(first) == 1
    assert set(first) < {"a", "b"}
    assert records.keys("gpu", 4) == [], "a suspect has no company"
    records.dispatcher.begin("gpu", first[0])
    records.dispatcher.lose("gpu", "killed by signal 9 again")
    assert records.failed == {first[0]: "killed by signal 9 again"}
    [second] = records.keys("gpu", 4)
    records.dispatcher.end("gpu", second)
    assert sorted([*first, second]) == ["a", "b"]
    assert records.keys("gpu", 4) == ["c", "d", "e"]


def test_what_is_lost_with_a_machine_is_dealt_again_in_company_once() -> None:
    records = Records()
    records.dispatcher.join("gpu", lambda group: True)
    records.dispatcher.add([work("a"), work("b")])
    assert records.keys("gpu", 2) == ["a", "b"]
    records.dispatcher.begin("gpu", "a")
    records.dispatcher.lose("gpu", "node lost", with_machine=True)
    assert records.keys("gpu", 2) == ["a", "b"], "neither is to blame"
    records.dispatcher.begin("gpu", "a")
    records.dispatcher.lose("gpu", "node lost", with_machine=True)
    assert records.keys("gpu", 2) == ["a"], "lost twice, so it is tried alone"
    records.dispatcher.begin("gpu", "a")
    records.dispatcher.lose("gpu", "node lost", with_machine=True)
    assert records.failed == {"a": "node lost"}


def test_a_device_that_cannot_start_gives_its_work_to_the_others() -> None:
    records = Records()
    records.dispatcher.join("broken", lambda group: True)
    records.dispatcher.join("good", lambda group: True)
    records.dispatcher.add([work("a"), work("b")])
    for _ in range(2):
        assert records.keys("broken", 2)
        records.dispatcher.lose("broken", "no memory")
    assert records.keys("good", 2) == ["a", "b"]
    assert records.failed == {}
    records.dispatcher.refuse("good", A, "no weights")
    assert records.failed == {"a": "no weights", "b": "no weights"}
    assert records.keys("good", 2) == records.keys("broken", 2) == []


def test_an_item_that_takes_too_long_names_its_worker() -> None:
    records = Records()
    records.dispatcher.join("gpu", lambda group: True)
    records.dispatcher.add([work("slow", limit_s=90)])
    records.dispatcher.take("gpu", 1)
    records.now = 800.0
    assert records.dispatcher.overdue() == {}, "its time has not begun"
    records.dispatcher.begin("gpu", "slow")
    records.now = 890.0
    assert records.dispatcher.overdue() == {}
    records.now = 890.5
    assert records.dispatcher.overdue() == {"gpu": "no result after 90 s, so it was ended"}


def test_a_worker_that_never_begins_is_named_too() -> None:
    records = Records()
    records.dispatcher.join("gpu", lambda group: True)
    records.dispatcher.add([work("a")])
    records.now = 5000.0
    records.dispatcher.take("gpu", 1)
    records.now = 5000.0 + START_LIMIT_S
    assert records.dispatcher.overdue() == {}
    records.now += 1
    assert records.dispatcher.overdue().keys() == {"gpu"}


def test_an_item_that_no_worker_can_do_fails_with_the_remedy() -> None:
    records = Records()
    records.dispatcher.join("gpu", lambda group: group == A)
    records.dispatcher.add([work("b", group=B)])
    assert "--devices" in records.failed["b"]
    assert records.keys("gpu", 1) == []


@settings(max_examples=examples(30))
@given(
    seed=st.integers(0, 2**32),
    workers=st.integers(1, 5),
    items=st.integers(0, 40),
    poison=st.integers(0, 3),
    deaths=st.sampled_from([0.0, 0.02, 0.1]),
)
def test_every_item_has_one_outcome_whatever_dies(
    seed: int, workers: int, items: int, poison: int, deaths: float
) -> None:
    records, lock = Records(A, B), threading.Lock()
    done: Counter[str] = Counter()
    lives: Counter[str] = Counter()
    groups = {f"{number:02d}": random.Random(seed + number).choice([A, B]) for number in range(items)}
    bad = set(sorted(groups)[:poison])

    def run(name: str) -> None:
        numbers = random.Random(f"{seed} {name}")
        held: list[Work[None]] = []
        while True:
            held += records.dispatcher.take(name, numbers.randint(1, 6))
            if not held:
                return
            for one in held:
                records.dispatcher.begin(name, one.key)
            if bad & {one.key for one in held} or numbers.random() < deaths:
                with lock:
                    lives.update(one.key for one in held)
                records.dispatcher.lose(name, "died")
                held = []
            else:
                ended = held.pop(numbers.randrange(len(held)))
                with lock:
                    done[ended.key] += 1
                records.dispatcher.end(name, ended.key)

    names = [f"worker {number}" for number in range(workers)]
    for number, name in enumerate(names):
        records.dispatcher.join(name, lambda group, number=number: number == 0 or group == A)  # type: ignore[misc]
    threads = [threading.Thread(target=run, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    records.dispatcher.add(
        work(key, len(key), group, priority=random.Random(seed - number).choice([0, 0, 3]))
        for number, (key, group) in enumerate(groups.items())
    )
    records.dispatcher.close(A)
    records.dispatcher.close(B)
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive(), "a worker waits for ever"
    assert set(done.values()) <= {1}
    assert done.keys() | records.failed.keys() == groups.keys()
    assert not done.keys() & records.failed.keys()
    assert bad <= records.failed.keys()
    assert all(lives[key] == 2 for key in records.failed)


@pytest.mark.parametrize("stopped", [True, False])
def test_a_worker_that_waits_is_released(stopped: bool) -> None:
    records = Records(A)
    records.dispatcher.join("gpu", lambda group: True)
    dealt: list[list[str]] = []
    thread = threading.Thread(target=lambda: dealt.append(records.keys("gpu", 1)), daemon=True)
    thread.start()
    if stopped:
        records.dispatcher.stop()
    else:
        records.dispatcher.add([work("late")])
    thread.join(timeout=10)
    assert dealt == [[] if stopped else ["late"]]
