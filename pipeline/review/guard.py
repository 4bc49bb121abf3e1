"""Which requests the server accepts: only those of its own pages, and for writing only with the token.

A page of another site can make a browser send requests to this server, and can point a host name at 127.0.0.1 (DNS
rebinding). So the Host and any Origin must be those of this server, and the browser's Fetch Metadata must not say
cross-site, except when a person follows a link.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
"""Sent with every response."""


def refusal(method: str, headers: Mapping[str, str], hosts: frozenset[str], token: str) -> str | None:
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
    if method not in ("GET", "HEAD") and not _same(headers.get("x-cuesmith-token", ""), token):
        return "this page is read-only; open the link that `cuesmith review` printed"
    return None


def _same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "replace"), token.encode())
