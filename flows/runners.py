"""Opens what runs the workers of a build: this machine, or a Ray cluster through prefect-ray."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from pipeline.build.devices import parse_devices
from pipeline.build.prepare import LOCAL, BuildRequest
from pipeline.build.runner import LocalRunner, Runner
from pipeline.build.start import WarmWorkers
from pipeline.errors import MachineError
from pipeline.store import Store

_ANSWER_S = 5.0


@contextmanager
def open_runner(store: Store, request: BuildRequest, warm: WarmWorkers | None = None) -> Iterator[Runner]:
    """The runner of a build; ``warm`` has workers of this machine that have started.

    Raises `MachineError` if Ray is not installed or the cluster does not answer.
    """
    devices = parse_devices(request.devices)
    if request.runner == LOCAL:
        yield LocalRunner(store, devices, warm)
        return
    with (
        _cluster(request.ray_address),
        import_module("pipeline.build.ray_runner").RayRunner(store, devices) as runner,
    ):
        yield runner


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """Connect to a Ray cluster, or start one on this machine and end it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    options = {
        "log_to_driver": False,
        "logging_level": "ERROR",
        **({} if address else {"include_dashboard": False}),
    }
    try:
        runner: AbstractContextManager[Any] = import_module("prefect_ray").RayTaskRunner(address, options)
    except ImportError as error:
        raise MachineError(f"--runner ray needs the extra: pip install 'cuesmith[ray]' ({error})") from error
    where = address or os.environ.get("RAY_ADDRESS") or ""
    _check_answers(where)
    is_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM) if is_main else None
    try:
        runner.__enter__()
    except Exception as error:
        # A node that does not start in time is a plain `Exception` of Ray.
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        needed = "it needs the Ray and the Python of this machine"
        own = "try again when the machine is less busy, or give --ray-address of a cluster that runs"
        raise MachineError(
            f"cannot connect to the Ray cluster {where or 'on this machine'}: {reason}; {needed if where else own}"
        ) from error
    if handler is not None:
        # Ray's own handler would end this process without ending the build.
        signal.signal(signal.SIGTERM, handler)
    try:
        # Ray prints pages of its own log to standard output when a node is lost, and the result of a build goes there.
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
            yield
    finally:
        runner.__exit__(None, None, None)


def _check_answers(address: str) -> None:
    """Raise `MachineError` if nothing listens at ``host:port`` or ``ray://host:port``: Ray would try for minutes."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        if parts.hostname and parts.port:
            socket.create_connection((parts.hostname, parts.port), _ANSWER_S).close()
    except (OSError, ValueError) as error:
        raise MachineError(
            f"the Ray cluster {address} does not answer: {error}; check --ray-address (on the head node, `ray status` "
            "shows the cluster)"
        ) from error
