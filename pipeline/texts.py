"""Texts and paths that a person gives, and what makes them unusable."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.errors import UsageError

LONGEST_COMMENT = 10_000
"""Characters."""
LONGEST_NAME = 200
"""Characters."""
# Lone surrogates come from bytes that are not UTF-8.
_NO_TEXT = re.compile(r"[\ud800-\udfff]")
_ODD_IN_A_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ODD_IN_A_COMMENT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def name_fault(text: str) -> str | None:
    """What is wrong with a reviewer's name; None if nothing is."""
    if not text.strip():
        return "the name is empty"
    return _fault(text, LONGEST_NAME, _ODD_IN_A_NAME)


def comment_fault(text: str) -> str | None:
    """What is wrong with a comment, which may have several lines; None if nothing is."""
    return _fault(text, LONGEST_COMMENT, _ODD_IN_A_COMMENT)


def text_fault(text: str) -> str | None:
    """What is wrong with a text on the command line, such as a tag; None if nothing is."""
    return _fault(text, len(text), _NO_TEXT)


def _fault(text: str, longest: int, odd: re.Pattern[str]) -> str | None:
    if len(text) > longest:
        return f"it has {len(text)} characters; the limit is {longest}"
    match = odd.search(text)
    return f"it contains the control character {match[0]!r}; remove it" if match else None


def check_utf8(path: Path, what: str) -> None:
    """Raises `UsageError` where ``path`` has bytes that are not UTF-8: no record can name it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = str(path).encode(errors="surrogateescape").decode(errors="backslashreplace")
        raise UsageError(
            f"{what} {shown}: this path is not UTF-8; rename the folder or file, or use another"
        ) from None
