"""What is wrong with one written value, and the words that every message is made of."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

SHOWN = 60
"""Longest piece of a manifest's text that a message repeats."""


class Fault(ValueError):
    """One value that cannot stand as written. The caller knows the place; this knows what and what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


def quote(text: str) -> str:
    """``text`` between quotes on one line: invisible characters escaped, a long text cut short.

    >>> quote("wind\\n")
    "'wind\\\\n'"
    """
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 3] + "...")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that ``name`` was most likely meant to be, or None.

    >>> nearest("durration", ["duration", "variations"])
    'duration'
    >>> nearest("zzz", ["duration"]) is None
    True
    """
    if len(name) > SHOWN:
        return None
    folded = {item.casefold(): item for item in known}
    found = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def list_names(names: Iterable[str], limit: int = 40) -> str:
    """Names for a sentence: ``a, b, c``; what goes beyond ``limit`` is counted."""
    shown = list(names)
    rest = len(shown) - limit
    text = ", ".join(shown[:limit])
    return f"{text} and {rest} more" if rest > 0 else text


def suggest(name: str, known: Iterable[str], otherwise: str) -> str:
    """The remedy for a name that is not known: the nearest one, or ``otherwise`` and the whole list."""
    names = list(known)
    close = nearest(name, names)
    return f"did you mean {close}?" if close else f"{otherwise} {list_names(names) or 'none'}"


def beside(shown: str, text: str) -> str:
    """``text``, a path from the folder of the file ``shown``, as the person would write it.

    >>> beside("manifests/game.yaml", "shared/a.yaml")
    'manifests/shared/a.yaml'
    """
    return shown[: max(shown.rfind("/"), shown.rfind("\\")) + 1] + text
