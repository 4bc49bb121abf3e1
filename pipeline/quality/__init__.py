"""Quality gates and scores of takes and masters."""

from pipeline.quality.fingerprint import Fingerprint, fingerprint, likeness
from pipeline.quality.gates import Failure, GateInput, Limits, QualityReport, duplicate, limits_of, score

__all__ = [
    "Failure",
    "Fingerprint",
    "GateInput",
    "Limits",
    "QualityReport",
    "duplicate",
    "fingerprint",
    "likeness",
    "limits_of",
    "score",
]
