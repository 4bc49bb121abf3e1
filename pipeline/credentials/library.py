"""The C2PA library, if its extra is installed, and the settings that we always give it."""

from __future__ import annotations

from typing import Any

from pipeline.credentials.identity import REMEDY
from pipeline.errors import MachineError

try:
    import c2pa as _found
except ImportError:
    _found = None

_MIME_TYPES = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
}
BESIDE = frozenset({".ogg", ".opus"})
"""Formats that cannot hold credentials: theirs stand in a file of their own, ``sound.ogg.c2pa``."""
SIDECAR = ".c2pa"


def library() -> Any:
    """The ``c2pa`` module. Raises `MachineError` when the extra is missing."""
    if _found is None:
        raise MachineError(f"Content Credentials need the package c2pa-python; {REMEDY}")
    return _found


def context(anchors: str = "") -> Any:
    """Settings: nothing is fetched from anywhere; ``anchors`` (PEM) are the roots to trust."""
    settings: dict[str, Any] = {
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True},
        "builder": {"thumbnail": {"enabled": False}},
    }
    if anchors:
        settings["trust"] = {"user_anchors": anchors}
    return library().Context.from_dict(settings)


def mime_type(suffix: str) -> str | None:
    """The media type of a file suffix that we deliver; None for others."""
    return _MIME_TYPES.get(suffix.lower())
