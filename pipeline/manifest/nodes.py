"""The tree that YAML text becomes: text, lists and mappings, each with its line. Nothing is guessed.

Every scalar stays the text that was written; the key that it stands under says how to read it. So ``no``,
``017`` and ``1:30`` mean what they look like.
"""

from __future__ import annotations

from typing import Any

NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class Scalar:
    """One value as it was written. ``plain`` when it stood without quotes, so that it may mean "nothing".

    ``comment`` is what follows a plain value on its line after `` #``, with the ``#``; else empty.
    """

    __slots__ = ("comment", "line", "plain", "text")

    def __init__(self, text: str, plain: bool, line: int, comment: str = "") -> None:
        self.text = text
        self.plain = plain
        self.line = line
        self.comment = comment


class Sequence:
    """A list."""

    __slots__ = ("items", "line")

    def __init__(self, line: int) -> None:
        self.items: list[Node] = []
        self.line = line


class Mapping:
    """Keys and values; ``key_lines`` has the line of each key, which is where an editor should jump to."""

    __slots__ = ("items", "key_lines", "line")

    def __init__(self, line: int) -> None:
        self.items: dict[str, Node] = {}
        self.key_lines: dict[str, int] = {}
        self.line = line


Node = Scalar | Sequence | Mapping
Location = tuple[int | str, ...]


def to_data(node: Node) -> Any:
    """The tree as fresh dictionaries, lists, text, and None for a plain empty value, ``~`` or ``null``."""
    if isinstance(node, Scalar):
        return None if node.plain and node.text in NULLS else node.text
    if isinstance(node, Sequence):
        return [to_data(item) for item in node.items]
    return {key: to_data(item) for key, item in node.items.items()}


def locate(node: Node, location: Location) -> tuple[int, Location]:
    """The line of the deepest part of ``location`` that is in the tree, and that part."""
    line = node.line
    for depth, step in enumerate(location):
        if isinstance(node, Mapping) and step in node.items:
            line = node.key_lines[str(step)]
            node = node.items[str(step)]
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            line = node.line
        else:
            return line, location[:depth]
    return line, location


def dotted(location: Location) -> str:
    """A location as a person writes it.

    >>> dotted(("assets", 3, "tags", 0))
    'assets[3].tags[0]'
    """
    text = ""
    for step in location:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            plain = step.isprintable() and 0 < len(step) <= 60
            shown = step if plain else repr(step[:60])
            text += f".{shown}" if text else shown
    return text
