"""The journal of a run: ``runs/<run id>/journal.jsonl``, one JSON event per line, written as it happens.

Progress and Prefect's artifacts come from the journal, and each event is a line of the log too. Nothing reads it to
decide what to build.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.provenance.clock import now
from pipeline.store import Store, translate_os_errors

_logger = logging.getLogger(__name__)
# Without a handler, Python prints warnings of the log to standard error.
logging.getLogger("pipeline").addHandler(logging.NullHandler())
_EVERY_ITEM = ("take", "master")
_FAULTS = ("take-failed", "failed", "build-broken")
Listener = Callable[[dict[str, Any]], None]
_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("cuesmith_journal_listeners", default=())


@contextlib.contextmanager
def listening(to: Listener) -> Iterator[None]:
    """Inside the context, new journals also pass each event to ``to``."""
    token = _listeners.set((*_listeners.get(), to))
    try:
        yield
    finally:
        _listeners.reset(token)


def new_run_id() -> str:
    """Return a run id that sorts by time: ``20260131T054512-1f0c``."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.urandom(2).hex()}"


class Journal:
    """Write the events of one run and pass each to the listeners of `listening`. Threads may share it."""

    def __init__(self, store: Store, run: str) -> None:
        self.run = run
        self._listeners = _listeners.get()
        self._lock = threading.Lock()
        self._backend = store.backend
        self._key = f"runs/{run}/journal.jsonl"
        self._path: Path | None = store.backend.local_path(self._key)
        self._lines: list[bytes] = []
        if self._path is not None:
            with translate_os_errors("make", str(self._path.parent)):
                self._path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, event: str, **facts: Any) -> None:
        """Write one event with its time."""
        entry = {"at": now(), "event": event, **facts}
        line = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
        with self._lock:
            if self._path is not None:
                with translate_os_errors("write", str(self._path)), self._path.open("ab") as file:
                    file.write(line)
            else:
                self._lines.append(line)
            for listener in self._listeners:
                listener(entry)
        _logger.log(_level(event), "%s%s", event, _listed(facts))

    def show(self, event: str, **facts: Any) -> None:
        """Pass an event to the listeners without writing it: what only matters while the build runs."""
        with self._lock:
            for listener in self._listeners:
                listener({"event": event, **facts})

    def close(self) -> None:
        """Upload the journal to an object store; in a folder it is already in place."""
        if self._path is None and self._lines:
            self._backend.write(self._key, b"".join(self._lines))


def _level(event: str) -> int:
    if event in _FAULTS:
        return logging.WARNING
    return logging.DEBUG if event in _EVERY_ITEM else logging.INFO


def _listed(facts: Mapping[str, Any]) -> str:
    """Facts for one line of a log: ``: takes=3, audio_seconds=1.5``; objects and lists are only in the journal."""
    plain = [f"{name}={value}" for name, value in facts.items() if not isinstance(value, dict | list | None)]
    return f": {', '.join(plain)}" if plain else ""
