"""Waiting for a condition, with a limit: the one place where tests let time pass."""

from __future__ import annotations

import time
from collections.abc import Callable

_POLL_S = 0.02


def wait_until(condition: Callable[[], object], patience_s: float = 60.0) -> bool:
    """Return whether ``condition`` came true within ``patience_s``."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def wait_until_next_second() -> None:
    """Return when the clock shows another second, for what might write the time into a file."""
    second = int(time.time())
    assert wait_until(lambda: int(time.time()) > second)
