"""What the processes of the concurrency tests do: each at the same moment, on a store of its own opening."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
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


_barriers: list[Barrier] = []
"""In a process of the pool: where all of them wait for each other."""


def _keep(barrier: Barrier) -> None:
    _barriers.append(barrier)


def _run(work: Job, root: str, number: int, times: int) -> Any:
    store = Store.open(root)
    _barriers[0].wait(HANGS_S)
    return work(store, number, times)


def at_once(work: Job, root: str, times: int = TIMES) -> list[Any]:
    """Results of ``work(store, number, times)`` from `PROCESSES` spawned processes, by number."""
    spawn = get_context("spawn")
    barrier = spawn.Barrier(PROCESSES)
    with ProcessPoolExecutor(PROCESSES, spawn, initializer=_keep, initargs=(barrier,)) as pool:
        running = [pool.submit(_run, work, root, number, times) for number in range(PROCESSES)]
        return [future.result(HANGS_S) for future in running]
