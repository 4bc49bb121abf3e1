"""A message about a build for a chat: JSON as Slack's incoming webhooks take it, which Mattermost and others read too.

The address is a secret. It comes from ``CUESMITH_WEBHOOK_URL`` alone, and no message, record or log repeats it.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

WEBHOOK_VARIABLE = "CUESMITH_WEBHOOK_URL"
TIMEOUT_SECONDS = 10.0
_SECTION_CHARACTERS = 3000
"""Slack refuses a longer section."""
_MOST_LINES = 15
_logger = logging.getLogger(__name__)


def message(headline: str, sections: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The JSON object of a message: a headline, then titled lists of lines; long lists are cut with a count.

    >>> message("emberfall: version 3", {"Changed": ["sfx/door_01: prompt changed"]})["text"]
    'emberfall: version 3'
    """
    blocks: list[dict[str, Any]] = [_section(f"*{_escaped(headline)}*")]
    for title, lines in sections.items():
        if lines:
            shown = [f"• {_escaped(line)}" for line in lines[:_MOST_LINES]]
            rest = [f"… and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
            blocks.append(_section("\n".join([f"*{_escaped(title)}* ({len(lines)})", *shown, *rest])))
    return {"text": headline, "blocks": blocks}


def notify(text: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> bool:
    """Send a `message` to the webhook; whether it was taken. False without a webhook.

    A webhook that refuses, or does not answer within `TIMEOUT_SECONDS`, is a warning in the log and never fails a
    build.
    """
    url = environment.get(WEBHOOK_VARIABLE, "").strip()
    if not url:
        return False
    reasons = [f"no answer within {TIMEOUT_SECONDS:.0f} s"]

    def send() -> None:
        try:
            _post(url, text)
            reasons.clear()
        except Exception as error:
            reasons[:] = [_reason(error)]

    # A thread, because the timeout of a request limits each wait for the server, not their sum.
    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    thread.join(TIMEOUT_SECONDS)
    for reason in reasons:
        _logger.warning(
            "the message to the webhook in %s was not sent (%s); check the address", WEBHOOK_VARIABLE, reason
        )
        return False
    return True


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Refuses redirects: urllib follows them with a GET, which loses the message."""

    def redirect_request(self, *_: object) -> None:
        """See `urllib.request.HTTPRedirectHandler.redirect_request`."""


def _post(url: str, text: Mapping[str, Any]) -> None:
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("the address must begin with https:// or http://")
    body, headers = json.dumps(text).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body, headers, method="POST")
    with urllib.request.build_opener(_NoRedirects).open(request, timeout=TIMEOUT_SECONDS):
        pass


def _reason(error: Exception) -> str:
    """Why a message was not sent, without ``str(error)``: that of some errors holds the address."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return type(cause if isinstance(cause, Exception) else error).__name__


def _section(text: str) -> dict[str, Any]:
    cut = text if len(text) <= _SECTION_CHARACTERS else text[: _SECTION_CHARACTERS - 1] + "…"
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut}}


def _escaped(text: str) -> str:
    """``text`` without control characters of Slack's markup, on one line."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
