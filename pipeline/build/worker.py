"""A worker process: takes jobs from standard input, does them, sends events to standard output.

Messages are pickles between a parent and its own child. The worker ends at once when its input closes, so a
parent that was killed leaves no orphan; everything that it had finished is in the store."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import BinaryIO, NoReturn

from pipeline.errors import CuesmithError
from pipeline.generators import Generator, find_engine
from pipeline.jobs import Broken, Done, Event, Job, TakesJob
from pipeline.jobs.masters import make_masters
from pipeline.jobs.takes import make_takes
from pipeline.store import Store

Message = Event | Done | Broken


def main(outputs: str) -> None:
    """Serve jobs on the store at ``outputs`` until standard input closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, jobs), daemon=True).start()
    try:
        _serve(jobs, channel, outputs)
    except BaseException:
        # An ordinary end would wait for the listening thread's hold on standard input, and abort.
        _break()


def _serve(jobs: queue.SimpleQueue[Job], channel: BinaryIO, outputs: str) -> None:
    store = Store.open(outputs)
    opened: dict[tuple[str, str], Generator] = {}
    while True:
        for message in _do(jobs.get(), store, opened):
            pickle.dump(message, channel)
            channel.flush()


def _do(job: Job, store: Store, opened: dict[tuple[str, str], Generator]) -> Iterator[Message]:
    try:
        if isinstance(job, TakesJob):
            key = (job.engine, job.device)
            if key not in opened:
                opened[key] = find_engine(job.engine).open(job.device)
            yield from make_takes(job, opened[key], store)
        else:
            yield from make_masters(job, store)
    except CuesmithError as error:
        yield Broken(str(error), error.exit_code)
    else:
        yield Done()


def _listen(source: BinaryIO, jobs: queue.SimpleQueue[Job]) -> None:
    try:
        while True:
            jobs.put(pickle.load(source))
    except (EOFError, OSError, pickle.UnpicklingError):
        # The last: a parent that was killed in the midst of sending a long job.
        os._exit(0)
    except BaseException:
        _break()


def _break() -> NoReturn:
    """End with the present error as the last words."""
    traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
