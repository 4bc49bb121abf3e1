"""Finding watermarks by name: the built-in one, then those of the entry point group ``cuesmith.watermarks``."""

from __future__ import annotations

from functools import cache

from pipeline.generators.registry import Plugins
from pipeline.watermarks.protocol import Watermark

_BUILT_IN = {"audioseal": "pipeline.watermarks.audioseal"}
_WATERMARKS: Plugins[Watermark] = Plugins("watermark", _BUILT_IN, Watermark, "docs/credentials.md")

watermark_names = _WATERMARKS.names
find_watermark = cache(_WATERMARKS.find)
"""See `Plugins.find`."""
open_watermarker = cache(lambda name: find_watermark(name).open())
"""The networks of a watermark, loaded once in this process. Raises `MachineError`."""
