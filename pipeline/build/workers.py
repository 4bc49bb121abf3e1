"""Worker processes, seen from the parent: start them, follow their sessions, replace dead ones."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, cast

import pipeline
from pipeline.build.dispatch import Dispatcher, Group, Work
from pipeline.build.usage import DeviceUse
from pipeline.cpus import affinity_cpus, usable_cpus
from pipeline.errors import CuesmithError, MachineError
from pipeline.jobs.work_items import (
    AssetOrder,
    Began,
    Broken,
    Done,
    EndSession,
    Event,
    Failed,
    Freed,
    Give,
    Message,
    Session,
    Slots,
    TakeSession,
    Wants,
)
from pipeline.plan import TakeOrder

_WATCH_S = 1.0
_logger = logging.getLogger(__name__)
_LOG_TAIL = 2000


THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)
"""Thread limits of numeric libraries; values that the user has set stay."""


def worker_environment(workers: int) -> dict[str, str]:
    """Return the environment of a worker process, one of ``workers`` that run at once.

    Each worker's libraries get an equal share of the CPUs that this process may use. If the share is the whole CPU
    affinity, the variables stay unset: the libraries know the affinity and the physical cores, but not the quota.
    """
    home = str(Path(pipeline.__file__).parents[1])
    paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
    share = max(1, usable_cpus() // workers)
    limits = dict.fromkeys(THREAD_VARIABLES, str(share)) if share < affinity_cpus() else {}
    return {**limits, **os.environ, "PYTHONPATH": os.pathsep.join(paths)}


Item = TakeOrder | AssetOrder


class WorkerDied(Exception):
    """A worker ended during a session."""


class MachineLost(WorkerDied):
    """The machine of a worker was lost, so its items are not to blame."""


class SessionBroken(CuesmithError):
    """A worker stopped for a reason that affects the whole build."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Link(Protocol):
    """A worker as the parent reaches it."""

    def send(self, message: Session | Give | EndSession) -> None:
        """Send a message. Raises `WorkerDied`."""

    def receive(self) -> Message:
        """Wait for the next message. Raises `WorkerDied`."""

    def stop(self) -> None:
        """End the worker now. Several threads may call this at once, also during the other methods."""


class Worker:
    """One worker process on one device of this machine: a `Link`."""

    def __init__(self, outputs: str, device: str, workers: int = 1, engine: str | None = None) -> None:
        """Start the process, one of ``workers`` that share this machine's CPUs; let it open ``engine`` at once."""
        self.device = device
        # A build shows INFO in Prefect, and may set the level after its workers have started.
        level = min(logging.INFO, _logger.getEffectiveLevel())
        opened = (engine, device) if engine else ()
        self._closing = threading.Lock()
        try:
            self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
            self._process = subprocess.Popen(
                # -P: do not import a package of the game named pipeline from the current folder.
                [sys.executable, "-P", "-m", "pipeline.build.worker", outputs, str(level), *opened],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=worker_environment(workers),
            )
        except OSError as error:
            raise MachineError(
                f"cannot start a worker process: {error}; free some memory, "
                "or space in the system's temporary folder, and try again"
            ) from error
        _logger.info("worker %d started on %s", self._process.pid, device)

    def send(self, message: Session | Give | EndSession) -> None:
        """Send a message. Raises `WorkerDied`."""
        assert self._process.stdin is not None
        try:
            pickle.dump(message, self._process.stdin)
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            # `stop` closes the pipes, which raises ValueError here.
            raise WorkerDied(self._exit_description()) from error

    def receive(self) -> Message:
        """Wait for the next message; log what the worker logs. Raises `WorkerDied`."""
        return next_message(self.read)

    def read(self) -> Message | logging.LogRecord:
        """Wait for the next message or line of the log. Raises `WorkerDied`."""
        assert self._process.stdout is not None
        try:
            return cast("Message | logging.LogRecord", pickle.load(self._process.stdout))
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            raise WorkerDied(self._exit_description()) from error

    def stop(self) -> None:
        """End the process now. Its finished work is in the store.

        Several threads may call this at once, also during `send` and `receive`.
        """
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()
        with self._closing:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            self._log.close()

    def _exit_description(self) -> str:
        code = self._process.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        lines: list[str] = []
        with self._closing:
            if not self._log.closed:
                size = self._log.seek(0, os.SEEK_END)
                self._log.seek(max(0, size - _LOG_TAIL))
                lines = self._log.read().decode(errors="replace").strip().splitlines()
        return f"the worker on {self.device} {how}" + (f": {lines[-1]}" if lines else "")


