"""The lock of a project: one build at a time; the second waits for the first, then makes only what is still missing.

The system frees the lock when its process ends, also if it was killed (in an object store when its lease expires). A
small file next to the lock says who builds.
"""

from __future__ import annotations

import getpass
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from types import MappingProxyType

from pipeline.errors import CuesmithError
from pipeline.provenance.clock import now
from pipeline.store import Backend, Busy, Fence, Store, dump_record, read_record

_logger = logging.getLogger(__name__)
_SCHEMA = "cuesmith.building/1"
_POLL_SECONDS = 0.5
_held: ContextVar[Mapping[tuple[str, str], Fence]] = ContextVar(
    "cuesmith_build_locks", default=MappingProxyType({})
)


@contextmanager
def build_lock(
    store: Store,
    project: str,
    run: str,
    *,
    wait: bool = True,
    notify: Callable[[str], None] = lambda text: None,
) -> Iterator[Fence]:
    """Lock ``project`` in ``store`` while ``run`` builds it.

    Yields its fence, which raises `StoreError` once another build has taken the project because this machine slept.
    Inside another `build_lock` of the same project it is that one's. While another build runs, this waits, and calls
    ``notify`` once. If ``wait`` is False, it raises `Busy` instead.
    """
    place = (store.root, project)
    if (held := _held.get().get(place)) is not None:
        yield held
        return
    lock, fence = _take(store.backend, f"building/project-{project}", wait, notify)
    facts = f"locks/building/project-{project}.json"
    token = _held.set({**_held.get(), place: fence})
    try:
        store.backend.write(facts, _facts(run))
        yield fence
    finally:
        _held.reset(token)
        # A lost lease is no error here: `fence` has raised wherever it mattered.
        with suppress(CuesmithError):
            fence()
            store.backend.delete(facts)
        with suppress(CuesmithError):
            lock.__exit__(None, None, None)


def _take(
    backend: Backend, name: str, wait: bool, notify: Callable[[str], None]
) -> tuple[AbstractContextManager[Fence], Fence]:
    is_first = True
    while True:
        lock = backend.lock(name, 0.0)
        try:
            fence = lock.__enter__()
        except Busy:
            running = f"another build is running{_described(backend, f'locks/{name}.json')}"
        else:
            return lock, fence
        if not wait:
            raise Busy(f"{running}; wait until it ends, or run without --no-wait")
        if is_first:
            _logger.info("%s; waiting until it ends", running)
            notify(f"{running}; waiting until it ends (--no-wait fails instead)")
            is_first = False
        time.sleep(_POLL_SECONDS)


def _facts(run: str) -> bytes:
    try:
        user = f"{getpass.getuser()} on "
    except (OSError, KeyError, ImportError):
        user = ""
    by = f"{user}{socket.gethostname()}, process {os.getpid()}"
    return dump_record({"schema": _SCHEMA, "run": run, "since": now(), "by": by})


def _described(backend: Backend, key: str) -> str:
    """Return who builds, in brackets; empty if that build has not written it yet."""
    try:
        facts = read_record(backend.read(key), _SCHEMA, key)
    except CuesmithError:
        return ""
    return f" (run {facts.get('run')}, since {facts.get('since')}, by {facts.get('by')})"
