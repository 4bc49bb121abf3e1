"""Who may use a store at the same time: any number of builds, or one that removes and repairs.

A build holds a lock of its own under ``locks/builds/``. Whoever wants the store alone takes the gate,
through which every build must come, and then looks whether one of these locks is held. A killed build's
lock is free.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pipeline.store.backend import Backend, Busy, Fence

_GATE = "store"
_POLL_SECONDS = 0.2


@contextmanager
def shared(backend: Backend, timeout: float) -> Iterator[Fence]:
    """Hold ``backend`` together with other builds: nothing is removed meanwhile.

    Raises `Busy` when somebody still holds it alone after ``timeout`` seconds.
    """
    name = f"builds/{os.getpid()}-{os.urandom(8).hex()}"
    with ExitStack() as held:
        held.callback(_forget, backend, name)
        with backend.lock(_GATE, timeout):
            fence = held.enter_context(backend.lock(name, timeout))
        yield fence


@contextmanager
def alone(backend: Backend, timeout: float) -> Iterator[None]:
    """Hold ``backend`` with no build running. Raises `Busy` when one still runs after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        with backend.lock(_GATE, max(0.0, deadline - time.monotonic())):
            if not _building(backend):
                yield
                return
        if time.monotonic() >= deadline:
            raise Busy("a build is using this store; wait until it ends, or stop it, and try again")
        time.sleep(_POLL_SECONDS)


def _building(backend: Backend) -> bool:
    for file in sorted(backend.names("locks/builds")):
        name = f"builds/{file.removesuffix('.lock')}"
        try:
            with backend.lock(name, 0.0):
                pass
        except Busy:
            return True
        _forget(backend, name)
    return False


def _forget(backend: Backend, name: str) -> None:
    for entry in list(backend.list(f"locks/{name}.lock")):
        backend.delete(entry.key)
