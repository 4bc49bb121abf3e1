"""The review server: one socket on loopback, its routes, and which requests it accepts.

It accepts only requests of its own pages, and writes only with the token. A page of another site can make a browser
send requests to this server, and can point a host name at 127.0.0.1 (DNS rebinding). So the Host and any Origin must
be those of this server, and the browser's Fetch Metadata must not say cross-site, except when a person follows a link.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse

from pipeline.catalog import LATEST, Catalog, ReviewEvent, Reviews, Version, new_events, read_quarantine
from pipeline.errors import CuesmithError, FormatError, MachineError, UsageError
from pipeline.formats import FORMATS
from pipeline.provenance.clock import now
from pipeline.report import review_state_json, write_report
from pipeline.review.checks import Unseen, decided_since, refuse_locked, replaced_since
from pipeline.review.decisions import read_decisions, read_undo
from pipeline.review.last_server import LastServer
from pipeline.review.undo import Undo, undo
from pipeline.store import Missing, Store

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
"""Sent with every response."""


def request_fault(method: str, headers: Mapping[str, str], hosts: frozenset[str], token: str) -> str | None:
    """The reason to refuse a request, or None to accept it. ``headers`` has lower-case names."""
    host = headers.get("host", "")
    if host not in hosts:
        return f"host {host!r} is not this server; open the link that `cuesmith review` printed"
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return f"requests from {origin} are refused"
    site, mode = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-mode", "")
    follows_a_link = method == "GET" and mode == "navigate" and headers.get("sec-fetch-dest") == "document"
    if site not in ("same-origin", "none") and not follows_a_link:
        return "requests from other sites are refused"
    if method not in ("GET", "HEAD") and not _has_token(headers, token):
        return "this page is read-only; open the link that `cuesmith review` printed"
    return None


def _has_token(headers: Mapping[str, str], token: str) -> bool:
    sent = headers.get("x-cuesmith-token", "")
    return secrets.compare_digest(sent.encode("utf-8", "replace"), token.encode())


_PAGES = re.compile(r"reports/(latest\.js|\d{6,}/(index\.html|details-\d{3,}\.js))")
_IMMUTABLE = re.compile(
    r"store/[0-9a-f]{2}/[0-9a-f]{64}\.[a-z0-9]{1,12}|reports/cache/[0-9a-f]{2}/[0-9a-f]{64}(\.loop)?\.js"
)
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    **{row.suffix: row.mime_type for row in FORMATS.values()},
}
_MAX_BODY_BYTES = 4_000_000

_Next = Callable[[Request], Awaitable[Response]]


class _NeedsAnswer(Exception):
    """Decisions on what their reviewer has not seen; nothing was added."""

    def __init__(self, unseen: Sequence[tuple[int, Unseen]], count: int) -> None:
        super().__init__("\n".join(f"{one.event.name}: {one.words}" for _, one in unseen))
        self.count = count
        """Events in the review file at this time."""
        self.questions = [
            {"decision": place, "name": one.event.name, "reason": one.reason, "words": one.words}
            for place, one in unseen
        ]


class _Reviewing:
    """The work behind the routes: reads review states, adds and undoes decisions; caches versions."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.decided: Counter[str] = Counter()
        """Decisions by reviewer, since the start, less those that were undone."""
        self._catalog = Catalog(store)
        self._reviews = Reviews(store)
        self._versions: dict[int, Version] = {}

    def state(self, number: int) -> dict[str, Any]:
        """The review state of every master of version ``number``, and the number of the latest version."""
        return {
            **review_state_json(self._version(number), self._reviews.events()),
            "latest": self.latest_number(),
        }

    def latest_number(self) -> int:
        """The number of the latest version; 0 before the first. An unreadable channel counts as none."""
        try:
            channel = self._catalog.channel(LATEST)
        except FormatError:
            return 0
        return channel["version"] if channel else 0

    def add(self, body: bytes, seen: int | None, latest: int | None) -> dict[str, Any]:
        """Add the decisions in ``body`` (``cuesmith.decisions/1``), all or none, after checking all of them.

        ``seen`` is the number of events that the reviewer has seen, ``latest`` the newest version that the reviewer
        knows of: by default that of the decisions. Raises `_NeedsAnswer` about changes that came after these.
        """
        decisions = read_decisions(body, "decisions", self._version)
        newest = self.latest_number()
        newer = self._version(newest) if newest > max(latest or 0, decisions.version) else None

        def check(known: tuple[ReviewEvent, ...]) -> list[ReviewEvent]:
            new = new_events(decisions.events, known)
            refuse_locked(known, new)
            unseen = [*replaced_since(newer, known, new)]
            unseen += decided_since(known, len(known) if seen is None else seen, new)
            if unseen:
                places = [decisions.events.index(one.event) for one in unseen]
                raise _NeedsAnswer(list(zip(places, unseen, strict=True)), len(known))
            return new

        added = self._reviews.add_after(check)
        self.decided.update(event.by for event in added)
        return {**self.state(decisions.version), "saved": [event.id for event in decisions.events]}

    def undo(self, body: bytes) -> dict[str, Any]:
        """Undo the decisions that ``body`` names (``cuesmith.undo/1``), except those that somebody overruled."""
        wanted = read_undo(body, "undo")
        result = Undo([], [], [])

        def choose(known: tuple[ReviewEvent, ...]) -> list[ReviewEvent]:
            nonlocal result
            result = undo(known, wanted.decisions, wanted.reviewer, now())
            return result.events

        self._reviews.add_after(choose)
        self.decided.subtract(event.by for event in result.undone)
        undone = [event.name for event in result.undone]
        return {**self.state(wanted.version), "undone": undone, "kept": result.kept}

    def page(self) -> str:
        """Key of the latest version's page, which exists."""
        latest = self._catalog.latest()
        if latest is None and read_quarantine(self.store) is None:
            raise UsageError("there is no catalog; make one: cuesmith build")
        key = f"reports/{latest.number if latest else 0:06d}/index.html"
        # A version is published a moment before the build writes its report.
        return key if self.store.backend.exists(key) else write_report(self.store).key

    def _version(self, number: int) -> Version:
        if number == 0 and (quarantine := read_quarantine(self.store)) is not None:
            return replace(quarantine, masters=())
        if number not in self._versions:
            self._versions[number] = self._catalog.read(number)
        return self._versions[number]


