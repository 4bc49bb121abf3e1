"""WAV chunks of even size: bext, iXML with the ASWG object and LIST INFO for studio tools, smpl and cue for loops."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from xml.sax.saxutils import escape

from pipeline.audio import Chunk
from pipeline.audio.wav_writer import chunk_bytes, even
from pipeline.delivery.tags import TOOL, Labels
from pipeline.mastering.measure import Measurement

_UNKNOWN_LOUDNESS = 0x7FFF
"""EBU Tech 3285: the value of a loudness field that is not set."""


_LOUDNESS = (
    "integrated_lufs",
    "loudness_range_lu",
    "true_peak_dbtp",
    "momentary_max_lufs",
    "short_term_max_lufs",
)
"""The measurements in the loudness fields, in their order."""


def _ascii(text: str, size: int) -> bytes:
    """``text`` in ``size`` bytes, cut or padded with zeros; a non-ASCII character becomes a question mark."""
    return text.encode("ascii", "replace")[:size].ljust(size, b"\0")


def _hundredths(value: float | None) -> int:
    return _UNKNOWN_LOUDNESS if value is None else round(value * 100)


def bext_chunk(labels: Labels, measured: Measurement | None) -> Chunk:
    """Broadcast extension, version 2 with loudness (EBU Tech 3285). Date and time stay empty, so that
    the file is reproducible."""
    description = f"{labels.title}. {labels.disclosure}"
    head = _ascii(description, 256) + _ascii(TOOL, 32) + _ascii(labels.recipe_digest, 32) + bytes(18)
    loudness = [_hundredths(getattr(measured, field, None)) for field in _LOUDNESS]
    tail = struct.pack("<QH", 0, 2) + bytes(64) + struct.pack("<5h", *loudness) + bytes(180)
    history = f"T={TOOL};{'AI-generated' if labels.generated else 'procedural'};{labels.license}\r\n"
    return Chunk("bext", head + tail + even(history.encode("ascii", "replace"), b"\0"))


_NOT_XML = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 65534, 65535))
"""Characters that XML 1.0 does not allow."""


def _elements(pairs: Iterable[tuple[str, str | None]]) -> str:
    """One element for each pair with a value."""
    return "".join(f"<{name}>{escape(text.translate(_NOT_XML))}</{name}>" for name, text in pairs if text)


def _aswg(labels: Labels, measured: Measurement | None, loop: bool) -> list[tuple[str, str | None]]:
    """The ASWG object's fields (Sony ASWG-G006)."""
    loud = measured if measured and measured.integrated_lufs is not None else None
    return [
        ("contentType", labels.kind),
        ("project", labels.project),
        ("originator", TOOL),
        ("notes", labels.disclosure),
        ("isGenerated", "true" if labels.generated else "false"),
        ("isLoop", "true" if loop else "false"),
        ("fxName", labels.ucs_name or labels.title),
        ("catId", labels.ucs_category),
        ("sourceId", labels.catalog_id),
        ("usageRights", labels.license),
        ("tempo", labels.tempo),
        ("loudness", f"{loud.integrated_lufs:.2f}" if loud else None),
        ("maxPeak", f"{loud.true_peak_dbtp:.2f}" if loud else None),
    ]


def ixml_chunk(labels: Labels, measured: Measurement | None, *, loop: bool) -> Chunk:
    """iXML with the ASWG extension object: the fields that middleware and sound libraries search."""
    head = [
        ("IXML_VERSION", "1.61"),
        ("PROJECT", labels.project),
        ("SCENE", labels.asset),
        ("TAKE", str(labels.variation)),
        ("NOTE", labels.disclosure),
    ]
    aswg = _elements(_aswg(labels, measured, loop))
    body = f"{_elements(head)}<ASWG>{aswg}</ASWG><USER>{_elements(labels.plain())}</USER>"
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<BWFXML>{body}</BWFXML>'
    return Chunk("iXML", even(text.encode("utf-8", "replace"), b"\n"))


def info_chunk(labels: Labels) -> Chunk:
    """LIST INFO (RIFF MCI 1991): the fields that file managers and players show."""
    pairs = [
        ("INAM", labels.title),
        ("IPRD", labels.project),
        ("ITRK", str(labels.variation)),
        ("ICMT", labels.disclosure),
        ("ICOP", labels.license),
        ("ISFT", TOOL),
    ]
    texts = [
        Chunk(name, even(value.encode("utf-8", "replace") + b"\0", b"\0")) for name, value in pairs if value
    ]
    return Chunk("LIST", b"INFO" + b"".join(map(chunk_bytes, texts)))


_MIDI_MIDDLE_C = 60
_FORWARD = 0
_FOR_EVER = 0
_CUE = 1
"""Number of the cue point at the loop's start."""


def smpl_chunk(rate: int, start: int, end: int) -> Chunk:
    """The sampler chunk with one endless forward loop over samples ``start`` to ``end`` (exclusive).

    The chunk's own end is inclusive ("Multimedia Programming Interface and Data Specifications 1.0", 1991):
    the last sample played, one before ``end``.
    """
    period_ns = round(1e9 / rate)
    head = struct.pack("<9I", 0, 0, period_ns, _MIDI_MIDDLE_C, 0, 0, 0, 1, 0)
    return Chunk("smpl", head + struct.pack("<6I", _CUE, _FORWARD, start, end - 1, 0, _FOR_EVER))


def cue_chunk(start: int) -> Chunk:
    """The cue point that the sampler chunk's loop refers to, at sample ``start``."""
    return Chunk("cue ", struct.pack("<3I4s3I", 1, _CUE, start, b"data", 0, 0, start))
