"""Worker processes from the parent's side: start, lend, feed, replace.

A worker's death costs the items that it had begun and no others: those are tried again one by one, and the one
that kills a worker again is failed with that reason.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Generic, TypeVar

import flows
from pipeline.cpus import affinity_cpus, usable_cpus
from pipeline.errors import CuesmithError, MachineError
from pipeline.jobs import Began, Broken, Done, Event, Failed, Job

Item = TypeVar("Item")

_DEATHS_ALLOWED = 2
_LOG_TAIL = 2000


THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)
"""How many threads numeric libraries use in a process; what a person has set stays."""


def worker_environment(workers: int) -> dict[str, str]:
    """The environment of a worker process, one of ``workers`` at work at once.

    Its libraries get a share of the CPUs that this process may use. Where that is all that its affinity allows,
    they choose for themselves: they know the affinity and the physical cores, but not the quota.
    """
    home = str(Path(flows.__file__).parents[1])
    paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
    share = max(1, usable_cpus() // workers)
    caps = dict.fromkeys(THREAD_VARIABLES, str(share)) if share < affinity_cpus() else {}
    return {**caps, **os.environ, "PYTHONPATH": os.pathsep.join(paths)}


class WorkerDied(Exception):
    """A worker process ended in the midst of a job."""


class JobBroken(CuesmithError):
    """A worker could not go on, for a reason that concerns the whole build."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Worker:
    """One worker process, bound to one device."""

    def __init__(self, outputs: str, device: str, workers: int = 1) -> None:
        """Start it, as one of ``workers`` that share this machine's CPUs."""
        self.device = device
        self._closing = threading.Lock()
        try:
            self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
            self._process = subprocess.Popen(
                # -P: a package of the game's own called pipeline, in the folder of the call, is not this one.
                [sys.executable, "-P", "-m", "flows.worker", outputs],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=worker_environment(workers),
            )
        except OSError as error:
            raise MachineError(
                f"a worker process cannot be started: {error}; free memory, "
                "or space in the system's temporary folder, and try again"
            ) from error

    def run(self, job: Job) -> Iterator[Event]:
        """Do ``job``; yields its events. Raises `WorkerDied`, or `JobBroken` with the worker's reason."""
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
                yield message
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            # A ValueError is that of a pipe that `stop` has closed.
            raise WorkerDied(self._exit_description()) from error

    def stop(self) -> None:
        """End the process now. What it had finished is in the store.

        May be called by several threads at once, and beside `run`.
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


class Crew:
    """Workers for a list of devices, lent one at a time.

    What a device lacks for one job it lacks for the next that needs the same: none of these is begun there.
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
        """End all workers now and lend none from now on; what they had finished is in the store."""
        self._stopped = True
        for worker in list(self._alive):
            worker.stop()

    @contextlib.contextmanager
    def lend(self, needs: tuple[str, ...]) -> Iterator[Worker]:
        """A free worker, started when its device has none yet; one that failed is replaced for the next.

        ``needs`` says what the job stands on, such as an engine and a model. Raises `JobBroken` where the device
        was found to lack that, or the crew was stopped.
        """
        free = self._free.get()
        device = free if isinstance(free, str) else free.device
        give_back: str | Worker = free
        try:
            self._check(device, needs)
            give_back = device
            worker = self._start(device) if isinstance(free, str) else free
            self._alive.add(worker)
            try:
                # Once more: a crew that is stopped ends the workers that it knows of.
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

    def _start(self, device: str) -> Worker:
        return Worker(self._outputs, device, len(self.devices))

    def _check(self, device: str, needs: tuple[str, ...]) -> None:
        if self._stopped:
            raise JobBroken("the build was stopped", 1)
        if earlier := self._lacks.get((device, needs)):
            raise JobBroken(str(earlier), earlier.exit_code)


class WorkItem(Generic[Item]):
    """Items to be done by a crew, with the job that does a list of them on a device."""

    def __init__(
        self,
        crew: Crew,
        items: Mapping[str, Item],
        job: Callable[[str, Sequence[Item]], Job],
        tell: Callable[[Event], None],
        parts: Callable[[Item], Sequence[str]],
        needs: tuple[str, ...],
    ) -> None:
        """``parts`` gives the events' item names that an item stands for; ``needs`` is what `Crew.lend` asks."""
        self._crew = crew
        self._needs = needs
        self._left = dict(items)
        self._job = job
        self._tell = tell
        self._parts = parts
        self._owner = {part: key for key, item in items.items() for part in parts(item)}
        self._open = {key: set(parts(item)) for key, item in items.items()}
        self._deaths: Counter[str] = Counter()

    def run(self) -> None:
        """Do every item; on return each has had its event. Raises `JobBroken` when the build cannot go on."""
        while self._left:
            suspects = [key for key in self._left if self._deaths[key]]
            keys = suspects[:1] or list(self._left)
            self._attempt(keys)

    def _attempt(self, keys: Sequence[str]) -> None:
        begun: set[str] = set()
        try:
            with self._crew.lend(self._needs) as worker:
                for event in worker.run(self._job(worker.device, [self._left[key] for key in keys])):
                    owner = self._owner[event.item]
                    if isinstance(event, Began):
                        begun.add(owner)
                    else:
                        self._finish(event, owner)
        except WorkerDied as death:
            for key in [key for key in keys if key in self._left and (key in begun or not begun)]:
                self._deaths[key] += 1
                if self._deaths[key] >= _DEATHS_ALLOWED:
                    self._give_up(key, str(death))
        else:
            for key in [key for key in keys if key in self._left]:
                self._give_up(key, "the worker told nothing of it; report this as a bug")

    def _finish(self, event: Event, owner: str) -> None:
        self._tell(event)
        waiting = self._open.get(owner, set())
        waiting.discard(event.item)
        if not waiting:
            self._left.pop(owner, None)

    def _give_up(self, key: str, reason: str) -> None:
        for part in self._open[key]:
            self._tell(Failed(part, reason))
        self._left.pop(key, None)
