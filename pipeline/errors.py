"""One base error, and one subclass for each thing that a person can fix.

Every message names the place and the remedy. The command line turns an error into its exit code at one
place, so a subclass carries the code that a script will see.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in one manifest: where it stands, what it is, what to do about it."""

    file: str
    line: int
    where: str
    """Dotted path in the document, such as ``assets[3].duration``; empty for the document as a whole."""
    what: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        return f"{self.file}:{self.line}: {where}{self.what}; {self.remedy}"


class CuesmithError(Exception):
    """Base of every error that Cuesmith raises on purpose: the message is for the person at the keyboard."""

    exit_code = 1


class ManifestError(CuesmithError):
    """A manifest (or what it names) is wrong. Holds every problem found, in file order."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UsageError(CuesmithError):
    """The command was called with something that it cannot use."""

    exit_code = 2


class MachineError(CuesmithError):
    """The machine lacks something: weights, a device, a program, space on a disk."""

    exit_code = 4


class StoreError(CuesmithError):
    """The store or the catalog cannot be read or written as asked."""


class FormatError(StoreError):
    """A stored file is of a kind or a schema version that this release does not read."""


class VerificationError(CuesmithError):
    """Something stored is not what its record says."""

    exit_code = 5


class GenerationError(CuesmithError):
    """One take could not be generated. The reason is shown to the person, so it says what to do."""


class MasteringError(CuesmithError):
    """One take could not be mastered. The reason is shown to the person, so it says what to do."""
