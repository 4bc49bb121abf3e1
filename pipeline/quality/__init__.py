"""Gates and scores on what was made."""

from pipeline.quality.gates import Failure, Limits
from pipeline.quality.score import QualityReport, score
from pipeline.quality.seam import seam_step

__all__ = ["Failure", "Limits", "QualityReport", "score", "seam_step"]
