"""A worker process: reads sessions and their orders from standard input, writes events to standard output.

Messages are pickles between a parent and its child. The worker ends when its input closes, so that no worker outlives a
killed parent. Everything that it finished is in the store.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from importlib import import_module
from logging.handlers import QueueHandler
from typing import BinaryIO, NoReturn, cast

from pipeline.errors import CuesmithError
from pipeline.generators import Generator, find_engine
from pipeline.jobs.masters import make_masters
from pipeline.jobs.orders import OrderSource
from pipeline.jobs.takes import make_takes
from pipeline.jobs.work_items import (
    AssetOrder,
    Broken,
    Done,
    EndSession,
    Give,
    MasterSession,
    Message,
    Session,
)
from pipeline.plan import TakeOrder
from pipeline.provenance import MasterRecord
from pipeline.store import Store

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


def main(outputs: str, level: int, engine: str | None = None, device: str = "cpu") -> None:
    """Do sessions on the store at ``outputs`` until standard input closes; log from ``level`` on.

    With ``engine``, open it on ``device`` before the first session.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    send = _sender()
    logger = logging.getLogger("pipeline")
    logger.setLevel(level)
    logger.addHandler(_ParentHandler(send))
    inbox: queue.SimpleQueue[Session | Give | EndSession] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, inbox), daemon=True).start()
    try:
        serve(inbox, send, outputs, _open(engine, device) if engine else {})
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


def _open(engine: str, device: str) -> dict[tuple[str, str], Generator]:
    """Open an engine early. An error counts only if a session needs the engine, which then opens it again."""
    with contextlib.suppress(Exception):
        generator = find_engine(engine).open(device)
        _logger.info("opened engine %s on %s", engine, device)
        return {(engine, device): generator}
    return {}


def serve(
    inbox: queue.SimpleQueue[Session | Give | EndSession],
    send: Send,
    outputs: str,
    opened: dict[tuple[str, str], Generator] | None = None,
) -> None:
    """Do the sessions of ``inbox`` on the store at ``outputs``, until another message comes instead of a session.

    ``opened`` holds engines that are open already, by name and device.
    """
    store = Store.open(outputs)
    opened = {} if opened is None else opened
    while not isinstance(session := inbox.get(), Give | EndSession):
        try:
            is_late = _do(session, inbox, send, store, opened)
        except CuesmithError as error:
            send(Broken(str(error), error.exit_code))
        else:
            send(Done(is_late))


def _do(
    session: Session,
    inbox: queue.SimpleQueue[Session | Give | EndSession],
    send: Send,
    store: Store,
    opened: dict[tuple[str, str], Generator],
) -> bool:
    """Do one session; return whether its time was up."""
    receive = cast(Callable[[], Give | EndSession], inbox.get)
    if isinstance(session, MasterSession):
        assets: OrderSource[AssetOrder] = OrderSource(receive, send, session.seconds_left)
        make_masters(session, store, assets, send, partial(_draw, store))
        return assets.is_late()
    takes: OrderSource[TakeOrder] = OrderSource(receive, send, session.seconds_left)
    key = (session.engine, session.device)
    if key not in opened:
        opened[key] = find_engine(session.engine).open(session.device)
        _logger.info("opened engine %s on %s", *key)
    make_takes(session, opened[key], store, takes, send)
    return takes.is_late()


def _draw(store: Store, record: MasterRecord) -> None:
    """Make what the report shows of a master. What fails here is tried again with the report, which names it."""
    try:
        import_module("pipeline.report.media").draw_master(store, record)
    except Exception as error:
        _logger.warning("no pictures of %s yet: %s: %s", record["asset"], type(error).__name__, error)


def _read(source: BinaryIO, inbox: queue.SimpleQueue[Session | Give | EndSession]) -> None:
    try:
        while True:
            inbox.put(pickle.load(source))
    except (EOFError, OSError, pickle.UnpicklingError):
        # UnpicklingError: the parent was killed while it sent a message.
        os._exit(0)
    except BaseException:
        _abort()


def _abort() -> NoReturn:
    """Print the current error and end the process."""
    traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
