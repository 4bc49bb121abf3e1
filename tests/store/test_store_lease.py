"""Leases: locks between machines in an object store."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest
from waiting import wait_until

from pipeline.errors import MachineError, StoreError
from pipeline.store import Busy
from pipeline.store.remote import FsspecBackend


@pytest.fixture
def url() -> str:
    return f"memory://{uuid4().hex}"


def _expiry(backend: FsspecBackend) -> float:
    """When the current lease of "x" runs out unless it is renewed."""
    (name,) = backend.names("locks/x.lock")
    return float(json.loads(backend.read(f"locks/x.lock/{name}"))["expires"])


def test_a_held_lease_is_renewed_beyond_its_length(url: str) -> None:
    held, other = FsspecBackend(url, lease_seconds=1.0), FsspecBackend(url)
    with held.lock("x", 0):
        first = _expiry(other)
        assert wait_until(lambda: time.time() > first)
        with pytest.raises(Busy, match="process"), other.lock("x", 0):
            pass


def test_a_dead_holders_lease_runs_out(url: str) -> None:
    backend = FsspecBackend(url)
    term = b'{"schema": "cuesmith.lease/1", "holder": "dead", "expires": %f}'
    backend.write("locks/x.lock/00000007.json", term % (time.time() + 1.0))
    with pytest.raises(Busy, match="held by dead"), backend.lock("x", 0):
        pass
    with backend.lock("x", 5):
        assert backend.names("locks/x.lock") == {"00000008.json"}


@pytest.mark.parametrize("jump", [3600.0, -86400.0])
@pytest.mark.parametrize("place", ["memory", "s3"])
def test_a_clock_that_jumps_breaks_no_lease(
    request: pytest.FixtureRequest, url: str, place: str, jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = url if place == "memory" else f"{request.getfixturevalue('s3_bucket')}/{uuid4().hex}"
    real = time.time
    for others_jump, own_jump in ((0.0, jump), (jump, 0.0)):
        monkeypatch.setattr(time, "time", lambda own=own_jump: real() + own)
        with FsspecBackend(root).lock("x", 0) as fence:
            monkeypatch.setattr(time, "time", lambda others=others_jump: real() + others)
            with pytest.raises(Busy), FsspecBackend(root).lock("x", 0):
                pass
            fence()


def test_a_lease_that_nobody_renews_runs_out_by_the_clock_of_the_store(url: str) -> None:
    backend = FsspecBackend(url)
    term = b'{"schema": "cuesmith.lease/1", "holder": "dead", "seconds": 0.5, "expires": 1e11}'
    backend.write("locks/x.lock/00000007.json", term)
    with pytest.raises(Busy, match="held by dead"), backend.lock("x", 0):
        pass
    with backend.lock("x", 5):
        assert backend.names("locks/x.lock") == {"00000008.json"}


def test_who_lost_its_lease_is_reported(url: str) -> None:
    slept, other = FsspecBackend(url, lease_seconds=0.3), FsspecBackend(url)
    with (
        pytest.raises(StoreError, match=r"ran out while it was held.*run the command again"),
        slept.lock("x", 0),
    ):
        other.write("locks/x.lock/00000002.json", b"{}")


def test_a_number_that_was_free_again_does_not_count(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, other = FsspecBackend(url), FsspecBackend(url)
    with slow.lock("x", 0):
        pass
    real, first = slow.create, [True]

    def create_late(key: str, data: bytes) -> bool:
        if first.pop() if first else False:
            for _ in range(2):
                with other.lock("x", 0):
                    pass
        return real(key, data)

    monkeypatch.setattr(slow, "create", create_late)
    with slow.lock("x", 5):
        assert slow.names("locks/x.lock") == {"00000004.json"}


def test_a_network_that_fails_for_a_moment_costs_no_lease(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = FsspecBackend(url, lease_seconds=1.5)
    real, failures = backend.names, [1]

    def names(prefix: str = "") -> set[str]:
        if failures:
            failures.pop()
            raise MachineError("the network is away")
        return real(prefix)

    with backend.lock("x", 0):
        first = _expiry(FsspecBackend(url))
        monkeypatch.setattr(backend, "names", names)
        assert wait_until(lambda: time.time() > first)
    assert failures == []


def test_a_lease_whose_answer_was_lost_is_held_all_the_same(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = FsspecBackend(url)
    _lose_answers(backend, monkeypatch)
    with backend.lock("x", 0), pytest.raises(Busy), FsspecBackend(url).lock("x", 0):
        pass
    with FsspecBackend(url).lock("x", 0):
        pass


def test_an_s3_lease_whose_answer_was_lost_is_held_all_the_same(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{s3_bucket}/{uuid4().hex}"
    backend = FsspecBackend(url)
    _lose_answers(backend, monkeypatch)
    with backend.lock("x", 0), pytest.raises(Busy), FsspecBackend(url).lock("x", 0):
        pass


def test_two_holders_of_one_process_are_not_taken_for_each_other(url: str) -> None:
    with FsspecBackend(url).lock("x", 0), pytest.raises(Busy), FsspecBackend(url).lock("x", 0):
        pass


def test_a_fence_stops_who_lost_its_lease(url: str) -> None:
    slept, other = FsspecBackend(url), FsspecBackend(url)
    run_out = b'{"schema": "cuesmith.lease/1", "holder": "asleep", "expires": 0}'
    with ExitStack() as held:
        fence = held.enter_context(slept.lock("x", 0))
        fence()
        other.write("locks/x.lock/00000001.json", run_out)
        with other.lock("x", 0):
            pass
        with pytest.raises(StoreError, match="ran out"):
            fence()
        with pytest.raises(StoreError, match="ran out"):
            held.close()
    assert other.names("locks/x.lock") == {"00000002.json"}


def _lose_answers(backend: FsspecBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the driver repeat every request that creates, as it does when the first answer did not arrive."""
    real = backend._fs.pipe_file

    def twice(path: str, data: bytes, **options: Any) -> None:
        real(path, data, **options)
        if options.get("mode") == "create":
            real(path, data, **options)

    monkeypatch.setattr(backend._fs, "pipe_file", twice)
