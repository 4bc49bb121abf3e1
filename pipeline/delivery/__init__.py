"""Encoding masters into the files that a game ships."""

from pipeline.delivery.encode import FORMATS, Rendition, encode, render
from pipeline.delivery.tags import Labels

__all__ = ["FORMATS", "Labels", "Rendition", "encode", "render"]
