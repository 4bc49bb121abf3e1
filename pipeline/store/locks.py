"""Locks between processes on one file system."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from pipeline.errors import MachineError
from pipeline.store.backend import Busy, Fence
from pipeline.store.os_errors import translate_os_errors

_POLL_SECONDS = 0.002


@contextmanager
def hold_file(path: str, timeout: float) -> Iterator[Fence]:
    """Hold the lock file ``path``; the system frees it when this process ends, however it ends.

    Raises `Busy` when another still holds it after ``timeout`` seconds.
    """
    lock = FileLock(path)
    with translate_os_errors("lock", path):
        try:
            lock.acquire(timeout=timeout, poll_interval=_POLL_SECONDS)
        except Timeout:
            raise Busy(
                f"{path} is held by another cuesmith process; wait until it ends, or stop it, and try again"
            ) from None
        except NotImplementedError as error:
            raise MachineError(
                f"{path} cannot be locked: its file system has no locks; use another --outputs"
            ) from error
    try:
        yield _never_lost
    finally:
        lock.release()


def _never_lost() -> None:
    """The fence of a lock that the operating system keeps for this process."""
