"""Standard streams that nobody reads any more: a pager that was closed, a terminal that is gone."""

from __future__ import annotations

import contextlib
import os
from typing import IO


def let_go(stream: IO[str]) -> None:
    """What is still to be written to ``stream`` goes nowhere, at the program's end too, where Python flushes it."""
    # A stream that a test has put in its place has no number.
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
