"""Worker processes, seen from the parent: start them, give them jobs, replace dead ones.

If a worker dies, only the items that it had begun are lost. They run again one by one, and an item that kills a
second worker fails with that reason.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Generic, TypeVar

import pipeline
from pipeline.cpus import affinity_cpus, usable_cpus
from pipeline.errors import CuesmithError, MachineError
from pipeline.jobs import Began, Broken, Done, Event, Failed, Job

Item = TypeVar("Item")

_DEATHS_ALLOWED = 2
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


class WorkerDied(Exception):
    """A worker process ended during a job."""


class JobBroken(CuesmithError):
    """A worker stopped for a reason that affects the whole build."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Worker:
    """One worker process on one device."""

    def __init__(self, outputs: str, device: str, workers: int = 1) -> None:
        """Start the process, one of ``workers`` that share this machine's CPUs."""
        self.device = device
        level = _logger.getEffectiveLevel()
        self._closing = threading.Lock()
        try:
            self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
            self._process = subprocess.Popen(
                # -P: do not import a package of the game named pipeline from the current folder.
                [sys.executable, "-P", "-m", "pipeline.build.worker", outputs, str(level)],
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

    def run(self, job: Job) -> Iterator[Event]:
        """Run ``job`` and yield its events; log what the worker logs.

        Raises `WorkerDied`, or `JobBroken` with the worker's reason.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            pickle.dump(job, self._process.stdin)
            self._process.stdin.flush()
            while True:
                message = pickle.load(self._process.stdout)
                if isinstance(message, Done):
                    return
                if isinstance(message, Broken):
                    raise JobBroken(message.message, message.exit_code)
                if isinstance(message, logging.LogRecord):
                    logging.getLogger(message.name).handle(message)
                else:
                    yield message
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            # `stop` closes the pipes, which raises ValueError here.
            raise WorkerDied(self._exit_description()) from error

    def stop(self) -> None:
        """End the process now. Its finished work is in the store.

        Several threads may call this at once, also during `run`.
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


class WorkerPool:
    """Workers for a list of devices; each does one job at a time.

    If a device cannot do a job, the pool starts no other job with the same needs on it.
    """

    def __init__(self, outputs: str, devices: Sequence[str]) -> None:
        self._outputs = outputs
        self.devices = tuple(devices)
        self._free: queue.Queue[str | Worker] = queue.Queue()
        self._alive: set[Worker] = set()
        self._lacks: dict[tuple[str, tuple[str, ...]], JobBroken] = {}
        self._stopped = False
        for device in devices:
            self._free.put(device)

    def stop(self) -> None:
        """End all workers now and start no more; their finished work is in the store."""
        self._stopped = True
        for worker in list(self._alive):
            worker.stop()
            _logger.info("worker on %s stopped", worker.device)

    @contextlib.contextmanager
    def acquire(self, needs: tuple[str, ...]) -> Iterator[Worker]:
        """Wait for a free worker and reserve it; start one if its device has none, or if the last one failed.

        ``needs`` names what the job requires, such as an engine and a model. Raises `JobBroken` if the device does
        not have that, or if the pool was stopped.
        """
        free = self._free.get()
        device = free if isinstance(free, str) else free.device
        give_back: str | Worker = free
        try:
            self._check(device, needs)
            give_back = device
            worker = Worker(self._outputs, device, len(self.devices)) if isinstance(free, str) else free
            self._alive.add(worker)
            try:
                # Check again: `stop` may have run before this worker was in `_alive`.
                self._check(device, needs)
                yield worker
            except BaseException as error:
                if isinstance(error, JobBroken) and error.exit_code == MachineError.exit_code:
                    self._lacks[device, needs] = error
                self._alive.discard(worker)
                worker.stop()
                raise
            give_back = worker
        finally:
            self._free.put(give_back)

    def _check(self, device: str, needs: tuple[str, ...]) -> None:
        if self._stopped:
            raise JobBroken("the build was stopped", 1)
        if earlier := self._lacks.get((device, needs)):
            raise JobBroken(str(earlier), earlier.exit_code)


@dataclass(frozen=True, slots=True)
class JobType(Generic[Item]):
    """How to process items in jobs."""

    job: Callable[[str, Sequence[Item]], Job]
    """Return the job that processes a list of items on a device."""
    event_names: Callable[[Item], Sequence[str]]
    """Return the names of an item in events: its take, or its masters."""
    needs: tuple[str, ...]
    """What a device needs for the job, such as an engine and a model."""


class JobRunner(Generic[Item]):
    """Process items with jobs on a pool's workers."""

    def __init__(
        self,
        pool: WorkerPool,
        job_type: JobType[Item],
        items: Mapping[str, Item],
        on_event: Callable[[Event], None],
    ) -> None:
        self._pool = pool
        self._type = job_type
        self._left = dict(items)
        self._on_event = on_event
        self._open = {key: set(job_type.event_names(item)) for key, item in items.items()}
        self._owner = {name: key for key, names in self._open.items() for name in names}
        self._deaths: Counter[str] = Counter()

    def run(self) -> None:
        """Process every item, and report an event for each. Raises `JobBroken` if the build cannot continue."""
        while self._left:
            suspects = [key for key in self._left if self._deaths[key]]
            keys = suspects[:1] or list(self._left)
            self._attempt(keys)

    def _attempt(self, keys: Sequence[str]) -> None:
        begun: set[str] = set()
        try:
            with self._pool.acquire(self._type.needs) as worker:
                job = self._type.job(worker.device, [self._left[key] for key in keys])
                for event in worker.run(job):
                    owner = self._owner[event.item]
                    if isinstance(event, Began):
                        begun.add(owner)
                    else:
                        self._finish(event, owner)
        except WorkerDied as death:
            _logger.warning("%s", death)
            for key in [key for key in keys if key in self._left and (key in begun or not begun)]:
                self._deaths[key] += 1
                if self._deaths[key] >= _DEATHS_ALLOWED:
                    self._give_up(key, str(death))
                else:
                    _logger.info("retrying %s", key)
        else:
            for key in [key for key in keys if key in self._left]:
                self._give_up(key, "the worker returned no result for it; report this as a bug")

    def _finish(self, event: Event, owner: str) -> None:
        self._on_event(event)
        pending = self._open.get(owner, set())
        pending.discard(event.item)
        if not pending:
            self._left.pop(owner, None)

    def _give_up(self, key: str, reason: str) -> None:
        for name in self._open[key]:
            self._on_event(Failed(name, reason))
        self._left.pop(key, None)
