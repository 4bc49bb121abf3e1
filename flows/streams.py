"""Standard output and standard error as streams that never raise.

Whoever reads them may go away (a pager that was closed, ``head -1``, a terminal that is gone), and a file may find no
room on its disk. The command goes on: its exit code tells what it did, not who listened.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys

_ERRORS = "backslashreplace"
"""A pipe on Windows or an old terminal does not know every character of a prompt or of a file's name."""


class SteadyStream(io.TextIOWrapper):
    """A text stream that writes nothing more once a write has failed."""

    fault: OSError | None = None
    """Why output is lost that somebody wants; None while nothing is, and where the reader went away."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        lines, at_once, encoding = stream.line_buffering, stream.write_through, stream.encoding
        self._is_terminal = stream.isatty()
        super().__init__(stream.detach(), encoding, _ERRORS, line_buffering=lines, write_through=at_once)

    def write(self, text: str, /) -> int:
        """See `io.TextIOBase.write`."""
        try:
            return super().write(text)
        except OSError as error:
            self._let_go(error)
            return len(text)

    def flush(self) -> None:
        """See `io.IOBase.flush`."""
        try:
            super().flush()
        except OSError as error:
            self._let_go(error)

    def _let_go(self, error: OSError) -> None:
        """Send what is still to be written nowhere, at the program's end too, where Python flushes it."""
        # Windows calls a pipe without a reader an invalid argument.
        closed_pipe = isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL)
        reader_gone = closed_pipe or self._is_terminal
        if not reader_gone and self.fault is None:
            self.fault = error
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)


def steady_streams() -> None:
    """Make standard output and standard error of this process steady; streams that are closed stay so."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = SteadyStream(sys.stdout)
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = SteadyStream(sys.stderr)


def output_fault() -> OSError | None:
    """Why standard output is not whole; None where it is, or where nobody wanted more of it."""
    if isinstance(sys.stdout, SteadyStream):
        sys.stdout.flush()
        return sys.stdout.fault
    return None
