"""The labels in a delivered lossless file, so that a file made from it gets the same ones."""

from __future__ import annotations

import io
from collections.abc import Mapping
from xml.etree import ElementTree

from mutagen import MutagenError
from mutagen.flac import FLAC

from pipeline.audio import read_chunks
from pipeline.errors import UsageError


def labels_in(data: bytes, audio_format: str) -> Mapping[str, str]:
    """The names and values of `Labels.plain` in a wav or flac file; empty for a file without them."""
    try:
        return _wav(data) if audio_format == "wav" else _flac(data)
    except (UsageError, MutagenError, ElementTree.ParseError):
        return {}


def _wav(data: bytes) -> Mapping[str, str]:
    xml = next((chunk.data for chunk in read_chunks(data) if chunk.id == "iXML"), b"<none/>")
    return {element.tag: element.text or "" for element in ElementTree.fromstring(xml).iterfind("USER/*")}


def _flac(data: bytes) -> Mapping[str, str]:
    tags = FLAC(io.BytesIO(data)).tags
    return {name.upper(): value for name, value in tags or ()}
