"""The review server's routes: the report's files, the review state of every master, and new decisions."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse

from pipeline.catalog import Catalog, Reviews, Version, read_quarantine
from pipeline.errors import CuesmithError, UsageError
from pipeline.report import Standing, standing_of
from pipeline.review.decisions import read_decisions
from pipeline.review.guard import HEADERS, refusal
from pipeline.store import Missing, Store

_PAGES = re.compile(r"reports/\d{6,}/(index\.html|details-\d{3,}\.js)")
_FIXED = re.compile(
    r"store/[0-9a-f]{2}/[0-9a-f]{64}\.[a-z0-9]{1,12}|reports/cache/[0-9a-f]{2}/[0-9a-f]{64}(\.loop)?\.js"
)
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
}
_LONGEST_BODY = 4_000_000

_Next = Callable[[Request], Awaitable[Response]]


class Desk:
    """State that the routes share: the store's reviews and the versions read so far."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._catalog = Catalog(store)
        self._reviews = Reviews(store)
        self._versions: dict[int, Version] = {}

    def standing(self, number: int) -> Standing:
        """The review state of every master of version ``number``."""
        return standing_of(self._version(number), self._reviews.events())

    def take(self, body: bytes) -> Standing:
        """Append the decisions of ``body``, a ``cuesmith.decisions/1``; all are checked before any is written."""
        sent = read_decisions(body, "decisions", self._version)
        self._reviews.add_new(sent.events)
        return self.standing(sent.version)

    def page(self) -> str:
        """Key of the latest version's page."""
        latest = self._catalog.latest()
        if latest is None and read_quarantine(self.store) is None:
            raise UsageError("no catalog here; make one: cuesmith build")
        return f"reports/{latest.number if latest else 0:06d}/index.html"

    def _version(self, number: int) -> Version:
        if number == 0 and (quarantine := read_quarantine(self.store)) is not None:
            return quarantine.as_version()
        if number not in self._versions:
            self._versions[number] = self._catalog.read(number)
        return self._versions[number]


def review_app(store: Store, hosts: frozenset[str], token: str) -> FastAPI:
    """The server over ``store``; ``hosts`` are its own names with port; writing needs ``token``."""
    app = FastAPI(title="cuesmith review", docs_url=None, redoc_url=None, openapi_url=None)
    desk = Desk(store)

    @app.middleware("http")
    async def guard(request: Request, call: _Next) -> Response:
        why = refusal(request.method, request.headers, hosts, token)
        answer = await call(request) if why is None else JSONResponse({"detail": why}, 403)
        answer.headers.update(HEADERS)
        return answer

    @app.exception_handler(CuesmithError)
    async def refused(request: Request, error: CuesmithError) -> Response:
        return JSONResponse({"detail": str(error)}, 404 if isinstance(error, Missing) else 409)

    @app.get("/api/standing")
    def standing(version: int, since: int | None = None) -> Response:
        found = desk.standing(version)
        if since == found["count"]:
            return Response(status_code=204)
        return JSONResponse(found, headers={"Cache-Control": "no-store"})

    @app.post("/api/decisions")
    async def decide(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(desk.take, await _body(request)))

    @app.get("/")
    def home() -> Response:
        return RedirectResponse(f"/{desk.page()}")

    @app.get("/{key:path}")
    def file(key: str) -> Response:
        fixed = _FIXED.fullmatch(key) is not None
        if not fixed and not _PAGES.fullmatch(key):
            raise HTTPException(404, "not found")
        return _file(store, key, "max-age=31536000, immutable" if fixed else "no-cache")

    return app


async def _body(request: Request) -> bytes:
    """The request body. Raises `HTTPException` 413 as soon as it exceeds `_LONGEST_BODY` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_BODY:
            raise HTTPException(
                413, f"request larger than {_LONGEST_BODY} bytes; send fewer decisions at once"
            )
    return bytes(body)


def _file(store: Store, key: str, cache: str) -> Response:
    suffix = key[key.rindex(".") :]
    kind = _TYPES.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")
    headers = {"Cache-Control": cache}
    path = store.backend.local_path(key)
    if path is None:
        return Response(store.backend.read(key), media_type=kind, headers=headers)
    if not path.is_file():
        raise HTTPException(404, f"{key} is missing; run cuesmith report again")
    return FileResponse(path, media_type=kind, headers=headers)
