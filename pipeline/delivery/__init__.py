"""Encoding masters into the files that a game ships."""

from pipeline.delivery.encode import FORMATS, encode

__all__ = ["FORMATS", "encode"]
