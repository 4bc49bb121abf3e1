"""A chat's webhook on loopback that keeps what it was sent."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

from loopback import LoopbackServer


class Webhook(LoopbackServer):
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

        super().__init__(Handler)
        self.url += "/services/T0/SECRET"

    def __exit__(self, *error: object) -> None:
        self.release.set()
        super().__exit__(*error)
