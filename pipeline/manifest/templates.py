"""``{name}`` in an entry's texts: compiled once, filled in for every combination of its for_each lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.manifest.problems import Fault, nearest, quote
from pipeline.manifest.values import PLACEHOLDER

_PIECES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME = re.compile(PLACEHOLDER)


@dataclass(frozen=True, slots=True)
class Template:
    """Literal texts and places in a combination, in order."""

    parts: tuple[str | int, ...]
    constant: str | None
    """The text itself where nothing is filled in."""

    @property
    def used(self) -> frozenset[int]:
        """Which places of a combination are filled in."""
        return frozenset(part for part in self.parts if isinstance(part, int))

    def fill(self, values: Sequence[str]) -> str:
        """The text for one combination."""
        if self.constant is not None:
            return self.constant
        return "".join([part if isinstance(part, str) else values[part] for part in self.parts])


def compile_template(text: str, names: Sequence[str]) -> Template:
    """``text`` with ``{name}`` for the names given; ``{{`` and ``}}`` are braces. Raises `Fault`.

    >>> compile_template("{{{surface}}}", ["surface"]).fill(["snow"])
    '{snow}'
    """
    if "{" not in text and "}" not in text:
        return Template((text,), text)
    parts: list[str | int] = []
    end = 0
    for piece in _PIECES.finditer(text):
        parts.append(text[end : piece.start()])
        end = piece.end()
        if piece[0] in ("{{", "}}"):
            parts.append(piece[0][0])
        elif piece[1] is None:
            raise Fault(f"a single '{piece[0]}' in {quote(text)}", f"write {piece[0] * 2} for a brace")
        elif piece[1] in names:
            parts.append(names.index(piece[1]))
        else:
            raise _unknown(piece[1], names)
    parts.append(text[end:])
    kept = tuple(part for part in parts if part != "")
    constant = None if any(isinstance(part, int) for part in kept) else "".join(map(str, kept))
    return Template(kept, constant)


def _unknown(name: str, names: Sequence[str]) -> Fault:
    close = nearest(name, names)
    if close:
        remedy = f"did you mean {{{close}}}?"
    elif _NAME.fullmatch(name):
        remedy = f"add for_each: {{{name}: [...]}}, or write {{{{{name}}}}} for braces"
    else:
        remedy = "write {{ and }} for braces"
    return Fault(f"unknown placeholder {quote('{' + name + '}')}", remedy)


def check_name(name: str) -> None:
    """Raise `Fault` where ``name`` cannot stand in a placeholder."""
    if not _NAME.fullmatch(name):
        raise Fault(f"for_each name {quote(name)} cannot be a placeholder", "use letters, digits and '_'")
