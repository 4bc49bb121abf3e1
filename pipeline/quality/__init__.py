"""Gates and scores on what was made."""

from pipeline.quality.gates import Failure, Limits
from pipeline.quality.score import QualityReport, score

__all__ = ["Failure", "Limits", "QualityReport", "score"]
