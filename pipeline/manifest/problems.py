"""Gathers everything that is wrong with a manifest, so that a person hears of it at once."""

from __future__ import annotations

from pipeline.errors import ManifestError, Problem
from pipeline.manifest.faults import Fault
from pipeline.manifest.nodes import Location, Node, dotted, locate

MAX_PROBLEMS = 1000
"""Where a load stops looking for more."""


class Problems:
    """The problems of one load, over every file that it reads."""

    def __init__(self) -> None:
        self._files: dict[str, int] = {}
        self._found: list[Problem] = []
        self._warnings: list[Problem] = []

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What may not be meant as it is written, in file order."""
        unique = dict.fromkeys(self._warnings)
        return tuple(sorted(unique, key=lambda found: (self._files[found.file], found.line)))

    def warn(self, problem: Problem) -> None:
        """Keep something that can stand, but may not be meant."""
        if len(self._warnings) < MAX_PROBLEMS:
            self._warnings.append(problem)

    def in_file(self, file: str) -> Report:
        """A reporter for one file. Problems come out in the order in which files were first named here."""
        self._files.setdefault(file, len(self._files))
        return Report(self, file)

    def add(self, problem: Problem) -> None:
        """Keep one problem. Raises `ManifestError` at `MAX_PROBLEMS`: nobody reads on from there."""
        self._found.append(problem)
        if len(self._found) >= MAX_PROBLEMS:
            fault = Fault(f"{MAX_PROBLEMS:,} problems so far", "fix these first; there may be more")
            self._found.append(Problem(problem.file, problem.line, "", fault.what, fault.remedy))
            self.check()

    def check(self) -> None:
        """Raise `ManifestError` with all that was found, if anything was."""
        if self._found:
            unique = dict.fromkeys(self._found)
            raise ManifestError(sorted(unique, key=lambda found: (self._files[found.file], found.line)))


class Report:
    """Adds problems of one file."""

    def __init__(self, problems: Problems, file: str) -> None:
        self._problems = problems
        self.file = file

    def add(self, line: int, where: str, fault: Fault) -> None:
        """Keep a problem at a known line."""
        self._problems.add(Problem(self.file, line, where, fault.what, fault.remedy))

    def at(self, root: Node, location: Location, fault: Fault, base: Location = ()) -> None:
        """Keep a problem at ``location`` beneath ``root``, which stands at ``base`` in the document."""
        line, _ = locate(root, location)
        self.add(line, dotted(base + location), fault)

    def warn(self, line: int, where: str, fault: Fault) -> None:
        """Keep a warning at a known line."""
        self._problems.warn(Problem(self.file, line, where, fault.what, fault.remedy))
