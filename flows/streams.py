"""Standard output and standard error that never raise.

The reader may close the stream (a pager, ``head -1``, a closed terminal), or the disk may be full. The command still
finishes, and its exit code reports its work, not the state of the output.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys

_ERRORS = "backslashreplace"
"""A pipe on Windows or an old terminal cannot encode every character of a prompt or a file name."""


class SteadyStream(io.TextIOWrapper):
    """A text stream that stops writing after the first failed write."""

    fault: OSError | None = None
    """Why output was lost; None if nothing was lost, or if the reader closed the stream."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        lines, at_once, encoding = stream.line_buffering, stream.write_through, stream.encoding
        self._is_terminal = stream.isatty()
        super().__init__(stream.detach(), encoding, _ERRORS, line_buffering=lines, write_through=at_once)

    def write(self, text: str, /) -> int:
        """See `io.TextIOBase.write`."""
        try:
            return super().write(text)
        except OSError as error:
            self._discard_output(error)
            return len(text)

    def flush(self) -> None:
        """See `io.IOBase.flush`."""
        try:
            super().flush()
        except OSError as error:
            self._discard_output(error)

    def _discard_output(self, error: OSError) -> None:
        """Send the remaining output to the null device, also what Python flushes at exit."""
        # On Windows, a pipe without a reader raises EINVAL.
        closed_pipe = isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL)
        reader_gone = closed_pipe or self._is_terminal
        if not reader_gone and self.fault is None:
            self.fault = error
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)


def steady_streams() -> None:
    """Replace standard output and standard error with `SteadyStream`; closed streams stay closed."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = SteadyStream(sys.stdout)
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = SteadyStream(sys.stderr)


def output_fault() -> OSError | None:
    """Return why standard output is incomplete; None if it is complete, or if the reader closed it."""
    if isinstance(sys.stdout, SteadyStream):
        sys.stdout.flush()
        return sys.stdout.fault
    return None
