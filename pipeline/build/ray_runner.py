"""The workers of a build on the nodes of a Ray cluster. This module imports ray.

A worker is an ordinary worker process on a node; an actor beside it passes messages on. The actor reserves one GPU, or
one CPU, and Ray lets it see that GPU alone. If the node is lost, the build does the worker's work on another one.

Nothing but these messages goes through Ray: the nodes read and write the store themselves, and need no Prefect.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

import ray
from ray.exceptions import RayError

from pipeline import __version__
from pipeline.build.workers import Link, MachineLost, Seat, Worker, WorkerDied, next_message
from pipeline.cpus import usable_cpus
from pipeline.errors import CuesmithError, MachineError
from pipeline.generators import Engine
from pipeline.jobs.work_items import EndSession, Give, Message, Session
from pipeline.store import Backend, Store
from pipeline.store.local import open_backend

_logger = logging.getLogger(__name__)
_CUDA = "cuda"
"""A session sees one GPU, so it has no number."""
_RESOURCES = {_CUDA: "GPU", "cpu": "CPU"}
"""Ray's name for one unit of each device."""
_PLACE_S = 300.0
"""How long a worker waits for a free GPU or CPU of the cluster."""
_END_S = 5.0


@dataclass(frozen=True, slots=True)
class _Place:
    """What a worker's process needs to know, sent to its node."""

    outputs: str
    device: str
    mark: str
    """Key of a file that this build wrote into the store."""
    version: str
    level: int


class _Problem(str):
    """Why a call failed, in words; exceptions would come back with the actor's whole traceback."""


class _NodeWorker:
    """The actor on a node: starts a worker process there and passes messages on."""

    def __init__(self) -> None:
        self._worker: Worker | None = None

    def open(self, place: _Place) -> str:
        """Start the worker, if this node can take part in the build; return where it is, or a `_Problem`."""
        node = ray.get_runtime_context().get_node_id()[:8]
        try:
            if problem := _unfit(place):
                return _Problem(f"node {node}: {problem}")
            logging.getLogger("pipeline").setLevel(place.level)
            self._worker = Worker(place.outputs, place.device, usable_cpus())
        except CuesmithError as error:
            return _Problem(f"node {node}: {error}")
        return f"node {node}, CUDA_VISIBLE_DEVICES={os.environ.get('CUDA_VISIBLE_DEVICES', '')}"

    def send(self, message: Session | Give | EndSession) -> _Problem | None:
        """See `Link.send`."""
        assert self._worker is not None
        try:
            self._worker.send(message)
        except WorkerDied as death:
            return _Problem(death)
        return None

    def read(self) -> Message | logging.LogRecord | _Problem:
        """See `Worker.read`."""
        assert self._worker is not None
        try:
            return self._worker.read()
        except WorkerDied as death:
            return _Problem(death)

    def stop(self) -> None:
        """End the worker now."""
        if self._worker is not None:
            self._worker.stop()


def _unfit(place: _Place) -> str | None:
    """Why this node cannot take part in the build."""
    if __version__ != place.version:
        return f"it has cuesmith {__version__}, and the build runs {place.version}; install the same version"
    if not open_backend(place.outputs).exists(place.mark):
        return (
            f"it does not see the files of {place.outputs}; mount that folder there under the same path, or use an "
            "object store (s3://...)"
        )
    return None


class _RayLink:
    """A worker on a node: a `Link`."""

    def __init__(self, runner: RayRunner, actor: Any, seat: Seat) -> None:
        self._runner = runner
        self._actor = actor
        self._seat = seat

    def send(self, message: Session | Give | EndSession) -> None:
        """See `Link.send`."""
        self.call("send", message)

    def receive(self) -> Message:
        """See `Link.receive`."""
        return next_message(lambda: self.call("read"))

    def call(self, method: str, *arguments: Any) -> Any:
        """Call ``method`` of the actor. Raises `WorkerDied` if the worker or its node is lost."""
        with self._runner.calling():
            answer = self.result(getattr(self._actor, method).remote(*arguments))
        if isinstance(answer, _Problem):
            raise WorkerDied(str(answer))
        return answer

    def result(self, reference: Any) -> Any:
        """The answer to a call. Raises `MachineLost` if the node is lost."""
        try:
            return ray.get(reference)
        except RayError as error:
            raise MachineLost(
                f"the worker on {self._seat.name} is lost: its node, or Ray on it, ended ({type(error).__name__})"
            ) from error

    def stop(self) -> None:
        """See `Link.stop`."""
        self._runner.end(self._actor)