def next_message(read: Callable[[], Message | logging.LogRecord]) -> Message:
    """The next message that ``read`` returns; lines of the log go to the loggers of their names."""
    while isinstance(message := read(), logging.LogRecord):
        logging.getLogger(message.name).handle(message)
    return message


@dataclass(frozen=True, slots=True)
class Seat:
    """A place for one worker at a time."""

    name: str
    """Unique in the build, such as ``cuda:0`` or ``cpu 2``."""
    device: str
    kind: str
    """What its pool is for."""
    pool: tuple[str, ...]
    """A device for each worker of its pool; they share this machine's CPUs."""


def names_of(item: Item) -> list[str]:
    """Names of an item in events: its take, or its masters."""
    return [item.recipe.digest] if isinstance(item, TakeOrder) else item.missing


class Workers:
    """The workers of a build, each on its `Seat`, fed from one `Dispatcher`.

    ``start`` starts the worker of a seat; ``session`` returns the session of a group on a device. ``on_event`` gets
    every outcome, ``on_began`` the name of each item that a worker begins; both are called from several threads.
    """

    def __init__(
        self,
        dispatcher: Dispatcher[Item],
        start: Callable[[Seat], Link],
        session: Callable[[Group, str], Session],
        on_event: Callable[[Event], None],
        on_began: Callable[[str], None],
    ) -> None:
        self._dispatcher = dispatcher
        self._start = start
        self._session = session
        self._on_event = on_event
        self._on_began = on_began
        self._links: dict[str, Link] = {}
        self._ended: dict[str, str] = {}
        """By seat, why this process ended its worker."""
        self._broken: SessionBroken | MachineError | None = None
        self._stopped = threading.Event()
        self.generating: dict[str, DeviceUse] = {}
        """How busy the seats were that made takes, by name."""
        self.mastering: dict[str, DeviceUse] = {}
        """The same of mastering; each asset takes a slot."""
        threading.Thread(target=self._watch, daemon=True, name="watch workers").start()

    def serve(self, seat: Seat) -> None:
        """Give work to a worker on ``seat`` until there is no more; replace a worker that dies.

        Raises `SessionBroken` or `MachineError` if the build cannot continue, or if no device could do a part of it.
        """
        try:
            works = self._dispatcher.take(seat.name, 1)
            while works:
                works = self._serve_group(seat, works)
        except BaseException as error:
            self._broken = self._broken or (
                error if isinstance(error, SessionBroken | MachineError) else None
            )
            self._dispatcher.stop()
            raise
        finally:
            self._stop_worker(seat)
        if self._broken:
            raise self._broken

    def stop(self) -> None:
        """End all workers now and start no more; their finished work is in the store."""
        self._stopped.set()
        self._dispatcher.stop()
        for link in list(self._links.values()):
            link.stop()

    def _serve_group(self, seat: Seat, works: list[Work[Item]]) -> list[Work[Item]]:
        """Do ``works`` and what else its group has for this seat; return the first work of the next group."""
        group = works[0].group
        try:
            return _Conversation(self, self._link(seat), seat, works).run()
        except WorkerDied as death:
            self._stop_worker(seat)
            reason = self._ended.pop(seat.name, str(death))
            _logger.warning("%s", reason)
            self._dispatcher.lose(seat.name, reason, with_machine=isinstance(death, MachineLost))
        except (SessionBroken, MachineError) as error:
            if error.exit_code != MachineError.exit_code:
                raise
            self._stop_worker(seat)
            if self._dispatcher.refuse(seat.name, group, str(error)):
                self._broken = error
        for use in (self.generating.get(seat.name), self.mastering.get(seat.name)):
            if use:
                use.lose(time.monotonic())
        return self._dispatcher.take(seat.name, 1)

    def _link(self, seat: Seat) -> Link:
        if seat.name not in self._links:
            self._links[seat.name] = self._start(seat)
        if self._stopped.is_set():
            # `stop` may have run before this worker was in its list.
            self._stop_worker(seat)
            raise SessionBroken("the build was stopped", 1)
        return self._links[seat.name]

    def _stop_worker(self, seat: Seat) -> None:
        if link := self._links.pop(seat.name, None):
            link.stop()
            _logger.info("worker on %s stopped", seat.name)

    def _watch(self) -> None:
        """End workers whose items take too long."""
        while not self._stopped.wait(_WATCH_S):
            for name, reason in self._dispatcher.overdue().items():
                if link := self._links.get(name):
                    self._ended[name] = f"the worker on {name} gave {reason}"
                    link.stop()


