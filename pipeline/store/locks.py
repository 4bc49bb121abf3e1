"""Locks: file locks on one file system, leases in an object store. This module imports filelock.

A lease is a folder of numbered terms. Whoever creates the next number, once the last term is released or has
expired, holds the lock: creating a file that does not exist yet is the one atomic step that every object store
has. A term is never renewed after a later one exists. Its age is measured by the clock of the object store alone, so
it does not matter what the clocks of the machines show.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import getpid
from threading import Event, Lock, Thread
from uuid import uuid4

from filelock import FileLock, Timeout

from pipeline.errors import CuesmithError, MachineError, StoreError
from pipeline.store.backend import Backend, Busy, Fence, Missing
from pipeline.store.disk import translate_os_errors
from pipeline.store.formats import dump_record, read_record

SCHEMA = "cuesmith.lease/1"
_CLOCK = "locks/clock"
"""Written to learn what the object store's clock shows."""
_LEASE_POLL_SECONDS = 0.2
_FILE_POLL_SECONDS = 0.002


@contextmanager
def hold_file(path: str, timeout: float) -> Iterator[Fence]:
    """Hold the lock file ``path``; the operating system frees it however this process ends.

    Raises `Busy` when another process still holds it after ``timeout`` seconds.
    """
    lock = FileLock(path)
    with translate_os_errors("lock", path):
        try:
            lock.acquire(timeout=timeout, poll_interval=_FILE_POLL_SECONDS)
        except Timeout:
            raise Busy(
                f"{path} is held by another cuesmith process; wait until it ends, or stop it, and try again"
            ) from None
        except NotImplementedError as error:
            raise MachineError(
                f"{path} cannot be locked: its file system has no locks; use another --outputs"
            ) from error
    try:
        yield _never_lost
    finally:
        lock.release()


def _never_lost() -> None:
    """The fence of a lock that the operating system holds for this process."""


@contextmanager
def hold_lease(backend: Backend, folder: str, timeout: float, seconds: float) -> Iterator[Fence]:
    """Hold the lock ``folder``; a thread renews it every third of ``seconds``.

    Raises `Busy` when another process still holds it after ``timeout`` seconds. The fence and the end of the block
    raise `StoreError` when the lease was lost (this machine slept, or the network was down, for longer than a lease).
    """
    term = _acquire(backend, folder, timeout, seconds)
    done = Event()
    renewer = Thread(target=_renew_until_done, args=(term, seconds, done), daemon=True)
    renewer.start()

    def fence() -> None:
        if not term.renew(seconds):
            raise StoreError(
                f"the lock {folder} ran out while it was held: this machine was away for over {seconds:g} s; "
                "run the command again"
            )

    try:
        yield fence
    finally:
        done.set()
        renewer.join()
        released = term.renew(0.0)
    if not released:
        fence()


class _Term:
    """One term of a lock, as its holder sees it."""

    def __init__(self, backend: Backend, folder: str, key: str) -> None:
        self.key = key
        self._backend = backend
        self._folder = folder
        self._token = uuid4().hex
        self._lost = False
        self._renewing = Lock()

    def create(self, seconds: float) -> bool:
        """Take the term; False where another process has it."""
        return self._backend.create(self.key, self._record(seconds))

    def renew(self, seconds: float) -> bool:
        """Hold the term for ``seconds`` more (0 releases it); False from the moment it was lost."""
        with self._renewing:
            self._lost = self._lost or not self._is_held()
            if not self._lost:
                self._backend.write(self.key, self._record(seconds))
            return not self._lost

    def _is_held(self) -> bool:
        if _current(self._backend, self._folder) != self.key:
            return False
        try:
            stored = read_record(self._backend.read(self.key), SCHEMA, self.key)
        except Missing:
            return False
        return stored.get("token") == self._token

    def _record(self, seconds: float) -> bytes:
        # Older releases compare ``expires`` with their own clock.
        return dump_record(
            {
                "schema": SCHEMA,
                "holder": f"{socket.gethostname()}, process {getpid()}",
                "token": self._token,
                "seconds": seconds,
                "expires": time.time() + seconds if seconds else 0.0,
            }
        )


def _acquire(backend: Backend, folder: str, timeout: float, seconds: float) -> _Term:
    deadline = time.monotonic() + timeout
    while True:
        last = _current(backend, folder)
        holder = _holder(backend, last) if last else None
        if holder is None:
            term = _Term(backend, folder, _next(folder, last))
            if term.create(seconds):
                # Other processes may have come and gone since `last` was read; then this number is an old one.
                if _current(backend, folder) == term.key:
                    _delete_before(backend, folder, term.key)
                    return term
                backend.delete(term.key)
        if time.monotonic() >= deadline:
            raise Busy(
                f"the lock {folder} is held by {holder or 'another process'}; wait until it ends, then retry"
            )
        time.sleep(min(_LEASE_POLL_SECONDS, max(0.0, deadline - time.monotonic())))


def _renew_until_done(term: _Term, seconds: float, done: Event) -> None:
    while not done.wait(seconds / 3):
        # The network may come back before another process takes the next term.
        with suppress(CuesmithError):
            if not term.renew(seconds):
                return


def _holder(backend: Backend, key: str) -> str | None:
    """Who holds the term, or None when it was released or its holder has not renewed it for the length of a lease."""
    try:
        term = read_record(backend.read(key), SCHEMA, key)
    except Missing:
        return None
    seconds = term.get("seconds")
    alive = term["expires"] > time.time() if seconds is None else seconds and _age(backend, key) < seconds
    return str(term["holder"]) if alive else None


def _age(backend: Backend, key: str) -> float:
    """Seconds since ``key`` was written, by the clock of the object store; 0 if it is gone meanwhile."""
    backend.write(_CLOCK, uuid4().hex.encode())
    now = next(backend.list(_CLOCK)).modified
    return max((now - entry.modified for entry in backend.list(key)), default=0.0)


def _current(backend: Backend, folder: str) -> str | None:
    """Key of the last term, which is never deleted while the lock is in use; None before the first."""
    names = backend.names(folder)
    return f"{folder}/{max(names)}" if names else None


def _next(folder: str, key: str | None) -> str:
    number = int(key.rpartition("/")[2].removesuffix(".json")) if key else 0
    return f"{folder}/{number + 1:08d}.json"


def _delete_before(backend: Backend, folder: str, key: str) -> None:
    for name in backend.names(folder):
        if f"{folder}/{name}" < key:
            backend.delete(f"{folder}/{name}")
