"""A chat's webhook on loopback that keeps what it was sent."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Webhook:
    """A server. ``status`` is its answer; None: it never answers, until ``release`` is set.

    A redirection leads to a page of this server. With ``raw``, it answers these bytes, once more every 50 ms until
    ``release`` is set.
    """

    def __init__(self) -> None:
        self.status: int | None = 200
        self.raw = b""
        self.received: list[tuple[str, Any]] = []
        self.release = threading.Event()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.received.append((self.headers["Content-Type"], json.loads(body)))
                if hook.status is None:
                    hook.release.wait()
                    return
                while hook.raw:
                    self.wfile.write(hook.raw)
                    if hook.release.wait(0.05):
                        return
                self.send_response(hook.status)
                self.send_header("Location", "/moved")
                self.end_headers()

            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_port}/services/T0/SECRET"

    def __enter__(self) -> Webhook:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.release.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
