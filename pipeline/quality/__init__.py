"""Quality gates and scores of takes and masters."""

from pipeline.quality.fingerprint import Fingerprint, fingerprint, likeness, near_duplicates
from pipeline.quality.gates import LIMITS, Failure, Found, Limits, QualityReport, limits_of, score

__all__ = [
    "LIMITS",
    "Failure",
    "Fingerprint",
    "Found",
    "Limits",
    "QualityReport",
    "fingerprint",
    "likeness",
    "limits_of",
    "near_duplicates",
    "score",
]
