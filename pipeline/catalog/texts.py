"""What people write beside a decision: text that is stored as UTF-8 and that no terminal takes for a command."""

from __future__ import annotations

import re

LONGEST_COMMENT = 10_000
"""Characters."""
LONGEST_NAME = 200
"""Characters."""
# Lone surrogates are what is left of bytes that are no UTF-8.
_NO_TEXT = re.compile(r"[\ud800-\udfff]")
_ODD_IN_A_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ODD_IN_A_COMMENT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def name_fault(text: str) -> str | None:
    """What is wrong with a reviewer's name; None where nothing is."""
    if not text.strip():
        return "who decided? Give a name"
    return _fault(text, LONGEST_NAME, _ODD_IN_A_NAME)


def comment_fault(text: str) -> str | None:
    """What is wrong with a comment, which may have several lines; None where nothing is."""
    return _fault(text, LONGEST_COMMENT, _ODD_IN_A_COMMENT)


def text_fault(text: str) -> str | None:
    """What is wrong with a word of a command line, such as a tag; None where nothing is."""
    return _fault(text, len(text), _NO_TEXT)


def _fault(text: str, longest: int, odd: re.Pattern[str]) -> str | None:
    if len(text) > longest:
        return f"it has {len(text)} characters; {longest} are the most"
    found = odd.search(text)
    return f"it holds the control character {found[0]!r}; remove it" if found else None
