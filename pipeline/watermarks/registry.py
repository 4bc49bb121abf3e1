"""Finding watermarks by name: the built-in one, then those of the entry point group ``cuesmith.watermarks``."""

from __future__ import annotations

from functools import cache
from typing import cast

from pipeline.generators.registry import PluginKind
from pipeline.watermarks.protocol import Watermark, Watermarker

_WATERMARKS = PluginKind(
    "watermark",
    "cuesmith.watermarks",
    {"audioseal": "pipeline.watermarks.audioseal"},
    "WATERMARK",
    Watermark,
    "docs/credentials.md",
)


def watermark_names() -> tuple[str, ...]:
    """Names of every installed watermark, sorted."""
    return _WATERMARKS.names()


@cache
def find_watermark(name: str) -> Watermark:
    """The watermark ``name``; only its light part is imported.

    Raises `UsageError` if there is none, `MachineError` if it cannot be imported.
    """
    return cast(Watermark, _WATERMARKS.find(name))


@cache
def open_watermarker(name: str) -> Watermarker:
    """The networks of the watermark ``name``, loaded once in this process. Raises `MachineError`."""
    return find_watermark(name).open()
