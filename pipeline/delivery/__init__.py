"""Encoding masters into the files that a game ships."""

from pipeline.delivery.encode import FORMATS, encode
from pipeline.delivery.labels import Labels

__all__ = ["FORMATS", "Labels", "encode"]
