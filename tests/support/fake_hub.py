"""A model hub on this machine: the few requests that fetching makes, over real HTTP."""

from __future__ import annotations

import hashlib
import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from loopback import LoopbackServer


class FakeHub(LoopbackServer):
    """Serves folders as repositories, each at one commit."""

    def __init__(self) -> None:
        self.repositories: dict[str, tuple[str, Path]] = {}
        self.requests: list[str] = []
        self.cut: str | None = None
        """A file whose download breaks off in the middle."""
        self.spoil: str | None = None
        """A file that arrives with other bytes than announced."""
        self.token: str | None = None
        """Without this token nobody gets a file: the repositories ask for consent."""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                hub._answer(self)

            do_HEAD = do_GET  # noqa: N815

        super().__init__(Handler)

    def downloads(self) -> list[str]:
        """Files that were asked for with their bytes."""
        return [
            line.rpartition("/")[2]
            for line in self.requests
            if line.startswith("GET") and "/resolve/" in line
        ]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path).path
        self.requests.append(f"{handler.command} {path}")
        for name, (commit, folder) in self.repositories.items():
            if path in (f"/api/models/{name}", f"/api/models/{name}/revision/{commit}"):
                return self._send(handler, json.dumps(self._info(name, commit, folder)).encode(), {})
            start = f"/{name}/resolve/{commit}/"
            if path.startswith(start) and (folder / path[len(start) :]).is_file():
                if self.token and handler.headers.get("Authorization") != f"Bearer {self.token}":
                    return self._send(handler, b"", {"X-Error-Code": "GatedRepo"}, status=401)
                return self._file(handler, folder / path[len(start) :], commit)
        handler.send_error(404)

    @staticmethod
    def _info(name: str, commit: str, folder: Path) -> dict[str, Any]:
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        siblings = [
            {
                "rfilename": path.relative_to(folder).as_posix(),
                "size": path.stat().st_size,
                "lfs": {"sha256": _sha256(path), "size": path.stat().st_size, "pointerSize": 130},
            }
            for path in files
        ]
        return {"_id": "1", "id": name, "modelId": name, "sha": commit, "siblings": siblings}

    def _file(self, handler: BaseHTTPRequestHandler, path: Path, commit: str) -> None:
        data = path.read_bytes()
        if self.spoil == path.name:
            data = data[:-1] + bytes([data[-1] ^ 1])
        headers = {"ETag": f'"{_sha256(path)}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        asked = handler.headers.get("Range")
        if asked and handler.command == "GET":
            first = int(asked.removeprefix("bytes=").partition("-")[0])
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
            return self._send(handler, data[first:], headers, status=206)
        cut = len(data) // 2 if handler.command == "GET" and self.cut == path.name else None
        return self._send(handler, data, headers, cut=cut)

    @staticmethod
    def _send(
        handler: BaseHTTPRequestHandler,
        data: bytes,
        headers: dict[str, str],
        status: int = 200,
        cut: int | None = None,
    ) -> None:
        handler.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(data))}.items():
            handler.send_header(key, value)
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(data[:cut])
        if cut is not None:
            handler.close_connection = True


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