class RayRunner:
    """Workers on the cluster to which this process is connected; leaving the context ends them."""

    def __init__(self, store: Store, requested: Sequence[str] | None) -> None:
        """``requested``: the devices as `parse_devices` returns them; None for all of the cluster."""
        self._outputs = store.root if "://" in store.root else str(Path(store.root).absolute())
        self._backend: Backend = store.backend
        self._requested = Counter(device.partition(":")[0] for device in requested or ())
        # In the folder from which `gc` removes what a killed process left.
        self._mark = f"tmp/ray-{uuid4().hex}"
        self._actors: dict[Any, str] = {}
        """Workers that have their GPU or CPU, with Ray's name of it."""
        self._calls = 0
        self._change = threading.Condition()
        self._closed = False

    def __enter__(self) -> RayRunner:
        self._backend.write(self._mark, b"a build on a Ray cluster")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._change:
            self._closed = True
            left = list(self._actors)
        for actor in left:
            self.end(actor)
        with self._change:
            # Ray must not be shut down while a thread waits for an answer.
            self._change.wait_for(lambda: not self._calls, _END_S)
        self._backend.delete(self._mark)

    def devices(self, engine: Engine) -> tuple[str, ...]:
        """See `Runner.devices`."""
        for kind in (_CUDA, "cpu"):
            if kind in engine.device_kinds and (found := self._found(kind)):
                return found
        raise MachineError(
            f"engine {engine.name} can use {', '.join(engine.device_kinds)}, and the Ray cluster has no such device "
            "for this build; add a node, or choose others with --devices"
        )

    def mastering_devices(self) -> tuple[str, ...]:
        """See `Runner.mastering_devices`."""
        if found := self._found("cpu") or ("cpu",) * _total("CPU"):
            return found
        raise MachineError("the Ray cluster has no CPU for mastering; start a node with --num-cpus 1 or more")

    def shares_cpus(self, engine: Engine) -> bool:
        """See `Runner.shares_cpus`; more workers than CPUs would wait for each other."""
        return self.devices(engine) == self.mastering_devices()

    def _found(self, kind: str) -> tuple[str, ...]:
        """Devices of a kind that the build may use."""
        wanted = self._requested[kind] if self._requested else _total(_RESOURCES[kind])
        return (kind,) * min(wanted, _total(_RESOURCES[kind]))

    def start(self, seat: Seat) -> Link:
        """See `Runner.start`. Waits for a free GPU or CPU as long as the cluster can have one."""
        resource = _RESOURCES[seat.device]
        options = {"num_gpus": int(resource == "GPU"), "num_cpus": int(resource == "CPU")}
        # Threads: a call that waits for the worker, and others meanwhile.
        actor: Any = ray.remote(_NodeWorker).options(max_concurrency=4, **options).remote()
        link = _RayLink(self, actor, seat)
        place = _Place(self._outputs, seat.device, self._mark, __version__, _logger.getEffectiveLevel())
        try:
            with self.calling():
                opening = actor.open.remote(place)
                self._wait(opening, resource)
                opened = link.result(opening)
            if isinstance(opened, _Problem):
                raise MachineError(str(opened))
        except BaseException:
            link.stop()
            raise
        with self._change:
            self._actors[actor] = resource
        _logger.info("%s is on %s", seat.name, opened)
        return link

    def _wait(self, opening: Any, resource: str) -> None:
        """Wait until a worker has its ``resource``. Raises `MachineError` if it will not get one."""
        deadline = time.monotonic() + _PLACE_S
        while not ray.wait([opening], timeout=1.0)[0]:
            with self._change:
                if self._closed:
                    raise MachineError("the build was stopped")
                used = sum(held == resource for held in self._actors.values())
            if used >= _total(resource):
                raise MachineError(f"the Ray cluster lost a node and has only {used} {resource}s left")
            if time.monotonic() > deadline:
                raise MachineError(
                    f"the Ray cluster had no free {resource} within {_PLACE_S:.0f} s; try again when others need fewer "
                    "of them, or ask for fewer workers with --devices"
                )

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Count a thread that waits for the cluster."""
        with self._change:
            self._calls += 1
        try:
            yield
        finally:
            with self._change:
                self._calls -= 1
                self._change.notify_all()

    def end(self, actor: Any) -> None:
        """End a worker and its actor now; its GPU or CPU is free."""
        with self._change:
            self._actors.pop(actor, None)
        with self.calling():
            # The worker first: one that hangs would not notice that its actor ended.
            ray.wait([actor.stop.remote()], timeout=_END_S)
            ray.kill(actor)


def _total(resource: str) -> int:
    """How much of ``resource`` the cluster has now."""
    nodes: list[Any] = ray.nodes()  # type: ignore[no-untyped-call]
    return int(sum(node["Resources"].get(resource, 0) for node in nodes if node["Alive"]))
