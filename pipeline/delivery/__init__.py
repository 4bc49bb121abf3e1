"""Encoding masters into the files that a game ships."""

from pipeline.delivery.encode import FORMATS, Rendition, encode, render
from pipeline.delivery.labels import Labels
from pipeline.delivery.opening import open_clip

__all__ = ["FORMATS", "Labels", "Rendition", "encode", "open_clip", "render"]
