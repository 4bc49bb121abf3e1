"""Gates and scores on what was made."""

from pipeline.quality.fingerprint import near_duplicates
from pipeline.quality.gates import LIMITS, Failure, Limits
from pipeline.quality.score import QualityReport, score

__all__ = ["LIMITS", "Failure", "Limits", "QualityReport", "near_duplicates", "score"]
