"""Several processes on one store at once lose nothing and see nothing half-written."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest
from store_workers import (
    PROCESSES,
    TIMES,
    append_lines,
    at_once,
    count_up,
    create_keys,
    put_objects,
    replace_and_read,
)

from pipeline.store import Store, verify


@pytest.fixture(params=["local", "s3"])
def shared_root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "local":
        return str(tmp_path / "outputs")
    return f"{request.getfixturevalue('s3_bucket')}/{uuid4().hex}"


def times_in(root: str) -> int:
    """How often each process works there: each request to an object store takes long, and is as open to a race."""
    return 8 if "://" in root else TIMES


def test_processes_that_put_the_same_objects_agree(folder: Path) -> None:
    found = at_once(put_objects, str(folder))
    assert found[0] == found[1] == found[2]
    store = Store.open(folder)
    assert store.objects() == set(found[0])
    assert list(verify(store)) == []


def test_exactly_one_process_creates_each_key(shared_root: str) -> None:
    found = at_once(create_keys, shared_root, times_in(shared_root))
    store = Store.open(shared_root)
    for index, winners in enumerate(zip(*found, strict=True)):
        assert Counter(winners)[True] == 1
        assert store.backend.read(f"catalog/{index}.json") == b"%d" % winners.index(True)


def test_processes_that_append_lose_nothing_and_tear_nothing(shared_root: str) -> None:
    times = times_in(shared_root)
    at_once(append_lines, shared_root, times)
    lines = [json.loads(line) for line in Store.open(shared_root).backend.read_lines("journal.jsonl")]
    assert Counter((line["by"], line["n"]) for line in lines) == {
        (by, n): 1 for by in range(PROCESSES) for n in range(times)
    }
    for by in range(PROCESSES):
        assert [line["n"] for line in lines if line["by"] == by] == list(range(times))


def test_a_reader_never_sees_a_half_written_pointer(folder: Path) -> None:
    assert at_once(replace_and_read, str(folder)) == [0] * PROCESSES


def test_a_lock_between_processes_excludes(shared_root: str) -> None:
    store = Store.open(shared_root)
    store.backend.write("count", b"0")
    times = times_in(shared_root) // 2
    at_once(count_up, shared_root, times)
    assert int(store.backend.read("count")) == times * PROCESSES
