"""What the processes of the concurrency tests do: each at the same moment, on a store of its own opening."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from typing import Any

from pipeline.store import Store

PROCESSES = 3
TIMES = 40
"""How often each of them does its work."""
HANGS_S = 300
"""Longer than any machine takes, however busy."""


def put_objects(store: Store, number: int, times: int) -> list[str]:
    return [store.put(bytes([index]) * 20_000, ".wav").sha256 for index in range(times)]


def create_keys(store: Store, number: int, times: int) -> list[bool]:
    return [store.backend.create(f"catalog/{index}.json", b"%d" % number) for index in range(times)]


def append_lines(store: Store, number: int, times: int) -> int:
    for index in range(times):
        store.backend.append(
            "journal.jsonl", b'{"by": %d, "n": %d, "pad": "%s"}' % (number, index, b"x" * 900)
        )
    return times


def replace_and_read(store: Store, number: int, times: int) -> int:
    torn = 0
    for _ in range(times):
        store.backend.write("channels/latest.json", bytes([65 + number]) * 30_000)
        data = store.backend.read("channels/latest.json")
        torn += len(data) != 30_000 or len(set(data)) != 1
    return torn


def count_up(store: Store, number: int, times: int) -> None:
    for _ in range(times):
        with store.backend.lock("count", HANGS_S):
            count = int(store.backend.read("count")) + 1
            store.backend.write("count", b"%d" % count)


Job = Callable[[Store, int, int], Any]


def _run(work: Job, root: str, number: int, times: int, barrier: Barrier, results: Any) -> None:
    store = Store.open(root)
    barrier.wait()
    results.put((number, work(store, number, times)))


def at_once(work: Job, root: str, times: int = TIMES) -> list[Any]:
    """Results of ``work(store, number, times)`` from `PROCESSES` spawned processes, by number."""
    spawn = get_context("spawn")
    barrier, results = spawn.Barrier(PROCESSES), spawn.Queue()
    started = [
        spawn.Process(target=_run, args=(work, root, number, times, barrier, results))
        for number in range(PROCESSES)
    ]
    for process in started:
        process.start()
    found = dict(results.get(timeout=HANGS_S) for _ in started)
    for process in started:
        process.join()
    return [found[number] for number in range(PROCESSES)]
