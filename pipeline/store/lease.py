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
from contextlib import contextmanager
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
        if not lost.is_set():
            backend.write(key, _term(0.0))
    if lost.is_set():
        raise StoreError(
            f"the lock {folder} ran out while it was held: this machine was away for over {seconds:g} s; "
            "run the command again"
        )


def _take(backend: Backend, folder: str, timeout: float, seconds: float) -> str:
    deadline = time.monotonic() + timeout
    while True:
        terms = _terms(backend, folder)
        holder = _holder(backend, f"{folder}/{_name(terms[-1])}") if terms else None
        if holder is None:
            key = f"{folder}/{_name(terms[-1] + 1 if terms else 1)}"
            if backend.create(key, _term(time.time() + seconds)) and _is_last(backend, folder, key):
                for past in terms:
                    backend.delete(f"{folder}/{_name(past)}")
                return key
        if time.monotonic() >= deadline:
            raise Busy(
                f"the lock {folder} is held by {holder or 'another process'}; wait until it ends, then retry"
            )
        time.sleep(min(_POLL_SECONDS, max(0.0, deadline - time.monotonic())))


def _is_last(backend: Backend, folder: str, key: str) -> bool:
    """Whether the term just created counts; not so when later ones came and this number was free again."""
    if f"{folder}/{_name(_terms(backend, folder)[-1])}" == key:
        return True
    backend.delete(key)
    return False


def _keep(backend: Backend, folder: str, key: str, seconds: float, done: Event, lost: Event) -> None:
    expires = time.time() + seconds
    while not done.wait(seconds / 3):
        try:
            current = _terms(backend, folder)
            if time.time() > expires or not current or key != f"{folder}/{_name(current[-1])}":
                lost.set()
                return
            renewed = time.time() + seconds
            backend.write(key, _term(renewed))
            expires = renewed
        except CuesmithError:
            # The network may come back before the lease runs out.
            continue


def _holder(backend: Backend, key: str) -> str | None:
    """Who holds the term, or None when it was released or has run out."""
    try:
        term = read_record(backend.read(key), SCHEMA, key)
    except Missing:
        return None
    return str(term["holder"]) if term["expires"] > time.time() else None


def _terms(backend: Backend, folder: str) -> list[int]:
    return sorted(int(name.removesuffix(".json")) for name in backend.names(folder))


def _name(term: int) -> str:
    return f"{term:08d}.json"


def _term(expires: float) -> bytes:
    return dump_record(
        {"schema": SCHEMA, "holder": f"{socket.gethostname()}, process {getpid()}", "expires": expires}
    )
