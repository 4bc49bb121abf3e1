"""The contract between Cuesmith and anything that scores a take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pipeline.audio import Clip


class Scorer(Protocol):
    """An opened score, used by one worker process."""

    def score(self, clip: Clip, prompt: str) -> float:
        """The value of a take, raw as its engine made it: finite, and the same for the same clip and prompt.

        Raises `MasteringError` if the clip cannot be scored.
        """


@runtime_checkable
class Score(Protocol):
    """The object of an entry point in the group ``cuesmith.scores``."""

    name: str
    version: str
    """Changes when the same take would get another value; part of the masters that use it."""

    def missing(self) -> Iterable[str]:
        """What this machine lacks (weights, packages), each a sentence with its remedy. Nothing is loaded."""

    def open(self) -> Scorer:
        """Load the model. Raises `MachineError` with what is missing."""
