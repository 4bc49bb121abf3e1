"""Messages to a chat's webhook, received by a server of our own on loopback."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from webhook import Webhook

from pipeline.build import notify as room
from pipeline.build.notify import WEBHOOK_VARIABLE, message, notify


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as hook:
        yield hook


MESSAGE = message(
    "emberfall: version 12", {"Failed": ["sfx/door_02 (quality): <silence> & noise"], "Changed": []}
)


def test_a_message_arrives_as_json(webhook: Webhook) -> None:
    assert notify(MESSAGE, {WEBHOOK_VARIABLE: webhook.url})
    [(content_type, body)] = webhook.received
    assert content_type == "application/json"
    assert body == MESSAGE
    assert len(body["blocks"]) == 2
    assert "&lt;silence&gt; &amp; noise" in body["blocks"][1]["text"]["text"]


def test_without_a_webhook_nothing_is_sent() -> None:
    assert not notify(MESSAGE, {})


@pytest.mark.parametrize(
    "fault",
    [
        "refused",
        "not found",
        "moved",
        "silent",
        "slow",
        "no HTTP",
        "no server",
        "no address",
        "a space",
        "a file",
    ],
)
def test_a_webhook_that_fails_is_a_warning_without_its_address(
    webhook: Webhook, fault: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = webhook.url
    webhook.status = {"refused": 403, "not found": 404, "moved": 301, "silent": None}.get(fault, 200)
    webhook.raw = {"slow": b"H", "no HTTP": b"SECRET\r\n"}.get(fault, b"")
    if fault in ("silent", "slow"):
        monkeypatch.setattr(room, "TIMEOUT_SECONDS", 0.2)
    if fault == "no server":
        url = "http://127.0.0.1:9/SECRET"
    if fault in ("no address", "a file"):
        url = "SECRET" if fault == "no address" else "file:///etc/SECRET"
    if fault == "a space":
        url += " SECRET"
    with caplog.at_level(logging.WARNING):
        assert not notify(MESSAGE, {WEBHOOK_VARIABLE: url})
    assert WEBHOOK_VARIABLE in caplog.text
    assert "SECRET" not in caplog.text


def test_long_lists_stay_inside_slacks_limits() -> None:
    text = message("m" * 200, {"Changed": [f"asset {number} " + "x" * 400 for number in range(500)]})
    for block in text["blocks"]:
        assert len(block["text"]["text"]) <= 3000
    assert "(500)" in text["blocks"][1]["text"]["text"]
