"""The process behind `flows.private_server`: a Prefect API on loopback that ends when its standard input closes.

`PrivateServer` starts it as ``python -m flows.api_server`` with Prefect's settings in the environment. It prints its
URL on one line when it answers. It ignores Ctrl+C, which the terminal also sends to it: the parent still needs it to
end the flow.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Generator

import uvicorn

from flows.private_server import skip_grammar

# Collecting garbage takes a sixth of the import, which creates objects that stay.
gc.disable()
skip_grammar()

from prefect.server.api.server import create_app  # noqa: E402


class _AnnouncingServer(uvicorn.Server):
    """A server that prints its URL when it listens, and handles no signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if sockets and self.started:
            host, port = sockets[0].getsockname()[:2]
            print(f"http://{host}:{port}/api", flush=True)


def main() -> None:
    """Run the API until standard input closes."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    gc.enable()
    config = uvicorn.Config(create_app(), log_level="error", access_log=False, lifespan="on")
    _AnnouncingServer(config).run(sockets=[listener])


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
