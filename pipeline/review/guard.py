"""Who may ask: only pages of this very server, by its own name, and only with the token where something is written.

A page of another site can make a browser send requests here, and a name that it controls can be pointed at
127.0.0.1 (DNS rebinding). So the Host must be ours, an Origin must be ours, and what the browser itself says of the
request (Fetch Metadata) must not be cross-site, except for a person who follows a link.
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
"""Sent with every answer."""


def refusal(method: str, headers: Mapping[str, str], hosts: frozenset[str], token: str) -> str | None:
    """Why a request is refused; None when it may pass. ``headers`` has lower-case names."""
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
        return "this page may only read; open the link that `cuesmith review` printed"
    return None


def _same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "replace"), token.encode())
