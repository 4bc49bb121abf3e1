"""Chunks that a studio's tools read in a WAV: bext, iXML with the ASWG object, LIST INFO."""

from __future__ import annotations

import struct
from xml.etree import ElementTree

from pipeline.audio import Chunk
from pipeline.audio.riff import chunk_bytes
from pipeline.delivery.labels import TOOL, Labels, tempo_text
from pipeline.mastering import Measurement

_UNKNOWN_LOUDNESS = 0x7FFF
"""EBU Tech 3285: the value of a loudness field that is not set."""


def _ascii(text: str, size: int) -> bytes:
    """``text`` in ``size`` bytes, cut or filled with zeros; what is not ASCII becomes a question mark."""
    return text.encode("ascii", "replace")[:size].ljust(size, b"\0")


def _hundredths(value: float | None) -> int:
    return _UNKNOWN_LOUDNESS if value is None else round(value * 100)


def bext_chunk(labels: Labels, measured: Measurement | None) -> Chunk:
    """Broadcast extension, version 2 with loudness (EBU Tech 3285). Date and time stay empty: no clock
    enters."""
    description = f"{labels.title}. {labels.disclosure}"
    head = _ascii(description, 256) + _ascii(TOOL, 32) + _ascii(labels.recipe_digest, 32) + bytes(18)
    loudness = (
        (
            measured.integrated_lufs,
            measured.loudness_range_lu,
            measured.true_peak_dbtp,
            measured.momentary_max_lufs,
            measured.short_term_max_lufs,
        )
        if measured
        else (None,) * 5
    )
    tail = struct.pack("<QH", 0, 2) + bytes(64) + struct.pack("<5h", *map(_hundredths, loudness)) + bytes(180)
    history = f"T={TOOL};{'AI-generated' if labels.generated else 'procedural'};{labels.license}\r\n"
    return Chunk("bext", head + tail + history.encode("ascii", "replace"))


def _add(parent: ElementTree.Element, name: str, text: str | None) -> None:
    """A child, unless there is nothing to say. Control characters, which XML cannot hold, are left out."""
    if text:
        clean = "".join(char for char in text if char >= " " or char in "\t\n")
        ElementTree.SubElement(parent, name).text = clean


def ixml_chunk(labels: Labels, measured: Measurement | None, *, loop: bool) -> Chunk:
    """iXML with the ASWG extension object (Sony ASWG-G006): what middleware and sound libraries search."""
    root = ElementTree.Element("BWFXML")
    _add(root, "IXML_VERSION", "1.61")
    _add(root, "PROJECT", labels.project)
    _add(root, "SCENE", labels.asset)
    _add(root, "TAKE", str(labels.variation))
    _add(root, "NOTE", labels.disclosure)
    aswg = ElementTree.SubElement(root, "ASWG")
    _add(aswg, "contentType", labels.kind)
    _add(aswg, "project", labels.project)
    _add(aswg, "originator", TOOL)
    _add(aswg, "notes", labels.disclosure)
    _add(aswg, "isGenerated", "true" if labels.generated else "false")
    _add(aswg, "isLoop", "true" if loop else "false")
    _add(aswg, "fxName", labels.ucs_name or labels.title)
    _add(aswg, "catId", labels.ucs_category)
    _add(aswg, "sourceId", labels.catalog_id)
    _add(aswg, "usageRights", labels.license)
    _add(aswg, "tempo", tempo_text(labels.tempo_bpm) if labels.tempo_bpm else None)
    if measured and measured.integrated_lufs is not None and measured.true_peak_dbtp is not None:
        _add(aswg, "loudness", f"{measured.integrated_lufs:.2f}")
        _add(aswg, "maxPeak", f"{measured.true_peak_dbtp:.2f}")
    user = ElementTree.SubElement(root, "USER")
    for name, value in labels.plain():
        _add(user, name, value)
    return Chunk("iXML", ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True))


def info_chunk(labels: Labels) -> Chunk:
    """LIST INFO (RIFF MCI 1991): what file managers and players show."""
    pairs = [
        ("INAM", labels.title),
        ("IPRD", labels.project),
        ("ITRK", str(labels.variation)),
        ("ICMT", labels.disclosure),
        ("ICOP", labels.license),
        ("ISFT", TOOL),
    ]
    texts = [Chunk(name, value.encode("utf-8", "replace") + b"\0") for name, value in pairs if value]
    return Chunk("LIST", b"INFO" + b"".join(map(chunk_bytes, texts)))
