"""Encoding masters into the files that a game ships."""

from pipeline.delivery.encode import Content, Rendition, encode, render
from pipeline.delivery.tags import Labels

__all__ = ["Content", "Labels", "Rendition", "encode", "render"]
