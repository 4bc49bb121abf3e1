"""Encoding masters into the files that a game ships."""

from pipeline.delivery.encode import Rendition, encode, render
from pipeline.delivery.tags import Labels

__all__ = ["Labels", "Rendition", "encode", "render"]
