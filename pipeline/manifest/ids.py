"""Asset ids: names that every studio's file system, tool and version control can hold, and tell apart."""

from __future__ import annotations

import re
import unicodedata

from pipeline.manifest.problems import Fault, quote
from pipeline.manifest.values import FORMATS

MAX_ID = 120
_SEGMENT = "[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_-])?"
_WHOLE = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
_ODD = re.compile("[^A-Za-z0-9_./-]")
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))]
)
_FILE_ENDINGS = tuple(f".{ending}" for ending in (*FORMATS, "aif", "aiff", "aac"))


def is_reserved(segment: str) -> bool:
    """Whether Windows takes a file of this name for a device, whatever its ending.

    >>> is_reserved("Con.wav"), is_reserved("console")
    (True, False)
    """
    return segment.split(".", 1)[0].rstrip().casefold() in _RESERVED


def check_id(text: str, noun: str = "id") -> str:
    """``text`` if it can be an asset's id, ``segment/segment/segment``; else raises `Fault`."""
    if len(text) > MAX_ID:
        raise Fault(f"{noun} {quote(text)} has {len(text)} characters", f"shorten it to {MAX_ID} or fewer")
    if not _WHOLE.fullmatch(text):
        raise _bad_form(text, noun)
    for segment in text.split("/"):
        check_segment(segment)
    return text


def check_segment(text: str) -> None:
    """Raise `Fault` where a well-formed part of an id would make a file that some system cannot hold."""
    if is_reserved(text):
        raise Fault(f"{quote(text)} is a device's name on Windows", "choose another name")
    if "." in text and text.casefold().endswith(_FILE_ENDINGS):
        stem = text.rpartition(".")[0]
        raise Fault(
            f"{quote(text)} ends like a file's name", f"write {stem}; formats says which files are made"
        )


def check_project(text: str) -> None:
    """Raise `Fault` where ``text`` cannot name a project: one segment of an id."""
    if "/" in text:
        raise Fault(f"{quote(text)} holds '/'", "write one name, such as emberfall")
    check_id(text, "name")


def _bad_form(text: str, noun: str) -> Fault:
    """Why ``text`` is not ``segment/segment/segment``."""
    odd = _ODD.search(text)
    if odd:
        what = f"{noun} {quote(text)} holds {quote(odd[0])}"
        if odd[0] == "\\":
            return Fault(what, "separate the parts with /")
        return Fault(what, "use only the letters a to z and A to Z, digits, '_', '-', '.' and '/'")
    for segment in text.split("/"):
        if not segment:
            return Fault(
                f"{noun} {quote(text)} has an empty part", "write one / between parts and none at the ends"
            )
        if segment in (".", ".."):
            what = f"{noun} {quote(text)} has {quote(segment)} as a part"
            return Fault(what, "write the whole name: an id is not a path that leads from folder to folder")
        if segment.endswith("."):
            return Fault(
                f"{noun} {quote(text)} has a part that ends with '.'", "remove that dot: Windows drops it"
            )
    what = f"{noun} {quote(text)} has a part that starts with '-' or '.'"
    return Fault(what, "start each part with a letter, a digit or '_'")


def fold(text: str) -> str:
    """Equal for two ids that some file system would hold as one: letter case and Unicode form left out.

    >>> fold("SFX/caf\\u00e9") == fold("sfx/cafe\\u0301")
    True
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
