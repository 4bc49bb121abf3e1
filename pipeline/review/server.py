"""The review server: one socket on loopback, one token for writing."""

from __future__ import annotations

import errno
import os
import secrets
import socket

import uvicorn

from pipeline.errors import MachineError
from pipeline.review.api import review_app
from pipeline.store import Store

_LOOPBACK = "127.0.0.1"


class ReviewServer:
    """Serves the reports of ``store`` until interrupted. The constructor binds the port."""

    def __init__(self, store: Store, port: int = 0) -> None:
        self.token = secrets.token_urlsafe(24)
        """Requests that write need it."""
        self._socket = _listen(port)
        number = self._socket.getsockname()[1]
        self.origin = f"http://{_LOOPBACK}:{number}"
        """Its URL."""
        hosts = frozenset({f"{_LOOPBACK}:{number}", f"localhost:{number}"})
        app = review_app(store, hosts, self.token)
        self._server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
        )

    def run(self) -> None:
        """Serve until an interrupt or `stop`."""
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Make `run` return."""
        self._server.should_exit = True


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name != "nt":
        # Reuse the port of a server that has just ended. On Windows this option would share a port in use.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_LOOPBACK, port))
    except (OSError, OverflowError) as error:
        listener.close()
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        why = "another program uses it" if taken else str(error)
        raise MachineError(f"cannot use port {port}: {why}; choose another with --port") from error
    # A browser that opens the link before the server runs waits instead of being refused.
    listener.listen()
    return listener
