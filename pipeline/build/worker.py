"""A worker process: reads jobs from standard input, does them, writes events to standard output.

Messages are pickles between a parent and its child. The worker ends when its input closes, so that no worker outlives a
killed parent. Everything that it finished is in the store.
"""

from __future__ import annotations

import logging
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from logging.handlers import QueueHandler
from typing import BinaryIO, NoReturn

from pipeline.errors import CuesmithError
from pipeline.generators import Generator, find_engine
from pipeline.jobs import Broken, Done, Event, Job, TakesJob
from pipeline.jobs.masters import make_masters
from pipeline.jobs.takes import make_takes
from pipeline.store import Store

Message = Event | Done | Broken
Send = Callable[[Message | logging.LogRecord], None]

# In the process, `__name__` is "__main__".
_logger = logging.getLogger("pipeline.build.worker")


class _ParentHandler(QueueHandler):
    """Send log records to the parent."""

    def __init__(self, send: Send) -> None:
        super().__init__(queue.SimpleQueue())
        self._send = send

    def enqueue(self, record: logging.LogRecord) -> None:
        self._send(record)


def main(outputs: str, level: int) -> None:
    """Do jobs on the store at ``outputs`` until standard input closes; log from ``level`` on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    send = _sender()
    logger = logging.getLogger("pipeline")
    logger.setLevel(level)
    logger.addHandler(_ParentHandler(send))
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    threading.Thread(target=_read_jobs, args=(sys.stdin.buffer, jobs), daemon=True).start()
    try:
        _serve(jobs, send, outputs)
    except BaseException:
        # A normal exit would wait for the thread that reads standard input.
        _abort()


def _sender() -> Send:
    """Return a function that sends a message to the parent; what other code prints goes to standard error."""
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    lock = threading.Lock()

    def send(message: Message | logging.LogRecord) -> None:
        with lock:
            pickle.dump(message, channel)
            channel.flush()

    return send


def _serve(jobs: queue.SimpleQueue[Job], send: Send, outputs: str) -> None:
    store = Store.open(outputs)
    opened: dict[tuple[str, str], Generator] = {}
    while True:
        for message in _do(jobs.get(), store, opened):
            send(message)


def _do(job: Job, store: Store, opened: dict[tuple[str, str], Generator]) -> Iterator[Message]:
    try:
        if isinstance(job, TakesJob):
            key = (job.engine, job.device)
            if key not in opened:
                opened[key] = find_engine(job.engine).open(job.device)
                _logger.info("opened engine %s on %s", *key)
            _logger.debug("generating %d takes on %s", len(job.orders), job.device)
            yield from make_takes(job, opened[key], store)
        else:
            _logger.debug("mastering %d assets", len(job.assets))
            yield from make_masters(job, store)
    except CuesmithError as error:
        yield Broken(str(error), error.exit_code)
    else:
        yield Done()


def _read_jobs(source: BinaryIO, jobs: queue.SimpleQueue[Job]) -> None:
    try:
        while True:
            jobs.put(pickle.load(source))
    except (EOFError, OSError, pickle.UnpicklingError):
        # UnpicklingError: the parent was killed while it sent a job.
        os._exit(0)
    except BaseException:
        _abort()


def _abort() -> NoReturn:
    """Print the current error and end the process."""
    traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
