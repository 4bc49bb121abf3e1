"""The tree of a manifest, and what is wrong with it: faults, their words, and all problems of one load.

Every scalar of the tree is the text that was written; its key decides how to read it. So ``no``, ``017`` and
``1:30`` mean what they look like.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from pipeline.errors import ManifestError, Problem

SHOWN = 60
"""Longest piece of a manifest's text that a message repeats."""


class Fault(ValueError):
    """What is wrong with one value, and what to do. The caller knows the place."""

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
    """The known name that ``name`` most likely means, or None.

    >>> nearest("durration", ["duration", "variations"])
    'duration'
    >>> nearest("zzz", ["duration"]) is None
    True
    """
    if len(name) > SHOWN:
        return None
    folded = {item.casefold(): item for item in known}
    close = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def list_names(names: Iterable[str], limit: int = 40) -> str:
    """Names for a sentence: ``a, b, c``; more than ``limit`` are counted."""
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
    """``text``, a path from the folder of the file ``shown``, as the user would write it.

    >>> beside("manifests/game.yaml", "shared/a.yaml")
    'manifests/shared/a.yaml'
    """
    return shown[: max(shown.rfind("/"), shown.rfind("\\")) + 1] + text


NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(slots=True, eq=False)
class ScalarNode:
    """One value as it was written. ``plain`` if it has no quotes, so that it may mean "nothing".

    ``comment`` is what follows a plain value on its line after `` #``, with the ``#``; else empty.
    """

    text: str
    plain: bool
    line: int
    comment: str = ""


@dataclass(slots=True, eq=False)
class SequenceNode:
    """A list."""

    line: int
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class MappingNode:
    """Keys and values; ``key_lines`` has the line of each key, which is where an editor should jump to."""

    line: int
    items: dict[str, Node] = field(default_factory=dict)
    key_lines: dict[str, int] = field(default_factory=dict)


Node = ScalarNode | SequenceNode | MappingNode
Location = tuple[int | str, ...]


def to_data(node: Node) -> Any:
    """The tree as fresh dictionaries, lists, text, and None for a plain empty value, ``~`` or ``null``."""
    if isinstance(node, ScalarNode):
        return None if node.plain and node.text in NULLS else node.text
    if isinstance(node, SequenceNode):
        return [to_data(item) for item in node.items]
    return {key: to_data(item) for key, item in node.items.items()}


def locate(node: Node, location: Location) -> tuple[int, Location]:
    """The line of the deepest part of ``location`` that is in the tree, and that part."""
    line = node.line
    for depth, step in enumerate(location):
        if isinstance(node, MappingNode) and step in node.items:
            line = node.key_lines[str(step)]
            node = node.items[str(step)]
        elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            line = node.line
        else:
            return line, location[:depth]
    return line, location


def dotted(location: Location) -> str:
    """A location as a user writes it.

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


MAX_PROBLEMS = 1000
"""A load stops at this number."""


class Problems:
    """The problems of one load, over every file that it reads."""

    def __init__(self) -> None:
        self._files: dict[str, int] = {}
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Warnings, in file order."""
        unique = dict.fromkeys(self._warnings)
        return tuple(sorted(unique, key=lambda problem: (self._files[problem.file], problem.line)))

    def warn(self, problem: Problem) -> None:
        """Add a warning: something valid that is perhaps a mistake."""
        if len(self._warnings) < MAX_PROBLEMS:
            self._warnings.append(problem)

    @property
    def count(self) -> int:
        """How many problems there are."""
        return len(self._problems)

    def lines_in(self, file: str) -> frozenset[int]:
        """The lines of the problems in ``file``."""
        return frozenset(problem.line for problem in self._problems if problem.file == file)

    def in_file(self, file: str) -> Report:
        """A reporter for one file. Problems come out in the order in which files were first named here."""
        self._files.setdefault(file, len(self._files))
        return Report(self, file)

    def add(self, problem: Problem) -> None:
        """Add a problem. Raises `ManifestError` at `MAX_PROBLEMS`."""
        self._problems.append(problem)
        if len(self._problems) >= MAX_PROBLEMS:
            fault = Fault(f"{MAX_PROBLEMS:,} problems so far", "fix these first; there may be more")
            self._problems.append(Problem(problem.file, problem.line, "", fault.what, fault.remedy))
            self.check()

    def check(self) -> None:
        """Raise `ManifestError` with all problems, if there are any."""
        if self._problems:
            unique = dict.fromkeys(self._problems)
            raise ManifestError(sorted(unique, key=lambda problem: (self._files[problem.file], problem.line)))


class Report:
    """Adds problems of one file."""

    def __init__(self, problems: Problems, file: str) -> None:
        self._problems = problems
        self.file = file

    def add(self, line: int, where: str, fault: Fault) -> None:
        """Add a problem at a known line."""
        self._problems.add(Problem(self.file, line, where, fault.what, fault.remedy))

    def at(self, root: Node, location: Location, fault: Fault) -> None:
        """Add a problem at ``location`` in the document ``root``."""
        self.add(locate(root, location)[0], dotted(location), fault)

    def warn(self, line: int, where: str, fault: Fault) -> None:
        """Add a warning at a known line."""
        self._problems.warn(Problem(self.file, line, where, fault.what, fault.remedy))
