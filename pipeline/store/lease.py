"""Locks between machines in an object store: leases that run out unless their holder keeps renewing them.

A lock is a folder of numbered terms. Whoever creates the next number, once the last term is released or has
run out, holds the lock: creating a file where none is, is the one atomic step that every object store has.
A term is never renewed after a later one exists. Terms run out by the clocks of the machines, which must
agree to within a third of a lease.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import getpid
from threading import Event, Thread

from pipeline.errors import CuesmithError, StoreError
from pipeline.store.backend import Backend, Busy, Missing
from pipeline.store.formats import dump_record, read_record

SCHEMA = "cuesmith.lease/1"
_POLL_SECONDS = 0.2


@contextmanager
def hold_lease(backend: Backend, folder: str, timeout: float, seconds: float) -> Iterator[None]:
    """Hold the lock ``folder``, renewed from a thread every third of ``seconds``.

    Raises `Busy` when another still holds it after ``timeout`` seconds, and `StoreError` at the end when
    the lease was lost meanwhile (this machine slept, or the network was away, for longer than a lease).
    """
    key = _take(backend, folder, timeout, seconds)
    done, lost = Event(), Event()
    keeper = Thread(target=_keep, args=(backend, folder, key, seconds, done, lost), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()
        if _current(backend, folder) == key:
            backend.write(key, _term(0.0))
        else:
            lost.set()
    if lost.is_set():
        raise StoreError(
            f"the lock {folder} ran out while it was held: this machine was away for over {seconds:g} s; "
            "run the command again"
        )


def _take(backend: Backend, folder: str, timeout: float, seconds: float) -> str:
    deadline = time.monotonic() + timeout
    while True:
        last = _current(backend, folder)
        holder = _holder(backend, last) if last else None
        if holder is None:
            key = _next(folder, last)
            if backend.create(key, _term(time.time() + seconds)):
                # Where others came and went since we looked, an old number was free again: it does not count.
                if _current(backend, folder) == key:
                    _drop_before(backend, folder, key)
                    return key
                backend.delete(key)
        if time.monotonic() >= deadline:
            raise Busy(
                f"the lock {folder} is held by {holder or 'another process'}; wait until it ends, then retry"
            )
        time.sleep(min(_POLL_SECONDS, max(0.0, deadline - time.monotonic())))


def _keep(backend: Backend, folder: str, key: str, seconds: float, done: Event, lost: Event) -> None:
    while not done.wait(seconds / 3):
        # A network that is away may come back before anybody takes the next term.
        with suppress(CuesmithError):
            if _current(backend, folder) != key:
                lost.set()
                return
            backend.write(key, _term(time.time() + seconds))


def _holder(backend: Backend, key: str) -> str | None:
    """Who holds the term, or None when it was released or has run out."""
    try:
        term = read_record(backend.read(key), SCHEMA, key)
    except Missing:
        return None
    return str(term["holder"]) if term["expires"] > time.time() else None


def _current(backend: Backend, folder: str) -> str | None:
    """Key of the last term, which is never deleted while the lock is in use; None before the first."""
    names = backend.names(folder)
    return f"{folder}/{max(names)}" if names else None


def _next(folder: str, key: str | None) -> str:
    number = int(key.rpartition("/")[2].removesuffix(".json")) if key else 0
    return f"{folder}/{number + 1:08d}.json"


def _drop_before(backend: Backend, folder: str, key: str) -> None:
    for name in backend.names(folder):
        if f"{folder}/{name}" < key:
            backend.delete(f"{folder}/{name}")


def _term(expires: float) -> bytes:
    return dump_record(
        {"schema": SCHEMA, "holder": f"{socket.gethostname()}, process {getpid()}", "expires": expires}
    )
