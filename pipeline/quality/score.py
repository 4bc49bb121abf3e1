"""A quality score for a sound, used to select the best of several candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.audio import Clip
from pipeline.manifest.spec import Kind
from pipeline.quality.gates import LIMITS, Asked, Failure, Found, Limits, checks_of


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Score and failed gates of a sound."""

    score: float
    """From 0 (unusable) to 1 (nothing wrong); compare candidates by it. Above 0.9 every gate passed."""
    failures: tuple[Failure, ...]

    def with_failure(self, failure: Failure) -> QualityReport:
        """The report with one more failure, from a comparison with other sounds."""
        return QualityReport(round(max(0.01, self.score - _COST), 4), (*self.failures, failure))

    @property
    def reason(self) -> str:
        """All failures as text, with values, limits and the remedy."""
        faults = "; ".join(
            f"{one.what} ({one.name} {one.measured:g}, limit {one.limit:g})" for one in self.failures
        )
        return (
            f"quality gate: {faults}; change the prompt or the seed, make more candidates, or move the limit"
        )

    @property
    def passed(self) -> bool:
        """Whether every gate passed."""
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"score": self.score, "failures": [failure.to_json() for failure in self.failures]}


_UNUSABLE = {"not finite", "silence", "too short"}
_COST = 0.3
_STRAIN_COST = 0.1


def score(
    clip: Clip,
    kind: Kind,
    *,
    asked_s: float | None = None,
    rate_hz: int | None = None,
    loop: tuple[int, int] | None = None,
    limits: Limits | None = None,
    found: Found | None = None,
) -> QualityReport:
    """Judge ``clip``, a take or a master.

    ``asked_s`` and ``rate_hz`` are the manifest's length and rate, ``loop`` is the start and end (exclusive) of
    the loop in samples, ``limits`` replaces the defaults of the ``kind``, ``found`` holds existing
    measurements. A clip that is not finite, silent or too short scores 0. Other failures cost 0.3 each. Values
    close to their limits cost up to 0.1 in all, so that the cleanest of the good candidates wins.
    """
    checks = checks_of(clip, Asked(asked_s, rate_hz, loop), limits or LIMITS[kind], found or Found())
    failures = tuple(
        Failure(check.name, check.measured, check.limit, check.what) for check in checks if check.closed
    )
    if any(failure.name in _UNUSABLE for failure in failures):
        return QualityReport(0.0, failures)
    strain = max((check.strain for check in checks if not check.closed), default=0.0)
    left = 1.0 - _COST * len(failures) - _STRAIN_COST * strain
    return QualityReport(round(max(0.01, left), 4), failures)
