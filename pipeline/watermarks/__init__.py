"""Watermarks: inaudible marks in a sound that a detector finds again. None is used unless a manifest names it.

A watermark is light, like an engine: it states its model and what this machine lacks; `Watermark.open` loads the
networks. Other packages bring watermarks in the entry point group ``cuesmith.watermarks``.
"""

from pipeline.watermarks.protocol import Found as Found
from pipeline.watermarks.protocol import FoundJson as FoundJson
from pipeline.watermarks.protocol import Watermark as Watermark
from pipeline.watermarks.protocol import Watermarker as Watermarker
from pipeline.watermarks.protocol import WatermarkJson as WatermarkJson
from pipeline.watermarks.protocol import message_of as message_of
from pipeline.watermarks.protocol import message_text as message_text
from pipeline.watermarks.registry import find_watermark as find_watermark
from pipeline.watermarks.registry import watermark_names as watermark_names