class _Conversation:
    """One session: messages from and to a worker."""

    def __init__(self, workers: Workers, link: Link, seat: Seat, works: list[Work[Item]]) -> None:
        self._workers = workers
        self._dispatcher = workers._dispatcher
        self._link = link
        self._seat = seat.name
        self._group = works[0].group
        self._session = workers._session(self._group, seat.device)
        uses = workers.generating if isinstance(self._session, TakeSession) else workers.mastering
        self._use = uses.setdefault(seat.name, DeviceUse(seat.name))
        self._owners: dict[str, str] = {}
        """The key of the work to which a name in events belongs."""
        self._open: dict[str, set[str]] = {}
        """Names without an outcome, by key."""
        self._next: list[Work[Item]] = []
        link.send(self._session)
        self._give(works)

    def run(self) -> list[Work[Item]]:
        """Follow the session to its end; return the first work of the next one."""
        while not isinstance(message := self._link.receive(), Done):
            match message:
                case Wants():
                    self._answer(message.count)
                case Broken():
                    raise SessionBroken(message.message, message.exit_code)
                case Began():
                    key = self._owners[message.item]
                    self._dispatcher.begin(self._seat, key)
                    self._use.begin(key, time.monotonic())
                    self._workers._on_began(message.item)
                case Slots():
                    self._use.slots = message.count
                case Freed():
                    self._use.free(message.item, time.monotonic())
                case _:
                    self._finish(message)
        if message.is_late:
            self._dispatcher.leave(self._seat)
            return []
        for names in list(self._open.values()):
            for name in list(names):
                self._finish(Failed(name, "the worker returned no result for it; report this as a bug"))
        return self._next

    def _answer(self, count: int) -> None:
        works = self._dispatcher.take(self._seat, count)
        if works and works[0].group == self._group:
            self._give(works)
        elif works or not self._dispatcher.holds(self._seat):
            self._next = works
            self._link.send(EndSession())
        else:
            self._link.send(Give(()))

    def _give(self, works: list[Work[Item]]) -> None:
        for work in works:
            names = names_of(work.item)
            self._open[work.key] = set(names)
            self._owners.update(dict.fromkeys(names, work.key))
        self._link.send(Give(tuple(work.item for work in works)))

    def _finish(self, event: Event) -> None:
        """Pass on an outcome. The item ends after that, because more work may follow from its outcome."""
        key = self._owners[event.item]
        names = self._open.get(key, set())
        if event.item not in names:
            return
        names.discard(event.item)
        if not names:
            self._use.free(key, time.monotonic())
            self._use.items += 1
        self._workers._on_event(event)
        if not names:
            del self._open[key]
            self._dispatcher.end(self._seat, key)
