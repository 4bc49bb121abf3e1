"""One number for a sound, so that the best of several candidates can be kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.audio import Clip
from pipeline.manifest.spec import Kind
from pipeline.quality.gates import LIMITS, Failure, Limits, failures_of


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What the gates found."""

    score: float
    """From 0 (unusable) to 1 (nothing wrong); compare candidates by it."""
    failures: tuple[Failure, ...]

    @property
    def passed(self) -> bool:
        """Whether every gate stayed open."""
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"score": self.score, "failures": [failure.to_json() for failure in self.failures]}


_UNUSABLE = {"not finite", "silence", "too short"}
_COST = 0.3


def score(
    clip: Clip,
    kind: Kind,
    *,
    asked_s: float | None = None,
    loop: tuple[int, int] | None = None,
    limits: Limits | None = None,
) -> QualityReport:
    """Judge ``clip``, a take or a master.

    ``asked_s`` is the length the manifest asks for, ``loop`` start and end (exclusive) in samples where the
    clip is meant to wrap, ``limits`` replaces the defaults of its ``kind``. A clip that is not finite,
    silent or empty scores 0; every other failure takes 0.3.
    """
    failures = failures_of(clip, asked_s=asked_s, loop=loop, limits=limits or LIMITS[kind])
    if any(failure.name in _UNUSABLE for failure in failures):
        return QualityReport(0.0, failures)
    return QualityReport(round(max(0.05, 1.0 - _COST * len(failures)), 4), failures)