def review_app(store: Store, hosts: frozenset[str], token: str) -> FastAPI:
    """The server for ``store``; ``hosts`` are its own names with port; writing needs ``token``."""
    return _app(_Reviewing(store), hosts, token)


def _app(reviewing: _Reviewing, hosts: frozenset[str], token: str) -> FastAPI:
    app = FastAPI(title="cuesmith review", docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def guard(request: Request, call: _Next) -> Response:
        fault = request_fault(request.method, request.headers, hosts, token)
        response = await call(request) if fault is None else JSONResponse({"detail": fault}, 403)
        response.headers.update(HEADERS)
        return response

    @app.exception_handler(CuesmithError)
    async def failed(request: Request, error: CuesmithError) -> Response:
        return JSONResponse({"detail": str(error)}, 404 if isinstance(error, Missing) else 409)

    @app.exception_handler(_NeedsAnswer)
    async def unseen(request: Request, error: _NeedsAnswer) -> Response:
        facts = {
            "detail": str(error),
            "questions": error.questions,
            "latest": reviewing.latest_number(),
            "count": error.count,
        }
        return JSONResponse(facts, 409)

    @app.get("/api/standing")
    def standing(version: int, since: int | None = None, latest: int | None = None) -> Response:
        state = reviewing.state(version)
        if since == state["count"] and latest in (None, state["latest"]):
            return Response(status_code=204)
        return JSONResponse(state, headers={"Cache-Control": "no-store"})

    @app.post("/api/decisions")
    async def decide(request: Request, seen: int | None = None, latest: int | None = None) -> Response:
        body = await _body(request)
        return JSONResponse(await run_in_threadpool(reviewing.add, body, seen, latest))

    @app.post("/api/undo")
    async def take_back(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(reviewing.undo, await _body(request)))

    @app.get("/")
    def home() -> Response:
        return RedirectResponse(f"/{reviewing.page()}")

    @app.get("/{key:path}")
    def file(key: str) -> Response:
        immutable = _IMMUTABLE.fullmatch(key) is not None
        if not immutable and not _PAGES.fullmatch(key):
            raise HTTPException(404, "not found")
        return _file(reviewing.store, key, "max-age=31536000, immutable" if immutable else "no-cache")

    return app


async def _body(request: Request) -> bytes:
    """The request body. Raises `HTTPException` 413 as soon as it exceeds `_MAX_BODY_BYTES` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            raise HTTPException(
                413, f"request larger than {_MAX_BODY_BYTES} bytes; send fewer decisions at once"
            )
    return bytes(body)


def _file(store: Store, key: str, cache: str) -> Response:
    suffix = key[key.rindex(".") :]
    kind = _TYPES.get(suffix, "application/octet-stream")
    headers = {"Cache-Control": cache}
    path = store.backend.local_path(key)
    if path is None:
        return Response(store.backend.read(key), media_type=kind, headers=headers)
    if not path.is_file():
        raise HTTPException(404, f"{key} is missing; run cuesmith report again")
    return FileResponse(path, media_type=kind, headers=headers)


_LOOPBACK = "127.0.0.1"


class ReviewServer:
    """Serves the reports of ``store`` until interrupted. The constructor binds the port.

    A server that starts again within a day keeps the token, and the port if no other is asked for, so that open pages
    can save the decisions that they hold.
    """

    def __init__(self, store: Store, port: int = 0) -> None:
        last = LastServer.of(store.root)
        self.token = last.token or secrets.token_urlsafe(24)
        """Requests that write must send it."""
        self._socket = _listen_again(last.port) if port == 0 else _listen(port)
        number = self._socket.getsockname()[1]
        last.remember(number, self.token)
        self.origin = f"http://{_LOOPBACK}:{number}"
        """URL of the server."""
        hosts = frozenset({f"{_LOOPBACK}:{number}", f"localhost:{number}"})
        self._reviewing = _Reviewing(store)
        app = _app(self._reviewing, hosts, self.token)
        self._server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
        )

    @property
    def decided(self) -> Mapping[str, int]:
        """Number of decisions by reviewer that came through this server and were not undone."""
        return +self._reviewing.decided

    def run(self) -> None:
        """Serve until an interrupt or `stop`."""
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Make `run` return."""
        self._server.should_exit = True


def _listen_again(port: int) -> socket.socket:
    """A socket on ``port`` if it is free, else on any."""
    try:
        return _listen(port)
    except MachineError:
        return _listen(0)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name != "nt":
        # Reuse the port of a server that has just ended. On Windows this option would share a port in use.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_LOOPBACK, port))
    except (OSError, OverflowError) as error:
        listener.close()
        in_use = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        reason = "another program uses it" if in_use else str(error)
        raise MachineError(f"cannot use port {port}: {reason}; choose another with --port") from error
    # A browser that opens the link before the server runs waits instead of failing.
    listener.listen()
    return listener
